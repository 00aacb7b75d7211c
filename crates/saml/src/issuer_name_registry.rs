//! Whom to believe, and under what name.

use crate::{Rejection, Untrusted};
use handstamp_keys::{Certificate, CertificateTrust};
use handstamp_time::Timestamp;
use handstamp_xml_security::key_info::{KeyInfo, KeyInfoClause};

/// The trusted issuers: signing certificates and the names they are known by (SM §3.7, steps 2 and 3).
///
/// The name becomes the issuer of every claim. What an assertion calls its issuer is only text.
#[derive(Clone, Debug, Default)]
pub struct IssuerNameRegistry {
    issuers: Vec<TrustedIssuer>,
}

/// One trusted issuer.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    name: Option<String>,
    entity_id: Option<String>,
    trust: CertificateTrust,
    certificates: Vec<Certificate>,
}

impl TrustedIssuer {
    /// An issuer whose certificates `trust` accepts: pinned by hash, given, or by chain. An empty name means the subject
    /// of the certificate.
    pub fn new(name: impl Into<String>, trust: CertificateTrust) -> Self {
        let name = Some(name.into()).filter(|name| !name.is_empty());
        Self { name, entity_id: None, trust, certificates: Vec::new() }
    }

    /// Accepts only assertions whose `Issuer` says this: one of several issuers that the same certificate or authority vouches for.
    #[must_use]
    pub fn with_entity_id(mut self, entity_id: impl Into<String>) -> Self {
        self.entity_id = Some(entity_id.into());
        self
    }

    /// Gives a certificate of the issuer: trusted, and used for assertions that do not carry their certificate.
    #[must_use]
    pub fn with_certificate(mut self, certificate: Certificate) -> Self {
        self.trust = self.trust.with_certificate(&certificate);
        self.certificates.push(certificate);
        self
    }
}

impl IssuerNameRegistry {
    /// Trusts nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts an issuer too. The first that accepts a certificate gives it its name.
    #[must_use]
    pub fn with_issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// The issuer's name for a certificate. `others` came with it; `issuer` is what the assertion calls its issuer, which the caller
    /// has to prove after this.
    ///
    /// # Errors
    /// [`Rejection::IssuerNotTrusted`]; [`Rejection::CertificateInvalid`] when the certificate is known and its time is
    /// not now; [`Rejection::OtherIssuer`].
    pub fn issuer_name(
        &self,
        certificate: &Certificate,
        others: &[Certificate],
        issuer: &str,
        now: Timestamp,
    ) -> Result<String, Rejection> {
        let mut problem = None;
        for trusted in &self.issuers {
            let name = || trusted.name.clone().unwrap_or_else(|| certificate.subject().as_str().to_owned());
            match trusted.trust.check(certificate, others, now) {
                Ok(_) => match &trusted.entity_id {
                    Some(expected) if expected != issuer.trim() => {
                        problem = Some(Rejection::OtherIssuer { found: issuer.into(), expected: expected.clone() });
                    }
                    _ => return Ok(name()),
                },
                Err(error) if trusted.knows(certificate, now) => {
                    problem = Some(Rejection::CertificateInvalid { issuer: name(), problem: error.to_string() });
                }
                Err(_) => {}
            }
        }
        Err(problem.unwrap_or_else(|| Rejection::IssuerNotTrusted {
            issuer: issuer.into(),
            subject: certificate.subject().as_str().into(),
            thumbprint: hex(certificate.sha256_thumbprint()),
        }))
    }

    /// The certificates that may have made a signature, the signer's first: those it carries, else those we have that its hints
    /// fit, else all we have.
    pub(crate) fn candidates(&self, key_info: Option<&KeyInfo<'_>>) -> Candidates {
        let carried: Vec<Certificate> = key_info
            .into_iter()
            .flat_map(KeyInfo::certificates)
            .filter_map(|der| Certificate::from_der(der).ok())
            .collect();
        if !carried.is_empty() {
            return Candidates { certificates: carried, carried: true };
        }
        let hints = |certificate: &Certificate| {
            key_info.into_iter().flat_map(KeyInfo::clauses).any(|clause| match clause {
                KeyInfoClause::IssuerSerial { issuer, serial } => certificate.is_issued_as(issuer, serial),
                KeyInfoClause::SubjectKeyIdentifier(id) => certificate.subject_key_identifier() == Some(id.as_slice()),
                _ => false,
            })
        };
        let known: Vec<Certificate> =
            self.issuers.iter().flat_map(|issuer| &issuer.certificates).take(MAX_CANDIDATES).cloned().collect();
        let hinted: Vec<Certificate> = known.iter().filter(|certificate| hints(certificate)).cloned().collect();
        Candidates { certificates: if hinted.is_empty() { known } else { hinted }, carried: false }
    }
}

impl TrustedIssuer {
    /// Whether the certificate would be trusted if its validity did not matter.
    fn knows(&self, certificate: &Certificate, now: Timestamp) -> bool {
        self.trust.clone().allowing_expired_pins().check(certificate, &[], now).is_ok()
    }
}

/// Certificates to try.
pub(crate) struct Candidates {
    pub(crate) certificates: Vec<Certificate>,
    /// Whether they came with the signature: then the first is the signer's and the rest its chain.
    pub(crate) carried: bool,
}

/// How many certificates are tried for a signature that carries none.
const MAX_CANDIDATES: usize = 16;

pub(crate) fn no_certificate(assertion_issuer: &str) -> Rejection {
    let subject: Untrusted = "no certificate came with the signature, and none is configured".into();
    Rejection::IssuerNotTrusted { issuer: assertion_issuer.into(), subject, thumbprint: "none".into() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

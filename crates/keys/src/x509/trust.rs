use super::certificate::Certificate;
use super::recent::RecentCertificates;
use crate::{DigestAlgorithm, Error, digest};
use handstamp_time::Timestamp;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::collections::HashSet;
use std::fmt;
use std::time::Duration;
use webpki::{CertRevocationList, EndEntityCert, OwnedCertRevocationList};

/// Which certificates are believed: those that are pinned, and those that chain to given roots. By default none.
///
/// Pinned certificates are compared byte for byte or by their hash, so they may be self-signed, signed with SHA-1, or those of
/// an authority. Chains are checked with webpki, which accepts none of these; it wants SHA-2 all along.
/// Both must be within their validity.
///
/// ```
/// use handstamp_keys::{CertificateTrust, Curve, DeterministicRandom, KeyKind, SigningIdentity};
///
/// let (start, end) = ("2030-01-01T00:00:00Z".parse()?, "2031-01-01T00:00:00Z".parse()?);
/// let sts = SigningIdentity::self_signed("sts", KeyKind::Ec(Curve::P256), start, end, &DeterministicRandom::new(1))?;
/// let trust = CertificateTrust::none().with_sha256(*sts.certificate().sha256_thumbprint());
/// assert!(trust.check(sts.certificate(), &[], start).is_ok());
/// assert!(CertificateTrust::none().check(sts.certificate(), &[], start).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct CertificateTrust {
    pinned_sha256: HashSet<[u8; 32]>,
    pinned_sha1: HashSet<[u8; 20]>,
    roots: Vec<TrustAnchor<'static>>,
    revocations: Vec<std::sync::Arc<CertRevocationList<'static>>>,
    expired_pins: bool,
    signers: Option<HashSet<String>>,
    recent: RecentCertificates,
}

impl CertificateTrust {
    /// Trusts no certificate.
    pub fn none() -> Self {
        Self::default()
    }

    /// Trusts this certificate.
    #[must_use]
    pub fn with_certificate(self, certificate: &Certificate) -> Self {
        // SHA-256 of the whole certificate stands for its bytes.
        self.with_sha256(*certificate.sha256_thumbprint())
    }

    /// Trusts the certificate with this SHA-256 thumbprint.
    #[must_use]
    pub fn with_sha256(mut self, thumbprint: [u8; DigestAlgorithm::Sha256.output_len()]) -> Self {
        self.pinned_sha256.insert(thumbprint);
        self
    }

    /// Trusts the certificate with this SHA-1 thumbprint, as WIF's configurations name them. Prefer SHA-256: whoever can make
    /// two certificates of one SHA-1 can make you trust the other one.
    #[must_use]
    pub fn with_sha1(mut self, thumbprint: [u8; DigestAlgorithm::Sha1.output_len()]) -> Self {
        self.pinned_sha1.insert(thumbprint);
        self
    }

    /// Trusts certificates that chain to `root`.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when webpki cannot read it.
    pub fn with_root(mut self, root: &Certificate) -> Result<Self, Error> {
        let der = CertificateDer::from(root.der());
        let anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|problem| Error::UnusableKey(format!("not usable as a root certificate: {problem}")))?;
        self.roots.push(anchor.to_owned());
        Ok(self)
    }

    /// Asks this revocation list (DER) about chained certificates. With one list or more, each certificate of a chain must be
    /// covered by one, and lists must not be out of date.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when it is no revocation list.
    pub fn with_revocations(mut self, der: &[u8]) -> Result<Self, Error> {
        let list = OwnedCertRevocationList::from_der(der)
            .map_err(|problem| Error::UnusableKey(format!("not a certificate revocation list: {problem}")))?;
        self.revocations.push(std::sync::Arc::new(list.into()));
        Ok(self)
    }

    /// Lets chains count only for certificates that may sign and are about one of these subjects: for an authority that certifies
    /// others, too. Pinned certificates are not concerned.
    ///
    /// A subject is compared to the letter with [`DistinguishedName::as_str`](crate::DistinguishedName::as_str). A certificate may sign
    /// unless it has a key usage without signatures; its extended key usage does not matter, because those of token signers say many things.
    #[must_use]
    pub fn with_chained_signers(mut self, subjects: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.signers.get_or_insert_default().extend(subjects.into_iter().map(Into::into));
        self
    }

    /// Trusts pinned certificates outside of their validity too: for issuers that sign on with an expired certificate.
    #[must_use]
    pub fn allowing_expired_pins(mut self) -> Self {
        self.expired_pins = true;
        self
    }

    /// Whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        self.pinned_sha256.is_empty() && self.pinned_sha1.is_empty() && self.roots.is_empty()
    }

    /// Reads a certificate that came with a message. One that was trusted lately is not taken apart again, and its key is ready for
    /// use; whether it is trusted now is decided by [`check`](Self::check) as for any other.
    ///
    /// # Errors
    /// Those of [`Certificate::from_der`].
    pub fn read(&self, der: &[u8]) -> Result<Certificate, Error> {
        self.recent.find(der).map_or_else(|| Certificate::from_der(der), Ok)
    }

    /// Decides about a certificate. `others` are the ones that came with it; a chain may lead through them.
    ///
    /// # Errors
    /// [`Error::Untrusted`] with the reason, for the log.
    pub fn check(&self, certificate: &Certificate, others: &[Certificate], now: Timestamp) -> Result<TrustedBy, Error> {
        let trusted_by = self.decide(certificate, others, now)?;
        self.recent.remember(certificate);
        Ok(trusted_by)
    }

    fn decide(&self, certificate: &Certificate, others: &[Certificate], now: Timestamp) -> Result<TrustedBy, Error> {
        let untrusted = |reason: String| Error::Untrusted {
            subject: certificate.subject().as_str().chars().take(128).collect(),
            thumbprint: hex(certificate.sha256_thumbprint()),
            reason,
        };
        let pinned = if self.pinned_sha256.contains(certificate.sha256_thumbprint()) {
            Some(TrustedBy::Sha256)
        } else {
            self.pinned_sha1.contains(certificate.sha1_thumbprint()).then_some(TrustedBy::Sha1)
        };
        if let Some(pinned) = pinned {
            return if self.expired_pins || certificate.is_valid_at(now) {
                Ok(pinned)
            } else {
                let (from, to) = (certificate.valid_from(), certificate.valid_to());
                Err(untrusted(format!("it is pinned, but valid from {from} to {to} only")))
            };
        }
        if self.roots.is_empty() {
            return Err(untrusted("it is not pinned".into()));
        }
        self.check_chain(certificate, others, now)
            .map_err(|problem| untrusted(format!("no chain to a root: {problem}")))?;
        self.check_signer(certificate).map_err(|problem| untrusted(problem.into()))?;
        Ok(TrustedBy::Chain)
    }

    fn check_signer(&self, certificate: &Certificate) -> Result<(), &'static str> {
        let Some(subjects) = &self.signers else { return Ok(()) };
        if !subjects.contains(certificate.subject().as_str()) {
            return Err("it chains to a root, and its subject is none of those that are configured");
        }
        match certificate.key_usage() {
            Some(usage) if !usage.digital_signature() && !usage.non_repudiation() => {
                Err("it chains to a root, and its key usage does not allow signatures")
            }
            _ => Ok(()),
        }
    }

    fn check_chain(
        &self,
        certificate: &Certificate,
        others: &[Certificate],
        now: Timestamp,
    ) -> Result<(), webpki::Error> {
        let der = CertificateDer::from(certificate.der());
        let end_entity = EndEntityCert::try_from(&der)?;
        let others: Vec<_> = others.iter().take(MAX_OTHERS).map(|other| CertificateDer::from(other.der())).collect();
        let seconds = u64::try_from(now.unix_seconds()).map_err(|_| webpki::Error::CertNotValidYet {
            time: UnixTime::since_unix_epoch(Duration::ZERO),
            not_before: UnixTime::since_unix_epoch(Duration::ZERO),
        })?;
        let revocations: Vec<&CertRevocationList<'_>> = self.revocations.iter().map(|list| &**list).collect();
        let revocation = webpki::RevocationOptionsBuilder::new(&revocations).ok().map(|options| {
            options
                .with_depth(webpki::RevocationCheckDepth::Chain)
                .with_status_policy(webpki::UnknownStatusPolicy::Deny)
                .with_expiration_policy(webpki::ExpirationPolicy::Enforce)
                .build()
        });
        end_entity
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &self.roots,
                &others,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                AnyUsage,
                revocation,
                None,
            )
            .map(|_path| ())
    }
}

impl fmt::Debug for CertificateTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateTrust")
            .field("pinned_sha256", &self.pinned_sha256.iter().map(|print| hex(print)).collect::<Vec<_>>())
            .field("pinned_sha1", &self.pinned_sha1.iter().map(|print| hex(print)).collect::<Vec<_>>())
            .field("roots", &self.roots.iter().map(|root| hex(&digest::sha256(&root.subject)[..8])).collect::<Vec<_>>())
            .field("revocations", &self.revocations.len())
            .field("signers", &self.signers)
            .finish_non_exhaustive()
    }
}

/// Why a certificate is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustedBy {
    /// Its SHA-256 thumbprint is pinned.
    Sha256,
    /// Its SHA-1 thumbprint is pinned.
    Sha1,
    /// It chains to a trusted root.
    Chain,
}

/// Certificates that sign tokens say many things in their extended key usage, or nothing.
struct AnyUsage;

impl webpki::ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: webpki::KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// More certificates than any chain has are not even tried.
const MAX_OTHERS: usize = 16;

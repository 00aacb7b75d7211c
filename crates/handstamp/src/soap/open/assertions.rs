//! Issued tokens: what proves possession of an assertion.

use std::time::Duration;

use handstamp_keys::{Certificate, KeyPolicy, PublicKey, SigningIdentity, SymmetricKey};
use handstamp_saml::{Assertion, Conditions, NameId};
use handstamp_time::Timestamp;
use handstamp_ws_security::token::SecurityTokenReference;
use handstamp_ws_security::{AlgorithmSuite, IssuedTokenValidator, ProofKey};
use handstamp_xml::{Document, Element, ParseOptions, c14n, names};
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedKey};
use handstamp_xml_security::key_info::{KeyInfo, KeyInfoClause};
use handstamp_xml_security::signature::{Signature, VerificationKey, VerifiedElement, VerifyPolicy};

use super::keys::GivenKeys;

/// Accepts assertions of any issuer, as passwords of any user are accepted; what they say about time, and a signature by a
/// certificate that is at hand, has to hold.
pub(super) struct Assertions<'a> {
    pub(super) given: &'a GivenKeys,
    pub(super) identity: Option<&'a SigningIdentity>,
    /// Certificates that assertions may name without including them.
    pub(super) certificates: Vec<&'a Certificate>,
    pub(super) suite: AlgorithmSuite,
    pub(super) keys: KeyPolicy,
    pub(super) skew: Duration,
}

impl IssuedTokenValidator for Assertions<'_> {
    fn validate(&self, assertion: Element<'_>, now: Timestamp) -> Result<ProofKey, String> {
        let read = read(assertion)?;
        self.check_times(&read, now)?;
        self.verify(assertion)?;
        self.proof(assertion, &read.id)
    }
}

impl Assertions<'_> {
    fn check_times(&self, assertion: &Assertion, now: Timestamp) -> Result<(), String> {
        let Some(Conditions { not_before, not_on_or_after, .. }) = &assertion.conditions else { return Ok(()) };
        let early = not_before.is_some_and(|start| now.saturating_add(self.skew) < start);
        let late = not_on_or_after.is_some_and(|end| now.saturating_sub(self.skew) >= end);
        if !early && !late {
            return Ok(());
        }
        let at = |limit: &Option<Timestamp>| limit.map_or_else(|| "any time".to_owned(), |limit| limit.to_string());
        let skew = self.skew.as_secs();
        Err(format!("it holds from {} to {}, with {skew} s of clock skew", at(not_before), at(not_on_or_after)))
    }

    fn verify(&self, assertion: Element<'_>) -> Result<(), String> {
        let signature = Signature::of_child(assertion).map_err(text)?.ok_or("it is not signed")?;
        let Some(key_info) = signature.key_info().map_err(text)? else { return Ok(()) };
        let Some(certificate) = self.certificate(&key_info)? else { return Ok(()) };
        let key = certificate.public_key(&self.keys).map_err(text)?;
        let policy = VerifyPolicy::asymmetric().allow_rsa_sha1();
        let verified = signature.verify(VerificationKey::Public(key), &policy).map_err(text)?;
        verified.element(assertion).map(drop).ok_or_else(|| "its signature covers something else".to_owned())
    }

    /// The certificate that key information includes, or names among those at hand.
    fn certificate(&self, key_info: &KeyInfo<'_>) -> Result<Option<Certificate>, String> {
        for clause in key_info.clauses() {
            let known = |reference: &SecurityTokenReference| {
                let named = |certificate: &&&Certificate| reference.target.names_certificate(certificate);
                self.certificates.iter().find(named).map(|certificate| Certificate::clone(certificate))
            };
            let found = match clause {
                KeyInfoClause::Certificate(der) => Some(Certificate::from_der(der).map_err(text)?),
                KeyInfoClause::SecurityTokenReference(element) => {
                    SecurityTokenReference::parse(*element).ok().as_ref().and_then(known)
                }
                _ => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn proof(&self, assertion: Element<'_>, id: &str) -> Result<ProofKey, String> {
        let confirmation = assertion.descendants().find(|element| element.local_name() == "SubjectConfirmation");
        let key_info = confirmation
            .and_then(|confirmation| confirmation.descendants().find(|element| element.is(names::DSIG, "KeyInfo")));
        let Some(key_info) = key_info else { return Ok(ProofKey::Bearer) };
        let key_info = KeyInfo::parse(key_info).map_err(text)?;
        if let Some(given) = self.given.named(id).into_iter().next() {
            return Ok(ProofKey::Symmetric(given.clone()));
        }
        for clause in key_info.clauses() {
            if let KeyInfoClause::EncryptedKey(element) = clause {
                return self.unwrap(*element).map(ProofKey::Symmetric);
            }
        }
        if let [KeyInfoClause::RsaKeyValue { modulus, exponent }] = key_info.clauses() {
            let key = PublicKey::from_rsa_components(modulus, exponent, &KeyPolicy::with_min_rsa_bits(0));
            return key.map(ProofKey::Public).map_err(text);
        }
        let certificate = self.certificate(&key_info)?.map(ProofKey::Certificate);
        certificate.ok_or_else(|| "its proof key is neither encrypted nor that of a certificate at hand".to_owned())
    }

    fn unwrap(&self, element: Element<'_>) -> Result<SymmetricKey, String> {
        let wrapped = EncryptedKey::parse(element).map_err(text)?;
        let by_id = element.attribute("Id").and_then(|id| self.given.named(id).into_iter().next());
        if let Some(given) = by_id.or_else(|| self.given.by_sha1(&wrapped.sha1())) {
            return Ok(given.clone());
        }
        let identity = self.identity.ok_or(FOR_THE_SERVICE)?;
        // Algorithms and length are the token service's choice, not the binding's.
        let policy = DecryptPolicy::modern().allow_rsa15();
        let lengths = [self.suite.default_key_length(), 32, 24, 16];
        let unwrap = |length| wrapped.unwrap_with_private_key(identity.key(), length, &policy).ok();
        lengths.into_iter().find_map(unwrap).ok_or_else(|| {
            let subject = identity.certificate().subject();
            format!("its proof key cannot be decrypted with the private key of {subject}")
        })
    }
}

/// The name of an assertion's subject.
pub(super) fn subject(assertion: Element<'_>) -> Option<String> {
    read(assertion).ok()?.subject?.name_id.map(|NameId { value, .. }| value)
}

/// What an assertion says, whoever signed it.
fn read(assertion: Element<'_>) -> Result<Assertion, String> {
    let signature = Signature::of_child(assertion).map_err(text)?.map(|signature| signature.element().id());
    let mut unsigned = Vec::new();
    c14n::canonicalize(assertion, &c14n::Method::inclusive(), signature, &mut unsigned);
    let unsigned = Document::parse(unsigned, &ParseOptions::default()).map_err(text)?;
    Assertion::read(VerifiedElement::trusted_without_signature(unsigned.root())).map_err(text)
}

pub(super) const FOR_THE_SERVICE: &str = "its proof key is encrypted for the service, whose private key is not at hand";

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

//! From an element of a stranger's message to an identity.

use crate::decryption::encrypted;
use crate::issuer_name_registry::no_certificate;
use crate::read::version_of;
use crate::{
    Assertion, ConfirmationKey, Error, IssuerNameRegistry, MappingSettings, Rejection, ReplayEntry, SignatureFault,
    TokenDecryption, ValidationSettings, Version,
};
use handstamp_claims::{BootstrapContext, ClaimsIdentity};
use handstamp_keys::{Certificate, KeyPolicy};
use handstamp_time::Timestamp;
use handstamp_xml::{Document, Element, NodeId, names};
use handstamp_xml_security::signature::{Signature, VerificationKey, Verified, VerifyPolicy};

/// Reads and validates assertions of both versions: WIF's two SAML handlers in one.
#[derive(Clone, Debug)]
pub struct SamlTokenHandler {
    issuers: IssuerNameRegistry,
    validation: ValidationSettings,
    mapping: MappingSettings,
    signatures: VerifyPolicy,
    keys: KeyPolicy,
    save_bootstrap_context: bool,
    decryption: Option<TokenDecryption>,
}

impl SamlTokenHandler {
    /// A handler that believes these issuers. Signatures must be RSA or ECDSA with SHA-2.
    pub fn new(issuers: IssuerNameRegistry, validation: ValidationSettings) -> Self {
        Self {
            issuers,
            validation,
            mapping: MappingSettings::default(),
            signatures: VerifyPolicy::asymmetric(),
            keys: KeyPolicy::default(),
            save_bootstrap_context: false,
            decryption: None,
        }
    }

    /// Maps claims this way.
    #[must_use]
    pub fn with_mapping(mut self, mapping: MappingSettings) -> Self {
        self.mapping = mapping;
        self
    }

    /// Accepts these signature algorithms, and no others.
    #[must_use]
    pub fn with_signature_policy(mut self, policy: VerifyPolicy) -> Self {
        self.signatures = policy;
        self
    }

    /// Accepts signing keys of this strength.
    #[must_use]
    pub fn with_key_policy(mut self, policy: KeyPolicy) -> Self {
        self.keys = policy;
        self
    }

    /// Keeps the assertion with the identity, for calling services in the user's name. It makes sessions large, and is a
    /// token that others accept: use it with sessions in reference mode only.
    #[must_use]
    pub fn saving_bootstrap_context(mut self) -> Self {
        self.save_bootstrap_context = true;
        self
    }

    /// Accepts assertions that only the holder of a key may use, too: whoever calls this asks for the proof that the presenter
    /// holds [that key](Self::confirmation_key), as WS-Security does.
    #[must_use]
    pub fn accepting_holder_of_key(mut self) -> Self {
        self.validation.accept_holder_of_key = true;
        self
    }

    /// Does not say which bearer assertions were seen before: for protocols in which an assertion may be shown repeatedly.
    #[must_use]
    pub fn without_replay_detection(mut self) -> Self {
        self.validation.detect_replay = false;
        self
    }

    /// Decrypts assertions that are encrypted for us. Without it they are refused.
    #[must_use]
    pub fn with_decryption(mut self, decryption: TokenDecryption) -> Self {
        self.decryption = Some(decryption);
        self
    }

    /// The keys that issuers may encrypt for.
    pub fn decryption(&self) -> Option<&TokenDecryption> {
        self.decryption.as_ref()
    }

    /// The checks that are made.
    pub fn validation(&self) -> &ValidationSettings {
        &self.validation
    }

    /// Whether an element is one that [`Self::accept`] has an opinion on.
    pub fn can_read(element: Element<'_>) -> bool {
        version_of(element.namespace(), element.local_name()).is_some() || encrypted(element).is_some()
    }

    /// Reads an assertion where it stands in its document, and proves who signed it (SM §3.7, steps 1 to 3).
    ///
    /// The certificate must be a trusted issuer's before its key is used at all.
    ///
    /// # Errors
    /// Missing, moved or wrong signatures, untrusted issuers, malformed assertions. An `EncryptedAssertion` or
    /// `EncryptedData` gives [`Error::Encrypted`].
    pub fn read(&self, element: Element<'_>, now: Timestamp) -> Result<SignedAssertion, Error> {
        if let Some(kind) = encrypted(element) {
            return Err(Error::Encrypted(kind));
        }
        let Some(version) = version_of(element.namespace(), element.local_name()) else {
            return Err(Error::NotAnAssertion(element.local_name().into()));
        };
        let signature = Signature::of_child(element).map_err(SignatureFault::Invalid)?;
        let signature = signature.ok_or(SignatureFault::Missing(version))?;
        let key_info = signature.key_info().map_err(SignatureFault::Invalid)?;
        let candidates = self.issuers.candidates(key_info.as_ref());
        let (signers, chain) = match candidates.carried {
            true => candidates.certificates.split_at(1.min(candidates.certificates.len())),
            false => (candidates.certificates.as_slice(), &[][..]),
        };
        let issuer_text = unproven_issuer(element, version);
        let mut problem = Error::Rejected(no_certificate(&issuer_text));
        for certificate in signers {
            match self.verify(element, &signature, certificate, chain, &issuer_text, now) {
                Ok(signed) => return Ok(signed),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    /// Reads and validates an assertion, and makes an identity of it (SM §3.7, all steps).
    ///
    /// `in_response_to` is the id of the request that this answers, where the protocol has one (WS-Federation has not).
    ///
    /// # Errors
    /// As [`Self::read`] and [`Assertion::validate`]; attributes that cannot become claims.
    pub fn accept(
        &self,
        element: Element<'_>,
        in_response_to: Option<&str>,
        now: Timestamp,
    ) -> Result<AcceptedToken, Error> {
        let signed = self.read(element, now)?;
        self.validate(element, signed, in_response_to, now)
    }

    /// As [`Self::accept`], for a token that may be encrypted: it is decrypted in its place first, and then read like any
    /// other. So what counts is the signature inside; the encryption proves nothing about the sender.
    ///
    /// # Errors
    /// As [`Self::accept`]; [`Error::NoDecryptionKey`]; [`Error::Encryption`]; [`Error::Undecryptable`] for all that is wrong with the
    /// ciphertext, and for all that is wrong before the signature holds if the encryption has no integrity of its own (CBC).
    pub fn accept_in(
        &self,
        document: &mut Document,
        token: NodeId,
        in_response_to: Option<&str>,
        now: Timestamp,
    ) -> Result<AcceptedToken, Error> {
        let gone = || Error::malformed("token", "it is no longer part of the document");
        let element = document.element(token).ok_or_else(gone)?;
        let (Some(_), Some(decryption)) = (encrypted(element), &self.decryption) else {
            return self.accept(element, in_response_to, now);
        };
        let decrypted = decryption.decrypt(document, token)?;
        let element = document.element(decrypted.element).ok_or_else(gone)?;
        let signed = self.read(element, now).map_err(|error| match decrypted.has_integrity {
            true => error,
            false => error.undecryptable(),
        })?;
        self.validate(element, signed, in_response_to, now)
    }

    /// The key that the presenter of an accepted assertion has to prove to hold. One that the issuer encrypted for us is decrypted
    /// with [our keys](Self::with_decryption).
    ///
    /// # Errors
    /// [`Error::Malformed`] for a key that is said in a way that is not known here; [`Error::NoDecryptionKey`], [`Error::Encryption`].
    pub fn confirmation_key(&self, token: &AcceptedToken) -> Result<ConfirmationKey, Error> {
        ConfirmationKey::of(&token.assertion, self.decryption.as_ref(), &self.keys)
    }

    fn validate(
        &self,
        element: Element<'_>,
        signed: SignedAssertion,
        in_response_to: Option<&str>,
        now: Timestamp,
    ) -> Result<AcceptedToken, Error> {
        let SignedAssertion { assertion, issuer, certificate } = signed;
        assertion.validate(now, &self.validation, in_response_to)?;
        let replay = assertion.replay_entry(now, &issuer, &self.validation)?;
        let mut identity = assertion.to_identity(&issuer, &self.mapping)?;
        if self.save_bootstrap_context {
            identity = identity.with_bootstrap_context(BootstrapContext::Text(standalone(element).into()));
        }
        Ok(AcceptedToken { identity, issuer, certificate, expires_at: assertion.expires_at(), replay, assertion })
    }

    fn verify(
        &self,
        element: Element<'_>,
        signature: &Signature<'_>,
        certificate: &Certificate,
        chain: &[Certificate],
        issuer_text: &str,
        now: Timestamp,
    ) -> Result<SignedAssertion, Error> {
        let issuer = self.issuers.issuer_name(certificate, chain, issuer_text, now)?;
        let key = certificate
            .public_key(&self.keys)
            .map_err(|error| Rejection::CertificateInvalid { issuer: issuer.clone(), problem: error.to_string() })?;
        let verified =
            signature.verify(VerificationKey::Public(key), &self.signatures).map_err(SignatureFault::Invalid)?;
        // The one element that may be read is the one that was verified: this is what stops wrapping.
        let covered = verified.element(element).ok_or(SignatureFault::CoversSomethingElse)?;
        let assertion = Assertion::read(covered)?;
        // What the registry was asked about is what was signed.
        if assertion.issuer.value.trim() != issuer_text.trim() {
            return Err(SignatureFault::CoversSomethingElse.into());
        }
        if !refers_only_to(&assertion.id, signature, &verified) {
            return Err(SignatureFault::CoversSomethingElse.into());
        }
        Ok(SignedAssertion { assertion, issuer, certificate: certificate.clone() })
    }
}

/// An assertion whose signature was verified with the certificate of a trusted issuer. Not yet validated.
#[derive(Clone, Debug)]
pub struct SignedAssertion {
    /// What it says.
    pub assertion: Assertion,
    /// The name that the registry knows the issuer by.
    pub issuer: String,
    /// The certificate that it is signed with.
    pub certificate: Certificate,
}

/// An assertion that is for us and for now, provided that it was not used before: see [`Self::replay`].
#[derive(Clone, Debug)]
pub struct AcceptedToken {
    /// Who the user is.
    pub identity: ClaimsIdentity,
    /// The name that the registry knows the issuer by.
    pub issuer: String,
    /// The certificate that it is signed with.
    pub certificate: Certificate,
    /// When the issuer's word ends, by its clock; none when it sets no end.
    pub expires_at: Option<Timestamp>,
    /// What to add to the replay cache **before** the identity is used; refuse it with [`Rejection::Replayed`] when it is there.
    /// None when replays are not detected.
    pub replay: Option<ReplayEntry>,
    /// The assertion itself.
    pub assertion: Assertion,
}

/// SAML signatures have one reference, and it names the assertion by its id (SAML 2.0 core §5.4.2): not the whole document, whatever
/// that is.
fn refers_only_to(id: &str, signature: &Signature<'_>, verified: &Verified<'_>) -> bool {
    let signed_info = signature.element().child(names::DSIG, "SignedInfo");
    let reference = signed_info.and_then(|signed_info| signed_info.child(names::DSIG, "Reference"));
    let uri = reference.and_then(|reference| reference.attribute("URI"));
    verified.elements().len() == 1 && uri.and_then(|uri| uri.strip_prefix('#')) == Some(id)
}

/// What the assertion calls its issuer, before that is proven.
fn unproven_issuer(element: Element<'_>, version: Version) -> String {
    match version {
        Version::Saml11 => element.attribute("Issuer").map(String::from).unwrap_or_default(),
        Version::Saml20 => {
            element.child(names::SAML20, "Issuer").map(|issuer| issuer.text().into_owned()).unwrap_or_default()
        }
    }
}

/// The element as it was received, with the namespace declarations around it. Its signature still holds.
fn standalone(element: Element<'_>) -> String {
    let source = element.source();
    let name_end = source.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(source.len());
    let (tag, rest) = source.split_at(name_end);
    let mut out = String::with_capacity(source.len() + 64);
    out.push_str(tag);
    let mut declared: Vec<&str> = element.namespace_declarations().map(|(prefix, _)| prefix).collect();
    for (prefix, namespace) in element.ancestors().flat_map(Element::namespace_declarations) {
        if declared.contains(&prefix) {
            continue;
        }
        declared.push(prefix);
        let colon = if prefix.is_empty() { "" } else { ":" };
        let namespace = namespace.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        out.push_str(&format!(" xmlns{colon}{prefix}=\"{namespace}\""));
    }
    out.push_str(rest);
    out
}

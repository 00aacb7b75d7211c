//! Issued tokens that their token service encrypted for this service: opaque to the client, which puts them into its messages as they
//! are.
//!
//! Such a token brings its own key and no `ReferenceList` names it (SC 6.6). Its key material is needed before any signature is verified,
//! and signatures cover it as the client saw it. So it is read in a copy, and takes its place when the signatures are verified.

use crate::error::Error;
use crate::receive::header::EntryKind;
use crate::receive::opening::Opening;
use crate::token::SecurityTokenReference;
use handstamp_keys::cipher::Plaintext;
use handstamp_xml::{Element, Fragment, NodeId, names};
use handstamp_xml_security as xml_security;
use handstamp_xml_security::algorithm::KeyEncryption;
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedData, EncryptedKey, EncryptedType};
use handstamp_xml_security::key_info::KeyInfoClause;

/// The plaintext of an encrypted token, and its place in the header.
pub(super) struct SealedToken {
    position: usize,
    plaintext: Plaintext,
}

/// Whether an element of the header is a token with a key of its own, and not a part that the sender of the message encrypted.
pub(super) fn is_encrypted_token(element: Element<'_>) -> bool {
    is_encrypted_assertion(element)
        || (element.is(names::XENC, "EncryptedData")
            && element
                .child(names::DSIG, "KeyInfo")
                .is_some_and(|key_info| key_info.child(names::XENC, "EncryptedKey").is_some()))
}

fn is_encrypted_assertion(element: Element<'_>) -> bool {
    element.is(names::SAML20, "EncryptedAssertion")
}

impl Opening<'_, '_> {
    /// Reads the token at this place of the header. Whatever is wrong with it is one failure for the outside, or whoever changes a
    /// ciphertext would learn from the answer what it decrypts to.
    pub(super) fn read_encrypted_token(&mut self, node: NodeId, position: usize) -> Result<EntryKind, Error> {
        self.assertion_validator()?;
        let plaintext = self.with_element(node, |this, token| this.token_plaintext(token))?;
        let unreadable = || rejected(xml_security::Error::Unauthentic.to_string());
        let mut copy = self.document.as_deref().cloned().ok_or_else(unreadable)?;
        let placed = copy.replace_with_fragment(node, &plaintext, Fragment::Element).map_err(|_| unreadable())?;
        let placed = placed.first().and_then(|assertion| copy.element(*assertion));
        let assertion = placed.filter(|element| is_assertion(*element)).ok_or_else(unreadable)?;
        let kind = self.read_assertion(assertion, position).map_err(|error| match error {
            Error::TokenRejected { reason, .. } => rejected(reason),
            error => rejected(error.to_string()),
        })?;
        self.sealed_token = Some(SealedToken { position, plaintext });
        Ok(kind)
    }

    /// Puts the assertion where its encryption stands. Nothing of the message is verified after that.
    pub(super) fn place_encrypted_token(&mut self) -> Result<(), Error> {
        let Some(SealedToken { position, plaintext }) = self.sealed_token.take() else { return Ok(()) };
        let entry = self.header.entries.get_mut(position);
        let (Some(entry), Some(document)) = (entry, &mut self.document) else {
            return Err(Error::malformed("SC 9", "Envelope", "an element is gone"));
        };
        if let [assertion] = document.replace_with_fragment(entry.node, &plaintext, Fragment::Element)?[..] {
            entry.node = assertion;
        }
        Ok(())
    }

    fn token_plaintext(&self, token: Element<'_>) -> Result<Plaintext, Error> {
        let identity = self.receiver.identity.ok_or_else(|| {
            Error::Configuration(
                "EncryptedData (SC 6.6): the receiver needs an identity (certificate and private key) to open the issued token \
                 of this message, which is encrypted"
                    .to_owned(),
            )
        })?;
        let (data, key) = parts(token).map_err(rejected)?;
        if let Some(named) = recipient(&key).filter(|named| !named.target.names_certificate(identity.certificate())) {
            let own = super::keys::named(identity.certificate());
            return Err(rejected(format!("its key is for the {named}, and ours is {own}")));
        }
        let policy = self.token_policy();
        let plaintext = key
            .unwrap_with_private_key(identity.key(), data.algorithm().key_length(), &policy)
            .and_then(|key| data.decrypt(&key, &policy));
        plaintext.map_err(|source| {
            let subject = identity.certificate().subject();
            rejected(format!("it cannot be decrypted with the private key of {subject}: {source}"))
        })
    }

    /// Which algorithm encrypts a token is the choice of its token service, not of the binding; but RSA-1.5 only where the suite has it.
    fn token_policy(&self) -> DecryptPolicy {
        let policy = DecryptPolicy::modern();
        match self.receiver.binding.suite.key_transport() {
            KeyEncryption::Rsa15 => policy.allow_rsa15(),
            _ => policy,
        }
    }
}

/// The ciphertext, and the only key that it may be encrypted with: inside its `KeyInfo`, or in SAML 2.0 also beside it.
fn parts(token: Element<'_>) -> Result<(EncryptedData<'_>, EncryptedKey<'_>), String> {
    let data = if is_encrypted_assertion(token) {
        only(token.children().filter(|child| child.is(names::XENC, "EncryptedData")))
    } else {
        Some(token)
    };
    let data = data.ok_or("it does not hold exactly one EncryptedData")?;
    let inside = data.child(names::DSIG, "KeyInfo").into_iter().flat_map(Element::children);
    let keys = inside.chain(token.children()).filter(|child| child.is(names::XENC, "EncryptedKey"));
    let key = only(keys).ok_or("it does not hold exactly one EncryptedKey")?;
    let data = EncryptedData::parse(data).map_err(|source| source.to_string())?;
    if data.encrypted_type() == EncryptedType::Content {
        return Err("a token is an element, not content".to_owned());
    }
    Ok((data, EncryptedKey::parse(key).map_err(|source| source.to_string())?))
}

fn only<'d>(mut found: impl Iterator<Item = Element<'d>>) -> Option<Element<'d>> {
    found.next().filter(|_| found.next().is_none())
}

/// The certificate that the key says it is for.
fn recipient(key: &EncryptedKey<'_>) -> Option<SecurityTokenReference> {
    let key_info = key.key_info().ok()??;
    match key_info.clauses() {
        [KeyInfoClause::SecurityTokenReference(reference)] => SecurityTokenReference::parse(*reference).ok(),
        _ => None,
    }
}

fn rejected(reason: String) -> Error {
    Error::TokenRejected { token: "encrypted assertion", reason }
}

fn is_assertion(element: Element<'_>) -> bool {
    element.local_name() == "Assertion" && matches!(element.namespace(), names::SAML11 | names::SAML20)
}

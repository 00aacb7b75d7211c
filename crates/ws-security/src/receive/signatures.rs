//! The primary signature, and the ones that endorse it (SC §9 steps 6 to 12).

use crate::addressing::{AddressingVersion, is_addressing_header};

use crate::binding::{HeaderLayout, Protection, SupportingToken, TokenKind};
use crate::error::Error;
use crate::receive::Role;
use crate::receive::header::EntryKind;
use crate::receive::keys::{Key, Material, Origin, single_reference};
use crate::receive::opening::Opening;
use crate::receive::unprotected::Caller;
use crate::token::{ReferenceTarget, SecurityTokenReference, token_id};
use handstamp_xml::{Document, Element, NodeId};
use handstamp_xml_security as xml_security;
use handstamp_xml_security::signature::{Signature, SignedReferences, VerificationKey};
use std::rc::Rc;

/// The primary signature, its value verified.
pub(super) struct Primary {
    position: usize,
    signed: Signed,
}

/// A signature whose value was verified, and the key that did it.
struct Signed {
    key: Rc<Key>,
    reference: SecurityTokenReference,
    references: SignedReferences,
}

impl Signed {
    /// The key, for errors.
    fn name(&self) -> String {
        self.key.describe(&self.reference)
    }
}

impl Opening<'_, '_> {
    /// Steps 6 and 7: the first signature is the primary one. It is looked up among replays before any key is used on it.
    pub(super) fn verify_primary_value(&mut self) -> Result<Primary, Error> {
        let first = self.header.of_kind(EntryKind::Signature).next().map(|(position, entry)| (position, entry.node));
        let (position, node) =
            first.ok_or_else(|| Error::refused("SC 9 step 7", "Signature", "the message is not signed"))?;
        Ok(Primary { position, signed: self.verify_value(position, node, Self::check_primary_key)? })
    }

    /// Steps 8 and 9: each reference leads to something that this receiver reads from its place, and its digest holds.
    pub(super) fn verify_references(&mut self, primary: &mut Primary) -> Result<(), Error> {
        let signed = &mut primary.signed;
        let dereferenced = signed.references.dereference(|reference| self.token_of(reference));
        dereferenced.map_err(|source| failed(&signed.name(), source))?;
        let header_blocks = match self.frame.header {
            Some(header) => self.element(header)?.children().map(Element::id).collect(),
            None => Vec::new(),
        };
        for target in signed.references.targets() {
            self.check_place(target, primary.position, &header_blocks)?;
        }
        let Some(document) = &self.document else {
            return Err(Error::malformed("SC 9", "Envelope", "it is gone"));
        };
        let verified = signed.references.verify_each_reference(document);
        let verified = verified.map_err(|(node, source)| unverified(signed, document, node, source))?;
        self.verified = verified.nodes();
        self.remember_ids(signed.references.targets());
        Ok(())
    }

    /// The token of the header that a `SecurityTokenReference` names, for the STR-Transform.
    fn token_of(&self, reference: NodeId) -> Option<NodeId> {
        let target = SecurityTokenReference::parse(self.element(reference).ok()?).ok()?.target;
        if let Some(token) = self.keys.tokens.iter().find(|token| token.is_named_by(&target)) {
            return token.key.position.and_then(|position| self.header.entries.get(position)).map(|entry| entry.node);
        }
        // Tokens without a key, such as a user name.
        let (ReferenceTarget::Local { id, .. } | ReferenceTarget::SamlAssertion { id, .. }) = target else {
            return None;
        };
        let is_named = |node: NodeId| self.element(node).ok().and_then(token_id) == Some(&id);
        self.header.entries.iter().map(|entry| entry.node).find(|node| is_named(*node))
    }

    /// Before anything else takes the place of what was signed.
    fn remember_ids(&mut self, targets: impl Iterator<Item = NodeId>) {
        let Some(document) = &self.document else { return };
        for id in targets.filter_map(|node| token_id(document.element(node)?)) {
            self.verified_ids.push_str(id);
            self.verified_ids.push(' ');
        }
    }

    /// Step 12: each endorsing token of the binding signs the primary signature, or under a transport binding the timestamp.
    pub(super) fn verify_endorsements(&mut self) -> Result<(), Error> {
        let transport = self.receiver.binding.is_transport();
        let signatures: Vec<(usize, NodeId)> =
            self.header.of_kind(EntryKind::Signature).map(|(position, entry)| (position, entry.node)).collect();
        let (primary, endorsing) = match signatures.split_first() {
            Some((primary, endorsing)) if !transport => (Some(primary.1), endorsing),
            _ => (None, &signatures[..]),
        };
        let mut missing: Vec<_> = self.supporting().iter().filter(|token| token.role.endorses()).collect();
        for &(position, node) in endorsing {
            let signed = self.verify_value(position, node, |_, _| Ok(()))?;
            let parameters = missing.iter().position(|token| is_of_kind(&signed.key.origin, &token.parameters.kind));
            let Some(token) = parameters.map(|index| missing.swap_remove(index)) else {
                if self.may_sign_cancel_reply(&signed.key.origin) {
                    self.verify_references(&mut Primary { position, signed })?;
                    continue;
                }
                return Err(Error::refused(
                    "SC 9 step 12",
                    "Signature",
                    "the binding has no endorsing token like the one that made it",
                ));
            };
            // Else whoever holds a session's key could renew it without proving anew who they are.
            if matches!(signed.key.origin, Origin::Context(_)) && self.protecting.as_ref() == Some(&signed.key.origin) {
                return Err(Error::refused(
                    "SC 9 step 12",
                    "endorsing Signature",
                    "it is by the context that protects the message already",
                ));
            }
            // Over transport WCF may derive the key whatever the parameters say (finding 48).
            if !transport && matches!(signed.key.material, Material::Symmetric(_)) {
                self.check_derivation(&signed.key, &token.parameters, "endorsing Signature")?;
            }
            self.check_endorsed(&signed, token, primary)?;
            let Some(document) = &self.document else {
                return Err(Error::malformed("SC 9", "Envelope", "it is gone"));
            };
            let verified = signed.references.verify_each_reference(document);
            let verified = verified.map_err(|(node, source)| unverified(&signed, document, node, source))?;
            if transport {
                self.verified = verified.nodes();
            }
            self.remember_ids(signed.references.targets());
            self.add_caller(&signed.key.origin);
        }
        match missing.iter().find(|token| !token.is_optional) {
            None => Ok(()),
            Some(token) => Err(Error::refused(
                "SC 9 step 12",
                "Signature",
                format!("the one by an endorsing token is missing ({})", name_of(&token.parameters.kind)),
            )),
        }
    }

    /// SC 4.4: the reply to a cancellation is signed with the session's key. Over TLS it need not be, but may.
    fn may_sign_cancel_reply(&self, origin: &Origin) -> bool {
        let is_reply = self.receiver.role == Role::Client && self.receiver.binding.is_transport();
        is_reply && self.expected.is_cancel && matches!(origin, Origin::Context(_))
    }

    fn verify_value(
        &mut self,
        position: usize,
        node: NodeId,
        check_key: impl FnOnce(&mut Self, &Key) -> Result<(), Error>,
    ) -> Result<Signed, Error> {
        self.with_element(node, |this, element| {
            let signature = Signature::parse(element).map_err(|source| failed("no key yet", source))?;
            let key_info = signature.key_info().map_err(|source| failed("no key yet", source))?;
            let key_info =
                key_info.ok_or_else(|| Error::malformed("SC 8.5", "Signature", "it does not name its key"))?;
            let reference = single_reference(&key_info)?;
            let key = this.resolve(&reference)?;
            this.check_precedes(&key, position, "Signature")?;
            check_key(this, &key)?;
            if this.signature_values.is_empty() {
                this.check_not_replayed(signature.value())?;
            }
            let policy = this.receiver.binding.suite.verify_policy();
            let verified = match &key.material {
                Material::Symmetric(secret) => {
                    this.check_signing_length(secret.len(), key.derived)?;
                    signature.verify_value(VerificationKey::Symmetric(secret.as_bytes()), &policy)
                }
                Material::Public(certificate) => {
                    let public = certificate.public_key(&this.receiver.key_policy).map_err(xml_security::Error::Keys);
                    public.and_then(|public| signature.verify_value(VerificationKey::Public(public), &policy))
                }
                Material::Bare(public) => signature.verify_value(VerificationKey::Public(public), &policy),
                Material::None => return Err(Error::refused("SC 9 step 12", "Signature", "its token proves nothing")),
            };
            let references = verified.map_err(|source| failed(&key.describe(&reference), source))?;
            this.signature_values.push(signature.value().to_vec());
            Ok(Signed { key, reference, references })
        })
    }

    fn check_primary_key(&mut self, key: &Key) -> Result<(), Error> {
        match &self.receiver.binding.protection {
            Protection::Symmetric { token } => {
                self.check_protects(key, token, "Signature")?;
                self.check_derivation(key, token, "Signature")?;
                self.check_same_protection(&key.origin, "Signature")
            }
            Protection::Asymmetric { .. } => {
                let Origin::Certificate(certificate) = &key.origin else {
                    return Err(Error::refused("SC 9 step 11", "Signature", "it is not by a certificate"));
                };
                let other = self.receiver.peer_certificate.is_some_and(|known| known != certificate);
                if other && self.receiver.role == Role::Client {
                    return Err(Error::refused(
                        "SC 6.3",
                        "Signature",
                        "it is by another certificate than the service's",
                    ));
                }
                self.add_caller(&key.origin);
                Ok(())
            }
            Protection::Transport => {
                Err(Error::refused("SC 6.4", "Signature", "a transport binding has no primary one"))
            }
        }
    }

    fn check_not_replayed(&self, value: &[u8]) -> Result<(), Error> {
        let (Some(replays), true) = (self.receiver.replays, self.receiver.detects_replays()) else { return Ok(()) };
        if value.len() < 4 {
            return Err(Error::malformed("SC 13.2", "SignatureValue", "it is too short to be one"));
        }
        if replays.contains(value, self.now) { Err(Error::Replayed) } else { Ok(()) }
    }

    fn check_signing_length(&self, length: usize, derived: bool) -> Result<(), Error> {
        let suite = &self.receiver.binding.suite;
        let holds =
            if derived { length >= suite.signature_key_length() } else { suite.key_lengths().contains(&length) };
        holds.then_some(()).ok_or_else(|| {
            Error::refused(
                "SC 5.4",
                "Signature",
                format!("its key has {length} bytes, which {} does not have", suite.name()),
            )
        })
    }

    /// What may be signed: whole header blocks, the body, and the timestamp and tokens of the security header.
    fn check_place(&self, target: NodeId, signature: usize, header_blocks: &[NodeId]) -> Result<(), Error> {
        let element = self.element(target)?;
        if let Some(position) = self.header.position_of(target) {
            let kind = self.header.entries.get(position).map(|entry| entry.kind);
            if matches!(kind, Some(EntryKind::Signature | EntryKind::ReferenceList | EntryKind::Reference)) {
                return Err(out_of_place(element));
            }
            if self.receiver.binding.layout == HeaderLayout::Strict && position > signature {
                return Err(Error::refused(
                    "SC 8.3",
                    "Signature",
                    "under the Strict layout what it covers stands before it",
                ));
            }
            return Ok(());
        }
        let is_block = header_blocks.contains(&target) && Some(target) != self.frame.security;
        let in_encrypted_header = self.header_block_was_encrypted
            && element
                .parent()
                .is_some_and(|parent| header_blocks.contains(&parent.id()) && Some(parent.id()) != self.frame.security);
        if target == self.frame.body || is_block || in_encrypted_header {
            return Ok(());
        }
        Err(out_of_place(element))
    }

    /// Exactly what an endorsing signature covers; more was refused by WCF too (finding 49).
    fn check_endorsed(&self, signed: &Signed, token: &SupportingToken, primary: Option<NodeId>) -> Result<(), Error> {
        let mut expected = Vec::with_capacity(2);
        match primary {
            Some(primary) => expected.push(primary),
            None => {
                let timestamp = self.header.timestamp_node();
                expected.push(
                    timestamp
                        .ok_or_else(|| Error::refused("SC 6.4", "Timestamp", "an endorsing signature needs one"))?,
                );
                let addressing = self.frame.addressing.map(AddressingVersion::namespace);
                let names_to = addressing.is_some_and(|namespace| token.signed_parts.has_header(namespace, "To"));
                let is_private = matches!(signed.key.material, Material::Public(_) | Material::Bare(_));
                let signs_to = names_to || is_private;
                if let Some(header) = self.frame.header.filter(|_| signs_to) {
                    let to = self
                        .element(header)?
                        .children()
                        .find(|block| is_addressing_header(*block) && block.local_name() == "To");
                    expected.extend(to.map(Element::id));
                }
            }
        }
        let targets: Vec<NodeId> = signed.references.targets().collect();
        if targets.len() == expected.len() && expected.iter().all(|node| targets.contains(node)) {
            return Ok(());
        }
        let problem = if primary.is_some() {
            "the primary signature"
        } else {
            "the timestamp (and To, by a certificate or where the binding names it)"
        };
        Err(Error::refused("SC 9 step 12", "endorsing Signature", format!("it has to cover exactly {problem}")))
    }

    fn add_caller(&mut self, origin: &Origin) {
        self.callers.extend(match origin {
            Origin::Certificate(certificate) => Some(Caller::Certificate(certificate.clone())),
            Origin::Key(key) => Some(Caller::Key(key.clone())),
            Origin::Context(context) => Some(Caller::Context(context.clone())),
            Origin::Issued(_) | Origin::EncryptedKey(_) => None,
        });
    }
}

fn is_of_kind(origin: &Origin, kind: &TokenKind) -> bool {
    matches!(
        (origin, kind),
        (Origin::Certificate(_), TokenKind::X509)
            | (Origin::Context(_), TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. })
            | (Origin::Issued(_), TokenKind::Issued(_))
            | (Origin::Key(_), TokenKind::RsaKey)
    )
}

fn name_of(kind: &TokenKind) -> &'static str {
    match kind {
        TokenKind::X509 => "certificate",
        TokenKind::UserName => "user name",
        TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. } => "security context",
        TokenKind::Issued(_) => "issued token",
        TokenKind::RsaKey => "RSA key",
    }
}

fn failed(key: &str, source: xml_security::Error) -> Error {
    Error::Cryptography { requirement: "SC 8.5", element: "Signature", key: key.to_owned(), source: Box::new(source) }
}

fn unverified(signed: &Signed, document: &Document, node: NodeId, source: xml_security::Error) -> Error {
    let element = document.element(node).map_or_else(|| "something that is gone".to_owned(), super::header::quoted);
    failed(&format!("{} over {element}", signed.name()), source)
}

fn out_of_place(element: Element<'_>) -> Error {
    Error::refused(
        "SC 9 step 9",
        super::header::quoted(element),
        "it is signed, but does not stand where this receiver reads",
    )
}

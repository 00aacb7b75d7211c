//! One message on its way from the wire to [`Unprotected`].

use crate::addressing::AddressingVersion;
use crate::binding::{
    Protection, ProtectionLevel, ProtectionOrder, SupportingToken, TokenInclusion, TokenKind, TokenParameters,
};
use crate::error::Error;
use crate::receive::encrypted_token::SealedToken;
use crate::receive::header::{EntryKind, Header};
use crate::receive::keys::{Key, KeyTable, Material, Origin, single_reference};
use crate::receive::unprotected::{Caller, IssuedKey, RequestContext, Unprotected, WrappedKey};
use crate::receive::{Expectation, Receiver, Role, UserNameError};
use crate::send::saml_value_type;
use crate::soap::{Envelope, Fault, SoapVersion};
use crate::token::{SecurityTokenReference, token_id};
use handstamp_keys::cipher::Plaintext;
use handstamp_time::Timestamp;
use handstamp_xml::{Document, Element, Fragment, Node, NodeId, names};
use handstamp_xml_security as xml_security;
use handstamp_xml_security::encryption::{EncryptedData, EncryptedType};
use handstamp_xml_security::signature::VerifiedNodes;
use std::borrow::Cow;
use std::rc::Rc;

/// The state of opening one message.
pub(super) struct Opening<'r, 'a> {
    pub(super) receiver: &'r Receiver<'a>,
    pub(super) expected: &'r Expectation<'r>,
    pub(super) now: Timestamp,
    /// Away only while [`with_element`](Self::with_element) runs.
    pub(super) document: Option<Box<Document>>,
    pub(super) frame: Frame,
    pub(super) header: Header,
    pub(super) keys: KeyTable,
    pub(super) verified: VerifiedNodes,
    pub(super) verified_ids: String,
    pub(super) signature_values: Vec<Vec<u8>>,
    pub(super) callers: Vec<Caller>,
    /// The ids of the encrypted parts that were found in their places.
    decrypted: Vec<String>,
    pub(super) body_was_encrypted: bool,
    pub(super) header_block_was_encrypted: bool,
    pub(super) protecting: Option<Origin>,
    /// An issued token that came encrypted, until it takes its place.
    pub(super) sealed_token: Option<SealedToken>,
}

/// A key that decrypts, and how the message names it.
struct DecryptionKey {
    key: Rc<Key>,
    reference: Option<SecurityTokenReference>,
}

impl DecryptionKey {
    /// For errors.
    fn name(&self) -> String {
        match &self.reference {
            Some(reference) => self.key.describe(reference),
            None => "the encrypted key of the message".to_owned(),
        }
    }
}

/// The frame of the message. Its nodes stay what they are when their content is decrypted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) version: SoapVersion,
    pub(super) addressing: Option<AddressingVersion>,
    pub(super) header: Option<NodeId>,
    pub(super) body: NodeId,
    pub(super) security: Option<NodeId>,
}

impl Frame {
    fn of(document: &Document) -> Result<Self, Error> {
        let envelope = Envelope::of(document)?;
        Ok(Self {
            version: envelope.version(),
            addressing: envelope.header().and_then(AddressingVersion::of_header),
            header: envelope.header().map(Element::id),
            body: envelope.body().id(),
            security: envelope.security_header()?.map(Element::id),
        })
    }
}

impl<'r, 'a> Opening<'r, 'a> {
    pub(super) fn new(
        receiver: &'r Receiver<'a>,
        expected: &'r Expectation<'r>,
        document: Document,
        now: Timestamp,
    ) -> Result<Self, Error> {
        Ok(Self {
            receiver,
            expected,
            now,
            frame: Frame::of(&document)?,
            document: Some(Box::new(document)),
            header: Header::default(),
            keys: KeyTable::default(),
            verified: VerifiedNodes::default(),
            verified_ids: String::new(),
            signature_values: Vec::new(),
            callers: Vec::new(),
            decrypted: Vec::new(),
            body_was_encrypted: false,
            header_block_was_encrypted: false,
            protecting: None,
            sealed_token: None,
        })
    }

    /// The order of checks (SC §9).
    pub(super) fn open(mut self) -> Result<Unprotected, Error> {
        let Some(security) = self.frame.security else { return self.without_security() };
        self.read_header(security)?;
        if self.receiver.binding.is_transport() {
            self.refuse_encrypted_parts()?;
            self.verify_endorsements()?;
        } else if self.receiver.binding.protection_order == ProtectionOrder::EncryptBeforeSign {
            let mut primary = self.verify_primary_value()?;
            self.verify_references(&mut primary)?;
            self.decrypt_header()?;
            self.decrypt_body()?;
            self.check_every_reference_was_met()?;
            self.require_parts()?;
            self.verify_endorsements()?;
        } else {
            self.decrypt_header()?;
            let mut primary = self.verify_primary_value()?;
            self.decrypt_body()?;
            self.check_every_reference_was_met()?;
            self.verify_references(&mut primary)?;
            self.require_parts()?;
            self.verify_endorsements()?;
        }
        self.place_encrypted_token()?;
        self.check_tokens()?;
        self.check_confirmations()?;
        self.remember()?;
        self.check_user_names()?;
        self.finish()
    }

    /// A message without the header: a reply that TLS alone protects, an unsecured fault, or one that the binding lets pass (SC 12.4).
    fn without_security(self) -> Result<Unprotected, Error> {
        // Under a transport binding without timestamps a service has nothing to write into it (SC 6.4).
        let binding = self.receiver.binding;
        if self.receiver.role == Role::Client && binding.is_transport() && !binding.include_timestamp {
            return self.finish();
        }
        let body = self.element(self.frame.body)?;
        let fault = body.children().find(|child| child.is(self.frame.version.namespace(), "Fault"));
        match (self.receiver.role, fault) {
            (Role::Client, Some(fault)) => Err(Error::UnsecuredFault(Fault::parse(fault)?)),
            (Role::Client, None) if self.receiver.binding.enable_unsecured_response => self.finish(),
            _ => Err(Error::refused("SC 9 step 4", "Security", "the message has no security header for this receiver")),
        }
    }

    pub(super) fn element(&self, node: NodeId) -> Result<Element<'_>, Error> {
        self.document
            .as_ref()
            .and_then(|document| document.element(node))
            .ok_or_else(|| Error::malformed("SC 9", "Envelope", "an element is gone"))
    }

    /// Runs `read` on an element while the rest of the state stays usable. The document is away meanwhile.
    pub(super) fn with_element<T>(
        &mut self,
        node: NodeId,
        read: impl FnOnce(&mut Self, Element<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let document = self.document.take();
        let result = match document.as_ref().and_then(|document| document.element(node)) {
            Some(element) => read(self, element),
            None => Err(Error::malformed("SC 9", "Envelope", "an element is gone")),
        };
        self.document = document;
        result
    }

    pub(super) fn supporting(&self) -> &'a [SupportingToken] {
        match self.receiver.role {
            Role::Service => &self.receiver.binding.supporting_tokens,
            Role::Client => &[],
        }
    }

    /// Whether a token of this kind may stand in the header.
    pub(super) fn expects(&self, of_kind: impl Fn(&TokenKind) -> bool) -> bool {
        self.expected_count(of_kind) > 0
    }

    /// How many tokens of this kind may stand in the header: as protection token of a request, and as supporting tokens.
    pub(super) fn expected_count(&self, of_kind: impl Fn(&TokenKind) -> bool) -> usize {
        let protects = match &self.receiver.binding.protection {
            Protection::Symmetric { token } => {
                self.receiver.role == Role::Service && token.inclusion != TokenInclusion::Never && of_kind(&token.kind)
            }
            _ => false,
        };
        let supporting = self.supporting().iter().filter(|token| of_kind(&token.parameters.kind)).count();
        supporting + usize::from(protects)
    }

    /// A fresh key for a certificate: in requests of symmetric bindings, in all messages of asymmetric ones.
    pub(super) fn expects_encrypted_key(&self) -> bool {
        match &self.receiver.binding.protection {
            Protection::Symmetric { token } => self.receiver.role == Role::Service && token.kind == TokenKind::X509,
            Protection::Asymmetric { .. } => true,
            Protection::Transport => false,
        }
    }

    pub(super) fn may_include_certificate(&self) -> bool {
        let binding = self.receiver.binding;
        match (&binding.protection, self.receiver.role) {
            (Protection::Asymmetric { .. }, Role::Service) => true,
            (Protection::Asymmetric { .. }, Role::Client) => binding.allow_serialized_signing_token_on_reply,
            _ => self.expects(|kind| *kind == TokenKind::X509),
        }
    }

    pub(super) fn resolve(&mut self, reference: &SecurityTokenReference) -> Result<Rc<Key>, Error> {
        self.keys.resolve(reference, self.receiver, self.expected.request, self.now)
    }

    /// The binding demands derived keys, or has none (SC 5.3 and finding 25).
    pub(super) fn check_derivation(&self, key: &Key, token: &TokenParameters, element: &str) -> Result<(), Error> {
        if key.derived == token.require_derived_keys || self.expected.is_cancel {
            return Ok(());
        }
        let problem =
            if key.derived { "a derived key, which the binding does not have" } else { "a key that is not derived" };
        Err(Error::refused("SC 5.3", element, format!("it is protected by {problem}")))
    }

    /// Remembers which token protects the message; all its parts are protected by the same one (SC §9 step 11).
    pub(super) fn check_same_protection(&mut self, origin: &Origin, element: &str) -> Result<(), Error> {
        if self.protecting.get_or_insert_with(|| origin.clone()) == origin {
            return Ok(());
        }
        Err(Error::refused("SC 9 step 11", element, "signature and encryption are not by the same token"))
    }

    fn decrypt_header(&mut self) -> Result<(), Error> {
        let encrypted: Vec<(usize, NodeId)> =
            self.header.of_kind(EntryKind::Encrypted).map(|(position, entry)| (position, entry.node)).collect();
        for (position, node) in encrypted {
            self.check_list_precedes(position)?;
            let nodes = self.decrypt(node, Some(position), Fragment::Element)?;
            let [node] = nodes[..] else {
                return Err(Error::malformed("SC 8.6", "EncryptedData", "it holds not exactly one element"));
            };
            self.read_decrypted(position, node)?;
        }
        self.decrypt_header_blocks()
    }

    /// `EncryptedHeader` of WSS 1.1, one encrypted block each.
    fn decrypt_header_blocks(&mut self) -> Result<(), Error> {
        let Some(header) = self.frame.header else { return Ok(()) };
        let mut blocks = Vec::new();
        for block in self.element(header)?.children().filter(|block| block.is(names::WSSE11, "EncryptedHeader")) {
            let mut children = block.children();
            match (children.next(), children.next()) {
                (Some(data), None) if data.is(names::XENC, "EncryptedData") => blocks.push(data.id()),
                _ => return Err(Error::malformed("SC 8.6", "EncryptedHeader", "it does not hold one EncryptedData")),
            }
        }
        for data in blocks {
            self.decrypt(data, None, Fragment::Element)?;
            self.header_block_was_encrypted = true;
        }
        Ok(())
    }

    fn decrypt_body(&mut self) -> Result<(), Error> {
        if let Some(data) = self.encrypted_body()? {
            self.decrypt(data, None, Fragment::Content)?;
            self.body_was_encrypted = true;
        }
        Ok(())
    }

    fn encrypted_body(&self) -> Result<Option<NodeId>, Error> {
        let body = self.element(self.frame.body)?;
        let mut children = body.children();
        let data = match (children.next(), children.next()) {
            (Some(data), None) if data.is(names::XENC, "EncryptedData") => data,
            _ => return Ok(None),
        };
        // An application may have encrypted for somebody else; then nothing names the element.
        if !token_id(data).is_some_and(|id| self.header.references.iter().any(|reference| reference == id)) {
            return Ok(None);
        }
        if body.nodes().any(|node| matches!(node, Node::Text(text) if !text.trim().is_empty())) {
            return Err(Error::malformed("SC 8.6", "Body", "text stands beside its EncryptedData"));
        }
        Ok(Some(data.id()))
    }

    /// Decrypts an `EncryptedData` and puts what it holds into its place; the elements of that.
    fn decrypt(&mut self, node: NodeId, position: Option<usize>, held: Fragment) -> Result<Vec<NodeId>, Error> {
        let (plaintext, key) = self.with_element(node, |this, element| this.plaintext(element, position, held))?;
        let Some(document) = &mut self.document else {
            return Err(Error::malformed("SC 9", "Envelope", "an element is gone"));
        };
        // What a manipulated ciphertext decrypts to is told to nobody.
        let placed = document.replace_with_fragment(node, &plaintext, held);
        placed.map_err(|_| undecryptable(key.name(), xml_security::Error::Unauthentic))
    }

    fn plaintext(
        &mut self,
        element: Element<'_>,
        position: Option<usize>,
        held: Fragment,
    ) -> Result<(Plaintext, DecryptionKey), Error> {
        let malformed = |source| undecryptable("no key yet".to_owned(), source);
        let data = EncryptedData::parse(element).map_err(malformed)?;
        let is_expected = match held {
            Fragment::Element => data.encrypted_type() == EncryptedType::Element,
            Fragment::Content => data.encrypted_type() == EncryptedType::Content,
        };
        if !is_expected {
            return Err(Error::malformed("SC 8.6", "EncryptedData", "its Type is not that of its place"));
        }
        let id = token_id(element).unwrap_or_default();
        if !self.header.references.iter().any(|reference| reference == id) {
            return Err(Error::refused("SC 8.6", "EncryptedData", "no ReferenceList names it"));
        }
        let reference = data.key_info().map_err(malformed)?.map(|info| single_reference(&info)).transpose()?;
        let key = self.decryption_key(reference.as_ref(), position)?;
        let key = DecryptionKey { key, reference };
        let Material::Symmetric(secret) = &key.key.material else {
            return Err(Error::refused("SC 8.6", "EncryptedData", format!("{} is no secret one", key.name())));
        };
        let suite = &self.receiver.binding.suite;
        let secret = if key.key.derived { Cow::Borrowed(secret) } else { suite.encryption_part(secret) };
        let plaintext = data.decrypt(&secret, &suite.decrypt_policy());
        let plaintext = plaintext.map_err(|source| undecryptable(key.name(), source))?;
        self.decrypted.push(id.to_owned());
        Ok((plaintext, key))
    }

    /// The key that an `EncryptedData` names, if it is of the token that the binding has for it.
    fn decryption_key(
        &mut self,
        reference: Option<&SecurityTokenReference>,
        position: Option<usize>,
    ) -> Result<Rc<Key>, Error> {
        let key = match reference {
            Some(reference) => self.resolve(reference)?,
            None => self.key_with_list()?,
        };
        if let Some(position) = position {
            self.check_precedes(&key, position, "EncryptedData")?;
        }
        match &self.receiver.binding.protection {
            Protection::Symmetric { token } => {
                self.check_protects(&key, token, "EncryptedData")?;
                self.check_derivation(&key, token, "EncryptedData")?;
                self.check_same_protection(&key.origin, "EncryptedData")?;
            }
            Protection::Asymmetric { recipient, .. } => {
                if !matches!(key.origin, Origin::EncryptedKey(_)) || (key.derived && !recipient.require_derived_keys) {
                    return Err(Error::refused(
                        "SC 6.3",
                        "EncryptedData",
                        "its key is not the one that came encrypted",
                    ));
                }
            }
            Protection::Transport => return Err(Error::refused("SC 6.4", "EncryptedData", "TLS encrypts already")),
        }
        Ok(key)
    }

    /// An `EncryptedData` without `KeyInfo` is encrypted with the key that has the reference list inside (SC 6.3).
    fn key_with_list(&mut self) -> Result<Rc<Key>, Error> {
        let key = self
            .keys
            .tokens
            .iter_mut()
            .find(|token| matches!(token.key.origin, Origin::EncryptedKey(_)) && !token.key.derived);
        let key = key.filter(|_| self.header.list_is_in_key);
        let token = key.ok_or_else(|| {
            Error::malformed("SC 6.3", "EncryptedData", "it does not say which key it is encrypted with")
        })?;
        token.used = true;
        Ok(Rc::clone(&token.key))
    }

    /// The key comes from a token of the kind that protects this binding.
    pub(super) fn check_protects(&self, key: &Key, token: &TokenParameters, element: &str) -> Result<(), Error> {
        let holds = match (&token.kind, &key.origin) {
            (TokenKind::X509, Origin::EncryptedKey(_)) | (TokenKind::Issued(_), Origin::Issued(_)) => true,
            (TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. }, Origin::Context(context)) => {
                context.generation == self.receiver.binding.version.generation
            }
            _ => false,
        };
        holds.then_some(()).ok_or_else(|| {
            Error::refused("SC 9 step 11", element, "its key is not of the token that protects this binding")
        })
    }

    fn refuse_encrypted_parts(&self) -> Result<(), Error> {
        if self.header.of_kind(EntryKind::Encrypted).next().is_some() || self.header.list_position.is_some() {
            return Err(Error::refused("SC 6.4", "EncryptedData", "under a transport binding TLS encrypts"));
        }
        Ok(())
    }

    fn check_every_reference_was_met(&self) -> Result<(), Error> {
        let unmet = self.header.references.iter().find(|id| !self.decrypted.contains(id));
        match unmet {
            None if self.header.references.len() == self.decrypted.len() => Ok(()),
            _ => Err(Error::refused(
                "SC 9 step 5",
                "ReferenceList",
                "it names something that is not encrypted in its place",
            )),
        }
    }

    /// Adds the message to those that were received (SC §9 step 13).
    fn remember(&self) -> Result<(), Error> {
        let (Some(replays), true) = (self.receiver.replays, self.receiver.detects_replays()) else { return Ok(()) };
        let freshness = self.receiver.freshness();
        let keep = freshness.replay_window.saturating_add(freshness.max_clock_skew.saturating_mul(2));
        match self.signature_values.first() {
            Some(value) => replays.add(value, self.now.saturating_add(keep), self.now),
            None => Err(Error::refused("SC 13.2", "Signature", "replays are detected by it, and there is none")),
        }
    }

    /// Asks for the passwords last: whoever cannot sign gets no answer to a guess.
    fn check_user_names(&mut self) -> Result<(), Error> {
        for token in &self.header.user_names {
            let validator = self.receiver.user_names.ok_or_else(|| {
                Error::Configuration(
                    "the binding has user names, but the receiver has no validator for them".to_owned(),
                )
            })?;
            validator.validate(&token.name, &token.password, self.now).map_err(|error| match error {
                UserNameError::Refused(reason) => Error::TokenRejected { token: "user name", reason },
                UserNameError::Undecided(reason) => Error::TokenUndecided { token: "user name", reason },
            })?;
            self.callers.push(Caller::UserName(token.name.clone()));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Unprotected, Error> {
        let document = self.document.take().ok_or_else(|| Error::malformed("SC 9", "Envelope", "it is gone"))?;
        let protected_by_channel = self.receiver.binding.is_transport()
            || (self.frame.security.is_none() && self.receiver.binding.enable_unsecured_response);
        let secret = |of: fn(&Origin) -> bool| {
            let token = self.keys.tokens.iter().find(|token| !token.key.derived && of(&token.key.origin))?;
            match (&token.key.origin, &token.key.material) {
                (origin, Material::Symmetric(key)) => Some((origin.clone(), key.clone())),
                _ => None,
            }
        };
        let mut request = RequestContext { signature_values: self.signature_values, ..RequestContext::default() };
        if let Some((Origin::EncryptedKey(sha1), key)) = secret(|origin| matches!(origin, Origin::EncryptedKey(_))) {
            request.encrypted_key = Some(WrappedKey { sha1, key });
        }
        let assertion = self.header.of_kind(EntryKind::Assertion).find_map(|(_, entry)| document.element(entry.node));
        if let (Some((Origin::Issued(assertion_id), key)), Some(value_type)) =
            (secret(|origin| matches!(origin, Origin::Issued(_))), assertion.and_then(saml_value_type))
        {
            request.issued_token = Some(IssuedKey { assertion_id, value_type, key });
        }
        request.client_certificate = self.callers.iter().find_map(|caller| match caller {
            Caller::Certificate(certificate) => Some(certificate.clone()),
            _ => None,
        });
        let context = match self.protecting {
            Some(Origin::Context(context)) => Some(context),
            _ => None,
        };
        let mut unprotected = Unprotected {
            document: *document,
            version: self.frame.version,
            addressing: self.frame.addressing,
            verified: self.verified,
            verified_ids: self.verified_ids,
            protected_by_channel,
            body_was_encrypted: self.body_was_encrypted,
            timestamp: self.header.timestamp,
            callers: self.callers,
            context,
            request,
        };
        let asked = self.expected.request.and_then(|request| request.message_id.as_deref());
        if self.receiver.role == Role::Client && asked.is_some() && asked != unprotected.relates_to().as_deref() {
            return Err(Error::refused("SC 9 step 15", "RelatesTo", "the message is not the reply to this request"));
        }
        unprotected.request.message_id = unprotected.message_id().map(Cow::into_owned);
        match self.expected.header_not_understood(&unprotected) {
            Some(header) => Err(Error::NotUnderstood { header, request: Box::new(unprotected.request) }),
            None => Ok(unprotected),
        }
    }

    pub(super) fn demands(&self, level: ProtectionLevel) -> bool {
        self.expected.body >= level
    }
}

fn undecryptable(key: String, source: xml_security::Error) -> Error {
    Error::Cryptography { requirement: "SC 8.6", element: "EncryptedData", key, source: Box::new(source) }
}

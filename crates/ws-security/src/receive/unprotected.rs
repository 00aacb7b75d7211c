//! What is left of a message when its protection is taken off.

use crate::addressing::AddressingVersion;
use crate::soap::{Envelope, SoapVersion};
use crate::timestamp::MessageTimestamp;
use crate::token::ContextReference;
use handstamp_keys::{Certificate, PublicKey, SymmetricKey};
use handstamp_xml::{Document, Element, NodeId, c14n, names};
use handstamp_xml_security::signature::{VerifiedElement, VerifiedNodes};
use std::borrow::Cow;
use std::fmt;

/// A message that was accepted. Only what was verified can be read.
pub struct Unprotected {
    pub(super) document: Document,
    pub(super) version: SoapVersion,
    pub(super) addressing: Option<AddressingVersion>,
    pub(super) verified: VerifiedNodes,
    /// Each with a blank behind it.
    pub(super) verified_ids: String,
    pub(super) protected_by_channel: bool,
    pub(super) body_was_encrypted: bool,
    pub(super) timestamp: Option<MessageTimestamp>,
    pub(super) callers: Vec<Caller>,
    pub(super) context: Option<ContextReference>,
    pub(super) request: RequestContext,
}

/// Who speaks, by one token of the message.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum Caller {
    /// A name whose password was validated.
    UserName(String),
    /// The holder of a trusted certificate's key.
    Certificate(Certificate),
    /// The holder of a key that says nothing about who that is.
    Key(PublicKey),
    /// The holder of a security context's key; it endorsed the message, or protects it.
    Context(ContextReference),
    /// The holder of an assertion, by its element in the document: read it from [`Unprotected::document`].
    Assertion(NodeId),
}

/// What ties a reply to its request. A service gets it from an opened request and answers with it; a client keeps the one of
/// the request that it sent.
#[derive(Debug, Clone, Default)]
pub struct RequestContext {
    /// `MessageID`.
    pub message_id: Option<String>,
    /// The key that the request carried encrypted; replies name it by SHA-1.
    pub encrypted_key: Option<WrappedKey>,
    /// The issued token whose key protects the request.
    pub issued_token: Option<IssuedKey>,
    /// The values of the request's signatures: the primary one, then the endorsing ones.
    pub signature_values: Vec<Vec<u8>>,
    /// The client's certificate, when it signed the request.
    pub client_certificate: Option<Certificate>,
}

/// A key that a message carried encrypted.
#[derive(Debug, Clone)]
pub struct WrappedKey {
    /// SHA-1 over the ciphertext.
    pub sha1: [u8; 20],
    /// The key.
    pub key: SymmetricKey,
}

/// The key of an issued token.
#[derive(Debug, Clone)]
pub struct IssuedKey {
    /// The assertion's id.
    pub assertion_id: String,
    /// The `ValueType` of references to it, which tells SAML 1.1 from 2.0.
    pub value_type: &'static str,
    /// The key.
    pub key: SymmetricKey,
}

impl Unprotected {
    /// The body, when it was verified: signed, or come over a channel that the binding trusts. None for messages whose
    /// contract leaves the body unprotected.
    pub fn body(&self) -> Option<VerifiedElement<'_>> {
        self.read(self.envelope()?.body())
    }

    /// The verified header block of this name.
    pub fn header(&self, namespace: &str, local_name: &str) -> Option<VerifiedElement<'_>> {
        let block = self.blocks().find(|block| block.is(namespace, local_name))?;
        self.read(block)
    }

    /// The verified header blocks of application and addressing.
    pub fn headers(&self) -> impl Iterator<Item = VerifiedElement<'_>> {
        self.blocks().filter(|block| !is_security(*block)).filter_map(|block| self.read(block))
    }

    /// The header blocks that nothing protects, by namespace and local name: to tell an operator of them. Their content cannot
    /// be read here.
    pub fn unverified_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let unverified = self.blocks().filter(|block| !is_security(*block) && self.read(*block).is_none());
        unverified.map(|block| (block.namespace(), block.local_name()))
    }

    /// `Action`.
    pub fn action(&self) -> Option<Cow<'_, str>> {
        self.addressing_text("Action")
    }

    /// `MessageID`.
    pub fn message_id(&self) -> Option<Cow<'_, str>> {
        self.addressing_text("MessageID")
    }

    /// `RelatesTo`.
    pub fn relates_to(&self) -> Option<Cow<'_, str>> {
        self.addressing_text("RelatesTo")
    }

    /// `To`.
    pub fn to(&self) -> Option<Cow<'_, str>> {
        self.addressing_text("To")
    }

    /// SOAP 1.1 or 1.2.
    pub fn soap_version(&self) -> SoapVersion {
        self.version
    }

    /// The addressing version; none without addressing headers.
    pub fn addressing_version(&self) -> Option<AddressingVersion> {
        self.addressing
    }

    /// Who speaks: the supporting tokens and certificates that were validated, in the order of the header.
    pub fn callers(&self) -> &[Caller] {
        &self.callers
    }

    /// The security context whose key protects the message.
    pub fn context(&self) -> Option<&ContextReference> {
        self.context.as_ref()
    }

    /// When the message was made.
    pub fn timestamp(&self) -> Option<MessageTimestamp> {
        self.timestamp
    }

    /// Whether the body came encrypted.
    pub fn body_was_encrypted(&self) -> bool {
        self.body_was_encrypted
    }

    /// What a reply needs to know of this message.
    pub fn request_context(&self) -> &RequestContext {
        &self.request
    }

    /// The same, for keeping.
    pub fn into_request_context(self) -> RequestContext {
        self.request
    }

    /// Which elements the primary signature covers.
    pub fn verified(&self) -> &VerifiedNodes {
        &self.verified
    }

    /// The identifiers of everything that was signed, as the signatures name it: first what the primary signature covers, then
    /// what the endorsing ones do.
    pub fn verified_ids(&self) -> impl Iterator<Item = &str> {
        self.verified_ids.split_ascii_whitespace()
    }

    /// The whole message with everything decrypted in its place: for people to look at. Parts of it may be unverified.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// [`document`](Self::document) as canonical XML.
    pub fn to_xml(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.document.source().len());
        c14n::canonicalize(self.document.root(), &c14n::Method::exclusive(), None, &mut out);
        out
    }

    fn envelope(&self) -> Option<Envelope<'_>> {
        Envelope::of(&self.document).ok()
    }

    fn blocks(&self) -> impl Iterator<Item = Element<'_>> {
        self.envelope().and_then(|envelope| envelope.header()).into_iter().flat_map(header_blocks)
    }

    fn addressing_text(&self, local_name: &str) -> Option<Cow<'_, str>> {
        let header = self.header(self.addressing?.namespace(), local_name)?;
        Some(crate::addressing::trimmed(header.text()))
    }

    fn read<'d>(&self, element: Element<'d>) -> Option<VerifiedElement<'d>> {
        if self.protected_by_channel {
            return Some(VerifiedElement::trusted_without_signature(element));
        }
        let wrapper = element.parent().filter(|parent| parent.is(names::WSSE11, "EncryptedHeader"));
        self.verified
            .element(element)
            .or_else(|| self.verified.element(wrapper?)?.children().find(|child| child.element() == element))
    }
}

/// What the message is about and who speaks; nothing of its content, which was encrypted for a reason.
impl fmt::Debug for Unprotected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unprotected")
            .field("action", &self.action())
            .field("callers", &self.callers)
            .field("context", &self.context)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

fn is_security(block: Element<'_>) -> bool {
    block.is(names::WSSE, "Security")
}

/// The blocks of a `Header`, those that came in an `EncryptedHeader` in its place.
pub(super) fn header_blocks(header: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    header.children().map(|block| {
        let content = block.is(names::WSSE11, "EncryptedHeader").then(|| block.children().next()).flatten();
        content.unwrap_or(block)
    })
}

//! Messages before they are protected.

use crate::addressing::{AddressingVersion, SIGNED_HEADERS, trimmed};
use crate::binding::ProtectionLevel;
use crate::error::Error;
use crate::receive::Unprotected;
use crate::send::envelope::Frame;
use crate::send::standalone::{Standalone, content_of, parse_content};
use crate::soap::{Envelope, SoapVersion};
use handstamp_xml::{Document, Element, ParseOptions, names};
use memchr::{memchr2_iter, memmem, memrchr};
use std::ops::Range;

/// A message to protect: addressing headers, application headers, body.
///
/// ```
/// use handstamp_ws_security::soap::SoapVersion;
/// use handstamp_ws_security::{AddressingVersion, Body, Message};
///
/// let (soap, addressing) = (SoapVersion::Soap12, AddressingVersion::V10);
/// let message = Message::request(soap, addressing, "urn:ledger/Balance", "https://ledger.example/", "urn:uuid:1")
///     .with_body(Body::from_xml("<Balance xmlns='urn:ledger'/>")?);
/// assert!(message.to_unprotected()?.contains("<s:Body><Balance xmlns='urn:ledger'/></s:Body>"));
/// # Ok::<(), handstamp_ws_security::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Message {
    /// SOAP 1.1 or 1.2.
    pub soap: SoapVersion,
    /// The version of the addressing headers.
    pub addressing: AddressingVersion,
    /// `Action`.
    pub action: String,
    /// `MessageID`; a one-way message has none.
    pub message_id: Option<String>,
    /// `RelatesTo`: the `MessageID` of the request.
    pub relates_to: Option<String>,
    /// `ReplyTo`, as an address.
    pub reply_to: Option<String>,
    /// `To`.
    pub to: Option<String>,
    /// Headers of the application. They stand behind the addressing headers.
    pub headers: Vec<HeaderBlock>,
    /// The body.
    pub body: Body,
    /// How the contract wants the body protected. Default encrypted and signed. Cancel and its reply are only signed (SC 4.4).
    pub protection: ProtectionLevel,
}

/// The content of a body: XML that declares every prefix that it uses.
#[derive(Debug, Clone, Default)]
pub struct Body {
    xml: String,
    /// What its canonical form inside an envelope of ours leaves out; none when that takes parsing.
    redundant: Option<Vec<Range<usize>>>,
    /// Whether identifiers in it might be some of ours.
    may_hold_ids: bool,
}

/// A header of the application: one element, which declares every prefix that it uses.
#[derive(Debug, Clone)]
pub struct HeaderBlock {
    pub(super) xml: String,
    /// Behind the name of the element.
    pub(super) name_end: usize,
    /// Its `wsu:Id`, if it came with one.
    pub(super) id: Option<String>,
    /// `mustUnderstand` and `role` or `actor`, which the `EncryptedHeader` around it repeats; sorted.
    pub(super) soap_attributes: Vec<(String, String)>,
    pub(super) level: ProtectionLevel,
}

impl Message {
    /// A request as WCF sends it over HTTP: `Action`, `MessageID`, anonymous `ReplyTo`, `To`. For a one-way message clear
    /// `message_id` and `reply_to`.
    pub fn request(
        soap: SoapVersion,
        addressing: AddressingVersion,
        action: impl Into<String>,
        to: impl Into<String>,
        message_id: impl Into<String>,
    ) -> Self {
        Self {
            message_id: Some(message_id.into()),
            reply_to: Some(addressing.anonymous().to_owned()),
            to: Some(to.into()),
            ..Self::reply(soap, addressing, action, None)
        }
    }

    /// A reply as WCF sends it over HTTP: `Action` and `RelatesTo`.
    pub fn reply(
        soap: SoapVersion,
        addressing: AddressingVersion,
        action: impl Into<String>,
        relates_to: Option<String>,
    ) -> Self {
        Self {
            soap,
            addressing,
            action: action.into(),
            message_id: None,
            relates_to,
            reply_to: None,
            to: None,
            headers: Vec::new(),
            body: Body::empty(),
            protection: ProtectionLevel::EncryptAndSign,
        }
    }

    /// The reply to a request, in its versions.
    pub fn reply_to(request: &Unprotected, action: impl Into<String>) -> Self {
        let addressing = request.addressing_version().unwrap_or_default();
        let relates_to = request.message_id().map(std::borrow::Cow::into_owned);
        Self::reply(request.soap_version(), addressing, action, relates_to)
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Sets the protection of the body.
    #[must_use]
    pub fn with_protection(mut self, level: ProtectionLevel) -> Self {
        self.protection = level;
        self
    }

    /// Reads an envelope without protection. A security header in it for the ultimate receiver is left out; headers of the
    /// application are to be signed.
    ///
    /// # Errors
    /// Whatever is not a SOAP envelope, and one without `Action`.
    pub fn read(document: &Document) -> Result<Self, Error> {
        let envelope = Envelope::of(document)?;
        let security = envelope.security_header()?;
        let addressing = envelope.header().and_then(AddressingVersion::of_header).unwrap_or_default();
        let mut message = Self::reply(envelope.version(), addressing, "", None).with_body(Body::of(envelope.body())?);
        for block in envelope.header_blocks().filter(|block| Some(*block) != security) {
            let is_addressing = block.namespace() == addressing.namespace();
            let text = || Some(trimmed(block.text()).into_owned());
            match block.local_name() {
                "Action" if is_addressing && message.action.is_empty() => message.action = text().unwrap_or_default(),
                "MessageID" if is_addressing && message.message_id.is_none() => message.message_id = text(),
                "RelatesTo" if is_addressing && message.relates_to.is_none() => message.relates_to = text(),
                "To" if is_addressing && message.to.is_none() => message.to = text(),
                "ReplyTo" if is_addressing && message.reply_to.is_none() && block.children().count() == 1 => {
                    message.reply_to = text();
                }
                _ => message.headers.push(HeaderBlock::of(block, ProtectionLevel::Sign)),
            }
        }
        if message.action.is_empty() {
            return Err(Error::malformed("SC 1.3", "Action", "the message has none, and secured messages need one"));
        }
        Ok(message)
    }

    /// Whether identifiers in it might be some of those that the sender gives.
    pub(super) fn may_hold_ids(&self) -> bool {
        self.body.may_hold_ids || self.headers.iter().any(|block| may_hold_ids(&block.xml))
    }

    /// The envelope as it is: for unsecured faults, and to look at.
    ///
    /// # Errors
    /// [`Error::Xml`] for characters in a header that XML cannot hold.
    pub fn to_unprotected(&self) -> Result<String, Error> {
        Frame::new(self).unprotected()
    }
}

impl Body {
    /// A body without content.
    pub fn empty() -> Self {
        Self::canonical(String::new())
    }

    /// Content that is in exclusive canonical form as a whole, as it comes from [`handstamp_xml::Writer`]. It is not checked again.
    ///
    /// Fragments of other origin inside of it may declare once more what is declared around them: then it is
    /// [`well_formed`](Self::well_formed) only.
    pub fn canonical(content: impl Into<String>) -> Self {
        Self::new(content.into(), true)
    }

    /// Content that is well formed and declares every prefix that it uses. It is not checked again.
    pub fn well_formed(content: impl Into<String>) -> Self {
        Self::new(content.into(), false)
    }

    /// Any content that is well formed: elements, text, or nothing.
    ///
    /// # Errors
    /// [`Error::Xml`] for what is not well formed, or uses prefixes that it does not declare.
    pub fn from_xml(content: impl Into<String>) -> Result<Self, Error> {
        let content = content.into();
        let (_, is_canonical) = parse_content(&content)?;
        Ok(Self::new(content, is_canonical))
    }

    /// The content of a `Body` element, with the namespaces that it needs.
    ///
    /// # Errors
    /// None for elements of a parsed document.
    pub fn of(body: Element<'_>) -> Result<Self, Error> {
        let (content, is_canonical) = content_of(body)?;
        Ok(Self::new(content, is_canonical))
    }

    /// The content.
    pub fn xml(&self) -> &str {
        &self.xml
    }

    /// The stretches of the content that its canonical form inside the envelope leaves out: what the body declares already. None
    /// when that is not all that it takes.
    pub(super) fn redundant(&self) -> Option<&[Range<usize>]> {
        self.redundant.as_deref()
    }

    fn new(xml: String, is_canonical: bool) -> Self {
        let redundant = if is_canonical { redundant(&xml) } else { None };
        Self { redundant, may_hold_ids: may_hold_ids(&xml), xml }
    }
}

/// The declarations of `u` in canonical content, whose body declares it, too. None when `s` is declared or `u` means something
/// else, or when the text only looks like a declaration.
fn redundant(xml: &str) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    for at in memmem::find_iter(xml.as_bytes(), "xmlns:") {
        let (before, declaration) = xml.split_at_checked(at)?;
        let Some(namespace) = declaration.strip_prefix("xmlns:u=") else {
            if declaration.starts_with("xmlns:s=") {
                return None;
            }
            continue;
        };
        let rest = namespace.strip_prefix('"')?.strip_prefix(names::WSU)?.strip_prefix('"')?;
        let before = before.strip_suffix(' ')?;
        let tag = memrchr(b'<', before.as_bytes())?;
        if before.get(tag..)?.contains('>') {
            return None;
        }
        found.push(before.len()..xml.len() - rest.len());
    }
    Some(found)
}

impl HeaderBlock {
    /// A header block. `level` says how it is protected under message security; addressing headers are signed in any case.
    ///
    /// # Errors
    /// [`Error::Xml`] for what is not one well-formed element.
    pub fn from_xml(xml: impl Into<String>, level: ProtectionLevel) -> Result<Self, Error> {
        let document = Document::parse(xml.into(), &ParseOptions::default())?;
        Ok(Self::of(document.root(), level))
    }

    /// A header block of a document, with the namespaces that it needs.
    pub fn of(block: Element<'_>, level: ProtectionLevel) -> Self {
        let always = AddressingVersion::from_namespace(block.namespace()).is_some()
            && SIGNED_HEADERS.contains(&block.local_name());
        let soap =
            block.attributes().filter(|attribute| [names::SOAP11, names::SOAP12].contains(&attribute.namespace()));
        let mut soap_attributes: Vec<_> =
            soap.map(|attribute| (attribute.local_name().to_owned(), attribute.value().to_owned())).collect();
        soap_attributes.sort();
        let prefix = if block.prefix().is_empty() { 0 } else { block.prefix().len() + 1 };
        Self {
            xml: Standalone::of(block).xml().to_owned(),
            name_end: 1 + prefix + block.local_name().len(),
            id: block.attribute_ns(names::WSU, "Id").map(str::to_owned),
            soap_attributes,
            level: if always { level.max(ProtectionLevel::Sign) } else { level },
        }
    }

    /// The same block with other protection.
    #[must_use]
    pub fn with_level(self, level: ProtectionLevel) -> Self {
        Self { level, ..self }
    }

    /// The element.
    pub fn xml(&self) -> &str {
        &self.xml
    }
}

/// Whether some attribute starts as our identifiers do.
fn may_hold_ids(xml: &str) -> bool {
    let bytes = xml.as_bytes();
    memchr2_iter(b'"', b'\'', bytes).any(|at| bytes.get(at + 1) == Some(&b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::DigestAlgorithm;

    #[test]
    fn only_what_the_body_declares_itself_is_redundant() {
        let left = |xml: &str| {
            let redundant = redundant(xml)?;
            let mut left = xml.to_owned();
            redundant.into_iter().rev().for_each(|range| left.replace_range(range, ""));
            Some(left)
        };
        let wsu = format!(" xmlns:u=\"{}\"", names::WSU);
        assert_eq!(left("<a>1</a>").as_deref(), Some("<a>1</a>"));
        let content = format!("<a xmlns=\"urn:a\"{wsu} u:Id=\"1\"><u:b{wsu}></u:b></a><u:c{wsu} x=\">\"></u:c>");
        assert_eq!(left(&content).as_deref(), Some("<a xmlns=\"urn:a\" u:Id=\"1\"><u:b></u:b></a><u:c x=\">\"></u:c>"));
        for other in [
            "<u:a xmlns:u=\"urn:other\"></u:a>".to_owned(),
            format!("<s:a xmlns:s=\"urn:s\"{wsu}></s:a>"),
            format!("<a>b{wsu} c</a>"),
            wsu.clone(),
            format!("<a b=\">\"{wsu}></a>"),
        ] {
            assert_eq!(left(&other), None, "{other}");
        }
    }

    #[test]
    fn a_body_without_its_redundant_declarations_has_the_digest_of_its_canonical_form() {
        let wsu = format!(" xmlns:u=\"{}\"", names::WSU);
        for content in [
            String::new(),
            "text".to_owned(),
            "<a xmlns=\"urn:a\"><b></b></a>".to_owned(),
            format!("<a xmlns=\"urn:a\"><b{wsu} u:Id=\"1\"><u:c></u:c></b><u:c{wsu}>&gt;</u:c></a>"),
            format!("<u:a{wsu} x=\">\" y=\"&quot;\"></u:a>"),
            format!("<t:a xmlns:t=\"urn:t\"{wsu} u:Id=\"1\"></t:a>"),
        ] {
            let body = Body::canonical(content.clone());
            let message =
                Message { body, ..Message::reply(SoapVersion::Soap12, AddressingVersion::V10, "urn:a", None) };
            let (frame, redundant) = (Frame::new(&message), message.body.redundant());
            assert!(redundant.is_some(), "{content}");
            let digest = |redundant| frame.digest_body(DigestAlgorithm::Sha256, "_1", &content, redundant).unwrap();
            assert_eq!(digest(redundant).as_bytes(), digest(None).as_bytes(), "{content}");
        }
    }
}

//! Messages without protection: what plain services and plain clients send and get.

use std::sync::atomic::{AtomicBool, Ordering};

use handstamp_ws_security::soap::{Envelope, Fault, FaultCode, SoapVersion};
use handstamp_ws_security::{AddressingVersion, Body, HeaderBlock, ProtectionLevel, Unprotected};
use handstamp_xml::{Document, Element, Limits, ParseOptions, Writer, escape, names};

/// The namespace of the header that tells a service who calls: only the gateway writes it.
pub(super) const CALLER: &str = "urn:handstamp:caller";

/// A message of a plain program.
#[derive(Debug)]
pub(super) struct PlainMessage {
    pub(super) soap: SoapVersion,
    /// `Action` of WS-Addressing, where the program uses it.
    pub(super) action: Option<String>,
    /// `MessageID` of WS-Addressing.
    pub(super) message_id: Option<String>,
    /// Which WS-Addressing.
    pub(super) addressing: Option<AddressingVersion>,
    /// Headers of the application.
    pub(super) headers: Vec<PlainHeader>,
    pub(super) body: Body,
    /// Namespace and name of the first element in the body.
    pub(super) element: Option<(String, String)>,
    pub(super) fault: Option<PlainFault>,
}

/// A header block of the application.
#[derive(Debug)]
pub(super) struct PlainHeader {
    pub(super) namespace: String,
    pub(super) local_name: String,
    /// To be signed.
    pub(super) block: HeaderBlock,
}

impl PlainHeader {
    fn of(block: Element<'_>) -> Self {
        Self {
            namespace: block.namespace().to_owned(),
            local_name: block.local_name().to_owned(),
            block: HeaderBlock::of(block, ProtectionLevel::Sign),
        }
    }
}

/// A fault with its details.
#[derive(Debug, Clone)]
pub(super) struct PlainFault {
    pub(super) fault: Fault,
    /// What stands in `Detail`.
    pub(super) detail: String,
}

impl PlainMessage {
    /// Reads a message. Security headers for the ultimate receiver are left out: they mean nothing here.
    ///
    /// # Errors
    /// What is no SOAP message.
    pub(super) fn read(text: Vec<u8>, limit: usize) -> Result<Self, handstamp_ws_security::Error> {
        let mut limits = Limits::default();
        limits.size = limit;
        let document = Document::parse(text, &ParseOptions::default().with_limits(limits))?;
        let envelope = Envelope::of(&document)?;
        let addressing = envelope.header().and_then(AddressingVersion::of_header);
        let is_addressing =
            |block: Element<'_>| addressing.is_some_and(|version| block.namespace() == version.namespace());
        let of_addressing = |name: &str| {
            let found = envelope.header_blocks().find(|block| is_addressing(*block) && block.local_name() == name);
            found.map(|block| block.text().trim().to_owned()).filter(|text| !text.is_empty())
        };
        let application =
            envelope.header_blocks().filter(|block| !is_addressing(*block) && !block.is(names::WSSE, "Security"));
        let first = envelope.body().children().next();
        let is_fault = |element: &Element<'_>| element.is(envelope.version().namespace(), "Fault");
        Ok(Self {
            soap: envelope.version(),
            action: of_addressing("Action"),
            message_id: of_addressing("MessageID"),
            addressing,
            headers: application.map(PlainHeader::of).collect(),
            body: Body::of(envelope.body())?,
            element: first.map(|element| (element.namespace().to_owned(), element.local_name().to_owned())),
            fault: first.filter(is_fault).map(PlainFault::read).transpose()?,
        })
    }
}

impl PlainFault {
    /// A fault without details.
    pub(super) fn new(code: FaultCode, reason: impl Into<String>) -> Self {
        Self { fault: Fault { code, subcode: None, reason: reason.into() }, detail: String::new() }
    }

    /// Reads a `Fault` element.
    pub(super) fn read(element: Element<'_>) -> Result<Self, handstamp_ws_security::Error> {
        let details = element.children().find(|child| matches!(child.local_name(), "Detail" | "detail"));
        let detail = details.map(Body::of).transpose()?.map(|body| body.xml().to_owned()).unwrap_or_default();
        Ok(Self { fault: Fault::parse(element)?, detail })
    }

    /// The content of a body in this version.
    pub(super) fn to_body(&self, soap: SoapVersion) -> String {
        let mut writer = Writer::new();
        self.fault.write(soap, &mut writer);
        // What XML cannot hold is not in what was parsed, nor in what we write ourselves.
        let mut xml = writer.finish().unwrap_or_default();
        if !self.detail.is_empty()
            && let Some(end) = xml.rfind("</s:Fault>")
        {
            let (start, close) = match soap {
                SoapVersion::Soap11 => ("<detail>", "</detail>"),
                SoapVersion::Soap12 => ("<s:Detail>", "</s:Detail>"),
            };
            xml.insert_str(end, &[start, &self.detail, close].concat());
        }
        xml
    }
}

/// The headers of the application in a message whose protection was taken off.
#[derive(Debug, Default)]
pub(super) struct ApplicationBlocks {
    /// Those that were protected, each with the namespaces that it needs.
    pub(super) verified: Vec<String>,
    /// The names of those that were not.
    pub(super) lost: Vec<String>,
}

impl ApplicationBlocks {
    pub(super) fn of(message: &Unprotected) -> Self {
        let addressing = message.addressing_version().map(AddressingVersion::namespace);
        let is_application = |namespace: &str| Some(namespace) != addressing && namespace != CALLER;
        let verified = message.headers().filter(|block| is_application(block.namespace()));
        let lost = message.unverified_headers().filter(|(namespace, _)| is_application(namespace));
        Self {
            verified: verified.map(|block| without_id(block.element())).collect(),
            lost: lost.map(|(namespace, name)| format!("{{{namespace:.120}}}{name:.60}")).collect(),
        }
    }

    /// Says once what is not passed on.
    pub(super) fn warn(&self, route: &str, was_said: &AtomicBool) {
        if !self.lost.is_empty() && !was_said.swap(true, Ordering::Relaxed) {
            let headers = self.lost.join(", ");
            tracing::warn!(
                route,
                headers,
                "headers that nothing protects are not passed on: let the other side sign them (said once)"
            );
        }
    }
}

/// A header block without the identifier by which its signature names it, and without the prefix that only this one needed.
fn without_id(block: Element<'_>) -> String {
    let mut xml = HeaderBlock::of(block, ProtectionLevel::Sign).xml().to_owned();
    let Some(id) = block.attribute_ns(names::WSU, "Id") else { return xml };
    let written = format!(":Id=\"{id}\"");
    let tag_end = xml.find('>').unwrap_or(xml.len());
    let Some(at) = xml[..tag_end].find(&written) else { return xml };
    let Some(start) = xml[..at].rfind(' ') else { return xml };
    let prefix = xml[start + 1..at].to_owned();
    xml.replace_range(start..at + written.len(), "");
    let declaration = format!(" xmlns:{prefix}=\"{}\"", names::WSU);
    if !xml.contains(&format!("{prefix}:"))
        && let Some(at) = xml.find(&declaration)
    {
        xml.replace_range(at..at + declaration.len(), "");
    }
    xml
}

/// An envelope of these header blocks and this content.
pub(super) fn envelope<'h>(soap: SoapVersion, headers: impl IntoIterator<Item = &'h str>, content: &str) -> String {
    let mut xml = String::with_capacity(content.len() + 256);
    for part in ["<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"", soap.namespace(), "\">"] {
        xml.push_str(part);
    }
    let mut headers = headers.into_iter().peekable();
    if headers.peek().is_some() {
        xml.push_str("<s:Header>");
        headers.for_each(|header| xml.push_str(header));
        xml.push_str("</s:Header>");
    }
    for part in ["<s:Body>", content, "</s:Body></s:Envelope>"] {
        xml.push_str(part);
    }
    xml
}

/// The addressing headers of a reply to a program that uses WS-Addressing.
pub(super) fn reply_addressing(addressing: AddressingVersion, action: &str, relates_to: Option<&str>) -> Vec<String> {
    let element = |name: &str, text: &str| {
        let mut xml = format!("<a:{name} xmlns:a=\"{}\">", addressing.namespace());
        // Both come from parsed messages.
        _ = escape::append_text(&mut xml, text);
        xml + &format!("</a:{name}>")
    };
    let relates_to = relates_to.map(|id| element("RelatesTo", id));
    std::iter::once(element("Action", action)).chain(relates_to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(soap: SoapVersion) -> String {
        let fault = PlainFault {
            detail: "<d xmlns=\"urn:d\">4</d>".to_owned(),
            ..PlainFault::new(FaultCode::Sender, "too much")
        };
        envelope(soap, [], &fault.to_body(soap))
    }

    #[test]
    fn faults_keep_their_details_in_both_versions() {
        for soap in [SoapVersion::Soap11, SoapVersion::Soap12] {
            let read = PlainMessage::read(fault(soap).into_bytes(), 10_000).unwrap();
            let found = read.fault.expect("a fault");
            assert_eq!((found.fault.code, found.fault.reason.as_str()), (FaultCode::Sender, "too much"));
            assert_eq!(found.detail, "<d xmlns=\"urn:d\">4</d>");
            let other = PlainMessage::read(envelope(soap, [], &found.to_body(soap)).into_bytes(), 10_000).unwrap();
            assert_eq!(other.fault.unwrap().detail, found.detail);
        }
    }

    #[test]
    fn a_message_is_its_application_s_headers_and_body() {
        let text = format!(
            "<s:Envelope xmlns:s='{}' xmlns:a='{}' xmlns:x='urn:x'><s:Header><a:Action> urn:do </a:Action>\
             <a:To>urn:to</a:To><o:Security xmlns:o='{}'/><x:Trace>1</x:Trace></s:Header>\
             <s:Body><x:Do/></s:Body></s:Envelope>",
            names::SOAP12,
            names::WSA,
            names::WSSE
        );
        let read = PlainMessage::read(text.into_bytes(), 10_000).unwrap();
        assert_eq!(read.action.as_deref(), Some("urn:do"));
        assert_eq!(
            read.headers.iter().map(|header| header.block.xml()).collect::<Vec<_>>(),
            ["<x:Trace xmlns:x=\"urn:x\">1</x:Trace>"]
        );
        assert_eq!(read.body.xml(), "<x:Do xmlns:x=\"urn:x\"></x:Do>");
        assert_eq!(read.element, Some(("urn:x".to_owned(), "Do".to_owned())));
        assert!(read.fault.is_none());
    }
}

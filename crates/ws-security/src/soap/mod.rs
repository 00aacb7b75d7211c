//! SOAP 1.1 and 1.2: the envelope as a view of a document, and faults.

mod fault;

pub use fault::{Fault, FaultCode, QualifiedName, SecurityFault};

use crate::addressing::{AddressingVersion, is_addressing_header};
use crate::error::Error;
use handstamp_xml::{Document, Element, names};

/// Which SOAP a message is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SoapVersion {
    /// SOAP 1.1.
    Soap11,
    /// SOAP 1.2.
    #[default]
    Soap12,
}

impl SoapVersion {
    /// The namespace of the envelope.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Soap11 => names::SOAP11,
            Self::Soap12 => names::SOAP12,
        }
    }
}

/// A SOAP message: a view, nothing in it is verified.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'d> {
    version: SoapVersion,
    header: Option<Element<'d>>,
    body: Element<'d>,
}

impl<'d> Envelope<'d> {
    /// Reads the frame of a message: one `Envelope` with at most one `Header`, then one `Body`, and nothing else.
    ///
    /// A second `Body` or `Header` is where signature wrapping hides what was signed, so there is none.
    pub fn of(document: &'d Document) -> Result<Self, Error> {
        let root = document.root();
        let version = [SoapVersion::Soap11, SoapVersion::Soap12]
            .into_iter()
            .find(|version| root.is(version.namespace(), "Envelope"))
            .ok_or_else(|| Error::malformed(FRAME, "Envelope", "the root is not an Envelope of SOAP 1.1 or 1.2"))?;
        let mut children = root.children().peekable();
        let header = children.next_if(|child| child.is(version.namespace(), "Header"));
        let body = children.next().filter(|child| child.is(version.namespace(), "Body"));
        let body = body.ok_or_else(|| Error::malformed(FRAME, "Envelope", "a Body does not follow the Header"))?;
        if children.next().is_some() {
            return Err(Error::malformed(FRAME, "Envelope", "something follows the Body"));
        }
        Ok(Self { version, header, body })
    }

    /// SOAP 1.1 or 1.2.
    pub fn version(&self) -> SoapVersion {
        self.version
    }

    /// The `Header` element.
    pub fn header(&self) -> Option<Element<'d>> {
        self.header
    }

    /// The header blocks.
    pub fn header_blocks(&self) -> impl Iterator<Item = Element<'d>> {
        self.header.into_iter().flat_map(Element::children)
    }

    /// The `Body` element.
    pub fn body(&self) -> Element<'d> {
        self.body
    }

    /// The one `wsse:Security` header for the ultimate receiver, the one without an actor or role (SC §9 step 4).
    ///
    /// # Errors
    /// Two of them.
    pub fn security_header(&self) -> Result<Option<Element<'d>>, Error> {
        let mut found =
            self.header_blocks().filter(|block| block.is(names::WSSE, "Security") && self.is_for_us(*block));
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(Error::malformed("SC 9 step 4", "Security", "there are two for the same receiver")),
        }
    }

    /// The first header block that has to be understood here and is not one of addressing or security (SC 9 step 15): for messages
    /// that nothing protects. A [`Receiver`](crate::Receiver) looks itself.
    pub fn header_not_understood(&self) -> Option<QualifiedName> {
        let addressing = self.header.and_then(AddressingVersion::of_header);
        self.not_understood_among(self.header_blocks(), addressing, &[])
    }

    pub(crate) fn not_understood_among<'e>(
        &self,
        mut blocks: impl Iterator<Item = Element<'e>>,
        addressing: Option<AddressingVersion>,
        understood: &[(&str, &str)],
    ) -> Option<QualifiedName> {
        let is_understood = |block: Element<'_>| {
            block.is(names::WSSE, "Security")
                || (is_addressing_header(block)
                    && addressing.map(AddressingVersion::namespace) == Some(block.namespace()))
                || understood.iter().any(|(namespace, local_name)| block.is(namespace, local_name))
        };
        let block = blocks.find(|block| self.has_to_be_understood(*block) && !is_understood(*block))?;
        Some(QualifiedName::new(block.namespace(), block.local_name()))
    }

    /// Whether whoever reads the message here has to understand this header block.
    fn has_to_be_understood(&self, block: Element<'_>) -> bool {
        let must_understand = block.attribute_ns(self.version.namespace(), "mustUnderstand").map(str::trim);
        let for_whoever_is_next =
            ["http://schemas.xmlsoap.org/soap/actor/next", "http://www.w3.org/2003/05/soap-envelope/role/next"];
        let is_next = self.role_of(block).is_some_and(|role| for_whoever_is_next.contains(&role));
        matches!(must_understand, Some("1" | "true")) && (is_next || self.is_for_us(block))
    }

    fn is_for_us(&self, block: Element<'_>) -> bool {
        matches!(self.role_of(block), None | Some("" | "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver"))
    }

    fn role_of<'e>(&self, block: Element<'e>) -> Option<&'e str> {
        match self.version {
            SoapVersion::Soap11 => block.attribute_ns(names::SOAP11, "actor"),
            SoapVersion::Soap12 => block.attribute_ns(names::SOAP12, "role"),
        }
    }
}

const FRAME: &str = "SOAP envelope";

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_xml::ParseOptions;

    fn refusal(inside: &str) -> String {
        let text = format!("<s:Envelope xmlns:s='{}' xmlns:o='{}'>{inside}</s:Envelope>", names::SOAP12, names::WSSE);
        let document = Document::parse(text, &ParseOptions::default()).unwrap();
        match Envelope::of(&document).and_then(|envelope| envelope.security_header().map(drop)) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_frame_has_one_header_and_one_body() {
        assert_eq!(refusal("<s:Header/><s:Body/>"), "");
        assert_eq!(refusal("<s:Body/>"), "");
        assert!(refusal("<s:Header/><s:Header/><s:Body/>").contains("Body"));
        assert!(refusal("<s:Header/><s:Body/><s:Body/>").contains("follows the Body"));
        assert!(refusal("<s:Body/><s:Header/>").contains("follows the Body"));
        assert!(refusal("<x/><s:Body/>").contains("Body"));
    }

    #[test]
    fn sc_9_step_15_headers_of_others_have_to_be_understood_when_they_say_so() {
        let not_understood = |block: &str| {
            let (soap, wsa, wsse) = (names::SOAP12, names::WSA, names::WSSE);
            let text = format!(
                "<s:Envelope xmlns:s='{soap}' xmlns:a='{wsa}' xmlns:o='{wsse}'><s:Header><a:Action \
                 s:mustUnderstand='1'>urn:a</a:Action><o:Security s:mustUnderstand='1'/>{block}</s:Header><s:Body/></s:Envelope>"
            );
            let document = Document::parse(text, &ParseOptions::default()).unwrap();
            Envelope::of(&document).unwrap().header_not_understood().map(|name| name.local_name)
        };
        assert_eq!(not_understood("<x xmlns='urn:x' s:mustUnderstand='1'/>").as_deref(), Some("x"));
        assert_eq!(not_understood("<x xmlns='urn:x' s:mustUnderstand='0'/>"), None);
        assert_eq!(not_understood("<x xmlns='urn:x' s:mustUnderstand='1' s:role='urn:other'/>"), None);
    }

    #[test]
    fn sc_9_step_4_two_security_headers_for_one_receiver_are_refused() {
        assert!(refusal("<s:Header><o:Security/><o:Security/></s:Header><s:Body/>").contains("two"));
        assert_eq!(refusal("<s:Header><o:Security/><o:Security s:role='urn:other'/></s:Header><s:Body/>"), "");
    }
}

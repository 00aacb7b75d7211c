//! `RequestSecurityToken` (SC 4.1, 4.3, 4.4).

use crate::error::Error;
use crate::trust::binary_exchange::BinaryExchange;
use crate::trust::secret::Entropy;
use crate::trust::{prefix, read, unattached_reference, written};
use handstamp_ws_security::token::ContextReference;
use handstamp_ws_security::{AddressingVersion, Body, Generation};
use handstamp_xml::{Element, c14n, names};

/// Asks for a security context, for a new key of one, or for the end of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSecurityToken {
    /// The namespace.
    pub generation: Generation,
    /// The attribute `Context`, which the answer repeats.
    pub context: Option<String>,
    /// `TokenType`, a URI.
    pub token_type: Option<String>,
    /// What is asked.
    pub request_type: Option<RequestType>,
    /// For which endpoint.
    pub applies_to: Option<AppliesTo>,
    /// What the client contributes to the key.
    pub entropy: Option<Entropy>,
    /// The length of the key in bits.
    pub key_size: Option<u32>,
    /// Records of a negotiation.
    pub binary_exchange: Option<BinaryExchange>,
    /// Which context is to be renewed.
    pub renew_target: Option<ContextReference>,
    /// Which context is to be ended.
    pub cancel_target: Option<ContextReference>,
}

/// What is asked of a token service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestType {
    /// A new token.
    Issue,
    /// A new key for a token.
    Renew,
    /// The end of a token.
    Cancel,
}

/// `AppliesTo`: for whom a token is meant. A service of security contexts only repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliesTo {
    /// The addressing version of the endpoint reference inside.
    pub addressing: AddressingVersion,
    /// The element as canonical XML.
    pub element: String,
}

impl RequestType {
    /// The URI.
    pub const fn uri(self, generation: Generation) -> &'static str {
        match (generation, self) {
            (Generation::February2005, Self::Issue) => "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue",
            (Generation::February2005, Self::Renew) => "http://schemas.xmlsoap.org/ws/2005/02/trust/Renew",
            (Generation::February2005, Self::Cancel) => "http://schemas.xmlsoap.org/ws/2005/02/trust/Cancel",
            (Generation::V13, Self::Issue) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue",
            (Generation::V13, Self::Renew) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Renew",
            (Generation::V13, Self::Cancel) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Cancel",
        }
    }
}

impl RequestSecurityToken {
    /// A request for a new context, as a client sends it.
    pub fn issue(generation: Generation, entropy: Option<Entropy>, key_size: u32) -> Self {
        Self {
            token_type: Some(generation.context_token_type().to_owned()),
            entropy,
            key_size: Some(key_size),
            ..Self::of_type(generation, RequestType::Issue)
        }
    }

    /// A request for a new key of `target`.
    pub fn renew(generation: Generation, entropy: Option<Entropy>, key_size: u32, target: ContextReference) -> Self {
        Self {
            request_type: Some(RequestType::Renew),
            renew_target: Some(target),
            ..Self::issue(generation, entropy, key_size)
        }
    }

    /// A request that ends `target`.
    pub fn cancel(generation: Generation, target: ContextReference) -> Self {
        Self { cancel_target: Some(target), ..Self::of_type(generation, RequestType::Cancel) }
    }

    fn of_type(generation: Generation, request_type: RequestType) -> Self {
        Self {
            generation,
            context: None,
            token_type: None,
            request_type: Some(request_type),
            applies_to: None,
            entropy: None,
            key_size: None,
            binary_exchange: None,
            renew_target: None,
            cancel_target: None,
        }
    }

    /// Reads the element. `generation` is the one that both ends agreed on.
    ///
    /// # Errors
    /// [`Error::Trust`] for another element, and for children that are known and malformed.
    pub fn parse(element: Element<'_>, generation: Generation) -> Result<Self, Error> {
        let trust = generation.trust();
        if !element.is(trust, RST) {
            return Err(Error::trust("SC 4.1", RST, "it is another element, or one of another generation of WS-Trust"));
        }
        let mut request =
            Self { context: read::context_attribute(element), ..Self::of_type(generation, RequestType::Issue) };
        request.request_type = None;
        for child in element.children() {
            match child.local_name() {
                "AppliesTo" if matches!(child.namespace(), names::WSP | names::WSP_15) => {
                    request.applies_to = AppliesTo::parse(child);
                }
                _ if child.namespace() != trust => {}
                "TokenType" => request.token_type = Some(child.text().trim().to_owned()),
                "RequestType" => request.request_type = Some(request_type(child, generation)?),
                "Entropy" => request.entropy = Some(read::entropy(child)?),
                "KeySize" => request.key_size = read::key_size(child)?,
                "BinaryExchange" => request.binary_exchange = Some(BinaryExchange::parse(child)?),
                "RenewTarget" => request.renew_target = Some(read::target(child)?),
                "CancelTarget" => request.cancel_target = Some(read::target(child)?),
                _ => {}
            }
        }
        Ok(request)
    }

    /// Whether the token asked for is a security context token of the generation; when nothing is said, it is.
    pub fn is_for_context(&self) -> bool {
        self.token_type.as_deref().is_none_or(|said| said == self.generation.context_token_type())
    }

    /// The body of a message.
    ///
    /// # Errors
    /// As [`to_xml`](Self::to_xml).
    pub(crate) fn to_body(&self) -> Result<Body, Error> {
        let content = self.to_xml()?;
        Ok(if self.applies_to.is_some() { Body::well_formed(content) } else { Body::canonical(content) })
    }

    /// The element, as WCF writes it.
    ///
    /// # Errors
    /// [`Error::Xml`] when a value holds characters that XML does not allow.
    pub fn to_xml(&self) -> Result<String, Error> {
        let (trust, t) = (self.generation.trust(), prefix(self.generation));
        written(|writer| {
            writer.start(t, trust, RST);
            if let Some(context) = &self.context {
                writer.attribute("Context", context);
            }
            if let Some(token_type) = &self.token_type {
                writer.element(t, trust, "TokenType", token_type);
            }
            if let Some(request_type) = self.request_type {
                writer.element(t, trust, "RequestType", request_type.uri(self.generation));
            }
            if let Some(applies_to) = &self.applies_to {
                writer.canonical_fragment(&applies_to.element);
            }
            if let Some(entropy) = &self.entropy {
                entropy.write(writer, self.generation);
            }
            if let Some(key_size) = self.key_size {
                writer.element(t, trust, "KeySize", &key_size.to_string());
            }
            if let Some(binary_exchange) = &self.binary_exchange {
                binary_exchange.write(writer, self.generation);
            }
            for (name, target) in [("RenewTarget", &self.renew_target), ("CancelTarget", &self.cancel_target)] {
                if let Some(target) = target {
                    writer.start(t, trust, name);
                    unattached_reference(target).write(writer, false);
                    writer.end();
                }
            }
            writer.end();
        })
    }
}

impl AppliesTo {
    /// An `AppliesTo` that holds one endpoint reference; nothing else is repeated.
    fn parse(element: Element<'_>) -> Option<Self> {
        let mut children = element.children();
        let (reference, None) = (children.next()?, children.next()) else { return None };
        let addressing = AddressingVersion::from_namespace(reference.namespace())?;
        if reference.local_name() != "EndpointReference" {
            return None;
        }
        Some(Self { addressing, element: canonical(element) })
    }
}

/// An element as canonical XML that stands on its own.
pub(crate) fn canonical(element: Element<'_>) -> String {
    let mut out = Vec::with_capacity(element.source().len() + 128);
    c14n::canonicalize(element, &c14n::Method::exclusive(), None, &mut out);
    // The source is text, and canonicalization cuts no characters.
    String::from_utf8(out).unwrap_or_default()
}

fn request_type(element: Element<'_>, generation: Generation) -> Result<RequestType, Error> {
    let said = element.text();
    let known = [RequestType::Issue, RequestType::Renew, RequestType::Cancel];
    known
        .into_iter()
        .find(|known| known.uri(generation) == said.trim())
        .ok_or_else(|| Error::trust("SC 4.1", "RequestType", "it is none that security contexts know"))
}

const RST: &str = "RequestSecurityToken";

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::SymmetricKey;
    use handstamp_xml::{Document, ParseOptions};
    use proptest::prelude::*;

    const T: &str = names::WST_2005;

    fn parse(text: &str, generation: Generation) -> Result<RequestSecurityToken, Error> {
        RequestSecurityToken::parse(Document::parse(text, &ParseOptions::default()).unwrap().root(), generation)
    }

    fn read(content: &str) -> Result<RequestSecurityToken, Error> {
        parse(&format!("<{RST} xmlns='{T}'>{content}</{RST}>"), Generation::February2005)
    }

    fn context(instance: Option<&str>) -> ContextReference {
        ContextReference {
            generation: Generation::V13,
            identifier: "urn:uuid:1".to_owned(),
            instance: instance.map(str::to_owned),
        }
    }

    #[test]
    fn sc_10_a_request_has_the_children_of_wcf_in_its_order() {
        let entropy = Entropy { id: Some("uuid-1".to_owned()), secret: SymmetricKey::from_bytes(&[0; 3]) };
        let written = RequestSecurityToken::issue(Generation::February2005, Some(entropy), 256).to_xml().unwrap();
        let expected = format!(
            "<t:{RST} xmlns:t=\"{T}\"><t:TokenType>http://schemas.xmlsoap.org/ws/2005/02/sc/sct</t:TokenType>\
             <t:RequestType>{T}/Issue</t:RequestType><t:Entropy><t:BinarySecret xmlns:u=\"{}\" Type=\"{T}/Nonce\" \
             u:Id=\"uuid-1\">AAAA</t:BinarySecret></t:Entropy><t:KeySize>256</t:KeySize></t:{RST}>",
            names::WSU
        );
        assert_eq!(written, expected);
        let cancel = RequestSecurityToken::cancel(Generation::V13, context(None)).to_xml().unwrap();
        assert!(cancel.contains("<trust:RequestType>") && cancel.contains("<trust:CancelTarget>"), "{cancel}");
        assert!(!cancel.contains("TokenType>http"), "{cancel}");
    }

    #[test]
    fn sc_11_children_come_in_any_order_and_the_last_one_counts() {
        // The order and the forms of CXF.
        let request = read(&format!(
            "<RequestType> {T}/Issue\n</RequestType><Lifetime/><TokenType>urn:other</TokenType><KeySize>128</KeySize>\
             <Entropy><BinarySecret>AAAA</BinarySecret></Entropy><x:Any xmlns:x='urn:x'/><Renewing/>\
             <TokenType>http://schemas.xmlsoap.org/ws/2005/02/sc/sct</TokenType><KeySize>256</KeySize>"
        ));
        let request = request.unwrap();
        assert!(request.is_for_context());
        assert_eq!((request.request_type, request.key_size), (Some(RequestType::Issue), Some(256)));
        assert_eq!(request.entropy.unwrap().secret.as_bytes(), [0, 0, 0]);
        let empty = read("").unwrap();
        assert!(empty.is_for_context());
        assert_eq!((empty.request_type, empty.key_size, empty.entropy), (None, None, None));
        assert_eq!(read("<KeySize>0</KeySize>").unwrap().key_size, None);
    }

    #[test]
    fn sc_11_the_context_attribute_counts_in_any_namespace() {
        for attribute in ["Context='c'", "x:Context='c' xmlns:x='urn:x'"] {
            let text = format!("<{RST} xmlns='{T}' {attribute}/>");
            assert_eq!(parse(&text, Generation::February2005).unwrap().context.as_deref(), Some("c"));
        }
    }

    #[test]
    fn sc_12_malformed_children_are_refused() {
        for bad in [
            format!("<RequestType>{T}/Validate</RequestType>"),
            format!("<RequestType>{}/Issue</RequestType>", names::WST_13),
            "<KeySize>250</KeySize>".to_owned(),
            "<KeySize>-1</KeySize>".to_owned(),
            "<KeySize>+8</KeySize>".to_owned(),
            "<KeySize>abc</KeySize>".to_owned(),
            "<Entropy/>".to_owned(),
            "<Entropy><BinarySecret/></Entropy>".to_owned(),
            "<Entropy><BinarySecret>*</BinarySecret></Entropy>".to_owned(),
            "<Entropy><BinarySecret Type='urn:x'>AAAA</BinarySecret></Entropy>".to_owned(),
            format!("<Entropy><BinarySecret>{}</BinarySecret></Entropy>", "AAAA".repeat(5462)),
            "<RenewTarget/>".to_owned(),
            format!(
                "<CancelTarget><o:SecurityTokenReference xmlns:o='{}'><o:Reference URI='#local'/></o:SecurityTokenReference></CancelTarget>",
                names::WSSE
            ),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
        assert!(!read("<TokenType>urn:other</TokenType>").unwrap().is_for_context());
        assert!(parse(&format!("<{RST} xmlns='{T}'/>"), Generation::V13).is_err(), "the other generation");
        assert!(parse(&format!("<RequestSecurityTokenResponse xmlns='{T}'/>"), Generation::February2005).is_err());
    }

    #[test]
    fn sc_11_secrets_of_either_generation_and_length_are_read() {
        for secret in [
            format!("<BinarySecret xmlns='{}' Type='{T}/SymmetricKey'>AA==</BinarySecret>", names::WST_13),
            format!("<BinarySecret Type='{}/Nonce'> A A==\n</BinarySecret>", names::WST_13),
        ] {
            let request = read(&format!("<Entropy>{secret}</Entropy>")).unwrap();
            assert_eq!(request.entropy.unwrap().secret.as_bytes(), [0]);
        }
    }

    #[test]
    fn sc_4_1_applies_to_is_kept_when_it_is_one_endpoint_reference() {
        let applies_to = |reference: &str| {
            let text =
                format!("<p:AppliesTo xmlns:p='{}' xmlns:a='{}'>{reference}</p:AppliesTo>", names::WSP, names::WSA);
            read(&text).unwrap().applies_to
        };
        let kept = applies_to("<a:EndpointReference><a:Address>http://s/</a:Address></a:EndpointReference>").unwrap();
        assert_eq!(kept.addressing, AddressingVersion::V10);
        assert!(
            kept.element.starts_with("<p:AppliesTo xmlns:p=") && kept.element.contains("http://s/"),
            "{}",
            kept.element
        );
        assert_eq!(applies_to("<a:Address/>"), None);
        assert_eq!(applies_to(""), None);
    }

    #[test]
    fn sc_4_4_targets_are_references_or_the_token_itself() {
        let token = format!(
            "<c:SecurityContextToken xmlns:c='{}'><c:Identifier>urn:uuid:1</c:Identifier></c:SecurityContextToken>",
            names::WSC_13
        );
        let text = format!("<{RST} xmlns='{}'><CancelTarget>{token}</CancelTarget></{RST}>", names::WST_13);
        assert_eq!(parse(&text, Generation::V13).unwrap().cancel_target, Some(context(None)));
    }

    proptest! {
        #[test]
        fn requests_survive_writing_and_reading(
            secret in proptest::collection::vec(any::<u8>(), 1..64),
            key_size in proptest::option::of((1_u32..64).prop_map(|bytes| bytes * 8)),
            attribute in proptest::option::of("[a-z<&\"]{0,8}"),
            instance in proptest::option::of("urn:uuid:[0-9a-f]{4}"),
            renew in any::<bool>(),
            thirteen in any::<bool>(),
        ) {
            let generation = if thirteen { Generation::V13 } else { Generation::February2005 };
            let entropy = Entropy { id: Some("_e".to_owned()), secret: SymmetricKey::from_bytes(&secret) };
            let target = ContextReference { generation, ..context(instance.as_deref()) };
            let mut request = if renew {
                RequestSecurityToken::renew(generation, Some(entropy), 256, target)
            } else {
                RequestSecurityToken::issue(generation, Some(entropy), 256)
            };
            (request.key_size, request.context) = (key_size, attribute);
            prop_assert_eq!(parse(&request.to_xml().unwrap(), generation).unwrap(), request);
        }
    }
}

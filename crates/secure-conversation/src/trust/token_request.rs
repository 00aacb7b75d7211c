//! `RequestSecurityToken` for a token of a token service: WS-Trust February 2005 §6, 1.3 §4.

use crate::error::Error;
use crate::trust::request::RequestType;
use crate::trust::secret::Entropy;
use crate::trust::use_key::UseKey;
use crate::trust::{computed_key_algorithm, prefix, read, written};
use handstamp_time::Timestamp;
use handstamp_ws_security::{AddressingVersion, ClaimTypeRequirement, Generation, IssuedKeyType};
use handstamp_xml::{Element, Writer, names};

/// Asks a token service for a token that a relying party accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The namespace.
    pub generation: Generation,
    /// The attribute `Context`, which the answer repeats.
    pub context: Option<String>,
    /// `TokenType`, a URI; the token service chooses when there is none.
    pub token_type: Option<String>,
    /// `AppliesTo`: the address of the relying party.
    pub applies_to: Option<String>,
    /// The addressing version of the endpoint reference in `AppliesTo`.
    pub addressing: AddressingVersion,
    /// What the client contributes to the key.
    pub entropy: Option<Entropy>,
    /// What proves possession of the token; a symmetric key when the request does not say.
    pub key_type: IssuedKeyType,
    /// The length of the key in bits.
    pub key_size: Option<u32>,
    /// The key that the client has and wants the token for, when the key type is asymmetric.
    pub use_key: Option<UseKey>,
    /// From when to when the token should be good.
    pub lifetime: Option<AskedLifetime>,
    /// What the token should say of its subject.
    pub claim_types: Vec<ClaimTypeRequirement>,
    /// `additionalRequestParameters`: elements as canonical XML. Written, not read.
    pub additional: Vec<String>,
}

/// `Lifetime` of a request, of which each half may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AskedLifetime {
    /// From when.
    pub created: Option<Timestamp>,
    /// To when.
    pub expires: Option<Timestamp>,
}

impl TokenRequest {
    /// The `Action` of a request.
    pub const fn action(generation: Generation) -> &'static str {
        match generation {
            Generation::February2005 => "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/Issue",
            Generation::V13 => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue",
        }
    }

    /// The `Action` of the answer.
    pub const fn response_action(generation: Generation) -> &'static str {
        match generation {
            Generation::February2005 => "http://schemas.xmlsoap.org/ws/2005/02/trust/RSTR/Issue",
            Generation::V13 => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTRC/IssueFinal",
        }
    }

    /// Reads the element. `generation` is the one that both ends agreed on.
    ///
    /// # Errors
    /// [`Error::Trust`] for another element or request type, and for children that are known and malformed.
    pub fn parse(element: Element<'_>, generation: Generation) -> Result<Self, Error> {
        let trust = generation.trust();
        if !element.is(trust, RST) {
            return Err(refused(RST, "it is another element, or one of another generation of WS-Trust"));
        }
        let mut request = Self {
            generation,
            context: read::context_attribute(element),
            token_type: None,
            applies_to: None,
            addressing: AddressingVersion::default(),
            entropy: None,
            key_type: IssuedKeyType::default(),
            key_size: None,
            use_key: None,
            lifetime: None,
            claim_types: Vec::new(),
            additional: Vec::new(),
        };
        for child in element.children() {
            match child.local_name() {
                "AppliesTo" if matches!(child.namespace(), names::WSP | names::WSP_15) => {
                    request.read_applies_to(child)?;
                }
                "ActAs" if child.namespace() == names::WST_14 => {
                    return Err(refused("ActAs", "tokens are issued for whoever asks, and for nobody else"));
                }
                _ if child.namespace() != trust => {}
                "TokenType" => request.token_type = Some(child.text().trim().to_owned()),
                "RequestType" if child.text().trim() != RequestType::Issue.uri(generation) => {
                    return Err(refused("RequestType", "tokens are issued here, and nothing else"));
                }
                "Entropy" => request.entropy = Some(read::entropy(child)?),
                "KeyType" => request.key_type = key_type(child, generation)?,
                "KeySize" => request.key_size = read::key_size(child)?,
                "UseKey" => request.use_key = Some(UseKey::parse(child)?),
                "Lifetime" => request.lifetime = Some(AskedLifetime::parse(child)?),
                // A token that speaks of somebody else than the client expects is worse than none.
                "OnBehalfOf" | "DelegateTo" => {
                    return Err(refused("OnBehalfOf", "tokens are issued for whoever asks, and for nobody else"));
                }
                "ComputedKeyAlgorithm" if child.text().trim() != computed_key_algorithm(generation) => {
                    return Err(refused(
                        "ComputedKeyAlgorithm",
                        "keys are computed with P_SHA1, and with nothing else",
                    ));
                }
                "Claims" => request.claim_types = claim_types(child)?,
                _ => {}
            }
        }
        Ok(request)
    }

    fn read_applies_to(&mut self, element: Element<'_>) -> Result<(), Error> {
        let mut references = element.children();
        let (reference, more) = (references.next(), references.next());
        let reference = reference.filter(|reference| reference.local_name() == "EndpointReference" && more.is_none());
        let version = reference.and_then(|reference| AddressingVersion::from_namespace(reference.namespace()));
        let (Some(reference), Some(version)) = (reference, version) else {
            return Err(refused("AppliesTo", "it does not hold one endpoint reference"));
        };
        let address = reference.child(version.namespace(), "Address").map(|address| address.text().trim().to_owned());
        self.applies_to = Some(address.ok_or_else(|| refused("AppliesTo", "its endpoint reference has no Address"))?);
        self.addressing = version;
        Ok(())
    }

    /// The element, in WCF's order.
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
            writer.element(t, trust, "RequestType", RequestType::Issue.uri(self.generation));
            if let Some(address) = &self.applies_to {
                write_applies_to(writer, address, self.addressing);
            }
            if let Some(entropy) = &self.entropy {
                entropy.write(writer, self.generation);
            }
            writer.element(t, trust, "KeyType", &key_type_uri(self.key_type, self.generation));
            if let Some(key_size) = self.key_size {
                writer.element(t, trust, "KeySize", &key_size.to_string());
            }
            if self.entropy.is_some() {
                writer.element(t, trust, "ComputedKeyAlgorithm", computed_key_algorithm(self.generation));
            }
            if let Some(use_key) = &self.use_key {
                use_key.write(writer, self.generation);
            }
            if let Some(AskedLifetime { created, expires }) = &self.lifetime {
                writer.start(t, trust, "Lifetime");
                for (name, time) in [("Created", created), ("Expires", expires)] {
                    if let Some(time) = time {
                        writer.element("u", names::WSU, name, &time.milliseconds().to_string());
                    }
                }
                writer.end();
            }
            if !self.claim_types.is_empty() {
                writer.start(t, trust, "Claims").attribute("Dialect", names::WSID);
                for claim in &self.claim_types {
                    writer.start("i", names::WSID, "ClaimType");
                    if claim.is_optional {
                        writer.attribute("Optional", "true");
                    }
                    writer.attribute("Uri", &claim.claim_type).end();
                }
                writer.end();
            }
            for element in &self.additional {
                writer.canonical_fragment(element);
            }
            writer.end();
        })
    }
}

impl AskedLifetime {
    fn parse(element: Element<'_>) -> Result<Self, Error> {
        let time = |name| {
            let time = element.child(names::WSU, name).map(|time| time.text().trim().parse()).transpose();
            time.map_err(|_| refused("Lifetime", "Created or Expires is no time in UTC"))
        };
        Ok(Self { created: time("Created")?, expires: time("Expires")? })
    }
}

/// `AppliesTo` with an endpoint reference to `address`.
pub(super) fn write_applies_to(writer: &mut Writer, address: &str, addressing: AddressingVersion) {
    writer.start("wsp", names::WSP, "AppliesTo").start("a", addressing.namespace(), "EndpointReference");
    writer.element("a", addressing.namespace(), "Address", address).end().end();
}

pub(super) fn key_type_uri(key_type: IssuedKeyType, generation: Generation) -> String {
    let trust = generation.trust();
    match (key_type, generation) {
        (IssuedKeyType::Symmetric, _) => format!("{trust}/SymmetricKey"),
        (IssuedKeyType::Asymmetric, _) => format!("{trust}/PublicKey"),
        (IssuedKeyType::Bearer, Generation::V13) => format!("{trust}/Bearer"),
        // February 2005 knows no bearers; this is what WCF writes.
        (IssuedKeyType::Bearer, Generation::February2005) => format!("{}/NoProofKey", names::WSID),
    }
}

fn key_type(element: Element<'_>, generation: Generation) -> Result<IssuedKeyType, Error> {
    let said = element.text();
    [IssuedKeyType::Symmetric, IssuedKeyType::Asymmetric, IssuedKeyType::Bearer]
        .into_iter()
        .find(|known| key_type_uri(*known, generation) == said.trim())
        .ok_or_else(|| refused("KeyType", "it is none of SymmetricKey, PublicKey and Bearer"))
}

/// Claims of a dialect that is not known are not understood, and so not asked for.
fn claim_types(element: Element<'_>) -> Result<Vec<ClaimTypeRequirement>, Error> {
    let types = element.children().filter(|child| child.is(names::WSID, "ClaimType"));
    let types = types.map(|child| {
        let claim_type = child.attribute("Uri").ok_or_else(|| refused("ClaimType", "it has no Uri"))?;
        let is_optional = child.attribute("Optional").is_some_and(|text| matches!(text.trim(), "true" | "1"));
        Ok(ClaimTypeRequirement { claim_type: claim_type.to_owned(), is_optional })
    });
    let types: Vec<_> = types.take(MAX_CLAIM_TYPES + 1).collect::<Result<_, Error>>()?;
    if types.len() > MAX_CLAIM_TYPES {
        return Err(refused("Claims", "it asks for too many claim types"));
    }
    Ok(types)
}

fn refused(element: &'static str, problem: &'static str) -> Error {
    Error::trust("WS-Trust 1.3 §4.1", element, problem)
}

const RST: &str = "RequestSecurityToken";
const MAX_CLAIM_TYPES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::SymmetricKey;
    use handstamp_xml::{Document, ParseOptions};

    fn parse(text: &str, generation: Generation) -> Result<TokenRequest, Error> {
        TokenRequest::parse(Document::parse(text, &ParseOptions::default()).unwrap().root(), generation)
    }

    fn request(generation: Generation, key_type: IssuedKeyType) -> TokenRequest {
        let claim = |claim_type: &str, is_optional| ClaimTypeRequirement { claim_type: claim_type.into(), is_optional };
        TokenRequest {
            generation,
            context: Some("c".into()),
            token_type: Some("urn:oasis:names:tc:SAML:2.0:assertion".into()),
            applies_to: Some("https://echo.example/".into()),
            addressing: AddressingVersion::V10,
            entropy: Some(Entropy { id: Some("e".into()), secret: SymmetricKey::from_bytes(&[7; 32]) }),
            key_type,
            key_size: Some(256),
            use_key: Some(UseKey::RsaKey { modulus: vec![0xc5; 256], exponent: vec![1, 0, 1] }),
            lifetime: Some(AskedLifetime { created: None, expires: Some("2030-01-01T00:00:00Z".parse().unwrap()) }),
            claim_types: vec![claim("urn:name", false), claim("urn:role", true)],
            additional: Vec::new(),
        }
    }

    #[test]
    fn wst_4_1_requests_survive_writing_and_reading() {
        for generation in [Generation::February2005, Generation::V13] {
            for key_type in [IssuedKeyType::Symmetric, IssuedKeyType::Asymmetric, IssuedKeyType::Bearer] {
                let sent = request(generation, key_type);
                assert_eq!(parse(&sent.to_xml().unwrap(), generation).unwrap(), sent);
            }
        }
    }

    #[test]
    fn wst_4_1_actions_and_key_types_follow_from_the_generation() {
        for generation in [Generation::February2005, Generation::V13] {
            assert_eq!(TokenRequest::action(generation), format!("{}/RST/Issue", generation.trust()));
            let other = if generation == Generation::V13 { Generation::February2005 } else { Generation::V13 };
            let sent = request(generation, IssuedKeyType::Bearer).to_xml().unwrap();
            assert!(parse(&sent, other).is_err());
        }
    }

    #[test]
    fn sc_14_8_additional_parameters_go_along() {
        let mut sent = request(Generation::V13, IssuedKeyType::Symmetric);
        sent.additional.push("<x xmlns=\"urn:x\">1</x>".into());
        assert!(sent.to_xml().unwrap().ends_with("<x xmlns=\"urn:x\">1</x></trust:RequestSecurityToken>"));
    }

    #[test]
    fn wst_4_1_what_is_malformed_or_something_else_is_refused() {
        let read = |content: &str| {
            parse(&format!("<{RST} xmlns='{}'>{content}</{RST}>", names::WST_2005), Generation::February2005)
        };
        assert_eq!(read("").unwrap().key_type, IssuedKeyType::Symmetric);
        let applies_to = |content: &str| {
            format!("<p:AppliesTo xmlns:p='{}' xmlns:a='{}'>{content}</p:AppliesTo>", names::WSP, names::WSA)
        };
        let claims =
            format!("<Claims>{}</Claims>", format!("<ClaimType xmlns='{}' Uri='u'/>", names::WSID).repeat(129));
        for bad in [
            "<RequestType>http://schemas.xmlsoap.org/ws/2005/02/trust/Renew</RequestType>",
            "<KeyType>urn:other</KeyType>",
            "<KeySize>7</KeySize>",
            "<ComputedKeyAlgorithm>urn:other</ComputedKeyAlgorithm>",
            "<Entropy/>",
            "<UseKey/>",
            "<OnBehalfOf/>",
            "<Lifetime><Expires xmlns='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd'>soon</Expires></Lifetime>",
            &format!("<Claims><ClaimType xmlns='{}'/></Claims>", names::WSID),
            &claims,
            &applies_to(""),
            &applies_to("<a:EndpointReference/>"),
            &applies_to("<a:EndpointReference><a:Address>u</a:Address></a:EndpointReference><a:EndpointReference/>"),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

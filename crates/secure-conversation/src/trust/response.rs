//! `RequestSecurityTokenResponse`, bare or in a collection of one (SC 4.2 to 4.4).

use crate::error::Error;
use crate::trust::binary_exchange::BinaryExchange;
use crate::trust::request::{AppliesTo, canonical};
use crate::trust::secret::Entropy;
use crate::trust::{computed_key_algorithm, prefix, read, unattached_reference, written};
use handstamp_time::Timestamp;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken, SecurityTokenReference};
use handstamp_ws_security::{Body, Generation};
use handstamp_xml::{Element, Writer, names};

/// Answers a [`RequestSecurityToken`](crate::trust::RequestSecurityToken).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSecurityTokenResponse {
    /// The namespace.
    pub generation: Generation,
    /// The attribute `Context` of the request.
    pub context: Option<String>,
    /// `TokenType`, a URI.
    pub token_type: Option<String>,
    /// The token.
    pub token: Option<RequestedToken>,
    /// For which endpoint. Written, not read.
    pub applies_to: Option<AppliesTo>,
    /// What the answer says about the key.
    pub proof: Option<Proof>,
    /// What the service contributes to the key.
    pub entropy: Option<Entropy>,
    /// From when to when.
    pub lifetime: Option<Lifetime>,
    /// The length of the key in bits.
    pub key_size: Option<u32>,
    /// Whether the token was cancelled.
    pub cancelled: bool,
    /// Records of a negotiation.
    pub binary_exchange: Option<BinaryExchange>,
}

/// A security context token as it came: a client repeats it in every message without looking at more of it than this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedToken {
    /// `wsu:Id`.
    pub id: Option<String>,
    /// The context that it is for.
    pub context: ContextReference,
    /// The whole element as canonical XML, with everything that was in it.
    pub element: String,
}

/// `RequestedProofToken`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// `ComputedKey`: P_SHA1 over the entropy of both ends.
    ComputedKey,
    /// The key itself.
    Secret(Entropy),
    /// The key as a record of the TLS session that negotiated it (SC 7.2).
    TlsWrapped(Vec<u8>),
}

/// `Lifetime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// First instant.
    pub created: Timestamp,
    /// Last instant.
    pub expires: Timestamp,
}

impl RequestSecurityTokenResponse {
    /// An answer that says nothing yet.
    pub fn new(generation: Generation) -> Self {
        Self {
            generation,
            context: None,
            token_type: None,
            token: None,
            applies_to: None,
            proof: None,
            entropy: None,
            lifetime: None,
            key_size: None,
            cancelled: false,
            binary_exchange: None,
        }
    }

    /// The answer to a request that was granted by cancelling.
    pub fn cancelled(generation: Generation) -> Self {
        Self { cancelled: true, ..Self::new(generation) }
    }

    /// Reads the content of a body: in February 2005 one response, in 1.3 a collection of exactly one.
    ///
    /// # Errors
    /// [`Error::Trust`] for anything else, and for children that are known and malformed.
    pub fn parse(element: Element<'_>, generation: Generation) -> Result<Self, Error> {
        Self::parse_single(the_response(element, generation)?, generation)
    }

    /// Reads one response, as it stands in messages of a negotiation in either generation (SC 7.1).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_single(response: Element<'_>, generation: Generation) -> Result<Self, Error> {
        let trust = generation.trust();
        if !response.is(trust, RSTR) {
            return Err(Error::trust("SC 4.2", RSTR, "it is another element"));
        }
        let mut read = Self { context: read::context_attribute(response), ..Self::new(generation) };
        for child in response.children().filter(|child| child.namespace() == trust) {
            match child.local_name() {
                "TokenType" => read.token_type = Some(child.text().trim().to_owned()),
                "RequestedSecurityToken" => read.token = Some(RequestedToken::parse(child)?),
                "RequestedProofToken" => read.proof = Some(proof(child, generation)?),
                "Entropy" => read.entropy = Some(read::entropy(child)?),
                "Lifetime" => read.lifetime = Some(lifetime(child)?),
                "KeySize" => read.key_size = read::key_size(child)?,
                "RequestedTokenCancelled" => read.cancelled = true,
                "BinaryExchange" => read.binary_exchange = Some(BinaryExchange::parse(child)?),
                _ => {}
            }
        }
        Ok(read)
    }

    /// The body of a message.
    ///
    /// # Errors
    /// As [`to_xml`](Self::to_xml).
    pub(crate) fn to_body(&self, basic_security_profile: bool) -> Result<Body, Error> {
        let content = self.to_xml(basic_security_profile)?;
        // What the client said is repeated as it came.
        Ok(if self.applies_to.is_some() { Body::well_formed(content) } else { Body::canonical(content) })
    }

    /// The content of a body, as WCF writes it.
    ///
    /// # Errors
    /// [`Error::Xml`] when a value holds characters that XML does not allow.
    pub fn to_xml(&self, basic_security_profile: bool) -> Result<String, Error> {
        let (trust, t) = (self.generation.trust(), prefix(self.generation));
        written(|writer| {
            if self.generation == Generation::V13 {
                writer.start(t, trust, COLLECTION);
            }
            self.write(writer, basic_security_profile);
            if self.generation == Generation::V13 {
                writer.end();
            }
        })
    }

    /// One response without a collection around it, as it stands in messages of a negotiation (SC 7.1).
    ///
    /// # Errors
    /// As [`to_xml`](Self::to_xml).
    pub fn to_single_xml(&self, basic_security_profile: bool) -> Result<String, Error> {
        written(|writer| self.write(writer, basic_security_profile))
    }

    fn write(&self, writer: &mut Writer, basic_security_profile: bool) {
        let (trust, t) = (self.generation.trust(), prefix(self.generation));
        writer.start(t, trust, RSTR);
        if let Some(context) = &self.context {
            writer.attribute("Context", context);
        }
        if let Some(token_type) = &self.token_type {
            writer.element(t, trust, "TokenType", token_type);
        }
        if let Some(token) = &self.token {
            writer.start(t, trust, "RequestedSecurityToken").canonical_fragment(&token.element).end();
        }
        if let Some(applies_to) = &self.applies_to {
            writer.canonical_fragment(&applies_to.element);
        }
        if let Some(token) = &self.token {
            if let Some(id) = &token.id {
                writer.start(t, trust, "RequestedAttachedReference");
                attached_reference(id, self.generation, basic_security_profile).write(writer, basic_security_profile);
                writer.end();
            }
            writer.start(t, trust, "RequestedUnattachedReference");
            unattached_reference(&token.context).write(writer, basic_security_profile);
            writer.end();
        }
        if let Some(proof) = &self.proof {
            write_proof(writer, proof, self.generation);
        }
        if let Some(entropy) = &self.entropy {
            entropy.write(writer, self.generation);
        }
        if let Some(lifetime) = &self.lifetime {
            write_lifetime(writer, lifetime, self.generation);
        }
        if let Some(key_size) = self.key_size {
            writer.element(t, trust, "KeySize", &key_size.to_string());
        }
        if self.cancelled {
            writer.element(t, trust, "RequestedTokenCancelled", "");
        }
        if let Some(binary_exchange) = &self.binary_exchange {
            binary_exchange.write(writer, self.generation);
        }
        writer.end();
    }
}

impl RequestedToken {
    /// A token that a service issues.
    ///
    /// # Errors
    /// [`Error::Xml`] when a value holds characters that XML does not allow.
    pub fn issued(token: &SecurityContextToken) -> Result<Self, Error> {
        let element = written(|writer| token.write(writer))?;
        Ok(Self { id: token.id.clone(), context: token.context.clone(), element })
    }

    fn parse(requested: Element<'_>) -> Result<Self, Error> {
        let mut tokens = requested.children();
        let (Some(token), None) = (tokens.next(), tokens.next()) else {
            return Err(Error::trust("SC 4.2", "RequestedSecurityToken", "it does not hold exactly one token"));
        };
        Ok(Self {
            id: token.attribute_ns(names::WSU, "Id").map(str::to_owned),
            context: read::context_of_token(token)?,
            element: canonical(token),
        })
    }
}

pub(super) fn write_proof(writer: &mut Writer, proof: &Proof, generation: Generation) {
    let (trust, t) = (generation.trust(), prefix(generation));
    writer.start(t, trust, "RequestedProofToken");
    match proof {
        Proof::ComputedKey => {
            writer.element(t, trust, "ComputedKey", computed_key_algorithm(generation));
        }
        Proof::Secret(secret) => secret.write_secret(writer, generation, "SymmetricKey"),
        Proof::TlsWrapped(record) => write_wrapped(writer, record),
    }
    writer.end();
}

pub(super) fn write_lifetime(writer: &mut Writer, lifetime: &Lifetime, generation: Generation) {
    writer.start(prefix(generation), generation.trust(), "Lifetime");
    writer.element("u", names::WSU, "Created", &lifetime.created.milliseconds().to_string());
    writer.element("u", names::WSU, "Expires", &lifetime.expires.milliseconds().to_string());
    writer.end();
}

fn attached_reference(id: &str, generation: Generation, basic_security_profile: bool) -> SecurityTokenReference {
    let value_type = basic_security_profile.then(|| generation.context_token_type().to_owned());
    SecurityTokenReference::new(handstamp_ws_security::token::ReferenceTarget::Local { id: id.to_owned(), value_type })
}

/// In February 2005 the response stands alone, in 1.3 in a collection.
pub(super) fn the_response(element: Element<'_>, generation: Generation) -> Result<Element<'_>, Error> {
    let trust = generation.trust();
    match generation {
        Generation::February2005 if element.is(trust, RSTR) => Ok(element),
        Generation::February2005 => Err(Error::trust("SC 4.2", RSTR, "it is another element")),
        Generation::V13 => {
            let mut members = element.children();
            match (members.next(), members.next()) {
                (Some(only), None) if element.is(trust, COLLECTION) && only.is(trust, RSTR) => Ok(only),
                _ => Err(Error::trust("SC 4.2", COLLECTION, "it does not hold exactly one response")),
            }
        }
    }
}

pub(super) fn proof(element: Element<'_>, generation: Generation) -> Result<Proof, Error> {
    let malformed = |problem| Error::trust("SC 4.2", "RequestedProofToken", problem);
    let mut children = element.children();
    let (Some(child), None) = (children.next(), children.next()) else {
        return Err(malformed("it does not hold exactly one element"));
    };
    if read::is_binary_secret(child) {
        return Ok(Proof::Secret(read::binary_secret(child)?));
    }
    if child.is(names::XENC, "EncryptedKey") {
        return wrapped(child);
    }
    if !child.is(generation.trust(), "ComputedKey") {
        return Err(malformed("it holds neither ComputedKey nor BinarySecret nor EncryptedKey"));
    }
    if child.text().trim() != computed_key_algorithm(generation) {
        return Err(malformed("the algorithm of its ComputedKey is not P_SHA1"));
    }
    Ok(Proof::ComputedKey)
}

/// `EncryptedKey` whose ciphertext is a record of TLS; there is no `KeyInfo` (SC 7.2).
fn write_wrapped(writer: &mut Writer, record: &[u8]) {
    writer.start("e", names::XENC, "EncryptedKey");
    writer.start("e", names::XENC, "EncryptionMethod").attribute("Algorithm", TLS_WRAP).end();
    writer.start("e", names::XENC, "CipherData");
    writer.element("e", names::XENC, "CipherValue", &base64_simd::STANDARD.encode_to_string(record));
    writer.end().end();
}

fn wrapped(element: Element<'_>) -> Result<Proof, Error> {
    let malformed = |problem| Error::trust("SC 7.2", "EncryptedKey", problem);
    let method = element.child(names::XENC, "EncryptionMethod").and_then(|method| method.attribute("Algorithm"));
    if method != Some(TLS_WRAP) {
        return Err(malformed("its EncryptionMethod is not that of TLS"));
    }
    let value = element.child(names::XENC, "CipherData").and_then(|data| data.child(names::XENC, "CipherValue"));
    let text: Option<Vec<u8>> =
        value.map(|value| value.text().bytes().filter(|octet| !octet.is_ascii_whitespace()).collect());
    let record = text.and_then(|text| base64_simd::STANDARD.decode_to_vec(text).ok());
    record.map(Proof::TlsWrapped).ok_or_else(|| malformed("it has no CipherValue in base64"))
}

pub(super) fn lifetime(element: Element<'_>) -> Result<Lifetime, Error> {
    let time = |name| {
        let text = element.child(names::WSU, name).map(|time| time.text().trim().parse());
        text.and_then(Result::ok).ok_or_else(|| Error::trust("SC 4.2", "Lifetime", "it lacks Created or Expires"))
    };
    Ok(Lifetime { created: time("Created")?, expires: time("Expires")? })
}

/// Without the `/ws` of its relatives (SC 1.2).
const TLS_WRAP: &str = "http://schemas.xmlsoap.org/2005/02/trust/tlsnego#TLS_Wrap";
pub(super) const RSTR: &str = "RequestSecurityTokenResponse";
pub(super) const COLLECTION: &str = "RequestSecurityTokenResponseCollection";

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::SymmetricKey;
    use handstamp_xml::{Document, ParseOptions};

    fn parse(text: &str, generation: Generation) -> Result<RequestSecurityTokenResponse, Error> {
        RequestSecurityTokenResponse::parse(Document::parse(text, &ParseOptions::default()).unwrap().root(), generation)
    }

    fn response(generation: Generation) -> RequestSecurityTokenResponse {
        let context = ContextReference {
            generation,
            identifier: "urn:uuid:1".to_owned(),
            instance: Some("urn:uuid:2".to_owned()),
        };
        let token = SecurityContextToken { id: Some("uuid-1".to_owned()), context, cookie: Some(vec![1, 2, 3]) };
        let created: Timestamp = "2030-01-02T03:04:05.6785Z".parse().unwrap();
        RequestSecurityTokenResponse {
            context: Some("c".to_owned()),
            token_type: Some(generation.context_token_type().to_owned()),
            token: Some(RequestedToken::issued(&token).unwrap()),
            proof: Some(Proof::ComputedKey),
            entropy: Some(Entropy { id: Some("_e".to_owned()), secret: SymmetricKey::from_bytes(&[7; 32]) }),
            lifetime: Some(Lifetime { created, expires: Timestamp::MAX }),
            key_size: Some(256),
            ..RequestSecurityTokenResponse::new(generation)
        }
    }

    #[test]
    fn sc_13_answers_have_the_children_of_wcf_in_its_order() {
        let written = response(Generation::V13).to_xml(false).unwrap();
        let document = Document::parse(written, &ParseOptions::default()).unwrap();
        assert!(document.root().is(names::WST_13, COLLECTION));
        let only = document.root().children().next().unwrap();
        let names: Vec<_> = only.children().map(Element::local_name).collect();
        let order = [
            "TokenType",
            "RequestedSecurityToken",
            "RequestedAttachedReference",
            "RequestedUnattachedReference",
            "RequestedProofToken",
            "Entropy",
            "Lifetime",
            "KeySize",
        ];
        assert_eq!(names, order);
        let written = response(Generation::February2005).to_xml(false).unwrap();
        assert!(written.starts_with("<t:RequestSecurityTokenResponse "), "{written}");
        assert!(written.contains(">2030-01-02T03:04:05.678Z</u:Created>"), "SC-17: {written}");
        assert!(written.contains(">9999-12-31T23:59:59.999Z</u:Expires>"), "{written}");
    }

    #[test]
    fn sc_13_answers_survive_writing_and_reading() {
        for generation in [Generation::February2005, Generation::V13] {
            for profile in [false, true] {
                let mut sent = response(generation);
                let read = parse(&sent.to_xml(profile).unwrap(), generation).unwrap();
                // Cut to milliseconds on the way.
                sent.lifetime = read.lifetime;
                assert_eq!(read, sent);
            }
            let cancelled = RequestSecurityTokenResponse::cancelled(generation);
            assert_eq!(parse(&cancelled.to_xml(false).unwrap(), generation).unwrap(), cancelled);
        }
    }

    #[test]
    fn sc_15_answers_are_one_and_of_the_generation() {
        let alone = |trust| format!("<t:{RSTR} xmlns:t='{trust}'/>");
        let collection =
            |members: &str| format!("<t:{COLLECTION} xmlns:t='{}'>{members}</t:{COLLECTION}>", names::WST_13);
        let member = format!("<t:{RSTR}/>");
        assert!(parse(&alone(names::WST_2005), Generation::February2005).is_ok());
        assert!(parse(&collection(&member), Generation::V13).is_ok());
        assert!(parse(&alone(names::WST_13), Generation::V13).is_err(), "bare in 1.3");
        assert!(parse(&collection(&format!("{member}{member}")), Generation::V13).is_err(), "two");
        assert!(parse(&collection(""), Generation::V13).is_err(), "none");
        assert!(parse(&collection(&member), Generation::February2005).is_err());
    }

    #[test]
    fn sc_21_a_token_keeps_what_a_client_does_not_know() {
        let text = format!(
            "<{RSTR} xmlns='{}'><RequestedSecurityToken><c:SecurityContextToken xmlns:c='{}' xmlns:x='urn:x' x:a='1'>\
             <c:Identifier> urn:c </c:Identifier><x:More/></c:SecurityContextToken></RequestedSecurityToken></{RSTR}>",
            names::WST_2005,
            names::WSC_2005
        );
        let token = parse(&text, Generation::February2005).unwrap().token.unwrap();
        assert_eq!((token.context.identifier.as_str(), token.id), ("urn:c", None));
        assert!(token.element.contains("x:a=\"1\"") && token.element.contains("<x:More"), "{}", token.element);
    }

    #[test]
    fn sc_15_malformed_children_are_refused() {
        let read = |content: &str| {
            parse(&format!("<{RSTR} xmlns='{}'>{content}</{RSTR}>", names::WST_2005), Generation::February2005)
        };
        for bad in [
            "<RequestedSecurityToken/>",
            "<RequestedSecurityToken><x xmlns='urn:x'/></RequestedSecurityToken>",
            "<RequestedProofToken/>",
            "<RequestedProofToken><ComputedKey>urn:other</ComputedKey></RequestedProofToken>",
            "<RequestedProofToken><x xmlns='urn:x'/></RequestedProofToken>",
            "<Lifetime/>",
            "<KeySize>1</KeySize>",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read("<x:Unknown xmlns:x='urn:x'/><Unknown/>").is_ok());
    }
}

//! `wsse:SecurityTokenReference`: how messages name keys and tokens.

use crate::error::Error;
use crate::token::{BASE64_BINARY, from_base64, to_base64};
use crate::version::Generation;
use handstamp_xml::{Element, Writer, names};

/// A reference to a token or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityTokenReference {
    /// `wsse11:TokenType`: what kind of token is meant.
    pub token_type: Option<String>,
    /// What it names.
    pub target: ReferenceTarget,
}

/// What a reference names.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceTarget {
    /// `Reference URI="#id"`: an element of the same message.
    Local {
        /// The identifier.
        id: String,
        /// `ValueType`.
        value_type: Option<String>,
    },
    /// `Reference` to a security context by its identifier.
    SecurityContext {
        /// The context id.
        identifier: String,
        /// The instance, which names one key of a context that was renewed.
        instance: Option<String>,
        /// Whose namespace `ValueType` is in.
        generation: Generation,
    },
    /// A certificate by SHA-1 over it.
    Thumbprint(Vec<u8>),
    /// A certificate by its subject key identifier.
    SubjectKeyIdentifier(Vec<u8>),
    /// A certificate by issuer and serial number.
    IssuerSerial {
        /// The issuer's distinguished name.
        issuer: String,
        /// The serial number, decimal.
        serial: String,
    },
    /// A key that a message carried encrypted, by SHA-1 over the ciphertext.
    EncryptedKeySha1(Vec<u8>),
    /// A SAML assertion by its id.
    SamlAssertion {
        /// The assertion's id.
        id: String,
        /// `ValueType`, which tells SAML 1.1 from 2.0.
        value_type: String,
    },
    /// No token: an RSA key itself, in a `KeyInfo` with `KeyValue` instead of a reference.
    RsaKeyValue {
        /// The modulus, big-endian.
        modulus: Vec<u8>,
        /// The public exponent, big-endian.
        exponent: Vec<u8>,
    },
}

/// Values of `ValueType` and `TokenType`.
pub mod value_types {
    /// An X.509 certificate, DER.
    pub const X509_V3: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3";
    /// A subject key identifier.
    pub const SUBJECT_KEY_IDENTIFIER: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier";
    /// SHA-1 over a certificate.
    pub const THUMBPRINT_SHA1: &str =
        "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1";
    /// SHA-1 over an encrypted key.
    pub const ENCRYPTED_KEY_SHA1: &str =
        "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#EncryptedKeySHA1";
    /// An encrypted key.
    pub const ENCRYPTED_KEY: &str = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#EncryptedKey";
    /// The id of a SAML 1.1 assertion.
    pub const SAML11_ASSERTION_ID: &str =
        "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID";
    /// The id of a SAML 2.0 assertion.
    pub const SAML20_ASSERTION_ID: &str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLID";
    /// The token type of SAML 1.1 assertions.
    pub const SAML11: &str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1";
    /// The token type of SAML 2.0 assertions.
    pub const SAML20: &str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0";
}

impl SecurityTokenReference {
    /// A reference without a token type.
    pub fn new(target: ReferenceTarget) -> Self {
        Self { token_type: None, target }
    }

    /// A reference to an element of the same message, without `ValueType`.
    pub fn local(id: impl Into<String>) -> Self {
        Self::new(ReferenceTarget::Local { id: id.into(), value_type: None })
    }

    /// Reads a `wsse:SecurityTokenReference` with one child. References out of the message lead to security contexts only.
    pub fn parse(element: Element<'_>) -> Result<Self, Error> {
        if !element.is(names::WSSE, "SecurityTokenReference") {
            return Err(malformed("it is another element"));
        }
        let mut children = element.children();
        let (Some(child), None) = (children.next(), children.next()) else {
            return Err(malformed("it does not have one child"));
        };
        let target = match (child.namespace(), child.local_name()) {
            (names::WSSE, "Reference") => reference(child)?,
            (names::WSSE, "KeyIdentifier") => key_identifier(child)?,
            (names::DSIG, "X509Data") => issuer_serial(child)?,
            _ => return Err(malformed("its way of naming a token is not known")),
        };
        Ok(Self { token_type: element.attribute_ns(names::WSSE11, "TokenType").map(str::to_owned), target })
    }

    /// Writes the element as WCF does; for a key itself its `KeyValue`. With the Basic Security Profile key identifiers say how they
    /// are encoded.
    pub fn write(&self, writer: &mut Writer, basic_security_profile: bool) {
        if let ReferenceTarget::RsaKeyValue { modulus, exponent } = &self.target {
            writer.start("", names::DSIG, "KeyValue").start("", names::DSIG, "RSAKeyValue");
            writer.element("", names::DSIG, "Modulus", &to_base64(modulus));
            writer.element("", names::DSIG, "Exponent", &to_base64(exponent)).end().end();
            return;
        }
        writer.start("o", names::WSSE, "SecurityTokenReference");
        if let Some(token_type) = &self.token_type {
            writer.attribute_ns("k", names::WSSE11, "TokenType", token_type);
        }
        let key_identifier = |writer: &mut Writer, value_type: &str, octets: &[u8]| {
            writer.start("o", names::WSSE, "KeyIdentifier").attribute("ValueType", value_type);
            if basic_security_profile {
                writer.attribute("EncodingType", BASE64_BINARY);
            }
            writer.text(&to_base64(octets)).end();
        };
        match &self.target {
            ReferenceTarget::Local { id, value_type } => {
                writer.start("o", names::WSSE, "Reference");
                if let Some(value_type) = value_type {
                    writer.attribute("ValueType", value_type);
                }
                writer.attribute("URI", &["#", id].concat()).end();
            }
            ReferenceTarget::SecurityContext { identifier, instance, generation } => {
                writer.start("o", names::WSSE, "Reference").attribute("URI", identifier);
                if let Some(instance) = instance {
                    writer.attribute_ns("c", generation.conversation(), "Instance", instance);
                }
                writer.attribute("ValueType", generation.context_token_type()).end();
            }
            ReferenceTarget::Thumbprint(octets) => key_identifier(writer, value_types::THUMBPRINT_SHA1, octets),
            ReferenceTarget::SubjectKeyIdentifier(octets) => {
                key_identifier(writer, value_types::SUBJECT_KEY_IDENTIFIER, octets);
            }
            ReferenceTarget::EncryptedKeySha1(octets) => {
                key_identifier(writer, value_types::ENCRYPTED_KEY_SHA1, octets);
            }
            ReferenceTarget::SamlAssertion { id, value_type } => {
                writer.start("o", names::WSSE, "KeyIdentifier").attribute("ValueType", value_type).text(id).end();
            }
            ReferenceTarget::IssuerSerial { issuer, serial } => {
                writer.start("", names::DSIG, "X509Data").start("", names::DSIG, "X509IssuerSerial");
                writer.element("", names::DSIG, "X509IssuerName", issuer);
                writer.element("", names::DSIG, "X509SerialNumber", serial).end().end();
            }
            ReferenceTarget::RsaKeyValue { .. } => {}
        }
        writer.end();
    }
}

/// What it names, for log lines.
impl std::fmt::Display for SecurityTokenReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cut = |text: &str| text.chars().take(128).collect::<String>();
        match &self.target {
            ReferenceTarget::Local { id, .. } => write!(f, "token {:?}", cut(id)),
            ReferenceTarget::SecurityContext { identifier, .. } => write!(f, "security context {:?}", cut(identifier)),
            ReferenceTarget::Thumbprint(octets) => write!(f, "certificate with thumbprint {}", cut(&to_base64(octets))),
            ReferenceTarget::SubjectKeyIdentifier(octets) => {
                write!(f, "certificate with key identifier {}", cut(&to_base64(octets)))
            }
            ReferenceTarget::IssuerSerial { serial, .. } => {
                write!(f, "certificate with serial number {:?}", cut(serial))
            }
            ReferenceTarget::EncryptedKeySha1(octets) => write!(f, "encrypted key {}", cut(&to_base64(octets))),
            ReferenceTarget::SamlAssertion { id, .. } => write!(f, "assertion {:?}", cut(id)),
            ReferenceTarget::RsaKeyValue { .. } => f.write_str("RSA key"),
        }
    }
}

fn reference(element: Element<'_>) -> Result<ReferenceTarget, Error> {
    let uri = element.attribute("URI").ok_or_else(|| malformed("its Reference has no URI"))?;
    let value_type = element.attribute("ValueType");
    if let Some(id) = uri.strip_prefix('#') {
        return Ok(ReferenceTarget::Local { id: id.to_owned(), value_type: value_type.map(str::to_owned) });
    }
    let generation = [Generation::February2005, Generation::V13]
        .into_iter()
        .find(|generation| value_type.is_none_or(|value_type| value_type == generation.context_token_type()))
        .ok_or_else(|| malformed("its Reference leads out of the message"))?;
    let instance = [generation, Generation::V13, Generation::February2005]
        .iter()
        .find_map(|generation| element.attribute_ns(generation.conversation(), "Instance"));
    Ok(ReferenceTarget::SecurityContext {
        identifier: uri.to_owned(),
        instance: instance.map(str::to_owned),
        generation,
    })
}

fn key_identifier(element: Element<'_>) -> Result<ReferenceTarget, Error> {
    let value_type = element.attribute("ValueType").ok_or_else(|| malformed("its KeyIdentifier has no ValueType"))?;
    if matches!(element.attribute("EncodingType"), Some(encoding) if encoding != BASE64_BINARY) {
        return Err(malformed("its KeyIdentifier is in an encoding that is not known"));
    }
    let text = element.text();
    if matches!(value_type, value_types::SAML11_ASSERTION_ID | value_types::SAML20_ASSERTION_ID) {
        return Ok(ReferenceTarget::SamlAssertion { id: text.trim().to_owned(), value_type: value_type.to_owned() });
    }
    let octets = from_base64(&text).ok_or_else(|| malformed("its KeyIdentifier is not base64"))?;
    match value_type {
        value_types::THUMBPRINT_SHA1 => Ok(ReferenceTarget::Thumbprint(octets)),
        value_types::SUBJECT_KEY_IDENTIFIER => Ok(ReferenceTarget::SubjectKeyIdentifier(octets)),
        value_types::ENCRYPTED_KEY_SHA1 => Ok(ReferenceTarget::EncryptedKeySha1(octets)),
        _ => Err(malformed("the ValueType of its KeyIdentifier is not known")),
    }
}

fn issuer_serial(element: Element<'_>) -> Result<ReferenceTarget, Error> {
    let part = |name: &str| {
        let serial = element.child(names::DSIG, "X509IssuerSerial")?;
        Some(serial.child(names::DSIG, name)?.text().trim().to_owned())
    };
    match (part("X509IssuerName"), part("X509SerialNumber")) {
        (Some(issuer), Some(serial)) => Ok(ReferenceTarget::IssuerSerial { issuer, serial }),
        _ => Err(malformed("its X509Data is not an issuer and serial number")),
    }
}

fn malformed(problem: &str) -> Error {
    Error::malformed("WSS 7", "SecurityTokenReference", problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::test_support::written;

    #[test]
    fn references_survive_writing_and_reading() {
        let targets = [
            ReferenceTarget::Local { id: "_1".into(), value_type: Some(value_types::X509_V3.into()) },
            ReferenceTarget::SecurityContext {
                identifier: "urn:uuid:1".into(),
                instance: Some("urn:uuid:2".into()),
                generation: Generation::V13,
            },
            ReferenceTarget::Thumbprint(vec![1; 20]),
            ReferenceTarget::SubjectKeyIdentifier(vec![2; 20]),
            ReferenceTarget::EncryptedKeySha1(vec![3; 20]),
            ReferenceTarget::IssuerSerial { issuer: "CN=a".into(), serial: "12".into() },
            ReferenceTarget::SamlAssertion { id: "_s".into(), value_type: value_types::SAML11_ASSERTION_ID.into() },
        ];
        for target in targets {
            let reference = SecurityTokenReference { token_type: Some("urn:t".into()), target };
            let document = written(|writer| reference.write(writer, true));
            assert_eq!(SecurityTokenReference::parse(document.root()).unwrap(), reference);
        }
    }

    #[test]
    fn sc_9_references_out_of_the_message_are_refused() {
        let document = written(|writer| {
            writer.start("o", names::WSSE, "SecurityTokenReference").start("o", names::WSSE, "Reference");
            writer.attribute("URI", "http://elsewhere/").attribute("ValueType", value_types::X509_V3).end().end();
        });
        assert!(SecurityTokenReference::parse(document.root()).is_err());
    }
}

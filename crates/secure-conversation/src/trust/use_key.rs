//! `UseKey`: the key that a client has already, and wants a token for (WS-Trust February 2005 §9.3, 1.3 §9.3).

use crate::error::Error;
use crate::trust::prefix;
use handstamp_keys::{Certificate, PublicKey};
use handstamp_ws_security::Generation;
use handstamp_ws_security::token::{BinarySecurityToken, ReferenceTarget, SecurityTokenReference};
use handstamp_xml::{Element, Writer, names};
use handstamp_xml_security::key_info::{KeyInfo, KeyInfoClause};

/// How a request names the key. That the client has it, a signature proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UseKey {
    /// That of this certificate.
    Certificate(Box<Certificate>),
    /// An RSA key without a certificate.
    RsaKey {
        /// The modulus, big-endian without leading zeros.
        modulus: Vec<u8>,
        /// The public exponent, big-endian without leading zeros.
        exponent: Vec<u8>,
    },
    /// That of a certificate which the message includes, or which both ends know.
    Reference(SecurityTokenReference),
}

impl UseKey {
    /// An RSA key without a certificate; none for another kind of key.
    pub fn rsa(key: &PublicKey) -> Option<Self> {
        let (modulus, exponent) = key.rsa_components()?;
        Some(Self::RsaKey { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// The identifier that it refers to, where it means a token of the same message.
    pub(crate) fn local_id(&self) -> Option<&str> {
        match self {
            Self::Reference(SecurityTokenReference { target: ReferenceTarget::Local { id, .. }, .. }) => Some(id),
            _ => None,
        }
    }

    pub(super) fn parse(element: Element<'_>) -> Result<Self, Error> {
        let mut children = element.children();
        let (Some(key), None) = (children.next(), children.next()) else {
            return Err(refused("it does not hold one key"));
        };
        match (key.namespace(), key.local_name()) {
            (names::DSIG, "KeyInfo") => {
                let key_info = KeyInfo::parse(key).map_err(|_| refused("its KeyInfo is malformed"))?;
                match key_info.clauses() {
                    [KeyInfoClause::RsaKeyValue { modulus, exponent }] => {
                        Ok(Self::RsaKey { modulus: modulus.clone(), exponent: exponent.clone() })
                    }
                    // The client's own certificate; a chain may follow.
                    [KeyInfoClause::Certificate(der), ..] => Ok(Self::Certificate(Certificate::from_der(der)?.into())),
                    [KeyInfoClause::SecurityTokenReference(reference)] => Self::reference(*reference),
                    _ => Err(refused("its KeyInfo holds neither an RSA key nor a certificate")),
                }
            }
            (names::WSSE, "BinarySecurityToken") => {
                Ok(Self::Certificate(BinarySecurityToken::parse(key)?.certificate.into()))
            }
            (names::WSSE, "SecurityTokenReference") => Self::reference(key),
            _ => Err(refused("it holds something that is not known here")),
        }
    }

    fn reference(element: Element<'_>) -> Result<Self, Error> {
        Ok(Self::Reference(SecurityTokenReference::parse(element)?))
    }

    pub(super) fn write(&self, writer: &mut Writer, generation: Generation) {
        writer.start(prefix(generation), generation.trust(), "UseKey").start("", names::DSIG, "KeyInfo");
        match self {
            Self::Certificate(certificate) => {
                writer.start("", names::DSIG, "X509Data");
                writer.element("", names::DSIG, "X509Certificate", &certificate.to_base64()).end();
            }
            Self::RsaKey { modulus, exponent } => {
                let target = ReferenceTarget::RsaKeyValue { modulus: modulus.clone(), exponent: exponent.clone() };
                SecurityTokenReference::new(target).write(writer, false);
            }
            Self::Reference(reference) => reference.write(writer, false),
        }
        writer.end().end();
    }
}

fn refused(problem: &'static str) -> Error {
    Error::trust("WS-Trust 1.3 §9.3", "UseKey", problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::written;
    use handstamp_keys::{DeterministicRandom, KeyKind, SigningIdentity};
    use handstamp_xml::{Document, ParseOptions};

    fn parse(text: &str) -> Result<UseKey, Error> {
        UseKey::parse(Document::parse(text, &ParseOptions::default()).unwrap().root())
    }

    #[test]
    fn wst_9_3_keys_survive_writing_and_reading() {
        let (from, to) = ("2030-01-01T00:00:00Z".parse().unwrap(), "2031-01-01T00:00:00Z".parse().unwrap());
        let random = DeterministicRandom::new(1);
        let identity = SigningIdentity::self_signed("client", KeyKind::Rsa { bits: 2048 }, from, to, &random).unwrap();
        let certificate = identity.certificate().clone();
        let thumbprint = ReferenceTarget::Thumbprint(certificate.sha1_thumbprint().to_vec());
        let token = format!(
            "<UseKey><b:BinarySecurityToken xmlns:b='{}' ValueType='{}' EncodingType='{}'>{}</b:BinarySecurityToken></UseKey>",
            names::WSSE,
            handstamp_ws_security::token::value_types::X509_V3,
            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary",
            certificate.to_base64()
        );
        assert_eq!(parse(&token).unwrap(), UseKey::Certificate(certificate.clone().into()));
        for key in [
            UseKey::Certificate(certificate.into()),
            UseKey::rsa(identity.key().public_key()).unwrap(),
            UseKey::Reference(SecurityTokenReference::new(thumbprint)),
        ] {
            for generation in [Generation::February2005, Generation::V13] {
                assert_eq!(parse(&written(|writer| key.write(writer, generation)).unwrap()).unwrap(), key);
            }
        }
    }

    #[test]
    fn wst_9_3_what_names_no_key_is_refused() {
        for bad in [
            "<UseKey/>",
            "<UseKey><a/></UseKey>",
            &format!("<UseKey><KeyInfo xmlns='{}'/></UseKey>", names::DSIG),
            &format!("<UseKey><KeyInfo xmlns='{}'><KeyName>k</KeyName></KeyInfo></UseKey>", names::DSIG),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

//! Certificates as `wsse:BinarySecurityToken`, and references to them.

use crate::error::Error;
use crate::token::{BASE64_BINARY, ReferenceTarget, from_base64, token_id, value_types};
use handstamp_keys::Certificate;
use handstamp_xml::{Element, Writer, names};

/// A certificate in a message. Nobody has said yet that it is trusted.
#[derive(Debug, Clone)]
pub struct BinarySecurityToken {
    /// `wsu:Id`.
    pub id: Option<String>,
    /// The certificate.
    pub certificate: Certificate,
}

impl BinarySecurityToken {
    /// Reads the element. Only single X.509 certificates in base64 are known.
    pub fn parse(element: Element<'_>) -> Result<Self, Error> {
        Self::parse_with(element, Certificate::from_der)
    }

    /// Reads the element, and the certificate in it by `read`.
    pub(crate) fn parse_with(
        element: Element<'_>,
        read: impl FnOnce(&[u8]) -> Result<Certificate, handstamp_keys::Error>,
    ) -> Result<Self, Error> {
        if !element.is(names::WSSE, "BinarySecurityToken") || element.children().next().is_some() {
            return Err(malformed("it is another element, or holds some"));
        }
        if element.attribute("ValueType").is_some_and(|value_type| value_type != value_types::X509_V3) {
            return Err(malformed("its ValueType is not X.509v3"));
        }
        if element.attribute("EncodingType").is_some_and(|encoding| encoding != BASE64_BINARY) {
            return Err(malformed("its EncodingType is not Base64Binary"));
        }
        let certificate = from_base64(&element.text()).and_then(|der| read(&der).ok());
        Ok(Self {
            id: token_id(element).map(str::to_owned),
            certificate: certificate.ok_or_else(|| malformed("its content is not a certificate"))?,
        })
    }

    /// Writes the element as WCF does.
    pub fn write(&self, writer: &mut Writer, basic_security_profile: bool) {
        writer.start("o", names::WSSE, "BinarySecurityToken");
        if let Some(id) = &self.id {
            writer.wsu_id(id);
        }
        writer.attribute("ValueType", value_types::X509_V3);
        if basic_security_profile {
            writer.attribute("EncodingType", BASE64_BINARY);
        }
        writer.text(&self.certificate.to_base64()).end();
    }
}

impl ReferenceTarget {
    /// Whether this names the certificate, by any of the ways that name certificates.
    pub fn names_certificate(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Thumbprint(octets) => octets == certificate.sha1_thumbprint(),
            Self::SubjectKeyIdentifier(octets) => {
                certificate.subject_key_identifier().is_some_and(|identifier| identifier == octets)
            }
            Self::IssuerSerial { issuer, serial } => certificate.is_issued_as(issuer, serial),
            _ => false,
        }
    }
}

fn malformed(problem: &str) -> Error {
    Error::malformed("WSS X.509 profile 3.1", "BinarySecurityToken", problem)
}

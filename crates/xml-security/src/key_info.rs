//! `ds:KeyInfo`: what a sender says about the key that was used (XML Signature §4.5).
//!
//! All of it is a hint. A key that arrives inside a message is used only when the caller knows it from
//! elsewhere: from a pin, a trusted chain, or the configuration.

use crate::error::Error;
use handstamp_xml::{Element, names};

/// The hints of one `ds:KeyInfo`, in document order.
#[derive(Debug, Clone)]
pub struct KeyInfo<'d> {
    clauses: Vec<KeyInfoClause<'d>>,
}

/// One way of naming a key.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum KeyInfoClause<'d> {
    /// `KeyName`: any text that both ends know.
    KeyName(String),
    /// `KeyValue/RSAKeyValue`: unsigned big-endian octets.
    RsaKeyValue {
        /// The modulus.
        modulus: Vec<u8>,
        /// The public exponent.
        exponent: Vec<u8>,
    },
    /// `X509Data/X509Certificate`: one certificate, DER.
    Certificate(Vec<u8>),
    /// `X509Data/X509IssuerSerial`.
    IssuerSerial {
        /// The issuer's distinguished name, as it came.
        issuer: String,
        /// The serial number, decimal, as it came.
        serial: String,
    },
    /// `X509Data/X509SKI`: the subject key identifier.
    SubjectKeyIdentifier(Vec<u8>),
    /// `X509Data/X509SubjectName`, as it came.
    SubjectName(String),
    /// `xenc:EncryptedKey`: the key itself, encrypted for us.
    EncryptedKey(Element<'d>),
    /// `wsse:SecurityTokenReference`, to be resolved by the layer that knows the tokens.
    SecurityTokenReference(Element<'d>),
    /// Anything else, unread.
    Other(Element<'d>),
}

impl<'d> KeyInfo<'d> {
    /// Reads a `ds:KeyInfo` element.
    ///
    /// # Errors
    /// More than [`MAX_CLAUSES`] clauses, or one that is not well formed by the schema.
    pub fn parse(element: Element<'d>) -> Result<Self, Error> {
        let mut clauses = Vec::with_capacity(1);
        for child in element.children() {
            match (child.namespace(), child.local_name()) {
                (names::DSIG, "X509Data") => {
                    for part in child.children() {
                        push(&mut clauses, x509_clause(part)?)?;
                    }
                }
                _ => push(&mut clauses, clause(child)?)?,
            }
        }
        Ok(Self { clauses })
    }

    /// The clauses, in document order; those of one `X509Data` follow each other.
    pub fn clauses(&self) -> &[KeyInfoClause<'d>] {
        &self.clauses
    }

    /// The certificates, DER, in document order. The signer's own is usually, not always, the first.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.clauses.iter().filter_map(|clause| match clause {
            KeyInfoClause::Certificate(der) => Some(der.as_slice()),
            _ => None,
        })
    }
}

/// How many clauses one `KeyInfo` may have.
pub const MAX_CLAUSES: usize = 16;

fn push<'d>(clauses: &mut Vec<KeyInfoClause<'d>>, clause: KeyInfoClause<'d>) -> Result<(), Error> {
    if clauses.len() == MAX_CLAUSES {
        return Err(Error::TooMany { what: "clauses", structure: "KeyInfo", limit: MAX_CLAUSES });
    }
    clauses.push(clause);
    Ok(())
}

fn clause(element: Element<'_>) -> Result<KeyInfoClause<'_>, Error> {
    Ok(match (element.namespace(), element.local_name()) {
        (names::DSIG, "KeyName") => KeyInfoClause::KeyName(element.text().trim().to_owned()),
        (names::DSIG, "KeyValue") => match element.child(names::DSIG, "RSAKeyValue") {
            Some(value) => KeyInfoClause::RsaKeyValue {
                modulus: unsigned(value, "Modulus")?,
                exponent: unsigned(value, "Exponent")?,
            },
            None => KeyInfoClause::Other(element),
        },
        (names::XENC, "EncryptedKey") => KeyInfoClause::EncryptedKey(element),
        (names::WSSE, "SecurityTokenReference") => KeyInfoClause::SecurityTokenReference(element),
        _ => KeyInfoClause::Other(element),
    })
}

fn x509_clause(element: Element<'_>) -> Result<KeyInfoClause<'_>, Error> {
    if element.namespace() != names::DSIG {
        return Ok(KeyInfoClause::Other(element));
    }
    Ok(match element.local_name() {
        "X509Certificate" => KeyInfoClause::Certificate(octets(element, "X509Certificate")?),
        "X509SKI" => KeyInfoClause::SubjectKeyIdentifier(octets(element, "X509SKI")?),
        "X509SubjectName" => KeyInfoClause::SubjectName(element.text().trim().to_owned()),
        "X509IssuerSerial" => {
            let text = |name: &'static str| {
                element
                    .child(names::DSIG, name)
                    .map(|part| part.text().trim().to_owned())
                    .ok_or_else(|| Error::malformed("X509IssuerSerial", format!("{name} is missing")))
            };
            KeyInfoClause::IssuerSerial { issuer: text("X509IssuerName")?, serial: text("X509SerialNumber")? }
        }
        _ => KeyInfoClause::Other(element),
    })
}

/// An `ds:CryptoBinary`: unsigned, big-endian; leading zeros, which it should not have, are dropped.
fn unsigned(parent: Element<'_>, name: &'static str) -> Result<Vec<u8>, Error> {
    let part =
        parent.child(names::DSIG, name).ok_or_else(|| Error::malformed("RSAKeyValue", format!("{name} is missing")))?;
    let mut octets = octets(part, name)?;
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    octets.drain(..zeros);
    Ok(octets)
}

fn octets(element: Element<'_>, structure: &'static str) -> Result<Vec<u8>, Error> {
    crate::octets::from_base64(&element.text()).ok_or_else(|| Error::malformed(structure, "its text is not base64"))
}

use super::name::DistinguishedName;
use crate::der::{self, Reader};
use crate::{Error, KeyPolicy, PublicKey, constant_time_eq, digest};
use handstamp_time::Timestamp;
use rustls_pki_types::pem::{self, SectionKind};
use std::fmt;
use std::sync::{Arc, OnceLock};
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

/// An X.509 certificate, read once. Cloning is cheap; two certificates are equal when all their bytes are.
///
/// Reading checks the form only. Whether to believe it is up to [`CertificateTrust`](crate::CertificateTrust).
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
    subject: DistinguishedName,
    issuer: DistinguishedName,
    serial: Vec<u8>,
    serial_decimal: OnceLock<String>,
    subject_key_identifier: Option<Vec<u8>>,
    valid_from: Timestamp,
    valid_to: Timestamp,
    key_usage: Option<KeyUsage>,
    spki: Vec<u8>,
    /// Read with the most lenient policy; none when the key is of a kind that is not supported.
    public_key: Option<PublicKey>,
    sha1: [u8; 20],
    sha256: [u8; 32],
}

impl Certificate {
    /// Reads one DER certificate.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when it is none, or longer than 64 KiB.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let unusable = |problem: &str| Error::UnusableKey(format!("not an X.509 certificate: {problem}"));
        if der.len() > MAX_LEN {
            return Err(unusable("longer than 64 KiB"));
        }
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| unusable("malformed DER"))?;
        if !rest.is_empty() {
            return Err(unusable("bytes follow its end"));
        }
        let mut subject_key_identifier = None;
        let mut key_usage = None;
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(identifier) => {
                    subject_key_identifier = Some(identifier.0.to_vec());
                }
                ParsedExtension::KeyUsage(usage) => key_usage = Some(KeyUsage(usage.flags)),
                _ => {}
            }
        }
        let time = |seconds: i64| {
            Timestamp::from_unix_seconds(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
        };
        let spki = parsed.public_key().raw.to_vec();
        Ok(Self(Arc::new(Inner {
            subject: DistinguishedName::from_x509(parsed.subject()),
            issuer: DistinguishedName::from_x509(parsed.issuer()),
            serial: parsed.raw_serial().to_vec(),
            serial_decimal: OnceLock::new(),
            subject_key_identifier,
            valid_from: time(parsed.validity().not_before.timestamp()),
            valid_to: time(parsed.validity().not_after.timestamp()),
            key_usage,
            public_key: PublicKey::from_spki(&spki, &KeyPolicy::with_min_rsa_bits(0)).ok(),
            spki,
            sha1: digest::sha1(der),
            sha256: digest::sha256(der),
            der: der.into(),
        })))
    }

    /// Reads the certificates of a file's content: PEM with any number of `CERTIFICATE` sections (others are skipped), or one
    /// in DER.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when there is none, or one is malformed.
    pub fn read_all(content: &[u8]) -> Result<Vec<Self>, Error> {
        if content.first() == Some(&der::SEQUENCE) && Reader::only(content, der::SEQUENCE).is_ok() {
            return Self::from_der(content).map(|certificate| vec![certificate]);
        }
        let mut certificates = Vec::new();
        let mut rest = content;
        while let Some((kind, der)) = pem::from_buf(&mut rest).map_err(|_| {
            Error::UnusableKey("the PEM text is malformed: a BEGIN without its END, or bad base64".into())
        })? {
            if kind == SectionKind::Certificate {
                certificates.push(Self::from_der(&der)?);
            }
        }
        if certificates.is_empty() {
            return Err(Error::UnusableKey(
                "no certificate in it: expected PEM (`-----BEGIN CERTIFICATE-----`) or DER".into(),
            ));
        }
        Ok(certificates)
    }

    /// The public key, if `policy` accepts it.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when it is too short, or of an unsupported kind.
    pub fn public_key(&self, policy: &KeyPolicy) -> Result<&PublicKey, Error> {
        let key = self.0.public_key.as_ref().ok_or_else(|| {
            Error::UnusableKey(
                "the certificate's key is neither RSA (1024 to 8192 bits) nor EC on P-256, P-384 or P-521".into(),
            )
        })?;
        policy.check(key.kind())?;
        Ok(key)
    }

    /// Whether `at` is within the certificate's validity.
    pub fn is_valid_at(&self, at: Timestamp) -> bool {
        (self.0.valid_from..=self.0.valid_to).contains(&at)
    }

    /// The whole certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate in base64, without line breaks, as `ds:X509Certificate` has it.
    pub fn to_base64(&self) -> String {
        base64_simd::STANDARD.encode_to_string(&self.0.der)
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        crate::pem::write("CERTIFICATE", &self.0.der)
    }

    /// Whom it is about.
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject
    }

    /// Who made it.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer
    }

    /// The serial number: big-endian two's complement, as in the certificate.
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The serial number in decimal, as `ds:X509SerialNumber` has it.
    pub fn serial_decimal(&self) -> &str {
        self.0.serial_decimal.get_or_init(|| decimal(&self.0.serial))
    }

    /// Whether a `ds:X509IssuerSerial` names this certificate. Use it to find a certificate, never to trust one.
    pub fn is_issued_as(&self, issuer: &str, serial_decimal: &str) -> bool {
        let serial = serial_decimal.trim().trim_start_matches('0');
        self.serial_decimal().trim_start_matches('0') == serial && self.0.issuer.matches(issuer)
    }

    /// The subject key identifier extension, as `wsse:KeyIdentifier` of type `X509SubjectKeyIdentifier` has it.
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.0.subject_key_identifier.as_deref()
    }

    /// The first instant of its validity.
    pub fn valid_from(&self) -> Timestamp {
        self.0.valid_from
    }

    /// The last instant of its validity.
    pub fn valid_to(&self) -> Timestamp {
        self.0.valid_to
    }

    /// What the key is for; none when the certificate does not say.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.0.key_usage
    }

    /// The DER `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> &[u8] {
        &self.0.spki
    }

    /// SHA-1 of the DER: the thumbprint of WIF's configurations and of `ThumbprintSHA1` key identifiers.
    pub fn sha1_thumbprint(&self) -> &[u8; 20] {
        &self.0.sha1
    }

    /// SHA-256 of the DER.
    pub fn sha256_thumbprint(&self) -> &[u8; 32] {
        &self.0.sha256
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || constant_time_eq(&self.0.der, &other.0.der)
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.0.subject.as_str())
            .field("serial", &self.serial_decimal())
            .field("valid_to", &self.0.valid_to)
            .finish_non_exhaustive()
    }
}

/// The key usage extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// May sign data.
    pub const fn digital_signature(self) -> bool {
        self.0 & 1 != 0
    }

    /// May sign what the signer must stand by.
    pub const fn non_repudiation(self) -> bool {
        self.0 & 2 != 0
    }

    /// May encrypt keys.
    pub const fn key_encipherment(self) -> bool {
        self.0 & 4 != 0
    }

    /// May encrypt data directly.
    pub const fn data_encipherment(self) -> bool {
        self.0 & 8 != 0
    }

    /// May sign certificates.
    pub const fn certificate_signing(self) -> bool {
        self.0 & 32 != 0
    }
}

/// A big-endian two's complement number in decimal.
fn decimal(bytes: &[u8]) -> String {
    let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let mut digits = vec![0u8];
    let magnitude: Vec<u8> = if negative { bytes.iter().map(|byte| !byte).collect() } else { bytes.into() };
    for carry_in in magnitude.iter().map(|byte| u32::from(*byte)) {
        let mut carry = carry_in;
        for digit in &mut digits {
            carry += u32::from(*digit) * 256;
            *digit = (carry % 10) as u8;
            carry /= 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    if negative {
        // -x = !x + 1
        for digit in &mut digits {
            *digit = (*digit + 1) % 10;
            if *digit != 0 {
                break;
            }
        }
        if digits.iter().all(|digit| *digit == 0) {
            digits.push(1);
        }
    }
    let sign = if negative { "-" } else { "" };
    sign.chars().chain(digits.iter().rev().map(|digit| char::from(b'0' + digit))).collect()
}

const MAX_LEN: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn serial_numbers_become_decimal(number: i128) {
            prop_assert_eq!(decimal(&number.to_be_bytes()), number.to_string());
            prop_assert_eq!(decimal(&(number as i8).to_be_bytes()), (number as i8).to_string());
        }
    }

    #[test]
    fn edges_of_serial_numbers() {
        assert_eq!(decimal(&[0xff]), "-1");
        assert_eq!(decimal(&[0xf6]), "-10");
        assert_eq!(decimal(&[0x80]), "-128");
        assert_eq!(decimal(&[0]), "0");
        assert_eq!(decimal(&[]), "0");
        assert_eq!(decimal(&[1, 0]), "256");
    }
}

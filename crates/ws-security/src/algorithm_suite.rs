//! Algorithm suites (SC 5.4): one name for everything that both ends must agree on.

use handstamp_keys::SymmetricKey;
use handstamp_xml_security::algorithm::{DataEncryption, DigestMethod, KeyEncryption, SignatureMethod};
use handstamp_xml_security::encryption::DecryptPolicy;
use handstamp_xml_security::signature::VerifyPolicy;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// A named set of algorithms and key lengths. Equality with the suite is what a receiver demands; a stronger algorithm
/// than the configured one is refused like a weaker one (SC 5.4).
///
/// ```
/// use handstamp_ws_security::AlgorithmSuite;
///
/// let suite = AlgorithmSuite::from_name("Basic256Sha256").expect("WCF has it");
/// assert_eq!(suite.default_key_length(), 32);
/// assert_eq!(AlgorithmSuite::from_name("Default"), Some(AlgorithmSuite::BASIC256));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlgorithmSuite {
    name: &'static str,
    family: Family,
    sha256: bool,
    rsa15: bool,
}

/// What decides ciphers and key lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Basic256,
    Basic192,
    Basic128,
    TripleDes,
    Gcm256,
    Gcm192,
    Gcm128,
}

macro_rules! suites {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $family:ident, $sha256:literal, $rsa15:literal;)+) => {
        impl AlgorithmSuite {
            $($(#[$doc])* pub const $constant: Self =
                Self { name: $name, family: Family::$family, sha256: $sha256, rsa15: $rsa15 };)+

            /// Every suite.
            pub const ALL: &'static [Self] = &[$(Self::$constant,)+];
        }
    };
}

suites! {
    /// AES-256 and SHA-1: WCF's default.
    BASIC256 = "Basic256", Basic256, false, false;
    /// AES-192 and SHA-1.
    BASIC192 = "Basic192", Basic192, false, false;
    /// AES-128 and SHA-1.
    BASIC128 = "Basic128", Basic128, false, false;
    /// Triple DES and SHA-1.
    TRIPLE_DES = "TripleDes", TripleDes, false, false;
    /// `Basic256` with RSA-1.5 key transport.
    BASIC256_RSA15 = "Basic256Rsa15", Basic256, false, true;
    /// `Basic192` with RSA-1.5 key transport.
    BASIC192_RSA15 = "Basic192Rsa15", Basic192, false, true;
    /// `Basic128` with RSA-1.5 key transport.
    BASIC128_RSA15 = "Basic128Rsa15", Basic128, false, true;
    /// `TripleDes` with RSA-1.5 key transport.
    TRIPLE_DES_RSA15 = "TripleDesRsa15", TripleDes, false, true;
    /// AES-256 and SHA-256: the best that WCF has.
    BASIC256_SHA256 = "Basic256Sha256", Basic256, true, false;
    /// AES-192 and SHA-256.
    BASIC192_SHA256 = "Basic192Sha256", Basic192, true, false;
    /// AES-128 and SHA-256.
    BASIC128_SHA256 = "Basic128Sha256", Basic128, true, false;
    /// Triple DES and SHA-256.
    TRIPLE_DES_SHA256 = "TripleDesSha256", TripleDes, true, false;
    /// `Basic256Sha256` with RSA-1.5 key transport.
    BASIC256_SHA256_RSA15 = "Basic256Sha256Rsa15", Basic256, true, true;
    /// `Basic192Sha256` with RSA-1.5 key transport.
    BASIC192_SHA256_RSA15 = "Basic192Sha256Rsa15", Basic192, true, true;
    /// `Basic128Sha256` with RSA-1.5 key transport.
    BASIC128_SHA256_RSA15 = "Basic128Sha256Rsa15", Basic128, true, true;
    /// `TripleDesSha256` with RSA-1.5 key transport.
    TRIPLE_DES_SHA256_RSA15 = "TripleDesSha256Rsa15", TripleDes, true, true;
    /// AES-256-GCM and SHA-256. WCF does not have it; newer Java peers do.
    BASIC256_GCM_SHA256 = "Basic256GCMSha256", Gcm256, true, false;
    /// AES-192-GCM and SHA-256.
    BASIC192_GCM_SHA256 = "Basic192GCMSha256", Gcm192, true, false;
    /// AES-128-GCM and SHA-256.
    BASIC128_GCM_SHA256 = "Basic128GCMSha256", Gcm128, true, false;
}

impl AlgorithmSuite {
    /// The suite of this name; `Default` is `Basic256`. Names are case-sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Default" {
            return Some(Self::BASIC256);
        }
        Self::ALL.iter().copied().find(|suite| suite.name == name)
    }

    /// The name, as configurations and policies write it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How references are digested.
    pub const fn digest(&self) -> DigestMethod {
        if self.sha256 { DigestMethod::Sha256 } else { DigestMethod::Sha1 }
    }

    /// How shared keys sign.
    pub const fn symmetric_signature(&self) -> SignatureMethod {
        if self.sha256 { SignatureMethod::HmacSha256 } else { SignatureMethod::HmacSha1 }
    }

    /// How private keys sign.
    pub const fn asymmetric_signature(&self) -> SignatureMethod {
        if self.sha256 { SignatureMethod::RsaSha256 } else { SignatureMethod::RsaSha1 }
    }

    /// How content is encrypted.
    pub const fn encryption(&self) -> DataEncryption {
        match self.family {
            Family::Basic256 => DataEncryption::Aes256Cbc,
            Family::Basic192 => DataEncryption::Aes192Cbc,
            Family::Basic128 => DataEncryption::Aes128Cbc,
            Family::TripleDes => DataEncryption::TripleDesCbc,
            Family::Gcm256 => DataEncryption::Aes256Gcm,
            Family::Gcm192 => DataEncryption::Aes192Gcm,
            Family::Gcm128 => DataEncryption::Aes128Gcm,
        }
    }

    /// How keys are encrypted under shared keys.
    pub const fn key_wrap(&self) -> KeyEncryption {
        match self.family {
            Family::Basic256 | Family::Gcm256 => KeyEncryption::KeyWrapAes256,
            Family::Basic192 | Family::Gcm192 => KeyEncryption::KeyWrapAes192,
            Family::Basic128 | Family::Gcm128 => KeyEncryption::KeyWrapAes128,
            Family::TripleDes => KeyEncryption::KeyWrapTripleDes,
        }
    }

    /// How keys are encrypted for the holder of a certificate.
    pub const fn key_transport(&self) -> KeyEncryption {
        if self.rsa15 { KeyEncryption::Rsa15 } else { KeyEncryption::RsaOaepMgf1p }
    }

    /// The key that encrypts where keys are not derived: as many of the first bytes of the token's key as the cipher takes. A
    /// security context may have a longer key than its suite encrypts with; Apache CXF asks for 256 bits whatever the suite.
    pub(crate) fn encryption_part<'k>(&self, key: &'k SymmetricKey) -> Cow<'k, SymmetricKey> {
        match key.as_bytes().get(..self.encryption_key_length()) {
            Some(part) if part.len() < key.len() => Cow::Owned(SymmetricKey::from_bytes(part)),
            _ => Cow::Borrowed(key),
        }
    }

    /// Length of the key derived for encryption, in bytes.
    pub const fn encryption_key_length(&self) -> usize {
        self.encryption().key_length()
    }

    /// Length of the key derived for signing, in bytes: 24, or 16 for the 128-bit suites.
    pub const fn signature_key_length(&self) -> usize {
        match self.family {
            Family::Basic128 | Family::Gcm128 => 16,
            _ => 24,
        }
    }

    /// Length of a fresh key: wrapped keys, session keys, entropy; in bytes.
    pub const fn default_key_length(&self) -> usize {
        self.encryption_key_length()
    }

    /// Which lengths of a symmetric key are accepted, in bytes.
    pub const fn key_lengths(&self) -> RangeInclusive<usize> {
        self.default_key_length()..=32
    }

    /// What a receiver accepts in signatures: this suite's algorithms, `#id` references, exclusive canonicalization and the
    /// STR-Transform only.
    pub fn verify_policy(&self) -> VerifyPolicy {
        VerifyPolicy::exactly([self.symmetric_signature(), self.asymmetric_signature()], [self.digest()])
            .by_id_and_exclusive_c14n()
            .allow_str_transform()
    }

    /// What a receiver accepts in encryptions.
    pub fn decrypt_policy(&self) -> DecryptPolicy {
        DecryptPolicy::exactly([self.encryption()], [self.key_transport(), self.key_wrap()])
    }
}

/// `Basic256`.
impl Default for AlgorithmSuite {
    fn default() -> Self {
        Self::BASIC256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sc_5_4_suites_have_the_algorithms_of_the_table() {
        let basic256 = AlgorithmSuite::default();
        assert_eq!((basic256.signature_key_length(), basic256.encryption_key_length()), (24, 32));
        assert_eq!(basic256.key_lengths(), 32..=32);
        let sha256_rsa15 = AlgorithmSuite::from_name("Basic128Sha256Rsa15").unwrap();
        assert_eq!(sha256_rsa15.symmetric_signature(), SignatureMethod::HmacSha256);
        assert_eq!(sha256_rsa15.key_transport(), KeyEncryption::Rsa15);
        assert_eq!((sha256_rsa15.signature_key_length(), sha256_rsa15.encryption_key_length()), (16, 16));
        assert_eq!(sha256_rsa15.key_lengths(), 16..=32);
        assert_eq!(AlgorithmSuite::TRIPLE_DES.key_lengths(), 24..=32);
    }

    #[test]
    fn names_are_found_and_case_counts() {
        for suite in AlgorithmSuite::ALL {
            assert_eq!(AlgorithmSuite::from_name(suite.name()), Some(*suite));
        }
        assert_eq!(AlgorithmSuite::from_name("basic256"), None);
    }
}

//! Algorithm identifiers. Configuration decides which of them may be used; messages never do.

use crate::Error;
use handstamp_keys::{Curve, DigestAlgorithm, KeyKind, SignatureAlgorithm};
use std::fmt;
use std::marker::PhantomData;

macro_rules! identifiers {
    ($(#[$doc:meta])* $name:ident, $purpose:literal { $($(#[$vdoc:meta])* $variant:ident = $uri:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every algorithm of this kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The identifier that stands in `Algorithm` attributes.
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$variant => $uri,)+ }
            }

            /// The algorithm of this identifier.
            pub fn from_uri(uri: &str) -> Result<Self, Error> {
                Self::ALL.iter().copied().find(|algorithm| algorithm.uri() == uri).ok_or_else(|| {
                    Error::AlgorithmNotAllowed { uri: uri.chars().take(128).collect(), purpose: $purpose }
                })
            }
        }

        impl Algorithm for $name {
            const ALL: &'static [Self] = $name::ALL;

            fn bit(self) -> u32 {
                1 << self as u32
            }
        }
    };
}

/// Algorithms of one kind, as a policy lists them.
#[derive(Clone, Copy)]
pub(crate) struct AlgorithmSet<A> {
    bits: u32,
    kind: PhantomData<A>,
}

impl<A: Algorithm> AlgorithmSet<A> {
    pub(crate) fn insert(&mut self, algorithm: A) {
        self.bits |= algorithm.bit();
    }

    pub(crate) fn contains(&self, algorithm: A) -> bool {
        self.bits & algorithm.bit() != 0
    }
}

impl<A: Algorithm> FromIterator<A> for AlgorithmSet<A> {
    fn from_iter<I: IntoIterator<Item = A>>(algorithms: I) -> Self {
        let bits = algorithms.into_iter().fold(0, |bits, algorithm| bits | algorithm.bit());
        Self { bits, kind: PhantomData }
    }
}

impl<A: Algorithm> fmt::Debug for AlgorithmSet<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(A::ALL.iter().filter(|algorithm| self.contains(**algorithm))).finish()
    }
}

/// An algorithm that can be a member of a set.
pub(crate) trait Algorithm: Copy + fmt::Debug + 'static {
    const ALL: &'static [Self];

    fn bit(self) -> u32;
}

identifiers! {
    /// How a reference is digested.
    DigestMethod, "digests" {
        /// SHA-1: what WCF's Basic suites use. Not collision resistant.
        Sha1 = "http://www.w3.org/2000/09/xmldsig#sha1",
        /// SHA-256.
        Sha256 = "http://www.w3.org/2001/04/xmlenc#sha256",
        /// SHA-384.
        Sha384 = "http://www.w3.org/2001/04/xmldsig-more#sha384",
        /// SHA-512.
        Sha512 = "http://www.w3.org/2001/04/xmlenc#sha512",
    }
}

identifiers! {
    /// How `SignedInfo` is signed.
    SignatureMethod, "signatures" {
        /// HMAC with SHA-1, at full length.
        HmacSha1 = "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        /// HMAC with SHA-256.
        HmacSha256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        /// HMAC with SHA-384.
        HmacSha384 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha384",
        /// HMAC with SHA-512.
        HmacSha512 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512",
        /// RSASSA-PKCS1-v1_5 with SHA-1: only where an old peer leaves no choice.
        RsaSha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        RsaSha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        RsaSha384 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        RsaSha512 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        /// ECDSA with SHA-256.
        EcdsaSha256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        /// ECDSA with SHA-384.
        EcdsaSha384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        /// ECDSA with SHA-512.
        EcdsaSha512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
    }
}

identifiers! {
    /// How data is encrypted.
    DataEncryption, "data encryption" {
        /// Triple DES in CBC mode: only where a suite names it.
        TripleDesCbc = "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
        /// AES-128 in CBC mode. Without a signature over it, CBC has no integrity.
        Aes128Cbc = "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
        /// AES-192 in CBC mode.
        Aes192Cbc = "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
        /// AES-256 in CBC mode.
        Aes256Cbc = "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        /// AES-128 in Galois/counter mode.
        Aes128Gcm = "http://www.w3.org/2009/xmlenc11#aes128-gcm",
        /// AES-192 in Galois/counter mode.
        Aes192Gcm = "http://www.w3.org/2009/xmlenc11#aes192-gcm",
        /// AES-256 in Galois/counter mode.
        Aes256Gcm = "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    }
}

identifiers! {
    /// How a key is encrypted for its receiver.
    KeyEncryption, "key encryption" {
        /// RSA-OAEP with MGF1 over SHA-1; the digest is SHA-1 unless named.
        RsaOaepMgf1p = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        /// RSA-OAEP with digest and mask generation function both named.
        RsaOaep = "http://www.w3.org/2009/xmlenc11#rsa-oaep",
        /// RSAES-PKCS1-v1_5: a failure looks like a wrong key (implicit rejection).
        Rsa15 = "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
        /// Triple DES key wrap (RFC 3217).
        KeyWrapTripleDes = "http://www.w3.org/2001/04/xmlenc#kw-tripledes",
        /// AES-128 key wrap (RFC 3394).
        KeyWrapAes128 = "http://www.w3.org/2001/04/xmlenc#kw-aes128",
        /// AES-192 key wrap.
        KeyWrapAes192 = "http://www.w3.org/2001/04/xmlenc#kw-aes192",
        /// AES-256 key wrap.
        KeyWrapAes256 = "http://www.w3.org/2001/04/xmlenc#kw-aes256",
    }
}

impl DataEncryption {
    /// The length of the key, in bytes.
    pub const fn key_length(self) -> usize {
        match self {
            Self::Aes128Cbc | Self::Aes128Gcm => 16,
            Self::TripleDesCbc | Self::Aes192Cbc | Self::Aes192Gcm => 24,
            Self::Aes256Cbc | Self::Aes256Gcm => 32,
        }
    }
}

impl DigestMethod {
    /// The hash function.
    pub const fn algorithm(self) -> DigestAlgorithm {
        match self {
            Self::Sha1 => DigestAlgorithm::Sha1,
            Self::Sha256 => DigestAlgorithm::Sha256,
            Self::Sha384 => DigestAlgorithm::Sha384,
            Self::Sha512 => DigestAlgorithm::Sha512,
        }
    }
}

impl SignatureMethod {
    /// The usual method for a private key of this kind: RSA with SHA-256, or ECDSA with the SHA-2 of the curve's strength.
    pub const fn default_for(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Ec(Curve::P521) => Self::EcdsaSha512,
            KeyKind::Ec(Curve::P384) => Self::EcdsaSha384,
            KeyKind::Ec(Curve::P256) => Self::EcdsaSha256,
            _ => Self::RsaSha256,
        }
    }

    /// The hash function under HMAC; none for signatures by private keys.
    pub const fn hmac(self) -> Option<DigestAlgorithm> {
        match self {
            Self::HmacSha1 => Some(DigestAlgorithm::Sha1),
            Self::HmacSha256 => Some(DigestAlgorithm::Sha256),
            Self::HmacSha384 => Some(DigestAlgorithm::Sha384),
            Self::HmacSha512 => Some(DigestAlgorithm::Sha512),
            _ => None,
        }
    }

    /// The algorithm of the private key; none for HMAC.
    pub const fn private_key(self) -> Option<SignatureAlgorithm> {
        match self {
            Self::RsaSha1 => Some(SignatureAlgorithm::RsaSha1),
            Self::RsaSha256 => Some(SignatureAlgorithm::RsaSha256),
            Self::RsaSha384 => Some(SignatureAlgorithm::RsaSha384),
            Self::RsaSha512 => Some(SignatureAlgorithm::RsaSha512),
            Self::EcdsaSha256 => Some(SignatureAlgorithm::EcdsaSha256),
            Self::EcdsaSha384 => Some(SignatureAlgorithm::EcdsaSha384),
            Self::EcdsaSha512 => Some(SignatureAlgorithm::EcdsaSha512),
            _ => None,
        }
    }

    /// The algorithm, if it is one for keys of this kind.
    pub(crate) fn for_key(self, kind: KeyKind) -> Option<SignatureAlgorithm> {
        self.private_key().filter(|algorithm| algorithm.is_ecdsa() == matches!(kind, KeyKind::Ec(_)))
    }
}

/// The transform of WS-Security that digests the token that a `SecurityTokenReference` names, instead of the reference.
pub const STR_TRANSFORM: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform";

/// The transform that leaves out the signature itself.
pub const ENVELOPED_SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_round_trip_and_strangers_are_refused() {
        for method in SignatureMethod::ALL {
            assert_eq!(SignatureMethod::from_uri(method.uri()).unwrap(), *method);
        }
        let error = DigestMethod::from_uri("http://www.w3.org/2001/04/xmldsig-more#md5").unwrap_err();
        assert_eq!(error.code(), "HST-XSEC-ALGORITHM");
        assert!(error.to_string().contains("md5"));
    }
}

//! Verification: first the signature over `SignedInfo`, then each digest, then the proof of both as a value.

use crate::algorithm::{DigestMethod, SignatureMethod};
use crate::error::Error;
use crate::signature::signed_info::{Reference, Signature, Target};
use crate::signature::verified::{Verified, VerifiedElement};
use handstamp_keys::{HmacKey, PublicKey, constant_time_eq};
use handstamp_xml::c14n::Canonicalizer;

/// What the configuration allows in a signature. The message has no say in it.
#[derive(Debug, Clone)]
pub struct VerifyPolicy {
    signature_methods: Vec<SignatureMethod>,
    digest_methods: Vec<DigestMethod>,
}

impl VerifyPolicy {
    /// RSA and ECDSA with SHA-2: what a signature by a certificate should use today.
    pub fn asymmetric() -> Self {
        use SignatureMethod::{EcdsaSha256, EcdsaSha384, EcdsaSha512, RsaSha256, RsaSha384, RsaSha512};
        Self {
            signature_methods: vec![RsaSha256, RsaSha384, RsaSha512, EcdsaSha256, EcdsaSha384, EcdsaSha512],
            digest_methods: vec![DigestMethod::Sha256, DigestMethod::Sha384, DigestMethod::Sha512],
        }
    }

    /// Exactly these algorithms, as an algorithm suite of WS-SecurityPolicy asks for.
    pub fn exactly(
        signature_methods: impl IntoIterator<Item = SignatureMethod>,
        digest_methods: impl IntoIterator<Item = DigestMethod>,
    ) -> Self {
        Self {
            signature_methods: signature_methods.into_iter().collect(),
            digest_methods: digest_methods.into_iter().collect(),
        }
    }

    /// Allows RSA-SHA1 and SHA-1 digests too, for issuers that cannot do better. SHA-1 is not collision
    /// resistant: whoever may choose part of what the issuer signs can make two documents with one signature.
    #[must_use]
    pub fn allow_rsa_sha1(mut self) -> Self {
        self.signature_methods.push(SignatureMethod::RsaSha1);
        self.digest_methods.push(DigestMethod::Sha1);
        self
    }
}

/// The key to verify with, chosen by the caller among keys it trusts.
#[derive(Debug, Clone, Copy)]
pub enum VerificationKey<'k> {
    /// An RSA or elliptic-curve public key.
    Public(&'k PublicKey),
    /// Key octets that both ends hold, for HMAC.
    Symmetric(&'k [u8]),
}

impl<'d> Signature<'d> {
    /// Verifies with `key` and returns what is covered.
    ///
    /// The signature over `SignedInfo` is checked before any reference is digested, so a message that does not
    /// come from the holder of the key costs one check.
    ///
    /// # Errors
    /// [`Error::AlgorithmNotAllowed`] when `policy` does not list an algorithm that is used;
    /// [`Error::KeyMismatch`] when `key` is of another kind than the algorithm;
    /// [`Error::Unauthentic`] when the signature or a digest does not hold.
    pub fn verify(&self, key: VerificationKey<'_>, policy: &VerifyPolicy) -> Result<Verified<'d>, Error> {
        if !policy.signature_methods.contains(&self.method) {
            return Err(Error::AlgorithmNotAllowed { uri: self.method.uri().to_owned(), purpose: "signatures" });
        }
        for reference in &self.references {
            if !policy.digest_methods.contains(&reference.digest_method) {
                let uri = reference.digest_method.uri().to_owned();
                return Err(Error::AlgorithmNotAllowed { uri, purpose: "digests" });
            }
        }
        let mut canonicalizer = Canonicalizer::default();
        let mut octets = Vec::with_capacity(2048);
        canonicalizer.element(self.signed_info, &self.canonicalization, None, &mut octets);
        self.check_value(key, &octets)?;
        let mut elements = Vec::with_capacity(self.references.len());
        for reference in &self.references {
            octets.clear();
            elements.push(reference.check(&mut canonicalizer, &mut octets)?);
        }
        Ok(Verified { method: self.method, elements })
    }

    fn check_value(&self, key: VerificationKey<'_>, octets: &[u8]) -> Result<(), Error> {
        let verified = match key {
            VerificationKey::Symmetric(key) => {
                self.method.hmac().map(|digest| HmacKey::new(digest, key).verify(octets, &self.value))
            }
            VerificationKey::Public(key) => {
                self.method.for_key(key.kind()).map(|algorithm| key.verify(algorithm, octets, &self.value))
            }
        };
        let verified = verified.ok_or(Error::KeyMismatch { algorithm: self.method.uri() })?;
        verified.map_err(|_| Error::Unauthentic)
    }
}

impl<'d> Reference<'d> {
    fn check(&self, canonicalizer: &mut Canonicalizer, octets: &mut Vec<u8>) -> Result<VerifiedElement<'d>, Error> {
        match self.target {
            Target::Document(root) => {
                canonicalizer.document(root.document(), &self.canonicalization, self.omit, octets);
            }
            Target::Element(element) => canonicalizer.element(element, &self.canonicalization, self.omit, octets),
        }
        let digest = self.digest_method.algorithm().digest(octets);
        if !constant_time_eq(digest.as_bytes(), &self.digest) {
            return Err(Error::Unauthentic);
        }
        Ok(VerifiedElement { element: self.target.element(), omitted: self.omit })
    }
}

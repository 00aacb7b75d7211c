use super::{ConfigurationError, CookieTransform, Protection, RsaHash, TransformError, not_empty};
use handstamp_keys::{KeyKind, PrivateKey, PublicKey, SecureRandom};

/// An RSA signature in front of the data (ST §3.3).
///
/// ```text
/// encoded = length of the signature (32 bits, little-endian) || signature || data
/// ```
#[derive(Debug, Clone)]
pub struct RsaSignature {
    hash: RsaHash,
    signing: Option<PrivateKey>,
    verification: Vec<PublicKey>,
}

impl RsaSignature {
    /// Signs with `key` and verifies with it.
    ///
    /// # Errors
    /// [`ConfigurationError::NotRsa`].
    pub fn new(key: PrivateKey, hash: RsaHash) -> Result<Self, ConfigurationError> {
        let public = key.public_key().clone();
        Self::with_keys(Some(key), vec![public], hash)
    }

    /// Signs with one key and verifies with any of several, tried in order: new key first, old keys behind it.
    ///
    /// # Errors
    /// [`ConfigurationError::NotRsa`], [`ConfigurationError::NoKeys`].
    pub fn with_keys(
        signing: Option<PrivateKey>,
        verification: Vec<PublicKey>,
        hash: RsaHash,
    ) -> Result<Self, ConfigurationError> {
        let is_rsa = |kind| matches!(kind, KeyKind::Rsa { .. });
        let all_rsa = verification.iter().map(PublicKey::kind).chain(signing.iter().map(PrivateKey::kind)).all(is_rsa);
        if !all_rsa {
            return Err(ConfigurationError::NotRsa("RSA signature"));
        }
        if verification.is_empty() {
            return Err(ConfigurationError::NoKeys("RSA signature"));
        }
        Ok(Self { hash, signing, verification })
    }

    fn verifies(&self, data: &[u8], signature: &[u8]) -> bool {
        let digest = self.hash.digest().digest(data);
        let algorithm = self.hash.signature();
        self.verification.iter().any(|key| key.verify_digest(algorithm, &digest, signature).is_ok())
    }
}

impl CookieTransform for RsaSignature {
    fn encode(&self, input: Vec<u8>, _random: &dyn SecureRandom) -> Result<Vec<u8>, TransformError> {
        not_empty(&input, TransformError::NothingToEncode)?;
        let key = self.signing.as_ref().ok_or(TransformError::NoSigningKey)?;
        let signature = key.sign(self.hash.signature(), &input).map_err(|_| TransformError::Unavailable)?;
        let length = i32::try_from(signature.len()).map_err(|_| TransformError::Unavailable)?;
        let mut encoded = Vec::with_capacity(4 + signature.len() + input.len());
        encoded.extend(length.to_le_bytes());
        encoded.extend(signature);
        encoded.extend(input);
        Ok(encoded)
    }

    fn decode(&self, mut input: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        not_empty(&input, TransformError::NothingToDecode)?;
        let (length, rest) = input.split_first_chunk().ok_or(TransformError::SignatureFrameTooShort)?;
        let length = i32::from_le_bytes(*length);
        let length = usize::try_from(length).map_err(|_| TransformError::SignatureLengthNegative)?;
        // The data has at least one byte.
        if length >= rest.len() {
            return Err(TransformError::SignatureLengthTooLarge);
        }
        let (signature, data) = rest.split_at(length);
        if !self.verifies(data, signature) {
            return Err(TransformError::SignatureInvalid);
        }
        input.drain(..4 + length);
        Ok(input)
    }

    fn protection(&self) -> Protection {
        Protection::Authenticity
    }

    fn decoy(&self, input: &[u8]) {
        let length = match self.verification.first().map(PublicKey::kind) {
            Some(KeyKind::Rsa { bits }) => bits.div_ceil(8) as usize,
            _ => 0,
        };
        // A number below every modulus, so that the whole computation takes place.
        let mut signature = vec![0; length];
        signature.iter_mut().skip(1).for_each(|byte| *byte = 0x5A);
        std::hint::black_box(self.verifies(input, &signature));
    }
}

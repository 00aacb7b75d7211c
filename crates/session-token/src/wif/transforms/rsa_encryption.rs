use super::{ConfigurationError, CookieTransform, Protection, RsaHash, TransformError, not_empty};
use handstamp_keys::cipher::{CbcAlgorithm, Padding};
use handstamp_keys::transport::Oaep;
use handstamp_keys::{PrivateKey, PublicKey, SecureRandom, SymmetricKey, constant_time_eq};
use zeroize::Zeroizing;

/// AES with a fresh key that is encrypted with RSA (ST §3.4). Only together with [`RsaSignature`](super::RsaSignature).
///
/// ```text
/// encoded = hash of the public key's XML || length || encrypted key || length || ciphertext
/// ```
///
/// Lengths have 32 bits, little-endian. The encrypted key is OAEP with SHA-1 over a key of 32 bytes and an IV of 16; the
/// ciphertext AES-256-CBC with PKCS#7 padding.
#[derive(Debug, Clone)]
pub struct RsaEncryption {
    hash: RsaHash,
    encryption: Option<(PublicKey, Vec<u8>)>,
    decryption: Vec<(PrivateKey, Vec<u8>)>,
}

const KEY: usize = 32;
const IV: usize = 16;

impl RsaEncryption {
    /// Encrypts for `key` and decrypts with it.
    ///
    /// # Errors
    /// [`ConfigurationError::NotRsa`].
    pub fn new(key: PrivateKey, hash: RsaHash) -> Result<Self, ConfigurationError> {
        let public = key.public_key().clone();
        Self::with_keys(Some(public), vec![key], hash)
    }

    /// Encrypts for one key and decrypts with the one of several that the cookie names.
    ///
    /// # Errors
    /// [`ConfigurationError::NotRsa`], [`ConfigurationError::NoKeys`].
    pub fn with_keys(
        encryption: Option<PublicKey>,
        decryption: Vec<PrivateKey>,
        hash: RsaHash,
    ) -> Result<Self, ConfigurationError> {
        if decryption.is_empty() {
            return Err(ConfigurationError::NoKeys("RSA encryption"));
        }
        let identified = |key: &PublicKey| key_id(key, hash).ok_or(ConfigurationError::NotRsa("RSA encryption"));
        let encryption = encryption.map(|key| identified(&key).map(|id| (key, id))).transpose()?;
        let decryption = decryption.into_iter().map(|key| identified(key.public_key()).map(|id| (key, id)));
        Ok(Self { hash, encryption, decryption: decryption.collect::<Result<_, _>>()? })
    }
}

impl CookieTransform for RsaEncryption {
    fn encode(&self, mut input: Vec<u8>, random: &dyn SecureRandom) -> Result<Vec<u8>, TransformError> {
        not_empty(&input, TransformError::NothingToEncode)?;
        let (recipient, id) = self.encryption.as_ref().ok_or(TransformError::NoEncryptionKey)?;
        let mut blob = Zeroizing::new([0; KEY + IV]);
        random.fill(&mut *blob).map_err(|_| TransformError::Unavailable)?;
        let (key, iv) = blob.split_at(KEY);
        let encrypt = CbcAlgorithm::Aes256.encrypt(&SymmetricKey::from_bytes(key), iv, Padding::Pkcs7, &mut input);
        encrypt.map_err(|_| TransformError::Unavailable)?;
        let wrapped = Oaep::default().encrypt(recipient, &SymmetricKey::from_bytes(&*blob));
        let wrapped = wrapped.map_err(|_| TransformError::Unavailable)?;
        let mut encoded = id.clone();
        for part in [&wrapped, &input] {
            encoded.extend(i32::try_from(part.len()).map_err(|_| TransformError::Unavailable)?.to_le_bytes());
            encoded.extend_from_slice(part);
        }
        Ok(encoded)
    }

    fn decode(&self, input: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        not_empty(&input, TransformError::NothingToDecode)?;
        let mut frame = Frame { whole: input.len(), rest: &input };
        let id = frame.take(self.hash.digest().output_len());
        let (_, wrapped) = frame.sized(TransformError::KeyLengthNegative, TransformError::KeyLengthTooLarge)?;
        let (length, data) = frame.sized(TransformError::DataLengthNegative, TransformError::DataLengthTooLarge)?;
        // The id is public: it is the hash of a public key.
        let key = self.decryption.iter().find(|(_, own)| constant_time_eq(own, id));
        let (key, _) = key.ok_or(TransformError::NoMatchingKey)?;
        // The original takes both; here a changed cookie is refused, even when its content is what was written.
        if data.len() != length || !frame.rest.is_empty() {
            return Err(TransformError::Cryptographic);
        }
        let blob = Oaep::default().decrypt(key, wrapped).map_err(|_| TransformError::Cryptographic)?;
        let (key, iv) = blob.as_bytes().split_at_checked(KEY).ok_or(TransformError::KeyTooShort)?;
        let mut data = data.to_vec();
        let key = SymmetricKey::from_bytes(key);
        let plaintext = CbcAlgorithm::Aes256.decrypt(&key, iv, Padding::Pkcs7, &mut data);
        let length = plaintext.map_err(|_| TransformError::Cryptographic)?.len();
        data.truncate(length);
        Ok(data)
    }

    fn protection(&self) -> Protection {
        Protection::Confidentiality
    }
}

/// Reads as the original does: a length is compared with the whole input, and what is missing at the end is left out.
struct Frame<'i> {
    whole: usize,
    rest: &'i [u8],
}

impl<'i> Frame<'i> {
    fn take(&mut self, length: usize) -> &'i [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// A field's length, as it is given, and what there is of it.
    fn sized(
        &mut self,
        negative: TransformError,
        too_large: TransformError,
    ) -> Result<(usize, &'i [u8]), TransformError> {
        let (length, rest) = self.rest.split_first_chunk().ok_or(TransformError::EncryptionFrameTooShort)?;
        self.rest = rest;
        let length = usize::try_from(i32::from_le_bytes(*length)).map_err(|_| negative)?;
        if length > self.whole { Err(too_large) } else { Ok((length, self.take(length))) }
    }
}

/// What names a key in a cookie: the hash of its XML form. None for keys that are not RSA.
fn key_id(key: &PublicKey, hash: RsaHash) -> Option<Vec<u8>> {
    let (modulus, exponent) = key.rsa_components()?;
    let encode = |bytes| base64_simd::STANDARD.encode_to_string(bytes);
    let (modulus, exponent) = (encode(modulus), encode(exponent));
    let xml = format!("<RSAKeyValue><Modulus>{modulus}</Modulus><Exponent>{exponent}</Exponent></RSAKeyValue>");
    Some(hash.digest().digest(xml.as_bytes()).as_bytes().to_vec())
}

use super::{ConfigurationError, CookieTransform, Protection, TransformError, not_empty};
use handstamp_keys::cipher::{CbcAlgorithm, Padding};
use handstamp_keys::derivation::sp800_108_hmac_sha512;
use handstamp_keys::{DigestAlgorithm, HmacKey, SecureRandom, SymmetricKey};
use handstamp_xml::{Document, ParseOptions};
use zeroize::Zeroizing;

/// ASP.NET 4.5's `MachineKey.Protect` (ST §3.5): encrypt, then MAC, with keys derived for a purpose.
///
/// The first machine key writes, all of them read, so keys can be rotated (ST-26).
///
/// ```
/// use handstamp_session_token::wif::transforms::{MachineKey, MachineKeyTransform};
///
/// let key = MachineKey::from_xml(r#"<machineKey validation="HMACSHA256" decryption="AES"
///     decryptionKey="170F5FA76AD1A2293772508AF42AAFF7D89C98D1E874A3243AAE86E8DB8776A8"
///     validationKey="5F749898B8B1EA48695F26D3FCA29EBDFCF686981AA70EEF752A1BDBE62E6359" />"#)?;
/// let transform = MachineKeyTransform::new(&[key])?;
/// # Ok::<(), handstamp_session_token::wif::transforms::ConfigurationError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MachineKeyTransform {
    keys: Vec<PurposeKeys>,
}

/// A `<machineKey>` with its keys spelled out.
#[derive(Debug, Clone)]
pub struct MachineKey {
    decryption: Decryption,
    decryption_key: SymmetricKey,
    validation: DigestAlgorithm,
    validation_key: SymmetricKey,
}

/// The cipher of a machine key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decryption {
    /// AES, its size by the length of the key.
    Aes,
    /// Triple DES.
    TripleDes,
    /// DES: no protection today, for reading what old sites wrote.
    Des,
}

/// The keys of one machine key for one purpose.
#[derive(Debug, Clone)]
struct PurposeKeys {
    cipher: CbcAlgorithm,
    encryption: SymmetricKey,
    mac: HmacKey,
    mac_length: usize,
}

impl MachineKeyTransform {
    /// The purpose that WIF's machine-key handler uses.
    pub const PURPOSE: &'static str = "System.IdentityModel.Services.MachineKeyTransform";

    /// The transform for WIF's purpose.
    ///
    /// # Errors
    /// [`ConfigurationError::NoKeys`].
    pub fn new(keys: &[MachineKey]) -> Result<Self, ConfigurationError> {
        Self::for_purposes(keys, &[Self::PURPOSE])
    }

    /// The transform for other purposes, as custom handlers have them. No purposes at all is legal.
    ///
    /// # Errors
    /// [`ConfigurationError::NoKeys`]; [`ConfigurationError::MachineKey`] for a purpose of white space.
    pub fn for_purposes(keys: &[MachineKey], purposes: &[&str]) -> Result<Self, ConfigurationError> {
        if keys.is_empty() {
            return Err(ConfigurationError::NoKeys("machine key"));
        }
        if purposes.iter().any(|purpose| purpose.trim().is_empty()) {
            return Err(ConfigurationError::MachineKey("a purpose is empty".into()));
        }
        let context: Vec<u8> = purposes.iter().flat_map(|purpose| length_prefixed(purpose)).collect();
        Ok(Self { keys: keys.iter().map(|key| key.derive(&context)).collect::<Result<_, _>>()? })
    }

    /// Protects data with the first key. Empty data is legal here.
    ///
    /// # Errors
    /// [`TransformError::Unavailable`] when randomness fails.
    pub fn protect(&self, mut data: Vec<u8>, random: &dyn SecureRandom) -> Result<Vec<u8>, TransformError> {
        let keys = self.keys.first().ok_or(TransformError::NoEncryptionKey)?;
        let mut out = vec![0; keys.cipher.block_len()];
        random.fill(&mut out).map_err(|_| TransformError::Unavailable)?;
        let encrypted = keys.cipher.encrypt(&keys.encryption, &out, Padding::Pkcs7, &mut data);
        encrypted.map_err(|_| TransformError::Unavailable)?;
        out.extend(data);
        let mac = keys.mac.sign(&out);
        out.extend_from_slice(mac.as_bytes());
        Ok(out)
    }

    /// Checks and decrypts with whichever key fits.
    ///
    /// # Errors
    /// [`TransformError::Cryptographic`] for everything that can be wrong.
    pub fn unprotect(&self, mut data: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        let opened = self.keys.iter().find_map(|keys| keys.open(&mut data)).ok_or(TransformError::Cryptographic)?;
        data.truncate(opened.end);
        data.drain(..opened.start);
        Ok(data)
    }
}

impl CookieTransform for MachineKeyTransform {
    fn encode(&self, input: Vec<u8>, random: &dyn SecureRandom) -> Result<Vec<u8>, TransformError> {
        not_empty(&input, TransformError::NothingToEncode)?;
        self.protect(input, random)
    }

    fn decode(&self, input: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        not_empty(&input, TransformError::NothingToDecode)?;
        self.unprotect(input)
    }

    fn protection(&self) -> Protection {
        Protection::Authenticity
    }
}

impl MachineKey {
    /// A machine key from its parts.
    ///
    /// # Errors
    /// [`ConfigurationError::MachineKey`] when the decryption key does not have a length of its algorithm.
    pub fn new(
        decryption: Decryption,
        decryption_key: SymmetricKey,
        validation: DigestAlgorithm,
        validation_key: SymmetricKey,
    ) -> Result<Self, ConfigurationError> {
        let wrong = |what: &str| Err(ConfigurationError::MachineKey(what.to_owned()));
        match (decryption, decryption_key.len()) {
            (Decryption::Aes, 16 | 24 | 32) | (Decryption::TripleDes, 24) | (Decryption::Des, 8) => {}
            (Decryption::Aes, _) => return wrong("the decryptionKey of AES has 32, 48 or 64 hexadecimal digits"),
            (Decryption::TripleDes, _) => return wrong("the decryptionKey of 3DES has 48 hexadecimal digits"),
            (Decryption::Des, _) => return wrong("the decryptionKey of DES has 16 hexadecimal digits"),
        }
        if validation_key.len() == 0 {
            return wrong("the validationKey is empty");
        }
        Ok(Self { decryption, decryption_key, validation, validation_key })
    }

    /// Reads the `<machineKey …/>` element of a web.config.
    ///
    /// # Errors
    /// [`ConfigurationError::MachineKey`] naming the attribute that is missing or cannot be used, and what to do.
    pub fn from_xml(xml: &str) -> Result<Self, ConfigurationError> {
        let wrong = |what: String| ConfigurationError::MachineKey(what);
        let document = Document::parse(xml.as_bytes(), &ParseOptions::default())
            .map_err(|error| wrong(format!("not well-formed XML: {error}")))?;
        let element = document.root();
        if element.local_name() != "machineKey" {
            return Err(wrong("give the <machineKey> element of the web.config, alone in its file".into()));
        }
        let attribute = |name| element.attribute(name);
        if attribute("dataProtectorType").is_some_and(|value| !value.is_empty()) {
            return Err(wrong("a dataProtectorType replaces the whole scheme; it has no equivalent here".into()));
        }
        let decryption = match attribute("decryption").unwrap_or("Auto").to_ascii_uppercase().as_str() {
            "AUTO" | "AES" => Decryption::Aes,
            "3DES" => Decryption::TripleDes,
            "DES" => Decryption::Des,
            other => return Err(wrong(format!("decryption {other:?} is not supported: use AES or 3DES"))),
        };
        let validation = match attribute("validation").unwrap_or("HMACSHA256").to_ascii_uppercase().as_str() {
            "HMACSHA256" => DigestAlgorithm::Sha256,
            "HMACSHA384" => DigestAlgorithm::Sha384,
            "HMACSHA512" => DigestAlgorithm::Sha512,
            "SHA1" => DigestAlgorithm::Sha1,
            other => return Err(wrong(format!("validation {other:?} is not supported: use HMACSHA256, or SHA1"))),
        };
        let key = |name| explicit_key(name, attribute(name));
        Self::new(decryption, key("decryptionKey")?, validation, key("validationKey")?)
    }

    fn derive(&self, context: &[u8]) -> Result<PurposeKeys, ConfigurationError> {
        let encryption = derive(&self.decryption_key, context)?;
        let validation = derive(&self.validation_key, context)?;
        let cipher = match (self.decryption, encryption.len()) {
            (Decryption::Aes, 16) => CbcAlgorithm::Aes128,
            (Decryption::Aes, 24) => CbcAlgorithm::Aes192,
            (Decryption::Aes, _) => CbcAlgorithm::Aes256,
            (Decryption::TripleDes | Decryption::Des, _) => CbcAlgorithm::TripleDes,
        };
        // Triple DES with three equal keys is DES.
        let times = if self.decryption == Decryption::Des { 3 } else { 1 };
        let encryption = SymmetricKey::from(encryption.repeat(times));
        let mac = HmacKey::new(self.validation, &validation);
        Ok(PurposeKeys { cipher, encryption, mac, mac_length: self.validation.output_len() })
    }
}

impl PurposeKeys {
    /// Decrypts in place what this key protected; where the plaintext is. None, and nothing changed, for anything else.
    fn open(&self, data: &mut [u8]) -> Option<std::ops::Range<usize>> {
        let block = self.cipher.block_len();
        let (signed, mac) = data.split_at_checked(data.len().checked_sub(self.mac_length)?)?;
        if signed.len() < 2 * block {
            return None;
        }
        self.mac.verify(signed, mac).ok()?;
        let end = signed.len();
        let (iv, ciphertext) = data.split_at_mut(block);
        let ciphertext = ciphertext.get_mut(..end - block)?;
        let plaintext = self.cipher.decrypt(&self.encryption, iv, Padding::Pkcs7, ciphertext).ok()?;
        Some(block..block + plaintext.len())
    }
}

/// SP 800-108 with the purposes as context. The derived key is as long as the configured one.
fn derive(key: &SymmetricKey, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, ConfigurationError> {
    const LABEL: &[u8] = b"User.MachineKey.Protect";
    let mut derived = Zeroizing::new(vec![0; key.len()]);
    sp800_108_hmac_sha512(key.as_bytes(), LABEL, context, &mut derived)
        .map_err(|_| ConfigurationError::MachineKey("a key is too long".into()))?;
    Ok(derived)
}

fn length_prefixed(purpose: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(purpose.len() + 2);
    let mut length = purpose.len();
    while length >= 0x80 {
        out.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(purpose.as_bytes());
    out
}

fn explicit_key(name: &str, value: Option<&str>) -> Result<SymmetricKey, ConfigurationError> {
    let value = value.unwrap_or("AutoGenerate");
    if value.to_ascii_lowercase().starts_with("autogenerate") {
        return Err(ConfigurationError::MachineKey(format!(
            "{name} is generated by the Windows machine and cannot be known here; set explicit keys on both sides \
             (in IIS Manager: Machine Key, Generate Keys)"
        )));
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = value.as_bytes().as_chunks::<2>() else {
        return Err(ConfigurationError::MachineKey(format!("{name} has an odd number of hexadecimal digits")));
    };
    let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect::<Option<Vec<u8>>>();
    let bytes = bytes.ok_or_else(|| ConfigurationError::MachineKey(format!("{name} is not hexadecimal")))?;
    Ok(SymmetricKey::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_26_the_element_names_what_it_cannot_use() {
        let keys = r#"decryptionKey="170F5FA76AD1A2293772508AF42AAFF7" validationKey="5F749898""#;
        assert!(MachineKey::from_xml(&format!("<machineKey {keys} />")).is_ok());
        for (xml, word) in [
            ("<machineKey/>".to_owned(), "explicit keys"),
            (format!(r#"<machineKey {keys} validation="MD5"/>"#), "MD5"),
            (format!(r#"<machineKey {keys} decryption="RC4"/>"#), "RC4"),
            (format!(r#"<machineKey {keys} decryption="3DES"/>"#), "48"),
            (format!(r#"<machineKey {keys} dataProtectorType="X"/>"#), "dataProtectorType"),
            (r#"<machineKey decryptionKey="1" validationKey="00"/>"#.to_owned(), "odd"),
            (r#"<machineKey decryptionKey="0g" validationKey="00"/>"#.to_owned(), "hexadecimal"),
            ("<other/>".to_owned(), "machineKey"),
            ("<machineKey".to_owned(), "well-formed"),
        ] {
            let error = MachineKey::from_xml(&xml).unwrap_err();
            assert!(error.to_string().contains(word), "{xml}: {error}");
        }
    }
}

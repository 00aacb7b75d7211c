use crate::bridge::{Pkey, PkeyKind};
use crate::der::{self, Reader, oid};
use crate::{Curve, DigestValue, Error, KeyKind, KeyPolicy, PublicKey, SignatureAlgorithm, digest};
use rustls_pki_types::pem::{self, SectionKind};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// An RSA or EC private key: signs, and decrypts with RSA (see [`transport`](crate::transport)).
///
/// Cloning is cheap and shares the one copy in memory, which is wiped when the last clone is gone. Never printed.
#[derive(Clone)]
pub struct PrivateKey(Arc<Inner>);

struct Inner {
    key: Pkey,
    public: PublicKey,
    /// What the answers to malformed RSA-1.5 ciphertexts are derived from.
    rejection_secret: Zeroizing<[u8; 32]>,
}

impl PrivateKey {
    /// Makes a new key. RSA with 2048 bits takes some 100 ms.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] for RSA sizes outside of 2048 to 8192 bits, [`Error::RandomUnavailable`].
    pub fn generate(kind: KeyKind) -> Result<Self, Error> {
        KeyPolicy::default().check(kind)?;
        let kind = match kind {
            KeyKind::Rsa { bits } => PkeyKind::Rsa { bits },
            KeyKind::Ec(curve) => PkeyKind::Ec(curve),
        };
        Self::new(Pkey::generate(kind).map_err(|_| Error::RandomUnavailable)?, &KeyPolicy::default())
    }

    /// Reads the first private key of a PEM text: PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC 1
    /// (`EC PRIVATE KEY`). Other sections are skipped.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when there is none, when it is encrypted, or when `policy` finds it too short.
    pub fn from_pem(text: &[u8], policy: &KeyPolicy) -> Result<Self, Error> {
        let mut reader = text;
        while let Some((kind, der)) = pem::from_buf(&mut reader).map_err(|_| {
            Error::UnusableKey("the PEM text is malformed: a BEGIN without its END, or bad base64".into())
        })? {
            let der = Zeroizing::new(der);
            match kind {
                SectionKind::PrivateKey => return Self::from_pkcs8(&der, policy),
                SectionKind::RsaPrivateKey => return Self::from_pkcs1(&der, policy),
                SectionKind::EcPrivateKey => return Self::from_sec1(&der, policy),
                _ => {}
            }
        }
        let encrypted = text.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
        Err(Error::UnusableKey(if encrypted {
            "the private key is encrypted; decrypt it with `openssl pkcs8 -in FILE -out NEWFILE`, or use PKCS#12".into()
        } else {
            "the PEM text has no private key".into()
        }))
    }

    /// Reads a DER PKCS#8 `PrivateKeyInfo`.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when it is none, is inconsistent, or `policy` finds it too short.
    pub fn from_pkcs8(der: &[u8], policy: &KeyPolicy) -> Result<Self, Error> {
        let key = Pkey::from_pkcs8(der)
            .map_err(|_| Error::UnusableKey("not a consistent RSA or EC private key in PKCS#8 form".into()))?;
        Self::new(key, policy)
    }

    /// Reads a DER PKCS#1 `RSAPrivateKey`.
    ///
    /// # Errors
    /// As [`Self::from_pkcs8`].
    pub fn from_pkcs1(der: &[u8], policy: &KeyPolicy) -> Result<Self, Error> {
        let algorithm =
            der::element(der::SEQUENCE, &[&der::element(der::OID, &[oid::RSA_ENCRYPTION]), &[der::NULL, 0]]);
        Self::from_pkcs8(&pkcs8(&algorithm, der), policy)
    }

    /// Reads a DER SEC 1 `ECPrivateKey` that names its curve.
    ///
    /// # Errors
    /// As [`Self::from_pkcs8`].
    pub fn from_sec1(der: &[u8], policy: &KeyPolicy) -> Result<Self, Error> {
        let curve = || {
            let mut key = Reader::only(der, der::SEQUENCE)?;
            key.number()?;
            key.read(der::OCTET_STRING)?;
            key.read(der::context(0))
        };
        let curve = curve().map_err(|_: der::Malformed| {
            Error::UnusableKey("not an EC private key in SEC 1 form with its curve".into())
        })?;
        let algorithm = der::element(der::SEQUENCE, &[&der::element(der::OID, &[oid::EC_PUBLIC_KEY]), curve]);
        Self::from_pkcs8(&pkcs8(&algorithm, der), policy)
    }

    fn new(key: Pkey, policy: &KeyPolicy) -> Result<Self, Error> {
        const NO_FORM: &str = "the private key has no DER form";
        let spki = key.to_spki().map_err(|_| Error::UnusableKey(NO_FORM.into()))?;
        let public = PublicKey::from_spki(&spki, policy)?;
        let pkcs8 = key.to_pkcs8().map_err(|_| Error::UnusableKey(NO_FORM.into()))?;
        let rejection_secret = Zeroizing::new(digest::sha256(&pkcs8));
        Ok(Self(Arc::new(Inner { key, public, rejection_secret })))
    }

    /// Signs `data`.
    ///
    /// RSA gives PKCS#1 v1.5, ECDSA the two numbers `r ‖ s` at full length, as XML signatures and JOSE want them.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the algorithm is not for this kind of key.
    pub fn sign(&self, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>, Error> {
        self.sign_digest(algorithm, &algorithm.digest().digest(data))
    }

    /// Signs data with this digest.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_digest(&self, algorithm: SignatureAlgorithm, digest: &DigestValue) -> Result<Vec<u8>, Error> {
        const WRONG: Error = Error::Misuse("RSA keys sign with RSA algorithms, EC keys with ECDSA");
        let curve = self.curve();
        if algorithm.is_ecdsa() != curve.is_some() {
            return Err(WRONG);
        }
        let signature = self.sign_der(algorithm, digest)?;
        match curve {
            Some(curve) => crate::signature::der_to_raw(curve, &signature).map_err(|_| WRONG),
            None => Ok(signature),
        }
    }

    /// ECDSA in the DER form of X.509.
    pub(crate) fn sign_der(&self, algorithm: SignatureAlgorithm, digest: &DigestValue) -> Result<Vec<u8>, Error> {
        self.0
            .key
            .sign_digest(algorithm.digest(), digest.as_bytes())
            .map_err(|_| Error::Misuse("the key cannot sign a digest of this algorithm"))
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }

    /// RSA with its size, or the curve.
    pub fn kind(&self) -> KeyKind {
        self.0.public.kind()
    }

    /// The key as a DER PKCS#8 `PrivateKeyInfo`, **in the clear**, for writing it to a file of its owner.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when the library has no DER form for it.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.0.key.to_pkcs8().map_err(|_| Error::UnusableKey("the private key has no DER form".into()))
    }

    pub(crate) fn pkey(&self) -> &Pkey {
        &self.0.key
    }

    pub(crate) fn rejection_secret(&self) -> &[u8; 32] {
        &self.0.rejection_secret
    }

    fn curve(&self) -> Option<Curve> {
        match self.kind() {
            KeyKind::Ec(curve) => Some(curve),
            KeyKind::Rsa { .. } => None,
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.kind()).finish()
    }
}

fn pkcs8(algorithm: &[u8], key: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = Zeroizing::new(der::element(der::OCTET_STRING, &[key]));
    Zeroizing::new(der::element(der::SEQUENCE, &[&der::unsigned(&[0]), algorithm, &key]))
}

const ENCRYPTED: &[u8] = b"ENCRYPTED";

use super::certificate::Certificate;
use crate::der;
use crate::private_file::PrivateFile;
use crate::{DigestAlgorithm, Error, KeyKind, KeyPolicy, PrivateKey, SecureRandom, SignatureAlgorithm};
use handstamp_time::Timestamp;
use std::path::Path;
use zeroize::Zeroizing;

/// A private key with its certificate, and the certificates between that and a root: who signs, and decrypts.
#[derive(Debug, Clone)]
pub struct SigningIdentity {
    key: PrivateKey,
    certificate: Certificate,
    chain: Vec<Certificate>,
}

impl SigningIdentity {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when the certificate is for another key.
    pub fn new(key: PrivateKey, certificate: Certificate, chain: Vec<Certificate>) -> Result<Self, Error> {
        let certified = certificate.public_key(&KeyPolicy::with_min_rsa_bits(0))?;
        if certified != key.public_key() {
            return Err(Error::UnusableKey(format!(
                "the private key does not belong to the certificate of {:?}",
                certificate.subject().as_str()
            )));
        }
        Ok(Self { key, certificate, chain })
    }

    /// Reads a file: PKCS#12 with its password, or PEM with key and certificates. It must belong to the user of the process and
    /// be closed to all others.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::KeyFileExposed`], [`Error::UnusableFile`].
    pub fn read(path: &Path, password: &str, policy: &KeyPolicy) -> Result<Self, Error> {
        let (content, _) = PrivateFile::new(path).read()?;
        let identity = if content.first() == Some(&der::SEQUENCE) {
            Self::from_pkcs12(&content, password, policy)
        } else {
            Self::from_pem(&content, policy)
        };
        let unusable = |problem| Error::UnusableFile { path: path.into(), problem };
        identity.map_err(|problem| match problem {
            Error::Unauthentic => unusable("the password is wrong, or the file was changed".into()),
            Error::UnusableKey(problem) => unusable(problem),
            other => other,
        })
    }

    /// Writes a new PEM file that only the user of the process can read.
    ///
    /// # Errors
    /// [`Error::KeyFileExists`], [`Error::File`].
    pub fn create(&self, path: &Path) -> Result<(), Error> {
        PrivateFile::new(path).create(self.to_pem()?.as_bytes()).map(|_stamp| ())
    }

    /// Reads a private key and its certificates from PEM. The certificate of the key may stand anywhere; the others become
    /// the chain, in their order.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when the key or its certificate is missing or malformed.
    pub fn from_pem(text: &[u8], policy: &KeyPolicy) -> Result<Self, Error> {
        let key = PrivateKey::from_pem(text, policy)?;
        Self::with_certificates(key, Certificate::read_all(text)?)
    }

    /// Reads a PKCS#12 file (`.pfx`, `.p12`) as Windows, OpenSSL and Java write it.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] when the password is wrong or the file was changed; [`Error::UnusableKey`] when it is malformed,
    /// uses algorithms that are not supported, or has no private key with its certificate.
    pub fn from_pkcs12(der: &[u8], password: &str, policy: &KeyPolicy) -> Result<Self, Error> {
        let content = super::pkcs12::read(der, password)?;
        let keys = content.private_keys.iter().map(|der| PrivateKey::from_pkcs8(der, policy));
        let mut first_problem = None;
        for key in keys {
            match key.and_then(|key| Self::with_certificates(key, content.certificates.clone())) {
                Ok(identity) => return Ok(identity),
                Err(problem) => first_problem = first_problem.or(Some(problem)),
            }
        }
        Err(first_problem.unwrap_or_else(|| Error::UnusableKey("the PKCS#12 file has no private key".into())))
    }

    /// Makes a new key with a certificate that it signs itself, for signing and for receiving encrypted keys.
    ///
    /// `random` gives the serial number; the key comes from the system.
    ///
    /// # Errors
    /// As [`PrivateKey::generate`]; [`Error::UnusableKey`] when a date is beyond what certificates can tell.
    pub fn self_signed(
        common_name: &str,
        kind: KeyKind,
        valid_from: Timestamp,
        valid_to: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Self, Error> {
        let key = PrivateKey::generate(kind)?;
        let signer = CertificateSigner::of(&key)?;
        let unusable =
            |problem: &dyn std::fmt::Display| Error::UnusableKey(format!("cannot make a certificate: {problem}"));
        let date = |at: Timestamp| {
            time::OffsetDateTime::from_unix_timestamp(at.unix_seconds()).map_err(|problem| unusable(&problem))
        };
        let mut serial = [0; 16];
        random.fill(&mut serial)?;
        serial[0] = serial[0] & 0x7f | 0x40;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        params.serial_number = Some(serial.to_vec().into());
        (params.not_before, params.not_after) = (date(valid_from)?, date(valid_to)?);
        params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        if let KeyKind::Rsa { .. } = kind {
            params.key_usages.push(rcgen::KeyUsagePurpose::KeyEncipherment);
        }
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.self_signed(&signer).map_err(|problem| unusable(&problem))?;
        let certificate = Certificate::from_der(certificate.der())?;
        Self::new(key, certificate, Vec::new())
    }

    fn with_certificates(key: PrivateKey, mut certificates: Vec<Certificate>) -> Result<Self, Error> {
        let lenient = KeyPolicy::with_min_rsa_bits(0);
        let own = certificates
            .iter()
            .position(|certificate| certificate.public_key(&lenient).is_ok_and(|public| public == key.public_key()))
            .ok_or_else(|| Error::UnusableKey("none of the certificates belongs to the private key".into()))?;
        let certificate = certificates.remove(own);
        Self::new(key, certificate, certificates)
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The certificate of the key.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Further certificates that came along, usually those of the authorities.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Key and certificates as PEM, **the key in the clear**: what [`Self::from_pem`] reads.
    ///
    /// # Errors
    /// As [`PrivateKey::to_pkcs8`].
    pub fn to_pem(&self) -> Result<Zeroizing<String>, Error> {
        let key = Zeroizing::new(crate::pem::write("PRIVATE KEY", &self.key.to_pkcs8()?));
        let certificates: String =
            [&self.certificate].into_iter().chain(&self.chain).map(Certificate::to_pem).collect();
        Ok(Zeroizing::new([key.as_str(), &certificates].concat()))
    }
}

/// Lets our keys sign certificates.
struct CertificateSigner<'a> {
    key: &'a PrivateKey,
    public: &'a [u8],
    algorithm: SignatureAlgorithm,
    name: &'static rcgen::SignatureAlgorithm,
}

impl<'a> CertificateSigner<'a> {
    fn of(key: &'a PrivateKey) -> Result<Self, Error> {
        use crate::Curve;
        let (algorithm, name) = match key.kind() {
            KeyKind::Rsa { .. } => (SignatureAlgorithm::RsaSha256, &rcgen::PKCS_RSA_SHA256),
            KeyKind::Ec(Curve::P256) => (SignatureAlgorithm::EcdsaSha256, &rcgen::PKCS_ECDSA_P256_SHA256),
            KeyKind::Ec(Curve::P384) => (SignatureAlgorithm::EcdsaSha384, &rcgen::PKCS_ECDSA_P384_SHA384),
            KeyKind::Ec(Curve::P521) => (SignatureAlgorithm::EcdsaSha512, &rcgen::PKCS_ECDSA_P521_SHA512),
        };
        let public =
            key.public_key().key_bits().map_err(|_| Error::UnusableKey("the public key has no DER form".into()))?;
        Ok(Self { key, public, algorithm, name })
    }
}

impl rcgen::PublicKeyData for CertificateSigner<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.name
    }
}

impl rcgen::SigningKey for CertificateSigner<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let digest = DigestAlgorithm::digest(self.algorithm.digest(), message);
        self.key.sign_der(self.algorithm, &digest).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

use crate::{Curve, KeyKind, PrivateKey, SignatureAlgorithm, SigningIdentity};
use rustls::SignatureScheme;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;

/// Lets an identity sign handshakes without a copy of its key.
pub(super) fn certified(identity: &SigningIdentity) -> SingleCertAndKey {
    let certificates = std::iter::once(identity.certificate()).chain(identity.chain());
    let certificates = certificates.map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    CertifiedKey::new(certificates, Arc::new(HandshakeKey(identity.key().clone()))).into()
}

#[derive(Debug)]
struct HandshakeKey(PrivateKey);

#[derive(Debug)]
struct HandshakeSigner {
    key: PrivateKey,
    scheme: SignatureScheme,
    algorithm: SignatureAlgorithm,
}

/// For RSA PKCS#1 v1.5 only: it is what TLS 1.2 started with, and every peer of these negotiations verifies it.
const RSA: &[(SignatureScheme, SignatureAlgorithm)] = &[
    (SignatureScheme::RSA_PKCS1_SHA256, SignatureAlgorithm::RsaSha256),
    (SignatureScheme::RSA_PKCS1_SHA384, SignatureAlgorithm::RsaSha384),
    (SignatureScheme::RSA_PKCS1_SHA512, SignatureAlgorithm::RsaSha512),
];

impl HandshakeKey {
    fn schemes(&self) -> &'static [(SignatureScheme, SignatureAlgorithm)] {
        match self.0.kind() {
            KeyKind::Rsa { .. } => RSA,
            KeyKind::Ec(Curve::P256) => &[(SignatureScheme::ECDSA_NISTP256_SHA256, SignatureAlgorithm::EcdsaSha256)],
            KeyKind::Ec(Curve::P384) => &[(SignatureScheme::ECDSA_NISTP384_SHA384, SignatureAlgorithm::EcdsaSha384)],
            KeyKind::Ec(Curve::P521) => &[(SignatureScheme::ECDSA_NISTP521_SHA512, SignatureAlgorithm::EcdsaSha512)],
        }
    }
}

impl SigningKey for HandshakeKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let (scheme, algorithm) = self.schemes().iter().copied().find(|(scheme, _)| offered.contains(scheme))?;
        Some(Box::new(HandshakeSigner { key: self.0.clone(), scheme, algorithm }))
    }

    fn algorithm(&self) -> rustls::SignatureAlgorithm {
        match self.0.kind() {
            KeyKind::Rsa { .. } => rustls::SignatureAlgorithm::RSA,
            KeyKind::Ec(_) => rustls::SignatureAlgorithm::ECDSA,
        }
    }
}

impl Signer for HandshakeSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let digest = self.algorithm.digest().digest(message);
        self.key.sign_der(self.algorithm, &digest).map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

//! JWS in its compact form.

use super::jwk::{JwkSet, algorithm_name, thumbprint};
use crate::{Curve, Error, KeyKind, PrivateKey, PublicKey, SignatureAlgorithm};
use base64_simd::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Signs JSON with one key: RS256, or the ECDSA algorithm of its curve.
#[derive(Debug, Clone)]
pub struct JwsSigner {
    key: PrivateKey,
    id: String,
}

impl JwsSigner {
    /// A signer whose key has its thumbprint as id.
    pub fn new(key: PrivateKey) -> Self {
        Self { id: thumbprint(key.public_key()), key }
    }

    /// Signs `payload`; `media_type` (`typ`) says what it is, such as `JWT`. It must be a plain word.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the key cannot sign.
    pub fn sign(&self, media_type: &str, payload: &[u8]) -> Result<String, Error> {
        let algorithm = algorithm_name(self.key.kind());
        let header = format!(r#"{{"alg":"{algorithm}","kid":"{}","typ":"{media_type}"}}"#, self.id);
        let mut text = URL_SAFE_NO_PAD.encode_to_string(header);
        text.push('.');
        URL_SAFE_NO_PAD.encode_append(payload, &mut text);
        let signature = self.key.sign(signature_algorithm(self.key.kind()), text.as_bytes())?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_append(&signature, &mut text);
        Ok(text)
    }

    /// The id that signatures name (`kid`).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key that verifies.
    pub fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }
}

/// Verifies what others signed.
///
/// The key decides the algorithm; the message only has to agree. So `none`, HMAC with a public key, and an algorithm of another
/// key come to nothing (RFC 8725 §3.1).
#[derive(Debug, Clone)]
pub struct JwsVerifier {
    keys: JwkSet,
}

impl JwsVerifier {
    /// Longest text that is looked at, in bytes.
    pub const MAX_LEN: usize = 16 << 10;

    /// Verifies with these keys.
    pub fn new(keys: JwkSet) -> Self {
        Self { keys }
    }

    /// Whether there is the key that `text` says it is signed with. When there is not, its signer may have a new one.
    pub fn has_key_of(&self, text: &str) -> bool {
        let header = || -> Option<Header> {
            let header = text.get(..Self::MAX_LEN.min(text.len()))?.split_once('.')?.0;
            serde_json::from_slice(&decode(header).ok()?).ok()
        };
        header().is_some_and(|header| match &header.kid {
            Some(id) => self.keys.get(id).is_some(),
            None => self.keys.only().is_some(),
        })
    }

    /// The payload of `text`, when one of the keys signed it as a `media_type`. Case does not count in that, and an
    /// `application/` in front of it neither (RFC 7515 §4.1.9).
    ///
    /// # Errors
    /// [`Error::Unauthentic`], whatever is wrong.
    pub fn verify(&self, media_type: &str, text: &str) -> Result<Vec<u8>, Error> {
        if text.len() > Self::MAX_LEN {
            return Err(Error::Unauthentic);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Error::Unauthentic)?;
        let (header, payload) = signed.split_once('.').ok_or(Error::Unauthentic)?;
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Error::Unauthentic)?;
        let key = match &header.kid {
            Some(id) => self.keys.get(id),
            None => self.keys.only(),
        };
        let key = key.ok_or(Error::Unauthentic)?;
        let typ = header.typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        let agrees = header.alg == algorithm_name(key.kind())
            && header.crit.is_none()
            && typ.is_some_and(|typ| typ.eq_ignore_ascii_case(media_type));
        if !agrees {
            return Err(Error::Unauthentic);
        }
        key.verify(signature_algorithm(key.kind()), signed.as_bytes(), &decode(signature)?)?;
        decode(payload)
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    /// Extensions that must be understood: none is.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| Error::Unauthentic)
}

fn signature_algorithm(kind: KeyKind) -> SignatureAlgorithm {
    match kind {
        KeyKind::Rsa { .. } => SignatureAlgorithm::RsaSha256,
        KeyKind::Ec(Curve::P256) => SignatureAlgorithm::EcdsaSha256,
        KeyKind::Ec(Curve::P384) => SignatureAlgorithm::EcdsaSha384,
        KeyKind::Ec(Curve::P521) => SignatureAlgorithm::EcdsaSha512,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(kind: KeyKind) -> JwsSigner {
        JwsSigner::new(PrivateKey::generate(kind).unwrap())
    }

    fn verifier(signer: &JwsSigner) -> JwsVerifier {
        JwsVerifier::new(JwkSet::new([signer.public_key()]))
    }

    #[test]
    fn what_is_signed_verifies_with_every_kind_of_key() {
        let kinds = [Curve::P256, Curve::P384, Curve::P521].map(KeyKind::Ec);
        for kind in kinds.into_iter().chain([KeyKind::Rsa { bits: 2048 }]) {
            let signer = signer(kind);
            let text = signer.sign("JWT", b"{}").unwrap();
            assert_eq!(verifier(&signer).verify("jwt", &text).unwrap(), b"{}", "{kind:?}");
            assert!(verifier(&signer).has_key_of(&text) && !verifier(&self::signer(kind)).has_key_of(&text));
        }
    }

    #[test]
    fn no_changed_character_is_accepted() {
        let signer = signer(KeyKind::Ec(Curve::P256));
        let text = signer.sign("JWT", br#"{"sub":"ada"}"#).unwrap();
        let verifier = verifier(&signer);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(matches!(verifier.verify("JWT", &changed), Err(Error::Unauthentic)), "{at}");
        }
        for cut in [&text[..text.len() - 1], "", ".", "..", "a.b.c.d"] {
            assert!(verifier.verify("JWT", cut).is_err(), "{cut}");
        }
    }

    #[test]
    fn the_message_does_not_choose_the_algorithm() {
        let signer = signer(KeyKind::Rsa { bits: 2048 });
        let verifier = verifier(&signer);
        let text = signer.sign("JWT", b"{}").unwrap();
        let (_, rest) = text.split_once('.').unwrap();
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#.to_owned(),
            format!(r#"{{"alg":"HS256","kid":"{}","typ":"JWT"}}"#, signer.id()),
            format!(r#"{{"alg":"RS256","kid":"{}","typ":"JWT","crit":["exp"]}}"#, signer.id()),
        ] {
            let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode_to_string(header));
            assert!(verifier.verify("JWT", &forged).is_err());
        }
        assert!(verifier.verify("logout+jwt", &text).is_err(), "one kind of token is not another");
        let other = self::signer(KeyKind::Ec(Curve::P256));
        assert!(verifier.verify("JWT", &other.sign("JWT", b"{}").unwrap()).is_err());
    }
}

//! What both ends contribute to a key, and the key that comes of it (SC 4.2, 5.1).

use crate::error::Error;
use crate::trust::prefix;
use crate::trust::response::Proof;
use handstamp_keys::{SecureRandom, SymmetricKey, derivation::p_sha1};
use handstamp_ws_security::{AlgorithmSuite, Generation, KeyEntropyMode};
use handstamp_xml::Writer;
use zeroize::Zeroizing;

/// `Entropy`: what one end contributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entropy {
    /// `wsu:Id` of the `BinarySecret`. WCF writes one, others do not, nobody refers to it.
    pub id: Option<String>,
    /// The octets.
    pub secret: SymmetricKey,
}

/// What a service contributes to the key of a context, and the key.
#[derive(Debug, Clone)]
pub struct ServiceEntropy {
    /// The key.
    pub key: SymmetricKey,
    /// What the answer says about it.
    pub proof: Option<Proof>,
    /// The service's part.
    pub entropy: Option<Entropy>,
}

impl Entropy {
    /// Fresh octets.
    ///
    /// # Errors
    /// [`Error::Keys`] when there is no randomness.
    pub fn generate(length: usize, id: impl Into<String>, random: &dyn SecureRandom) -> Result<Self, Error> {
        Ok(Self { id: Some(id.into()), secret: SymmetricKey::generate(length, random)? })
    }

    /// Writes `Entropy` with its `BinarySecret`.
    pub(super) fn write(&self, writer: &mut Writer, generation: Generation) {
        writer.start(prefix(generation), generation.trust(), "Entropy");
        self.write_secret(writer, generation, "Nonce");
        writer.end();
    }

    /// Writes the `BinarySecret` alone. `kind` is `Nonce` or `SymmetricKey`.
    pub(super) fn write_secret(&self, writer: &mut Writer, generation: Generation, kind: &str) {
        writer.start(prefix(generation), generation.trust(), "BinarySecret");
        if let Some(id) = &self.id {
            writer.wsu_id(id);
        }
        writer.attribute("Type", &[generation.trust(), "/", kind].concat());
        let text = Zeroizing::new(base64_simd::STANDARD.encode_to_string(self.secret.as_bytes()));
        writer.text(&text).end();
    }
}

impl ServiceEntropy {
    /// Draws the service's part. `key_size` is in bits, the suite's default when the client names none; `id` becomes the
    /// `wsu:Id` of what is written.
    ///
    /// # Errors
    /// [`Error::Trust`] when the size is not one of the suite's, or the client's part is missing or surplus.
    pub fn draw(
        mode: KeyEntropyMode,
        client: Option<&Entropy>,
        key_size: Option<u32>,
        suite: &AlgorithmSuite,
        id: &str,
        random: &dyn SecureRandom,
    ) -> Result<Self, Error> {
        let length = key_length(key_size, suite)?;
        match (mode, client) {
            (KeyEntropyMode::Combined, Some(client)) => {
                let entropy = Entropy::generate(length, id, random)?;
                let key = combined_key(&client.secret, &entropy.secret, length);
                Ok(Self { key, proof: Some(Proof::ComputedKey), entropy: Some(entropy) })
            }
            (KeyEntropyMode::Client, Some(client)) => {
                let key = client.secret.clone();
                check_key(&key, suite)?;
                Ok(Self { key, proof: None, entropy: None })
            }
            (KeyEntropyMode::Server, None) => {
                let secret = Entropy::generate(length, id, random)?;
                Ok(Self { key: secret.secret.clone(), proof: Some(Proof::Secret(secret)), entropy: None })
            }
            (_, None) => {
                Err(Error::trust("SC 4.1", "Entropy", "the client has to contribute to the key, and does not"))
            }
            (_, Some(_)) => {
                Err(Error::trust("SC 4.1", "Entropy", "the service alone makes the key, but the client contributes"))
            }
        }
    }
}

/// The key that both ends made together (SC 5.1): P_SHA1 for every suite.
pub(super) fn combined_key(client: &SymmetricKey, service: &SymmetricKey, length: usize) -> SymmetricKey {
    let mut key = Zeroizing::new(vec![0; length]);
    p_sha1(client.as_bytes(), &[service.as_bytes()], 0, &mut key);
    SymmetricKey::from_bytes(&key)
}

/// A key size in bits as a length in bytes that the suite accepts.
pub(crate) fn key_length(key_size: Option<u32>, suite: &AlgorithmSuite) -> Result<usize, Error> {
    let length = key_size.map_or(suite.default_key_length(), |bits| bits as usize / 8);
    if !suite.key_lengths().contains(&length) {
        return Err(Error::trust("SC 4.1", "KeySize", "it is not one of the algorithm suite"));
    }
    Ok(length)
}

pub(super) fn check_key(key: &SymmetricKey, suite: &AlgorithmSuite) -> Result<(), Error> {
    if suite.key_lengths().contains(&key.len()) {
        return Ok(());
    }
    Err(Error::trust("SC 4.2", "BinarySecret", "the key has a length that is not one of the algorithm suite"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::DeterministicRandom;

    fn octets(range: std::ops::RangeInclusive<u8>) -> SymmetricKey {
        SymmetricKey::from_bytes(&range.collect::<Vec<u8>>())
    }

    #[test]
    fn sc_14_the_combined_key_is_that_of_vector_a_1() {
        let key = combined_key(&octets(0x01..=0x20), &octets(0x21..=0x40), 32);
        let text = base64_simd::STANDARD.encode_to_string(key.as_bytes());
        assert_eq!(text, "MVwnMU8J8ZUPoPsZH96FURrcKpN007XmDi9saA2LKjo=");
        let short = combined_key(&octets(0x01..=0x10), &octets(0x21..=0x30), 16);
        assert_eq!(short.as_bytes()[..4], [0x64, 0x40, 0x37, 0x05]);
    }

    #[test]
    fn sc_16_each_mode_wants_its_own_contributions() {
        let random = DeterministicRandom::new(1);
        let suite = AlgorithmSuite::BASIC256;
        let client = Entropy { id: None, secret: octets(0x01..=0x20) };
        let draw = |mode, client, size| ServiceEntropy::draw(mode, client, size, &suite, "e", &random);
        let combined = draw(KeyEntropyMode::Combined, Some(&client), None).unwrap();
        let service = combined.entropy.unwrap();
        assert_eq!((combined.proof, service.secret.len()), (Some(Proof::ComputedKey), 32));
        assert_eq!(combined.key, combined_key(&client.secret, &service.secret, 32));
        let of_client = draw(KeyEntropyMode::Client, Some(&client), Some(256)).unwrap();
        assert_eq!((of_client.key, of_client.proof, of_client.entropy), (client.secret.clone(), None, None));
        let of_service = draw(KeyEntropyMode::Server, None, None).unwrap();
        assert_eq!((of_service.key.len(), of_service.entropy), (32, None));
        assert!(matches!(of_service.proof, Some(Proof::Secret(secret)) if secret.secret == of_service.key));
        for (mode, client, size) in [
            (KeyEntropyMode::Combined, None, None),
            (KeyEntropyMode::Client, None, None),
            (KeyEntropyMode::Server, Some(&client), None),
            (KeyEntropyMode::Combined, Some(&client), Some(128)),
            (KeyEntropyMode::Combined, Some(&client), Some(512)),
            (KeyEntropyMode::Client, Some(&Entropy { id: None, secret: octets(1..=16) }), None),
        ] {
            assert!(draw(mode, client, size).is_err(), "{mode:?} {size:?}");
        }
    }
}

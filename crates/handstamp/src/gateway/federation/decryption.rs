//! The keys that issuers' tokens are encrypted for.

use std::path::Path;

use handstamp_keys::{KeyPolicy, SigningIdentity};
use handstamp_saml::TokenDecryption;
use handstamp_xml_security::algorithm::{DataEncryption, KeyEncryption};
use handstamp_xml_security::encryption::DecryptPolicy;
use zeroize::Zeroizing;

use super::setup::setup_error;
use crate::config::{self, TokenAlgorithm};
use crate::{Error, password_file};

/// Reads the keys of a relying party; none when it has none.
pub(super) fn open(place: &str, settings: &config::Federation) -> Result<Option<TokenDecryption>, Error> {
    if settings.decryption_keys.is_empty() {
        return Ok(None);
    }
    let password = match &settings.decryption_password_file {
        Some(file) => password_file::read(&format!("{place}.decryption_password_file"), file)?,
        None => Zeroizing::default(),
    };
    let read = |key: String, file: &Path| {
        SigningIdentity::read(file, &password, &KeyPolicy::default())
            .map_err(|error| setup_error(&format!("{place}.{key}"), error.code(), &error))
    };
    let identities = settings
        .decryption_keys
        .iter()
        .enumerate()
        .map(|(index, file)| read(format!("decryption_keys[{index}]"), file));
    let next = settings.next_decryption_key.iter().map(|file| read("next_decryption_key".to_owned(), file));
    let decryption = TokenDecryption::new(identities.collect::<Result<Vec<_>, _>>()?)
        .with_next(next.collect::<Result<Vec<_>, _>>()?)
        .with_policy(policy(&settings.decryption_algorithms));
    Ok(Some(decryption))
}

fn policy(algorithms: &[TokenAlgorithm]) -> DecryptPolicy {
    let (mut data, mut keys) = (Vec::new(), Vec::new());
    for algorithm in algorithms {
        match algorithm {
            TokenAlgorithm::AesGcm => {
                data.extend([DataEncryption::Aes128Gcm, DataEncryption::Aes192Gcm, DataEncryption::Aes256Gcm]);
            }
            TokenAlgorithm::AesCbc => {
                data.extend([DataEncryption::Aes128Cbc, DataEncryption::Aes192Cbc, DataEncryption::Aes256Cbc]);
            }
            TokenAlgorithm::TripleDesCbc => data.push(DataEncryption::TripleDesCbc),
            TokenAlgorithm::RsaOaep => keys.extend([KeyEncryption::RsaOaepMgf1p, KeyEncryption::RsaOaep]),
            TokenAlgorithm::Rsa15 => keys.push(KeyEncryption::Rsa15),
        }
    }
    DecryptPolicy::exactly(data, keys)
}

//! What configuration allows.

use crate::algorithm::{AlgorithmSet, DataEncryption, KeyEncryption};
use crate::error::Error;

/// What the configuration allows in an encryption. The message has no say in it.
#[derive(Debug, Clone)]
pub struct DecryptPolicy {
    data: AlgorithmSet<DataEncryption>,
    keys: AlgorithmSet<KeyEncryption>,
}

impl DecryptPolicy {
    /// AES in both modes, RSA-OAEP and AES key wrap.
    ///
    /// CBC has no integrity of its own: accept it only below a signature, or from issuers that cannot do better.
    pub fn modern() -> Self {
        use DataEncryption::{Aes128Cbc, Aes128Gcm, Aes192Cbc, Aes192Gcm, Aes256Cbc, Aes256Gcm};
        use KeyEncryption::{KeyWrapAes128, KeyWrapAes192, KeyWrapAes256, RsaOaep, RsaOaepMgf1p};
        Self::exactly(
            [Aes128Cbc, Aes128Gcm, Aes192Cbc, Aes192Gcm, Aes256Cbc, Aes256Gcm],
            [RsaOaepMgf1p, RsaOaep, KeyWrapAes128, KeyWrapAes192, KeyWrapAes256],
        )
    }

    /// Exactly these algorithms, as an algorithm suite of WS-SecurityPolicy asks for.
    pub fn exactly(
        data: impl IntoIterator<Item = DataEncryption>,
        keys: impl IntoIterator<Item = KeyEncryption>,
    ) -> Self {
        Self { data: data.into_iter().collect(), keys: keys.into_iter().collect() }
    }

    /// Reads RSA-1.5 key transport too, with implicit rejection, for peers that cannot do better.
    #[must_use]
    pub fn allow_rsa15(mut self) -> Self {
        self.keys.insert(KeyEncryption::Rsa15);
        self
    }

    pub(super) fn check_data(&self, algorithm: DataEncryption) -> Result<(), Error> {
        let allowed = self.data.contains(algorithm);
        allowed.then_some(()).ok_or_else(|| refused(algorithm.uri(), "data encryption"))
    }

    pub(super) fn check_key(&self, algorithm: KeyEncryption) -> Result<(), Error> {
        let allowed = self.keys.contains(algorithm);
        allowed.then_some(()).ok_or_else(|| refused(algorithm.uri(), "key encryption"))
    }
}

fn refused(uri: &str, purpose: &'static str) -> Error {
    Error::AlgorithmNotAllowed { uri: uri.to_owned(), purpose }
}

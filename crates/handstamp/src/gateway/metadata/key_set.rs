//! The keys that sign an issuer's logout tokens.

use handstamp_keys::KeyPolicy;
use handstamp_keys::jose::{JwkSet, JwsVerifier};
use handstamp_time::Timestamp;

use super::living::{Living, Place, Published};
use crate::config::{HttpUrl, LogoutTokens};

/// The keys of an issuer as they are now.
pub(crate) type LivingKeySet = Living<LogoutKeys>;

/// A JWK Set at an address.
pub(crate) struct LogoutKeys {
    settings: LogoutTokens,
    url: HttpUrl,
}

/// Keys, and the text they were read from.
pub(crate) struct KeySet {
    json: Vec<u8>,
    pub(crate) verifier: JwsVerifier,
}

impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl KeySet {
    /// # Errors
    /// It is no JWK Set, or none of its keys is of use.
    pub(crate) fn read(json: &[u8]) -> Result<Self, handstamp_keys::Error> {
        let keys = JwkSet::parse(json, &KeyPolicy::default())?;
        Ok(Self { json: json.to_vec(), verifier: JwsVerifier::new(keys) })
    }
}

impl LogoutKeys {
    pub(super) fn of(settings: &LogoutTokens) -> Option<Self> {
        Some(Self { url: settings.key_set.clone()?, settings: settings.clone() })
    }
}

impl Published for LogoutKeys {
    type Content = KeySet;

    const WHAT: &'static str = "keys of logout tokens";

    fn place(&self) -> Place {
        Place {
            url: self.url.clone(),
            authorities: self.settings.key_set_authorities.clone(),
            cache: self.settings.key_set_cache.clone(),
            refresh: self.settings.key_set_refresh,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.settings == other.settings
    }

    /// Nothing signs a key set: that it came over https from its address is what makes it credible.
    fn examine(&self, json: &[u8], _: Option<&KeySet>, _: Timestamp) -> Result<KeySet, String> {
        KeySet::read(json).map_err(|error| error.to_string())
    }
}

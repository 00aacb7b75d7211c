//! What the stores outside this process's memory have in common: tokens are sealed before they leave, and entries are named
//! by digests.

use handstamp_keys::{SecureRandom, SystemRandom, sha256};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{
    CachedToken, Carrier, ContextId, EndpointScope, Error, Expected, KeyGeneration, NewEntry, Opened, Revision,
    SessionTokenCacheKey, StoreError, TokenFormat,
};
use handstamp_time::Timestamp;
use std::fmt;
use std::sync::Arc;

/// Seals tokens on their way into a store, and opens them on their way out.
pub(crate) struct Sealing {
    format: NativeFormat,
    random: Arc<dyn SecureRandom>,
}

impl Sealing {
    pub(crate) fn new(format: NativeFormat) -> Self {
        Self { format, random: Arc::new(SystemRandom) }
    }

    /// Seals a token for the place that its key names.
    pub(crate) fn seal(
        &self,
        key: &SessionTokenCacheKey,
        entry: &NewEntry,
        now: Timestamp,
    ) -> Result<SealedEntry, Error> {
        let exact =
            SessionTokenCacheKey::new(key.endpoint().clone(), key.context_id().clone(), key.key_generation().cloned());
        Ok(SealedEntry {
            key: EntryKey::of(&exact),
            signed_in_at: entry.token.signed_in_at().ticks(),
            expires: entry.expires.ticks(),
            subject: entry.token.subject().map(|subject| *subject.as_bytes()),
            sealed: self.format.write_whole(&entry.token, &Carrier::Store, now, self.random.as_ref())?,
        })
    }

    /// Opens what was stored. What no longer opens is as good as gone: the key was revoked, or retired after the longest
    /// session.
    pub(crate) fn open(&self, stored: StoredToken, now: Timestamp) -> Option<CachedToken> {
        let scopes = [EndpointScope::from(stored.endpoint)];
        let expected = Expected { carrier: &Carrier::Store, scopes: &scopes, now };
        match self.format.read(stored.sealed, &expected) {
            Ok(Opened::Token(token)) => {
                Some(CachedToken { token: Arc::from(token), expires: time(stored.expires), revision: stored.revision })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(code = error.code(), "a stored token does not open any more");
                None
            }
        }
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing").field("format", &self.format).finish_non_exhaustive()
    }
}

/// A token on its way into a store.
pub(crate) struct SealedEntry {
    pub(crate) key: EntryKey,
    pub(crate) signed_in_at: i64,
    pub(crate) expires: i64,
    pub(crate) subject: Option<[u8; 32]>,
    pub(crate) sealed: Vec<u8>,
}

/// A token as a store gave it back.
pub(crate) struct StoredToken {
    pub(crate) endpoint: String,
    pub(crate) revision: Revision,
    pub(crate) expires: i64,
    pub(crate) sealed: Vec<u8>,
}

/// Where an entry lies. No generation at all stands for any.
#[derive(Clone)]
pub(crate) struct EntryKey {
    /// Empty: unscoped.
    pub(crate) endpoint: String,
    /// SHA-256 of the context id.
    pub(crate) context: [u8; 32],
    /// SHA-256 of the key generation; empty: the token has none.
    pub(crate) generation: Option<Vec<u8>>,
}

impl EntryKey {
    pub(crate) fn of(key: &SessionTokenCacheKey) -> Self {
        let generation = key.key_generation().map_or_else(Vec::new, generation_digest);
        Self {
            generation: (!key.ignores_key_generation()).then_some(generation),
            ..Self::all_of(key.endpoint(), key.context_id())
        }
    }

    /// All generations of a session.
    pub(crate) fn all_of(endpoint: &EndpointScope, context_id: &ContextId) -> Self {
        Self { endpoint: endpoint.as_str().to_owned(), context: context_id.digest(), generation: None }
    }
}

/// Ticks as stores keep them.
pub(crate) fn time(ticks: i64) -> Timestamp {
    Timestamp::from_ticks(ticks).unwrap_or(Timestamp::MIN)
}

pub(crate) fn failed(action: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    StoreError { action, source: source.into() }.into()
}

fn generation_digest(generation: &KeyGeneration) -> Vec<u8> {
    generation.as_unique_id().with_text(|text| sha256(text.as_bytes()).to_vec())
}

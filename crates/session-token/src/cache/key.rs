//! The key of a cached token (ST §5.1).

use crate::{ContextId, EndpointScope, KeyGeneration, SessionSecurityToken};
use std::hash::{Hash, Hasher};

/// Endpoint, context id and key generation of a token (ST §5.1).
///
/// `==` compares all parts. [`matches`](Self::matches) is the original's equality, under which a key that ignores
/// generations equals several that do not; such a relation is not transitive, so it is no `Eq`, and the hash leaves the
/// generation out (ST-34).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTokenCacheKey {
    endpoint: EndpointScope,
    context_id: ContextId,
    key_generation: Option<KeyGeneration>,
    ignore_key_generation: bool,
}

impl SessionTokenCacheKey {
    /// The key of exactly one generation, or of the token that has none.
    pub fn new(endpoint: EndpointScope, context_id: ContextId, key_generation: Option<KeyGeneration>) -> Self {
        Self { endpoint, context_id, key_generation, ignore_key_generation: false }
    }

    /// The key under which a token is kept.
    pub fn of(token: &SessionSecurityToken) -> Self {
        Self::new(token.endpoint().clone(), token.context_id().clone(), token.key_generation().cloned())
    }

    /// The same key for whatever generation.
    #[must_use]
    pub fn ignoring_generation(mut self) -> Self {
        self.ignore_key_generation = true;
        self
    }

    /// The scope of the token.
    pub fn endpoint(&self) -> &EndpointScope {
        &self.endpoint
    }

    /// The session.
    pub fn context_id(&self) -> &ContextId {
        &self.context_id
    }

    /// The generation of the session's key.
    pub fn key_generation(&self) -> Option<&KeyGeneration> {
        self.key_generation.as_ref()
    }

    /// Whether the generation does not matter.
    pub fn ignores_key_generation(&self) -> bool {
        self.ignore_key_generation
    }

    /// The original's equality: generations count unless either side ignores them.
    pub fn matches(&self, other: &Self) -> bool {
        self.context_id == other.context_id
            && self.endpoint == other.endpoint
            && (self.ignore_key_generation
                || other.ignore_key_generation
                || self.key_generation == other.key_generation)
    }
}

impl Hash for SessionTokenCacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.endpoint.hash(state);
        self.context_id.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};

    fn key(generation: Option<&str>) -> SessionTokenCacheKey {
        SessionTokenCacheKey::new(
            "https://orders.example/".into(),
            "session".parse().unwrap(),
            generation.map(|text| text.parse().unwrap()),
        )
    }

    #[test]
    fn st_34_what_matches_hashes_alike() {
        let keys = [key(None), key(Some("1")), key(Some("2")), key(Some("1")).ignoring_generation()];
        let hasher = RandomState::new();
        for a in &keys {
            for b in &keys {
                assert_eq!(a.matches(b), b.matches(a));
                assert_eq!(hasher.hash_one(a), hasher.hash_one(b));
            }
        }
        assert!(!keys[0].matches(&keys[1]) && !keys[1].matches(&keys[2]));
        assert!(keys[..3].iter().all(|key| key.matches(&keys[3])));
    }

    #[test]
    fn endpoint_and_context_id_always_count() {
        let other_endpoint = SessionTokenCacheKey::new("".into(), "session".parse().unwrap(), None);
        let other_session = SessionTokenCacheKey::new("https://orders.example/".into(), "other".parse().unwrap(), None);
        let any = key(None).ignoring_generation();
        assert!(!any.matches(&other_endpoint) && !any.matches(&other_session));
    }
}

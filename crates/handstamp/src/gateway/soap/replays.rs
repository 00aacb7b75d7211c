//! Messages that were received before, remembered by all nodes together (SC 13.2, 19.12).

use std::sync::Arc;

use handstamp_keys::DigestAlgorithm;
use handstamp_session_token::ReplayCache as Store;
use handstamp_time::Timestamp;
use handstamp_ws_security::{Error, MemoryReplayCache, ReplayCache};
use tokio::runtime::Handle;

/// Asks the store whether a message is new, on a thread that may wait. What this node has seen itself it knows without asking.
pub(super) struct SharedReplays {
    own: MemoryReplayCache,
    store: Arc<dyn Store>,
    /// Signature values of one route say nothing about those of another.
    scope: String,
}

impl SharedReplays {
    pub(super) fn new(capacity: usize, store: Arc<dyn Store>, route: &str) -> Self {
        Self { own: MemoryReplayCache::new(capacity), store, scope: format!("handstamp soap replay {route}\0") }
    }

    fn key(&self, signature_value: &[u8]) -> [u8; 32] {
        let mut key = [0; 32];
        let said = [self.scope.as_bytes(), signature_value].concat();
        key.copy_from_slice(DigestAlgorithm::Sha256.digest(&said).as_bytes());
        key
    }
}

impl ReplayCache for SharedReplays {
    fn contains(&self, signature_value: &[u8], now: Timestamp) -> bool {
        self.own.contains(signature_value, now)
    }

    fn add(&self, signature_value: &[u8], expires: Timestamp, now: Timestamp) -> Result<(), Error> {
        self.own.add(signature_value, expires, now)?;
        let runtime = Handle::try_current().map_err(|error| Error::ReplayMemory(error.to_string()))?;
        match runtime.block_on(self.store.add_if_absent(self.key(signature_value), expires, now)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Replayed),
            Err(error) => Err(Error::ReplayMemory(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_session_store::MemoryStore;
    use std::time::Duration;

    #[tokio::test]
    async fn sc_19_12_a_message_counts_once_on_all_nodes() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let node = |route: &str| SharedReplays::new(10, Arc::clone(&store), route);
        let (one, other, elsewhere) = (node("a"), node("a"), node("b"));
        let now = Timestamp::UNIX_EPOCH;
        let expires = now.saturating_add(Duration::from_secs(900));
        let seen = tokio::task::spawn_blocking(move || {
            let add = |node: &SharedReplays| node.add(b"signature", expires, now);
            [add(&one), add(&other), add(&one), add(&elsewhere), other.add(b"another", expires, now)]
        });
        let seen = seen.await.expect("no panic");
        assert!(matches!(seen, [Ok(()), Err(Error::Replayed), Err(Error::Replayed), Ok(()), Ok(())]), "{seen:?}");
    }
}

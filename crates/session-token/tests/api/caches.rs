//! ST §5 and SM §5: caches in memory, one level and two.

use crate::support::{alices_token, now};
use handstamp_keys::SystemRandom;
use handstamp_session_token::{
    ContextId, EndpointScope, Error, MruCache, NewEntry, ReplicatedRevocations, Revocation, RevocationCursor,
    RevocationList, RevocationStore, SessionSecurityToken, SessionTokenCache, SessionTokenCacheKey, SubjectId,
    TwoLevelCache,
};
use handstamp_testkit::principals::alice;
use handstamp_time::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn session(n: usize) -> (SessionTokenCacheKey, NewEntry) {
    let id: ContextId = format!("session {n}").parse().unwrap();
    let token = SessionSecurityToken::builder(alice().into()).endpoint("/app").context_id(id);
    let token = token.build(now(), &SystemRandom).unwrap();
    (SessionTokenCacheKey::of(&token), NewEntry::new(Arc::new(token)))
}

#[test]
fn id0008_a_cache_too_small_to_work_is_refused() {
    assert_eq!(MruCache::with_maximum(4).unwrap_err().code(), "ID0008");
    assert!(MruCache::with_maximum(5).is_ok());
}

#[tokio::test]
async fn st_35_a_full_cache_evicts_the_least_recently_used_down_to_four_fifths() {
    let cache = MruCache::with_maximum(100).unwrap();
    for n in 0..100 {
        let (key, entry) = session(n);
        cache.add(&key, entry, now()).await.unwrap();
    }
    assert_eq!(cache.len(), 100);
    assert!(cache.find(&session(3).0, now()).is_some(), "used again, so it stays");
    let (key, entry) = session(100);
    cache.add(&key, entry, now()).await.unwrap();
    assert_eq!(cache.len(), 81);
    let found: Vec<usize> = (0..=100).filter(|n| cache.find(&session(*n).0, now()).is_some()).collect();
    let expected: Vec<usize> = std::iter::once(3).chain(21..=100).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn expired_tokens_make_room_before_living_ones_do() {
    let cache = MruCache::with_maximum(10).unwrap();
    for n in 0..10 {
        let (key, mut entry) = session(n);
        if n < 5 {
            entry.expires = now().saturating_add(MINUTE);
        }
        cache.add(&key, entry, now()).await.unwrap();
    }
    let later = now().saturating_add(2 * MINUTE);
    let (key, entry) = session(10);
    cache.add(&key, entry, later).await.unwrap();
    assert_eq!(cache.len(), 6);
    assert!((5..=10).all(|n| cache.find(&session(n).0, later).is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn st_36_readers_never_see_a_gap_while_a_token_is_replaced() {
    let cache = Arc::new(MruCache::new());
    let (key, entry) = session(1);
    cache.add(&key, entry.clone(), now()).await.unwrap();
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let (cache, key, entry) = (cache.clone(), key.clone(), entry.clone());
            tokio::spawn(async move {
                for _ in 0..2000 {
                    cache.add_or_update(&key, entry.clone(), now()).await.unwrap();
                }
            })
        })
        .collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        assert!(cache.get(&key, now()).await.unwrap().is_some());
    }
    assert_eq!(cache.len(), 1);
}

#[tokio::test]
async fn sm_47_a_local_copy_is_believed_for_a_minute_at_most() {
    let store = Arc::new(MruCache::new());
    let (here, there) = (TwoLevelCache::new(store.clone()), TwoLevelCache::new(store));
    let (key, entry) = session(1);
    here.add(&key, entry, now()).await.unwrap();
    assert!(there.get(&key, now()).await.unwrap().is_some());

    here.remove(&key).await.unwrap();
    assert!(here.get(&key, now()).await.unwrap().is_none(), "at once on the node that removes");
    assert!(there.get(&key, now().saturating_add(MINUTE)).await.unwrap().is_some(), "still within the bound");
    let late = now().saturating_add(MINUTE).saturating_add(Duration::from_nanos(100));
    assert!(there.get(&key, late).await.unwrap().is_none());
}

#[tokio::test]
async fn an_explicit_invalidation_takes_effect_at_once() {
    let store = Arc::new(MruCache::new());
    let (here, there) = (TwoLevelCache::new(store.clone()), TwoLevelCache::new(store));
    let (key, entry) = session(1);
    here.add(&key, entry, now()).await.unwrap();
    assert!(there.get(&key, now()).await.unwrap().is_some());
    here.remove_session(&"/app".into(), key.context_id()).await.unwrap();
    there.invalidate(&key);
    assert!(there.get(&key, now()).await.unwrap().is_none());

    let (key, entry) = session(2);
    here.add(&key, entry, now()).await.unwrap();
    assert!(here.get(&key, now()).await.unwrap().is_some());
    here.remove_endpoint(&EndpointScope::from("/app")).await.unwrap();
    assert!(here.get(&key, now()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_local_copy_never_outlives_the_token() {
    let cache = TwoLevelCache::new(Arc::new(MruCache::new()));
    let (key, mut entry) = session(1);
    entry.expires = now().saturating_add(Duration::from_secs(5));
    cache.add(&key, entry, now()).await.unwrap();
    assert!(cache.get(&key, now()).await.unwrap().is_some());
    assert!(cache.get(&key, now().saturating_add(Duration::from_secs(6))).await.unwrap().is_none());
}

/// SM-13: a full list stays quick to ask, whoever fills it.
#[test]
fn a_full_list_is_looked_through_once_in_a_second() {
    let later = |milliseconds| now().saturating_add(Duration::from_millis(milliseconds));
    let revocation = |n: usize, expires| Revocation::session(&format!("{n}").parse().unwrap(), expires);
    let list = RevocationList::with_capacity(1);
    list.apply(&revocation(1, later(500)), now()).unwrap();
    let next = revocation(2, later(60_000));
    let is_full = |at| matches!(list.apply(&next, at), Err(Error::RevocationListFull { .. }));
    assert!(is_full(now()));
    assert!(is_full(later(999)), "nobody looks again so soon");
    assert!(!is_full(later(1000)), "the first one has expired");
    assert_eq!(list.len(), 1);
}

#[test]
fn a_revocation_list_is_bounded_and_never_forgets_silently() {
    let list = RevocationList::with_capacity(3);
    let revocation = |n: usize, expires| Revocation::session(&format!("{n}").parse().unwrap(), expires);
    let (soon, late) = (now().saturating_add(MINUTE), now().saturating_add(10 * MINUTE));
    for (n, expires) in [(1, soon), (2, late), (3, late)] {
        list.apply(&revocation(n, expires), now()).unwrap();
    }
    assert!(matches!(list.apply(&revocation(4, late), now()), Err(Error::RevocationListFull { capacity: 3 })));
    list.apply(&revocation(2, late), now()).expect("what is known takes no room");
    list.apply(&revocation(4, late), now().saturating_add(2 * MINUTE)).expect("expired ones make room");
    assert_eq!(list.len(), 3);
    assert_eq!(list.purge(late.saturating_add(MINUTE)), 3);
    assert!(list.is_empty());
    list.apply(&revocation(5, soon), late).expect("what has expired is not even kept");
    assert!(list.is_empty());
}

#[test]
fn epochs_only_ever_advance() {
    let list = RevocationList::new();
    let token = alices_token();
    let subject = SubjectId::of(token.principal()).unwrap();
    let (expires, before) = (token.valid_to(), now().saturating_sub(MINUTE));
    list.apply(&Revocation::subject(subject, before, expires), now()).unwrap();
    assert!(!list.is_revoked(&token), "signed in after the epoch");
    list.apply(&Revocation::subject(subject, now(), expires), now()).unwrap();
    list.apply(&Revocation::subject(subject, before, expires), now()).unwrap();
    assert!(list.is_revoked(&token));
    assert_eq!(list.len(), 1);
}

#[derive(Default)]
struct Log(Mutex<Vec<Revocation>>);

#[async_trait::async_trait]
impl RevocationStore for Log {
    async fn publish(&self, revocation: &Revocation, _: Timestamp) -> Result<(), Error> {
        self.0.lock().unwrap().push(*revocation);
        Ok(())
    }

    async fn changes_since(
        &self,
        cursor: RevocationCursor,
        _: Timestamp,
    ) -> Result<(Vec<Revocation>, RevocationCursor), Error> {
        let log = self.0.lock().unwrap();
        Ok((log[cursor.0 as usize..].to_vec(), RevocationCursor(log.len() as u64)))
    }

    async fn purge_revocations(&self, _: Timestamp) -> Result<usize, Error> {
        Ok(0)
    }
}

#[tokio::test]
async fn revocations_reach_the_other_node_with_its_next_poll() {
    let store = Arc::new(Log::default());
    let node = || ReplicatedRevocations::new(Arc::new(RevocationList::new()), store.clone());
    let (here, there) = (node(), node());
    let token = alices_token();
    here.revoke(&Revocation::of_sign_out(&token, MINUTE), now()).await.unwrap();
    assert!(here.list().is_revoked(&token));
    assert!(!there.list().is_revoked(&token));
    assert_eq!(there.poll(now()).await.unwrap(), 2);
    assert!(there.list().is_revoked(&token));
    assert_eq!(there.poll(now()).await.unwrap(), 0);
}

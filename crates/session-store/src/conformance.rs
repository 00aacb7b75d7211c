//! What every store must do: one suite, public so that a store in another crate can be held to it.
//!
//! Each function takes an empty store and panics with a message when the store misbehaves. [`all`] runs everything.
//!
//! ```
//! use handstamp_session_store::{MemoryStore, conformance};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! conformance::all(async || MemoryStore::new()).await;
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

use crate::{SessionDirectory, SessionFilter, Store};
use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::SystemRandom;
use handstamp_session_token::{
    ContextId, EndpointScope, Error, NewEntry, ReplayCache, Revision, Revocation, RevocationCursor, RevocationStore,
    SessionSecurityToken, SessionTokenCache, SessionTokenCacheKey, SubjectId,
};
use handstamp_time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Runs the whole suite, each part on a new store.
///
/// # Panics
/// When the store misbehaves.
pub async fn all<S: Store + 'static>(new_store: impl AsyncFn() -> S) {
    cache(&new_store).await;
    sessions_are_listed_and_ended(&new_store().await).await;
    replays_are_refused(Arc::new(new_store().await)).await;
    revocations_are_replicated_in_order(&new_store().await).await;
}

/// Runs the part that every cache of tokens must pass, also one that is no store.
///
/// # Panics
/// When the cache misbehaves.
pub async fn cache<C: SessionTokenCache + 'static>(new_cache: impl AsyncFn() -> C) {
    tokens_survive_as_they_were(&new_cache().await).await;
    create_and_update_are_different(&new_cache().await).await;
    generations_are_kept_apart(&new_cache().await).await;
    unscoped_tokens_are_tokens(&new_cache().await).await;
    removal_reaches_what_it_names(&new_cache().await).await;
    expired_entries_are_absent(&new_cache().await).await;
    compare_and_set_lets_one_through(Arc::new(new_cache().await)).await;
    one_of_many_creators_wins(Arc::new(new_cache().await)).await;
    replacing_shows_no_gap(Arc::new(new_cache().await)).await;
}

/// The operations of a farm (ST §5.2): what one node does to the store that they share, the other sees.
///
/// # Panics
/// When it does not.
pub async fn nodes_of_a_farm_agree(here: &dyn SessionTokenCache, there: &dyn SessionTokenCache) {
    let entries = [entry("alice", "/a"), entry("bob", "/a"), entry("carol", "/a"), entry("dave", "")];
    for (key, entry) in &entries {
        ok(here.add_or_update(key, entry.clone(), now()).await);
        let found = ok(there.get(key, now()).await).expect("what one node adds the other finds");
        assert!(*found.token == *entry.token);
        assert_eq!(ok(there.get_all(key.endpoint(), key.context_id(), now()).await).len(), 1);
    }
    let [(alice, _), (bob, _), (carol, _), (dave, later)] = &entries;
    let shorter = NewEntry { expires: later.expires.saturating_sub(MINUTE), ..later.clone() };
    ok(there.add_or_update(dave, shorter.clone(), now()).await);
    assert_eq!(ok(here.get(dave, now()).await).map(|entry| entry.expires), Some(shorter.expires), "updates, too");
    ok(here.remove(alice).await);
    ok(there.remove_session(bob.endpoint(), bob.context_id()).await);
    for node in [here, there] {
        assert!(ok(node.get(alice, now()).await).is_none() && ok(node.get(bob, now()).await).is_none());
        assert!(ok(node.get(carol, now()).await).is_some());
    }
    ok(here.remove_endpoint(carol.endpoint()).await);
    assert!(ok(there.get(carol, now()).await).is_none() && ok(there.get(dave, now()).await).is_some());
    ok(there.remove_endpoint(&EndpointScope::Unscoped).await);
    assert!(ok(here.get_all(dave.endpoint(), dave.context_id(), now()).await).is_empty());
}

/// ST-5: a token comes back equal, in reference mode and not.
pub async fn tokens_survive_as_they_were(store: &dyn SessionTokenCache) {
    for reference_mode in [true, false] {
        let mut token = token_of("alice", "/app");
        token.set_reference_mode(reference_mode);
        let (key, token) = (SessionTokenCacheKey::of(&token), Arc::new(token));
        let revision = ok(store.add(&key, NewEntry::new(token.clone()), now()).await);
        let found = ok(store.get(&key, now()).await).expect("an added token is found");
        assert!(*found.token == *token, "the token comes back as it was");
        assert_eq!((found.expires, found.revision), (token.valid_to(), revision));
    }
    let absent = SessionTokenCacheKey::of(&token_of("nobody", "/app"));
    assert!(ok(store.get(&absent, now()).await).is_none(), "what was not added is not found");
}

/// `add` never replaces, `update` never creates, `add_or_update` does both.
pub async fn create_and_update_are_different(store: &dyn SessionTokenCache) {
    let (key, first) = entry("alice", "/app");
    let second = NewEntry { expires: first.expires.saturating_sub(MINUTE), ..first.clone() };
    let refused = store.update(&key, first.clone(), now()).await;
    assert!(matches!(refused, Err(Error::NotCached)), "an update does not create");
    let added = ok(store.add(&key, first.clone(), now()).await);
    let refused = store.add(&key, second.clone(), now()).await;
    assert!(matches!(refused, Err(Error::AlreadyCached)), "an add does not replace");
    assert_eq!(ok(store.get(&key, now()).await).map(|entry| entry.expires), Some(first.expires));
    let updated = ok(store.update(&key, second.clone(), now()).await);
    assert_eq!(ok(store.get(&key, now()).await).map(|entry| entry.expires), Some(second.expires));
    ok(store.remove(&key).await);
    ok(store.remove(&key).await);
    assert!(matches!(store.update(&key, first.clone(), now()).await, Err(Error::NotCached)), "sign-out is final");
    let created = ok(store.add_or_update(&key, first.clone(), now()).await);
    let replaced = ok(store.add_or_update(&key, second, now()).await);
    let mut revisions = [added, updated, created, replaced].map(|revision| revision.0).to_vec();
    revisions.dedup();
    assert_eq!(revisions.len(), 4, "every write has a revision of its own");
}

/// ST-34: several generations of one session, and keys that ignore them.
pub async fn generations_are_kept_apart(store: &dyn SessionTokenCache) {
    let old = token_of("alice", "/app");
    let build = |generation: &str| {
        let generation = generation.parse().expect("not empty");
        let token = SessionSecurityToken::builder(old.principal().clone())
            .endpoint("/app")
            .context_id(old.context_id().clone())
            .key_generation(generation)
            .build(now(), &SystemRandom);
        Arc::new(token.expect("valid arguments"))
    };
    let tokens = [Arc::new(old.clone()), build("1"), build("2")];
    for token in &tokens {
        ok(store.add(&SessionTokenCacheKey::of(token), NewEntry::new(token.clone()), now()).await);
    }
    for token in &tokens {
        let found = ok(store.get(&SessionTokenCacheKey::of(token), now()).await).expect("its generation is found");
        assert_eq!(found.token.key_generation(), token.key_generation());
    }
    assert_eq!(ok(store.get_all(&"/app".into(), old.context_id(), now()).await).len(), 3);
    let any = SessionTokenCacheKey::of(&old).ignoring_generation();
    let latest = ok(store.get(&any, now()).await).expect("some generation is found");
    assert!(latest.token.key_generation() == tokens[2].key_generation(), "the one written last");
    ok(store.remove(&SessionTokenCacheKey::of(&tokens[1])).await);
    assert_eq!(ok(store.get_all(&"/app".into(), old.context_id(), now()).await).len(), 2);
    ok(store.remove(&any).await);
    assert!(ok(store.get_all(&"/app".into(), old.context_id(), now()).await).is_empty());
}

/// ST-35: the original forgets to remove unscoped tokens.
pub async fn unscoped_tokens_are_tokens(store: &dyn SessionTokenCache) {
    let (key, entry) = entry("alice", "");
    ok(store.add(&key, entry, now()).await);
    assert_eq!(ok(store.get_all(&EndpointScope::Unscoped, key.context_id(), now()).await).len(), 1);
    ok(store.remove_session(&EndpointScope::Unscoped, key.context_id()).await);
    assert!(ok(store.get(&key, now()).await).is_none());
}

/// By session and by endpoint, and nothing else.
pub async fn removal_reaches_what_it_names(store: &dyn SessionTokenCache) {
    let entries = [entry("alice", "/a"), entry("bob", "/a"), entry("carol", "/b"), entry("dave", "")];
    for (key, entry) in &entries {
        ok(store.add(key, entry.clone(), now()).await);
    }
    let count = async || {
        let mut found = Vec::new();
        for (key, _) in &entries {
            found.push(ok(store.get(key, now()).await).is_some());
        }
        found
    };
    ok(store.remove_session(&"/b".into(), entries[0].0.context_id()).await);
    assert_eq!(count().await, [true; 4], "another endpoint's session of that context id is another session");
    ok(store.remove_session(&"/a".into(), entries[0].0.context_id()).await);
    assert_eq!(count().await, [false, true, true, true]);
    ok(store.remove_endpoint(&"/a".into()).await);
    assert_eq!(count().await, [false, false, true, true]);
    ok(store.remove_endpoint(&EndpointScope::Unscoped).await);
    assert_eq!(count().await, [false, false, true, false]);
}

/// ST-35: expiry is honored on read and by purging, to the tick and inclusively.
pub async fn expired_entries_are_absent(store: &dyn SessionTokenCache) {
    let (key, entry) = entry("alice", "/app");
    let (last, after) = (entry.expires, entry.expires.saturating_add(Duration::from_nanos(100)));
    ok(store.add(&key, entry.clone(), now()).await);
    assert!(ok(store.get(&key, last).await).is_some(), "the last instant is included");
    assert!(ok(store.get(&key, after).await).is_none());
    assert!(ok(store.get_all(key.endpoint(), key.context_id(), after).await).is_empty());
    assert!(matches!(store.update(&key, entry.clone(), after).await, Err(Error::NotCached)));
    ok(store.add_or_update(&key, entry.clone(), now()).await);
    assert_eq!(ok(store.purge(last).await), 0);
    assert!(ok(store.get(&key, last).await).is_some(), "purging keeps what has not expired");
    assert_eq!(ok(store.purge(after).await), 1);
    assert!(ok(store.get(&key, now()).await).is_none(), "purged is gone");
    ok(store.add(&key, entry.clone(), now()).await);
    ok(store.add(&key, NewEntry { expires: Timestamp::MAX, ..entry }, after).await);
    assert!(ok(store.get(&key, after).await).is_some(), "an expired entry does not block its key");
}

/// Of several writers that read the same revision, exactly one succeeds.
pub async fn compare_and_set_lets_one_through(store: Arc<dyn SessionTokenCache>) {
    let (key, entry) = entry("alice", "/app");
    let mut revision = ok(store.add(&key, entry.clone(), now()).await);
    assert!(ok(store.compare_and_set(&key, Revision(u64::MAX >> 1), entry.clone(), now()).await).is_none());
    for _ in 0..10 {
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (store, key, entry) = (store.clone(), key.clone(), entry.clone());
                tokio::spawn(async move { ok(store.compare_and_set(&key, revision, entry, now()).await) })
            })
            .collect();
        let mut winners = Vec::new();
        for writer in writers {
            winners.extend(writer.await.expect("no writer panics"));
        }
        let [winner] = winners[..] else { panic!("{} of 8 writers won", winners.len()) };
        assert_ne!(winner, revision);
        revision = winner;
    }
    ok(store.remove(&key).await);
    let gone = ok(store.compare_and_set(&key, revision, entry, now()).await);
    assert!(gone.is_none(), "what was removed stays removed");
}

/// Of several creators of one key, exactly one succeeds.
pub async fn one_of_many_creators_wins(store: Arc<dyn SessionTokenCache>) {
    let (key, entry) = entry("alice", "/app");
    let creators: Vec<_> = (0..8)
        .map(|_| {
            let (store, key, entry) = (store.clone(), key.clone(), entry.clone());
            tokio::spawn(async move { store.add(&key, entry, now()).await.is_ok() })
        })
        .collect();
    let mut winners = 0;
    for creator in creators {
        winners += usize::from(creator.await.expect("no creator panics"));
    }
    assert_eq!(winners, 1);
}

/// ST-36: readers find a token at any moment while it is replaced.
pub async fn replacing_shows_no_gap(store: Arc<dyn SessionTokenCache>) {
    let (key, entry) = entry("alice", "/app");
    ok(store.add(&key, entry.clone(), now()).await);
    let writer = {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move {
            for _ in 0..50 {
                ok(store.add_or_update(&key, entry.clone(), now()).await);
            }
        })
    };
    while !writer.is_finished() {
        assert!(ok(store.get(&key, now()).await).is_some(), "a reader saw a gap");
        tokio::task::yield_now().await;
    }
    writer.await.expect("the writer does not panic");
}

/// Listing and ending by subject, context id and endpoint.
pub async fn sessions_are_listed_and_ended<S: SessionTokenCache + SessionDirectory>(store: &S) {
    let entries = [entry("alice", "/a"), entry("alice", "/b"), entry("bob", "/a")];
    for (key, entry) in &entries {
        ok(store.add(key, entry.clone(), now()).await);
    }
    let count = async |filter: &SessionFilter| ok(store.sessions(filter, 100, now()).await).len();
    let alice = SessionFilter::Subject(SubjectId::new(ISSUER, "alice"));
    assert_eq!(count(&SessionFilter::All).await, 3);
    assert_eq!(count(&alice).await, 2);
    assert_eq!(count(&SessionFilter::Endpoint("/a".into())).await, 2);
    assert_eq!(ok(store.sessions(&SessionFilter::All, 2, now()).await).len(), 2, "the limit is kept");
    assert!(
        ok(store.sessions(&SessionFilter::All, 100, Timestamp::MAX).await).is_empty(),
        "expired ones are not listed"
    );

    let one = SessionFilter::Context(entries[2].0.context_id().clone());
    let listed = ok(store.sessions(&one, 100, now()).await);
    let session = listed.first().expect("a session is listed by its context id");
    assert_eq!(session.subject, Some(SubjectId::new(ISSUER, "bob")));
    assert_eq!(session.context_digest, entries[2].0.context_id().digest());
    assert_eq!((session.endpoint.as_str(), session.signed_in_at), ("/a", now()));
    assert!(session.token.as_ref().is_some_and(|token| token.principal().name() == Some("bob")));

    assert_eq!(ok(store.end_sessions(&alice, now()).await), 2);
    assert_eq!(count(&SessionFilter::All).await, 1);
    assert_eq!(ok(store.end_sessions(&one, now()).await), 1);
    assert_eq!(ok(store.end_sessions(&SessionFilter::All, now()).await), 0);
}

/// SM-38: add-if-absent is atomic, and expires.
pub async fn replays_are_refused<S: ReplayCache + 'static>(store: Arc<S>) {
    let expires = now().saturating_add(MINUTE);
    let attempts: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { ok(store.add_if_absent([1; 32], expires, now()).await) })
        })
        .collect();
    let mut accepted = 0;
    for attempt in attempts {
        accepted += usize::from(attempt.await.expect("no attempt panics"));
    }
    assert_eq!(accepted, 1, "one of eight simultaneous uses is the first");
    assert!(ok(store.add_if_absent([2; 32], expires, now()).await), "another key is another token");
    assert!(!ok(store.add_if_absent([1; 32], expires, expires).await), "the last instant is included");
    let after = expires.saturating_add(Duration::from_nanos(100));
    assert!(ok(store.add_if_absent([1; 32], after, after).await), "an expired key counts as never seen");
    assert_eq!(ok(store.purge_replays(after).await), 1);
    assert!(!ok(store.add_if_absent([1; 32], after, after).await), "purging keeps what has not expired");
}

/// SM-47: every revocation reaches every reader once, in order, and the expired ones do not.
pub async fn revocations_are_replicated_in_order(store: &dyn RevocationStore) {
    let (soon, late) = (now().saturating_add(MINUTE), now().saturating_add(MINUTE * 60));
    let token = token_of("alice", "/app");
    let [session, sign_in] = Revocation::of_sign_out(&token, MINUTE)[..] else {
        panic!("a sign-out of somebody revokes a session and a sign-in")
    };
    let subject = Revocation::subject(SubjectId::new(ISSUER, "alice"), now(), late);
    let short = Revocation::session(token_of("bob", "/app").context_id(), soon);

    let (none, start) = ok(store.changes_since(RevocationCursor::START, now()).await);
    assert!(none.is_empty());
    for revocation in [&session, &short, &sign_in] {
        ok(store.publish(revocation, now()).await);
    }
    let (first, cursor) = ok(store.changes_since(start, now()).await);
    assert_eq!(first, [session, short, sign_in]);
    let (nothing, same) = ok(store.changes_since(cursor, now()).await);
    assert_eq!((nothing.len(), same), (0, cursor));
    let issuer_session = Revocation::issuer_session(ISSUER, "s-1", late);
    for revocation in [&subject, &issuer_session] {
        ok(store.publish(revocation, now()).await);
    }
    assert_eq!(ok(store.changes_since(cursor, now()).await).0, [subject, issuer_session]);

    let after = soon.saturating_add(MINUTE);
    let (living, _) = ok(store.changes_since(RevocationCursor::START, after).await);
    assert_eq!(living, [session, sign_in, subject, issuer_session], "the expired one is left out");
    assert_eq!(ok(store.purge_revocations(after).await), 1);
    ok(store.publish(&short, now()).await);
    let (next, _) = ok(store.changes_since(ok(store.changes_since(cursor, now()).await).1, now()).await);
    assert!(next.is_empty(), "a cursor at the end stays at the end");
    assert_eq!(
        ok(store.changes_since(RevocationCursor::START, now()).await).0,
        [session, sign_in, subject, issuer_session, short]
    );
}

fn entry(name: &str, endpoint: &'static str) -> (SessionTokenCacheKey, NewEntry) {
    let token = token_of(name, endpoint);
    (SessionTokenCacheKey::of(&token), NewEntry::new(Arc::new(token)))
}

fn token_of(name: &str, endpoint: &'static str) -> SessionSecurityToken {
    let identity =
        ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, name).with_issuer(ISSUER));
    let token = SessionSecurityToken::builder(identity.into())
        .endpoint(endpoint)
        .context_id(ContextId::generate(&SystemRandom).expect("the system has randomness"))
        .build(now(), &SystemRandom);
    token.expect("valid arguments")
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_893_488_400).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn ok<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the store failed: {error}"),
    }
}

const ISSUER: &str = "https://sts.contoso.example/trust";
const MINUTE: Duration = Duration::from_secs(60);

//! The stores that nodes share, each on a server of its own. Passed over where the server is not installed; `cargo xtask
//! test` installs it.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_session_store::{
    PostgresOptions, PostgresStore, RedisOptions, RedisStore, SessionFilter, Store, conformance,
};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{
    ErrorKind, NewEntry, ReplicatedRevocations, Revocation, RevocationCursor, RevocationList, RevocationStore,
    SessionSecurityToken, SessionTokenCacheKey,
};
use handstamp_testkit::servers::{PostgresServer, RedisServer};
use handstamp_time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn now() -> Timestamp {
    "2030-01-01T09:00:00Z".parse().unwrap()
}

fn ring() -> Arc<KeyRing> {
    Arc::new(KeyRing::in_memory(RotationPolicy::default(), now(), &SystemRandom).unwrap())
}

fn token(name: &str) -> Arc<SessionSecurityToken> {
    let identity = ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, name));
    let token = SessionSecurityToken::builder(identity.into())
        .endpoint("/app")
        .context_id(format!("session of {name}").parse().unwrap())
        .reference_mode(true);
    Arc::new(token.build(now(), &SystemRandom).unwrap())
}

async fn redis(server: &RedisServer, ring: &Arc<KeyRing>, prefix: &str) -> RedisStore {
    let mut options = RedisOptions::new(server.url());
    options.prefix = prefix.to_owned();
    RedisStore::open(NativeFormat::new(Arc::clone(ring)), options).await.unwrap()
}

async fn postgres(server: &PostgresServer, ring: &Arc<KeyRing>) -> PostgresStore {
    PostgresStore::open(NativeFormat::new(Arc::clone(ring)), PostgresOptions::new(server.url())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_redis_store_conforms() {
    let Some(server) = RedisServer::start() else { return };
    let (ring, next) = (ring(), AtomicUsize::new(0));
    conformance::all(async || redis(&server, &ring, &format!("{}:", next.fetch_add(1, Ordering::SeqCst))).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgresql_store_conforms() {
    let Some(server) = PostgresServer::start() else { return };
    let ring = ring();
    conformance::all(async || {
        server.empty();
        postgres(&server, &ring).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn st_35_nodes_on_one_redis_are_a_farm() {
    let Some(server) = RedisServer::start() else { return };
    let ring = ring();
    let (here, there) = (redis(&server, &ring, "farm:").await, redis(&server, &ring, "farm:").await);
    farm(here, there).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn st_35_nodes_on_one_postgresql_are_a_farm() {
    let Some(server) = PostgresServer::start() else { return };
    let ring = ring();
    // Both make the tables: one of them waits for the other.
    let (here, there) = tokio::join!(postgres(&server, &ring), postgres(&server, &ring));
    farm(here, there).await;
}

/// A certificate for `localhost` that vouches for itself, with its key, and a file with the certificate alone.
fn identity(folder: &std::path::Path, name: &str) -> (String, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, made.cert.pem()).unwrap();
    (format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem()), file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_is_reached_over_tls_and_only_one_that_the_authorities_vouch_for() {
    let folder = tempfile::tempdir().unwrap();
    let (own, authority) = identity(folder.path(), "own.crt");
    let (_, stranger) = identity(folder.path(), "stranger.crt");
    let Some(server) = RedisServer::start_with_tls(&own) else { return };
    let ring = ring();
    let open = async |authority: &std::path::Path| {
        let mut options = RedisOptions::new(server.url());
        options.authorities = vec![authority.to_owned()];
        RedisStore::open(NativeFormat::new(Arc::clone(&ring)), options).await
    };
    assert_eq!(open(&stranger).await.err().map(|error| error.kind()), Some(ErrorKind::StoreUnavailable));
    farm(open(&authority).await.unwrap(), open(&authority).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_postgresql_is_reached_over_tls_and_only_one_that_the_authorities_vouch_for() {
    let folder = tempfile::tempdir().unwrap();
    let (own, authority) = identity(folder.path(), "own.crt");
    let (_, stranger) = identity(folder.path(), "stranger.crt");
    let Some(server) = PostgresServer::start_with_tls(&own) else { return };
    let ring = ring();
    let open = async |authority: &std::path::Path| {
        let mut options = PostgresOptions::new(server.url());
        options.authorities = vec![authority.to_owned()];
        PostgresStore::open(NativeFormat::new(Arc::clone(&ring)), options).await
    };
    assert_eq!(open(&stranger).await.err().map(|error| error.kind()), Some(ErrorKind::StoreUnavailable));
    farm(open(&authority).await.unwrap(), open(&authority).await.unwrap()).await;
}

async fn farm(here: impl Store + 'static, there: impl Store + 'static) {
    conformance::nodes_of_a_farm_agree(&here, &there).await;

    // SM-38: of both nodes together, one is the first.
    let mut accepted = 0;
    for key in 0..20 {
        let (first, second) = tokio::join!(
            here.add_if_absent([key; 32], Timestamp::MAX, now()),
            there.add_if_absent([key; 32], Timestamp::MAX, now())
        );
        accepted += usize::from(first.unwrap()) + usize::from(second.unwrap());
    }
    assert_eq!(accepted, 20);

    // SM-47: a sign-out here is one there by the next poll.
    let node = |store: Arc<dyn Store>| ReplicatedRevocations::new(Arc::new(RevocationList::new()), store);
    let (here, there): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(here), Arc::new(there));
    let (one, other) = (node(Arc::clone(&here)), node(Arc::clone(&there)));
    let token = token("alice");
    one.revoke(&Revocation::of_sign_out(&token, Duration::ZERO), now()).await.unwrap();
    assert!(!other.list().is_revoked(&token));
    assert_eq!(other.poll(now()).await.unwrap(), 2);
    assert!(other.list().is_revoked(&token));

    // However many publish at once, nobody's reader misses one.
    let publishers: Vec<_> = (0..40)
        .map(|index| {
            let store = Arc::clone(if index % 2 == 0 { &here } else { &there });
            let digest: handstamp_session_token::ContextId = format!("{index}").parse().unwrap();
            tokio::spawn(
                async move { store.publish(&Revocation::session(&digest, Timestamp::MAX), now()).await.unwrap() },
            )
        })
        .collect();
    let (mut seen, mut cursor) = (0, RevocationCursor::START);
    while seen < 42 {
        // Asked first: one may publish and be done right after this looks.
        let all_are_done = publishers.iter().all(tokio::task::JoinHandle::is_finished);
        let (changes, next) = there.changes_since(cursor, now()).await.unwrap();
        assert!(next >= cursor);
        seen += changes.len();
        cursor = next;
        if all_are_done && changes.is_empty() {
            break;
        }
    }
    assert_eq!(seen, 42, "every revocation is read exactly once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sm_48_a_redis_that_is_away_is_an_error_soon_and_serves_again_when_it_is_back() {
    let Some(mut server) = RedisServer::start() else { return };
    let ring = ring();
    let store = redis(&server, &ring, "outage:").await;
    let cursor = published(&store).await;
    server.kill();
    assert_unavailable(&store).await;
    server.restart();
    assert_serves_again(&store).await;
    // It came back empty; a node that read on from where it was still learns what is revoked from now on.
    store.publish(&Revocation::session(token("bob").context_id(), Timestamp::MAX), now()).await.unwrap();
    assert_eq!(store.changes_since(cursor, now()).await.unwrap().0.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sm_48_a_postgresql_that_is_away_is_an_error_soon_and_serves_again_when_it_is_back() {
    let Some(mut server) = PostgresServer::start() else { return };
    let ring = ring();
    let store = postgres(&server, &ring).await;
    let cursor = published(&store).await;
    server.kill();
    assert_unavailable(&store).await;
    server.restart();
    assert_serves_again(&store).await;
    store.publish(&Revocation::session(token("bob").context_id(), Timestamp::MAX), now()).await.unwrap();
    assert_eq!(store.changes_since(cursor, now()).await.unwrap().0.len(), 1);
    assert_eq!(store.changes_since(RevocationCursor::START, now()).await.unwrap().0.len(), 2, "nothing was lost");
}

async fn published(store: &impl Store) -> RevocationCursor {
    store.publish(&Revocation::session(token("alice").context_id(), Timestamp::MAX), now()).await.unwrap();
    store.changes_since(RevocationCursor::START, now()).await.unwrap().1
}

async fn assert_unavailable(store: &impl Store) {
    let (token, since) = (token("alice"), Instant::now());
    let key = SessionTokenCacheKey::of(&token);
    let error = store.get(&key, now()).await.expect_err("there is nobody to ask");
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error}");
    assert!(store.add(&key, NewEntry::new(token), now()).await.is_err());
    assert!(store.add_if_absent([9; 32], Timestamp::MAX, now()).await.is_err());
    assert!(store.sessions(&SessionFilter::All, 1, now()).await.is_err());
    assert!(since.elapsed() < Duration::from_secs(15), "latency is bounded");
}

async fn assert_serves_again(store: &impl Store) {
    let (token, since) = (token("alice"), Instant::now());
    let key = SessionTokenCacheKey::of(&token);
    while let Err(error) = store.add_or_update(&key, NewEntry::new(Arc::clone(&token)), now()).await {
        assert!(since.elapsed() < Duration::from_secs(15), "{error}");
    }
    assert!(*store.get(&key, now()).await.unwrap().unwrap().token == *token);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_so() {
    let refused = RedisStore::open(NativeFormat::new(ring()), RedisOptions::new("redis://127.0.0.1:1/0")).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::StoreUnavailable);
    let options = PostgresOptions::new("postgresql://handstamp@127.0.0.1:1/handstamp");
    let refused = PostgresStore::open(NativeFormat::new(ring()), options).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert!(error.to_string().contains("onnection refused"), "{error}");
}

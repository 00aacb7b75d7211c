//! Every store passes the suite; SQLite passes some more.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_session_store::{MemoryStore, SessionDirectory, SessionFilter, SqliteOptions, SqliteStore, conformance};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{
    ContextId, Error, ErrorKind, MruCache, NewEntry, ReplayCache, ReplicatedRevocations, Revocation, RevocationCursor,
    RevocationList, RevocationStore, SessionSecurityToken, SessionTokenCache, SessionTokenCacheKey, TwoLevelCache,
};
use handstamp_time::Timestamp;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

const CHILD_FOLDER: &str = "HANDSTAMP_TEST_CHILD_FOLDER";

fn now() -> Timestamp {
    "2030-01-01T09:00:00Z".parse().unwrap()
}

fn ring(folder: &Path) -> Arc<KeyRing> {
    let path = folder.join("keys.json");
    let policy = RotationPolicy::default;
    let ring = if path.exists() {
        KeyRing::open(&path, policy())
    } else {
        KeyRing::init(&path, policy(), now(), &SystemRandom)
    };
    Arc::new(ring.unwrap())
}

fn file(folder: &Path) -> PathBuf {
    folder.join("sessions.db")
}

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&file(folder), NativeFormat::new(ring(folder)), SqliteOptions::default()).unwrap()
}

fn token(name: &str) -> Arc<SessionSecurityToken> {
    let identity = ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, name));
    let token = SessionSecurityToken::builder(identity.into())
        .endpoint("/app")
        .context_id(format!("session of {name}").parse().unwrap())
        .reference_mode(true);
    Arc::new(token.build(now(), &SystemRandom).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_store_conforms() {
    conformance::all(async || MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sqlite_store_conforms() {
    let folders: Vec<_> = (0..32).map(|_| tempfile::tempdir().unwrap()).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    conformance::all(async || open(folders[next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)].path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn caches_that_are_no_stores_conform() {
    conformance::cache(async || MruCache::new()).await;
    conformance::cache(async || TwoLevelCache::new(Arc::new(MemoryStore::new()))).await;
}

#[tokio::test]
async fn st_35_two_processes_on_one_file_are_a_farm() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (open(folder.path()), open(folder.path()));
    conformance::nodes_of_a_farm_agree(&here, &there).await;
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let token = token("alice");
    let (key, expires) = (SessionTokenCacheKey::of(&token), token.valid_to());
    {
        let store = open(folder.path());
        store.add(&key, NewEntry::new(token.clone()), now()).await.unwrap();
        store.publish(&Revocation::session(token.context_id(), expires), now()).await.unwrap();
        assert!(store.add_if_absent([1; 32], expires, now()).await.unwrap());
    }
    let store = open(folder.path());
    assert!(*store.get(&key, now()).await.unwrap().unwrap().token == *token);
    assert_eq!(store.changes_since(RevocationCursor::START, now()).await.unwrap().0.len(), 1);
    assert!(!store.add_if_absent([1; 32], expires, now()).await.unwrap());
}

#[tokio::test]
async fn the_file_holds_neither_claims_nor_keys_nor_context_ids() {
    let folder = tempfile::tempdir().unwrap();
    let token = token("Alice-Q-Anderson");
    let store = open(folder.path());
    store.add(&SessionTokenCacheKey::of(&token), NewEntry::new(token.clone()), now()).await.unwrap();
    drop(store);
    let mut content = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("sessions.db") {
            content.extend(std::fs::read(path).unwrap());
        }
    }
    assert!(content.windows(4).any(|window| window == b"/app"), "the file was read");
    for secret in [&b"Anderson"[..], b"session of", token.key().as_bytes()] {
        assert!(!content.windows(secret.len()).any(|window| window == secret));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.publish(&Revocation::session(token("alice").context_id(), Timestamp::MAX), now()).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn a_token_whose_key_was_revoked_reads_as_absent_and_can_still_be_ended() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let token = token("alice");
    let key = SessionTokenCacheKey::of(&token);
    store.add(&key, NewEntry::new(token), now()).await.unwrap();
    drop(store);
    let ring = ring(folder.path());
    ring.revoke(ring.sealing_key(now()).unwrap().id(), now(), &SystemRandom).unwrap();
    let store = open(folder.path());
    assert!(store.get(&key, now()).await.unwrap().is_none());
    let listed = store.sessions(&SessionFilter::All, 10, now()).await.unwrap();
    assert!(listed.len() == 1 && listed[0].token.is_none());
    assert_eq!(store.end_sessions(&SessionFilter::All, now()).await.unwrap(), 1);
}

#[tokio::test]
async fn sm_47_a_revocation_of_one_process_reaches_another_by_its_next_poll() {
    let folder = tempfile::tempdir().unwrap();
    let node = || ReplicatedRevocations::new(Arc::new(RevocationList::new()), Arc::new(open(folder.path())));
    let (here, there) = (node(), node());
    let token = token("alice");
    here.revoke(&Revocation::of_sign_out(&token, std::time::Duration::ZERO), now()).await.unwrap();
    assert!(!there.list().is_revoked(&token));
    assert_eq!(there.poll(now()).await.unwrap(), 2);
    assert!(there.list().is_revoked(&token));
    let restarted = node();
    restarted.poll(now()).await.unwrap();
    assert!(restarted.list().is_revoked(&token));
}

#[tokio::test]
async fn a_full_file_refuses_and_expired_sessions_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = SqliteOptions::default();
    options.max_bytes = 0; // as small as it gets: 64 pages
    let store = SqliteStore::open(&file(folder.path()), NativeFormat::new(ring(folder.path())), options).unwrap();
    let token = token("alice");
    let mut refused = None;
    for n in 0..5000 {
        let context_id: ContextId = format!("{n}").parse().unwrap();
        let key = SessionTokenCacheKey::new("/app".into(), context_id, None);
        if let Err(error) = store.add(&key, NewEntry::new(token.clone()), now()).await {
            refused = Some((key, error));
            break;
        }
    }
    let (key, error) = refused.expect("the file is bounded");
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    let later = token.valid_to().saturating_add(std::time::Duration::from_secs(1));
    let entry = NewEntry { token, expires: Timestamp::MAX };
    store.add(&key, entry, later).await.expect("what has expired makes room");
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(file(folder.path()), b"not a database, but forty bytes of text!!").unwrap();
    let refused =
        SqliteStore::open(&file(folder.path()), NativeFormat::new(ring(folder.path())), SqliteOptions::default());
    assert!(matches!(refused, Err(Error::Store(_))));
    assert!(std::fs::read(file(folder.path())).unwrap().starts_with(b"not a database"));
}

/// Not a test of its own: the process that is killed below. It says what it was told is stored.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else { return };
    let store = open(Path::new(&folder));
    for n in 0.. {
        let token = token(&format!("user {n}"));
        store.add(&SessionTokenCacheKey::of(&token), NewEntry::new(token.clone()), now()).await.unwrap();
        store.publish(&Revocation::session(token.context_id(), Timestamp::MAX), now()).await.unwrap();
        println!("stored {n}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_in_the_middle_of_writes() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let mut stored = Vec::new();
    for round in 1..=3u64 {
        let child_folder = folder.path().join(round.to_string());
        std::fs::create_dir(&child_folder).unwrap();
        drop(open(&child_folder));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
            .env(CHILD_FOLDER, &child_folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0u64;
        // Lines may follow the harness's own text.
        for line in lines.by_ref() {
            acknowledged += u64::from(line.unwrap().contains("stored "));
            if acknowledged == 20 * round {
                break;
            }
        }
        child.kill().unwrap();
        acknowledged += lines.map_while(Result::ok).filter(|line| line.contains("stored ")).count() as u64;
        child.wait().unwrap();

        let store = open(&child_folder);
        store.check_integrity().await.unwrap();
        for n in 0..acknowledged {
            let key = SessionTokenCacheKey::of(&token(&format!("user {n}")));
            assert!(store.get(&key, now()).await.unwrap().is_some(), "session {n} of {acknowledged} was lost");
        }
        let (revocations, _) = store.changes_since(RevocationCursor::START, now()).await.unwrap();
        assert!(revocations.len() as u64 >= acknowledged);
        stored.push(acknowledged);
    }
    assert!(stored.iter().zip(1..).all(|(count, round)| *count >= 20 * round), "{stored:?}");
}

//! The life of keys in virtual time, and their file.

use handstamp_keys::{
    DeterministicRandom, Error, KeyId, KeyRing, KeyState, RotationPolicy, SecureRandom, SystemRandom,
};
use handstamp_time::Timestamp;
use proptest::prelude::*;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const MINUTE: Duration = Duration::from_secs(60);

fn start() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().expect("a time")
}

fn after(duration: Duration) -> Timestamp {
    start().saturating_add(duration)
}

fn in_memory() -> KeyRing {
    KeyRing::in_memory(RotationPolicy::default(), start(), &SystemRandom).expect("random bytes")
}

fn state(ring: &KeyRing, id: KeyId, now: Timestamp) -> KeyState {
    ring.list(now).iter().find(|key| key.id == id).expect("listed").state
}

/// A token as a ring makes it.
struct Token {
    id: KeyId,
    nonce: [u8; 12],
    sealed: Vec<u8>,
}

fn seal(ring: &KeyRing, now: Timestamp) -> Token {
    let key = ring.sealing_key(now).expect("a current key");
    let mut nonce = [0; 12];
    SystemRandom.fill(&mut nonce).expect("random bytes");
    let mut sealed = b"claims".to_vec();
    key.seal_in_place(&nonce, b"aad", &mut sealed).expect("not exhausted");
    Token { id: key.id(), nonce, sealed }
}

fn open(ring: &KeyRing, token: &Token, now: Timestamp) -> Result<Vec<u8>, Error> {
    let mut sealed = token.sealed.clone();
    ring.opening_key(token.id, now)?
        .open_in_place(&token.nonce, b"aad", &mut sealed)
        .map(|plaintext| plaintext.to_vec())
}

#[test]
fn a_key_is_pending_current_accepted_and_retired_in_turn() {
    let ring = in_memory();
    let first = ring.sealing_key(start()).expect("current").id();
    let second = ring.rotate(start(), &SystemRandom).expect("room");
    assert_eq!(ring.rotate(start(), &SystemRandom).expect("pending already"), second);
    assert_eq!((state(&ring, first, start()), state(&ring, second, start())), (KeyState::Current, KeyState::Pending));
    assert_eq!(ring.opening_key(second, start()).expect("pending keys open").state(), KeyState::Pending);
    assert_eq!(ring.sealing_key(after(MINUTE)).expect("current").id(), first);

    let switched = after(2 * MINUTE);
    assert_eq!(ring.sealing_key(switched).expect("current").id(), second);
    assert_eq!(
        (state(&ring, first, switched), state(&ring, second, switched)),
        (KeyState::Accepted, KeyState::Current)
    );

    let end = switched.saturating_add(ring.policy().accept_for);
    assert_eq!(state(&ring, first, end.saturating_sub(MINUTE)), KeyState::Accepted);
    assert_eq!(state(&ring, first, end), KeyState::Retired);
    assert!(matches!(
        ring.opening_key(first, end),
        Err(Error::KeyWithdrawn { state: KeyState::Retired, id }) if id == first
    ));
    assert!(matches!(ring.opening_key(KeyId::from_bytes([0; 4]), end), Err(Error::UnknownKey(_))));
}

#[test]
fn sm_46_no_token_is_lost_while_a_farm_rotates() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    let policy = || RotationPolicy::for_lifetime(10 * HOUR);
    let a = KeyRing::init(&path, policy(), start(), &SystemRandom).expect("made");
    let b = KeyRing::open(&path, policy()).expect("read");
    let mut tokens = Vec::new();
    // Three days; the nodes keep up in turns, a minute apart.
    for step in 0..3 * 24 * 60u32 {
        let now = after(MINUTE * step);
        let ring = if step % 2 == 0 { &a } else { &b };
        ring.upkeep(now, &SystemRandom).expect("kept up");
        if step % 7 == 0 {
            tokens.push((now, seal(if step % 14 == 0 { &a } else { &b }, now)));
        }
        tokens.retain(|(sealed, _)| now.saturating_duration_since(*sealed) <= 10 * HOUR);
        if step % 30 == 0 {
            for (_, token) in &tokens {
                assert_eq!(open(&a, token, now).expect("at a"), b"claims");
                assert_eq!(open(&b, token, now).expect("at b"), b"claims");
            }
        }
    }
    let states = |ring: &KeyRing| -> Vec<_> {
        ring.list(after(3 * DAY)).iter().map(|key| (key.id, key.state, key.current_from)).collect()
    };
    assert_eq!(states(&a).len(), 4);
    assert_eq!(states(&a), states(&b));
}

#[test]
fn revocation_takes_effect_at_once_and_leaves_a_current_key() {
    let ring = in_memory();
    let token = seal(&ring, start());
    ring.revoke(token.id, start(), &SystemRandom).expect("known");
    assert!(matches!(open(&ring, &token, start()), Err(Error::KeyWithdrawn { state: KeyState::Revoked, .. })));
    let next = ring.sealing_key(start()).expect("another one").id();
    assert_ne!(next, token.id);
    assert_eq!(ring.list(start()).len(), 2);
    // With a pending key, that one takes over.
    let pending = ring.rotate(after(MINUTE), &SystemRandom).expect("room");
    ring.retire(next, after(MINUTE), &SystemRandom).expect("known");
    assert_eq!(ring.sealing_key(after(MINUTE)).expect("current").id(), pending);
    assert_eq!(state(&ring, next, after(MINUTE)), KeyState::Retired);
    assert!(matches!(ring.revoke(KeyId::from_bytes([0; 4]), start(), &SystemRandom), Err(Error::UnknownKey(_))));
}

#[test]
fn a_pending_key_that_is_withdrawn_replaces_nothing() {
    let ring = in_memory();
    let first = ring.sealing_key(start()).expect("current").id();
    let pending = ring.rotate(start(), &SystemRandom).expect("room");
    ring.revoke(pending, after(MINUTE), &SystemRandom).expect("known");
    assert_eq!(ring.sealing_key(after(HOUR)).expect("current").id(), first);
    assert_eq!(ring.list(after(HOUR)).len(), 2);
    assert_eq!(state(&ring, first, after(HOUR)), KeyState::Current);
}

#[test]
fn rotation_is_due_by_age() {
    let ring = in_memory();
    let upkeep = |at: Duration| ring.upkeep(after(at), &SystemRandom).expect("kept up").rotated;
    assert_eq!(upkeep(DAY - 3 * MINUTE), None);
    let second = upkeep(DAY - 2 * MINUTE).expect("due");
    assert_eq!(upkeep(DAY - MINUTE), None);
    assert_eq!(ring.sealing_key(after(DAY)).expect("current").id(), second);
}

#[test]
fn rotation_is_due_at_half_of_the_count_and_sealing_ends_at_all_of_it() {
    let mut policy = RotationPolicy::default();
    policy.max_seals = 10;
    let ring = KeyRing::in_memory(policy, start(), &SystemRandom).expect("made");
    let first = ring.sealing_key(start()).expect("current");
    for _ in 0..4 {
        seal(&ring, start());
    }
    assert_eq!(ring.upkeep(start(), &SystemRandom).expect("kept up").rotated, None);
    seal(&ring, start());
    assert!(ring.upkeep(start(), &SystemRandom).expect("kept up").rotated.is_some());
    for _ in 0..5 {
        seal(&ring, start());
    }
    assert!(matches!(ring.sealing_key(start()), Err(Error::KeyExhausted(id)) if id == first.id()));
    // A handle taken before counts too.
    assert!(matches!(first.seal_in_place(&[0; 12], b"", &mut vec![]), Err(Error::KeyExhausted(_))));
    assert!(matches!(first.seal_separate_tag(&[0; 12], b"", &mut []), Err(Error::KeyExhausted(_))));
    assert_eq!(ring.list(start())[0].seals, 10);
    // Exhausted: the pending key does not wait.
    assert!(ring.upkeep(start(), &SystemRandom).expect("kept up").rotated.is_some());
    assert_ne!(ring.sealing_key(start()).expect("current").id(), first.id());
}

#[test]
fn counts_are_shared_through_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    let a = KeyRing::init(&path, RotationPolicy::default(), start(), &SystemRandom).expect("made");
    let b = KeyRing::open(&path, RotationPolicy::default()).expect("read");
    for _ in 0..3 {
        seal(&a, start());
    }
    seal(&b, start());
    a.rotate(start(), &SystemRandom).expect("room");
    assert!(b.reload().expect("readable"));
    assert_eq!(b.list(start())[0].seals, 4);
    b.revoke(b.list(start())[1].id, start(), &SystemRandom).expect("known");
    assert!(a.reload().expect("readable"));
    assert_eq!((a.list(start())[0].seals, b.list(start())[0].seals), (4, 4));
}

#[test]
fn keys_long_over_are_forgotten() {
    let ring = in_memory();
    let first = ring.sealing_key(start()).expect("current").id();
    ring.rotate_now(after(DAY), &SystemRandom).expect("room");
    ring.rotate_now(after(20 * DAY), &SystemRandom).expect("room");
    assert_eq!(ring.list(after(20 * DAY)).len(), 3);
    ring.rotate_now(after(40 * DAY), &SystemRandom).expect("room");
    assert_eq!(ring.list(after(40 * DAY)).len(), 3);
    assert!(matches!(ring.opening_key(first, after(40 * DAY)), Err(Error::UnknownKey(_))));
}

#[test]
fn the_file_is_a_jwk_set_that_only_its_owner_reads() {
    let (_folder, path, ring) = on_disk();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("made")).expect("JSON");
    let key = &json["keys"][0];
    assert_eq!((&key["kty"], &key["alg"]), (&"oct".into(), &"A256GCM".into()));
    assert_eq!(key["kid"], ring.sealing_key(start()).expect("current").id().to_string());
    assert_eq!(key["k"].as_str().expect("text").len(), 43);
    assert_eq!(key["created"], "2030-01-01T00:00:00Z");
    assert_eq!(mode(&path), 0o600);
    ring.rotate(start(), &SystemRandom).expect("room");
    assert_eq!(mode(&path), 0o600);
    let others: Vec<_> = fs::read_dir(path.parent().expect("a folder"))
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
        .filter(|name| name != "keys.json" && name != "keys.json.lock")
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn a_file_that_others_may_read_is_refused_with_the_remedy() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path, ring) = on_disk();
    for exposed in [0o640, 0o604, 0o620, 0o601, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).expect("ours");
        let error = KeyRing::open(&path, RotationPolicy::default()).expect_err("exposed");
        assert_eq!(error.code(), "HST-KEYS-FILE-EXPOSED");
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
        assert!(matches!(ring.rotate(start(), &SystemRandom), Err(Error::KeyFileExposed { .. })));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("ours");
    assert!(KeyRing::open(&path, RotationPolicy::default()).is_ok());
}

#[test]
fn garbage_is_told_and_kept() {
    let (_folder, path, ring) = on_disk();
    let good = fs::read_to_string(&path).expect("made");
    let token = seal(&ring, start());
    for garbage in [
        String::new(),
        "hello".into(),
        "{}".into(),
        r#"{"keys":[{}]}"#.into(),
        good[..good.len() / 2].to_owned(),
        good.replace("A256GCM", "A128GCM"),
        good.replace("2030", "year"),
        format!("{good}x"),
    ] {
        write(&path, garbage.as_bytes());
        let error = KeyRing::open(&path, RotationPolicy::default()).expect_err(&garbage);
        assert!(matches!(error, Error::KeyFileMalformed { .. }), "{error}");
        assert!(error.to_string().contains("the file was left as it was"), "{error}");
        assert!(matches!(ring.reload(), Err(Error::KeyFileMalformed { .. })));
        assert!(matches!(ring.rotate(start(), &SystemRandom), Err(Error::KeyFileMalformed { .. })));
        assert!(matches!(ring.upkeep(start(), &SystemRandom), Err(Error::KeyFileMalformed { .. })));
        assert!(matches!(
            KeyRing::init(&path, RotationPolicy::default(), start(), &SystemRandom),
            Err(Error::KeyFileExists(_))
        ));
        assert_eq!(fs::read(&path).expect("there"), garbage.as_bytes());
        // The service goes on.
        assert!(open(&ring, &token, start()).is_ok());
    }
    write(&path, good.as_bytes());
    assert!(ring.reload().expect("good again"));
}

#[test]
fn a_missing_file_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none.json");
    let error = KeyRing::open(&path, RotationPolicy::default()).expect_err("missing");
    assert!(matches!(&error, Error::File { .. }) && error.to_string().contains("none.json"), "{error}");
    assert!(KeyRing::open(folder.path(), RotationPolicy::default()).is_err());
}

#[test]
fn a_failing_generator_changes_nothing() {
    struct Broken;
    impl SecureRandom for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), Error> {
            Err(Error::RandomUnavailable)
        }
    }
    let (_folder, path, ring) = on_disk();
    let before = fs::read(&path).expect("made");
    assert!(matches!(ring.upkeep(after(2 * DAY), &Broken), Err(Error::RandomUnavailable)));
    assert_eq!(fs::read(&path).expect("there"), before);
    assert!(ring.sealing_key(after(2 * DAY)).is_ok());
    let none = path.with_file_name("none.json");
    assert!(KeyRing::init(&none, RotationPolicy::default(), start(), &Broken).is_err());
    assert!(!none.exists());
}

#[test]
fn symbolic_links_to_the_file_stay() {
    let (_folder, path, _ring) = on_disk();
    let link = path.with_file_name("link.json");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    let ring = KeyRing::open(&link, RotationPolicy::default()).expect("read");
    ring.rotate(start(), &SystemRandom).expect("room");
    assert!(link.symlink_metadata().expect("there").is_symlink());
    assert_eq!(KeyRing::open(&path, RotationPolicy::default()).expect("read").list(start()).len(), 2);
}

#[test]
fn reload_sees_changes_only_and_keeps_keys_that_are_in_use() {
    let (_folder, path, ring) = on_disk();
    assert!(!ring.reload().expect("readable"));
    let key = ring.sealing_key(start()).expect("current");
    KeyRing::open(&path, RotationPolicy::default()).expect("read").rotate(start(), &SystemRandom).expect("room");
    assert!(ring.reload().expect("readable"));
    assert!(!ring.reload().expect("readable"));
    assert_eq!(ring.list(start()).len(), 2);
    key.seal_in_place(&[0; 12], b"", &mut vec![]).expect("still good");
    assert_eq!(ring.list(start())[0].seals, 1);
}

#[test]
fn of_many_threads_with_rings_of_their_own_one_rotates() {
    let (_folder, path, _ring) = on_disk();
    let rotated: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let ring = KeyRing::open(&path, RotationPolicy::default()).expect("read");
                    usize::from(ring.upkeep(after(DAY), &SystemRandom).expect("kept up").rotated.is_some())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(rotated, 1);
    assert_eq!(KeyRing::open(&path, RotationPolicy::default()).expect("read").list(after(DAY)).len(), 2);
}

/// Plays both parts: without the variable it starts two processes of itself.
#[test]
fn processes_that_change_the_file_at_once_lose_nothing() {
    const VARIABLE: &str = "HANDSTAMP_TEST_KEY_FILE";
    const ROUNDS: usize = 15;
    if let Some(path) = std::env::var_os(VARIABLE) {
        let ring = KeyRing::open(Path::new(&path), RotationPolicy::default()).expect("read");
        for _ in 0..ROUNDS {
            ring.rotate_now(start(), &SystemRandom).expect("room");
        }
        return;
    }
    let (_folder, path, ring) = on_disk();
    let test = std::thread::current().name().expect("tests have names").to_owned();
    let children: Vec<_> = (0..2)
        .map(|_| {
            std::process::Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", &test])
                .env(VARIABLE, &path)
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("started")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("ended").success());
    }
    ring.reload().expect("whole");
    let ids: HashSet<_> = ring.list(start()).iter().map(|key| key.id).collect();
    assert_eq!(ids.len(), 1 + 2 * ROUNDS);
}

#[test]
fn readers_see_whole_files_while_others_write() {
    let (_folder, path, ring) = on_disk();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..30 {
                ring.rotate_now(start(), &SystemRandom).expect("room");
            }
        });
        while !writer.is_finished() {
            assert!(!KeyRing::open(&path, RotationPolicy::default()).expect("whole").list(start()).is_empty());
        }
    });
}

#[test]
fn a_set_kept_elsewhere_is_the_same_ring() {
    let ring = in_memory();
    let token = seal(&ring, start());
    let other = KeyRing::from_jwk_set(&ring.to_jwk_set(), RotationPolicy::default()).expect("our own");
    assert_eq!(open(&other, &token, start()).expect("the same keys"), b"claims");
    assert_eq!(other.list(start()), ring.list(start()));
    assert!(!other.reload().expect("no file"));
    assert!(matches!(KeyRing::from_jwk_set(b"{", RotationPolicy::default()), Err(Error::UnusableKey(_))));
    let empty = KeyRing::from_jwk_set(br#"{"keys":[]}"#, RotationPolicy::default()).expect("no keys yet");
    assert!(matches!(empty.sealing_key(start()), Err(Error::NoCurrentKey)));
    assert!(empty.upkeep(start(), &SystemRandom).expect("kept up").rotated.is_some());
    assert!(empty.sealing_key(start()).is_ok());
}

#[test]
fn nothing_secret_is_printed() {
    let (_folder, path, ring) = on_disk();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("made")).expect("JSON");
    let secret = json["keys"][0]["k"].as_str().expect("text");
    let key = ring.sealing_key(start()).expect("current");
    let text = format!("{ring:?} {key:?} {:?} {:?}", ring.opening_key(key.id(), start()), ring.list(start()));
    assert!(!text.contains(&secret[..8]) && text.contains(&key.id().to_string()), "{text}");
    assert!(text.contains("SymmetricKey(32 bytes)"), "{text}");
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Rotate,
    RotateNow,
    Retire(usize),
    Revoke(usize),
    Upkeep,
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![
        Just(Verb::Rotate),
        Just(Verb::RotateNow),
        (0usize..8).prop_map(Verb::Retire),
        (0usize..8).prop_map(Verb::Revoke),
        Just(Verb::Upkeep),
    ]
}

proptest! {
    /// Whatever operators do, there is one current key, states only advance, and what a withdrawn key sealed stays shut.
    #[test]
    fn every_life_of_a_ring_is_orderly(verbs in proptest::collection::vec((verb(), 0u64..50_000), 1..30)) {
        let random = DeterministicRandom::new(1);
        let ring = KeyRing::in_memory(RotationPolicy::default(), start(), &random).expect("made");
        let mut now = start();
        let mut last: Vec<(KeyId, KeyState)> = Vec::new();
        for (verb, seconds) in verbs {
            now = now.saturating_add(Duration::from_secs(seconds));
            let id = |index: usize| { let keys = ring.list(now); keys[index % keys.len()].id };
            match verb {
                Verb::Rotate => { ring.rotate(now, &random).expect("room"); }
                Verb::RotateNow => { ring.rotate_now(now, &random).expect("room"); }
                Verb::Retire(index) => ring.retire(id(index), now, &random).expect("known"),
                Verb::Revoke(index) => ring.revoke(id(index), now, &random).expect("known"),
                Verb::Upkeep => { ring.upkeep(now, &random).expect("kept up"); }
            }
            let keys = ring.list(now);
            let current: Vec<_> = keys.iter().filter(|key| key.state == KeyState::Current).collect();
            prop_assert_eq!(current.len(), 1, "{:?}", keys);
            prop_assert_eq!(ring.sealing_key(now).expect("current").id(), current[0].id);
            for key in &keys {
                prop_assert_eq!(ring.opening_key(key.id, now).is_ok(), key.state.opens());
            }
            let rank = |state: KeyState| match state {
                KeyState::Pending => 0,
                KeyState::Current => 1,
                KeyState::Accepted => 2,
                KeyState::Retired => 3,
                KeyState::Revoked => 4,
            };
            for (id, before) in &last {
                let state = keys.iter().find(|key| key.id == *id).map_or(KeyState::Revoked, |key| key.state);
                prop_assert!(rank(state) >= rank(*before), "{} from {} to {}", id, before, state);
            }
            last = keys.iter().map(|key| (key.id, key.state)).collect();
            let again = KeyRing::from_jwk_set(&ring.to_jwk_set(), RotationPolicy::default()).expect("our own");
            prop_assert_eq!(again.list(now), keys);
        }
    }
}

fn on_disk() -> (tempfile::TempDir, PathBuf, KeyRing) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("there").join("keys.json");
    let ring = KeyRing::init(&path, RotationPolicy::default(), start(), &SystemRandom).expect("made");
    (folder, path, ring)
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

/// Replaces the content as an editor would: the file keeps its mode.
fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("ours");
}

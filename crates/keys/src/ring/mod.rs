//! A ring of keys: one seals, several open, all age.

mod jwk_set;
mod key_id;
mod key_set;
mod policy;

pub use key_id::KeyId;
pub use key_set::KeyState;
pub use policy::RotationPolicy;

use crate::private_file::{PrivateFile, Stamp};
use crate::{Aes256Gcm, Error, SecureRandom, seal};
use arc_swap::ArcSwap;
use handstamp_time::Timestamp;
use key_set::{KeySet, Withdrawal};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// The keys that session tokens are sealed with: one current, some still accepted, one perhaps to come.
///
/// What a key does follows from its times, the [`RotationPolicy`] and the time now, so all nodes that share the keys agree
/// without talking to each other:
///
/// ```text
///  created ── pending ──► current_from ── current ──► successor's current_from ── accepted ──► + accept_for: retired
///             (opens)                 (seals, opens)                              (opens)         or revoked any time
/// ```
///
/// A rotation on any node adds a pending key; the lead time is for the others to read it (SM-46). Reading is lock-free.
/// Time and randomness are passed in. The file is a JWK Set (RFC 7517), readable by its owner only.
///
/// ```
/// use handstamp_keys::{DeterministicRandom, KeyRing, KeyState, RotationPolicy};
/// use handstamp_time::Timestamp;
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keys.json");
/// let random = DeterministicRandom::new(1); // SystemRandom outside of tests
/// let start: Timestamp = "2030-01-01T00:00:00Z".parse()?;
/// let ring = KeyRing::init(&path, RotationPolicy::default(), start, &random)?;
///
/// // Seal a token. It carries the key's id and the nonce.
/// let key = ring.sealing_key(start)?;
/// let (id, nonce) = (key.id(), [7; 12]);
/// let mut token = b"claims".to_vec();
/// key.seal_in_place(&nonce, b"cookie name", &mut token)?;
///
/// // A day later the regular upkeep rotates; after two more minutes the new key seals, the old one still opens.
/// let next_day = start.saturating_add(Duration::from_secs(24 * 3600));
/// assert!(ring.upkeep(next_day, &random)?.rotated.is_some());
/// let later = next_day.saturating_add(Duration::from_secs(120));
/// assert_ne!(ring.sealing_key(later)?.id(), id);
/// let opening = ring.opening_key(id, later)?;
/// assert_eq!(opening.state(), KeyState::Accepted);
/// assert_eq!(opening.open_in_place(&nonce, b"cookie name", &mut token.clone())?, b"claims");
///
/// // When no token sealed with it can be valid any more, the key is retired by itself.
/// let next_evening = later.saturating_add(Duration::from_secs(11 * 3600));
/// assert!(ring.opening_key(id, next_evening).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyRing {
    policy: RotationPolicy,
    file: Option<PrivateFile>,
    snapshot: ArcSwap<Snapshot>,
    /// Held by whoever changes the ring within this process.
    change: Mutex<()>,
}

impl KeyRing {
    /// Makes a new key file with one key, current at once.
    ///
    /// # Errors
    /// [`Error::KeyFileExists`], [`Error::File`], [`Error::RandomUnavailable`].
    pub fn init(path: &Path, policy: RotationPolicy, now: Timestamp, random: &dyn SecureRandom) -> Result<Self, Error> {
        let mut set = KeySet::default();
        set.rotate(Duration::ZERO, &policy, now, random)?;
        let file = PrivateFile::new(path);
        let stamp = file.create(&jwk_set::write(&set))?;
        Self::new(set, policy, Some((file, stamp)))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`Error::File`] when there is none, [`Error::KeyFileExposed`] when others may read it, [`Error::KeyFileMalformed`].
    pub fn open(path: &Path, policy: RotationPolicy) -> Result<Self, Error> {
        let file = PrivateFile::new(path);
        let (json, stamp) = file.read()?;
        let set = parse(&file, &json)?;
        Self::new(set, policy, Some((file, stamp)))
    }

    /// A ring without a file, with one key: its tokens die with the process, unless [`Self::to_jwk_set`] is kept.
    ///
    /// # Errors
    /// [`Error::RandomUnavailable`].
    pub fn in_memory(policy: RotationPolicy, now: Timestamp, random: &dyn SecureRandom) -> Result<Self, Error> {
        let mut set = KeySet::default();
        set.rotate(Duration::ZERO, &policy, now, random)?;
        Self::new(set, policy, None)
    }

    /// A ring without a file from a JWK Set that is kept elsewhere, such as in a shared store.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when it is no set of `A256GCM` keys.
    pub fn from_jwk_set(json: &[u8], policy: RotationPolicy) -> Result<Self, Error> {
        Self::new(jwk_set::parse(json).map_err(Error::UnusableKey)?, policy, None)
    }

    fn new(set: KeySet, policy: RotationPolicy, file: Option<(PrivateFile, Stamp)>) -> Result<Self, Error> {
        let (file, stamp) = file.unzip();
        let snapshot = Snapshot::new(set, stamp, &[])?;
        Ok(Self { policy, file, snapshot: ArcSwap::from_pointee(snapshot), change: Mutex::new(()) })
    }

    /// Adds a key that becomes current after the policy's lead time, and returns its id.
    ///
    /// If one is pending already, nothing is added, and its id is returned.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::KeyFileExposed`], [`Error::KeyFileMalformed`], [`Error::RandomUnavailable`]; the ring and its
    /// file are then as before.
    pub fn rotate(&self, now: Timestamp, random: &dyn SecureRandom) -> Result<KeyId, Error> {
        self.update(|set| set.rotate(self.policy.lead_time, &self.policy, now, random))
    }

    /// Adds a key, or takes the pending one, and makes it current at once. Nodes that share the file refuse its tokens until
    /// they have read it.
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub fn rotate_now(&self, now: Timestamp, random: &dyn SecureRandom) -> Result<KeyId, Error> {
        self.update(|set| set.rotate(Duration::ZERO, &self.policy, now, random))
    }

    /// Ends a key before its time. If it is current, another one takes over at once.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], and as [`Self::rotate`].
    pub fn retire(&self, id: KeyId, now: Timestamp, random: &dyn SecureRandom) -> Result<(), Error> {
        self.update(|set| set.withdraw(id, Withdrawal::Retire, &self.policy, now, random))
    }

    /// Declares a key unsafe: whoever holds a token of it signs in again. If it is current, another one takes over at once.
    ///
    /// # Errors
    /// As [`Self::retire`].
    pub fn revoke(&self, id: KeyId, now: Timestamp, random: &dyn SecureRandom) -> Result<(), Error> {
        self.update(|set| set.withdraw(id, Withdrawal::Revoke, &self.policy, now, random))
    }

    /// What is to be done regularly, say once a minute: reads the file if it changed, writes down how many tokens were
    /// sealed, and rotates when age or number demand it. Several processes may do so at once; one of them rotates.
    ///
    /// # Errors
    /// As [`Self::rotate`]. The ring goes on with the keys it has: log the error and try again.
    pub fn upkeep(&self, now: Timestamp, random: &dyn SecureRandom) -> Result<Upkeep, Error> {
        let reloaded = self.reload()?;
        let snapshot = self.snapshot.load();
        let counted = |key: &Arc<RingKey>| key.unwritten.load(Ordering::Relaxed) >= COUNT_STEP;
        let due = |set: &KeySet| set.rotation_due(&self.policy, now);
        if !snapshot.keys.iter().any(counted) && due(&snapshot.counted_set()).is_none() {
            return Ok(Upkeep { reloaded, rotated: None });
        }
        let rotated = self.update(|set| match due(set) {
            Some(lead_time) => set.rotate(lead_time, &self.policy, now, random).map(Some),
            None => Ok(None),
        })?;
        Ok(Upkeep { reloaded, rotated })
    }

    /// Reads the file again if another process replaced it. Returns whether it did. Without a file: false.
    ///
    /// # Errors
    /// As [`Self::open`]. The ring goes on with the keys it has.
    pub fn reload(&self) -> Result<bool, Error> {
        let Some(file) = &self.file else { return Ok(false) };
        if self.snapshot.load().stamp == Some(file.stamp()?) {
            return Ok(false);
        }
        let _change = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let (json, stamp) = file.read()?;
        let set = parse(file, &json)?;
        let known = self.snapshot.load();
        self.snapshot.store(Arc::new(Snapshot::new(set, Some(stamp), &known.keys)?));
        Ok(true)
    }

    /// The key that seals now.
    ///
    /// # Errors
    /// [`Error::NoCurrentKey`], [`Error::KeyExhausted`].
    pub fn sealing_key(&self, now: Timestamp) -> Result<SealingKey, Error> {
        let snapshot = self.snapshot.load();
        let key = snapshot.set.current(now).and_then(|index| snapshot.keys.get(index)).ok_or(Error::NoCurrentKey)?;
        if key.seals() >= self.policy.max_seals {
            return Err(Error::KeyExhausted(key.id));
        }
        Ok(SealingKey { key: Arc::clone(key), max_seals: self.policy.max_seals })
    }

    /// The key that a token names, if it opens tokens now.
    ///
    /// After [`Error::UnknownKey`] it may help to [`Self::reload`] once and ask again: another node may just have rotated.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], [`Error::KeyWithdrawn`].
    pub fn opening_key(&self, id: KeyId, now: Timestamp) -> Result<OpeningKey, Error> {
        let snapshot = self.snapshot.load();
        // Newest first: most tokens are young.
        let index = snapshot.keys.iter().rposition(|key| key.id == id).ok_or(Error::UnknownKey(id))?;
        let state = snapshot.set.state(index, &self.policy, now);
        match snapshot.keys.get(index) {
            Some(key) if state.opens() => Ok(OpeningKey { key: Arc::clone(key), state }),
            _ => Err(Error::KeyWithdrawn { id, state }),
        }
    }

    /// All keys with their states at `now`, in the order in which they become current. Without secrets.
    pub fn list(&self, now: Timestamp) -> Vec<KeyInfo> {
        let snapshot = self.snapshot.load();
        let records = snapshot.set.keys.iter().zip(&snapshot.keys).enumerate();
        records
            .map(|(index, (record, key))| {
                let current_until = snapshot.set.current_until(index);
                KeyInfo {
                    id: record.id,
                    state: snapshot.set.state(index, &self.policy, now),
                    created: record.created,
                    current_from: record.current_from,
                    current_until,
                    accepted_until: current_until.map(|until| until.saturating_add(self.policy.accept_for)),
                    withdrawn: record.retired.into_iter().chain(record.revoked).min(),
                    seals: key.seals(),
                }
            })
            .collect()
    }

    /// The keys as a JWK Set, **secrets included**: for keeping them in a store that encrypts.
    pub fn to_jwk_set(&self) -> Zeroizing<Vec<u8>> {
        jwk_set::write(&self.snapshot.load().counted_set())
    }

    /// The policy this ring was opened with.
    pub fn policy(&self) -> &RotationPolicy {
        &self.policy
    }

    /// Changes the keys as they are on file now, writes them, and only then shows them to this process.
    fn update<T>(&self, change: impl FnOnce(&mut KeySet) -> Result<T, Error>) -> Result<T, Error> {
        let _change = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = self.file.as_ref().map(PrivateFile::lock).transpose()?;
        let known = self.snapshot.load();
        let mut set = match &self.file {
            Some(file) => parse(file, &file.read()?.0)?,
            None => known.set.clone(),
        };
        let counts: Vec<u64> = known.keys.iter().map(|key| key.unwritten.load(Ordering::Relaxed)).collect();
        for (key, count) in known.keys.iter().zip(&counts) {
            if let Some(record) = set.keys.iter_mut().find(|record| record.id == key.id) {
                record.seals = record.seals.saturating_add(*count);
            }
        }
        let outcome = change(&mut set)?;
        let stamp = match (&self.file, &lock) {
            (Some(file), Some(lock)) => Some(file.replace(&jwk_set::write(&set), lock)?),
            _ => None,
        };
        let snapshot = Snapshot::new(set, stamp, &known.keys)?;
        for (key, count) in known.keys.iter().zip(&counts) {
            key.unwritten.fetch_sub(*count, Ordering::Relaxed);
        }
        self.snapshot.store(Arc::new(snapshot));
        Ok(outcome)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<KeyId> = self.snapshot.load().keys.iter().map(|key| key.id).collect();
        f.debug_struct("KeyRing")
            .field("file", &self.file.as_ref().map(PrivateFile::path))
            .field("keys", &ids)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// A key of a ring, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The id that tokens carry.
    pub id: KeyId,
    /// What the key does now.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it seals.
    pub current_from: Timestamp,
    /// When its successor takes over; none while there is no successor.
    pub current_until: Option<Timestamp>,
    /// Until when it opens tokens; none while there is no successor.
    pub accepted_until: Option<Timestamp>,
    /// When an operator retired or revoked it.
    pub withdrawn: Option<Timestamp>,
    /// How many tokens it sealed, as far as this process knows.
    pub seals: u64,
}

/// What [`KeyRing::upkeep`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upkeep {
    /// Whether another process had changed the file.
    pub reloaded: bool,
    /// The new key, if rotation was due.
    pub rotated: Option<KeyId>,
}

/// The current key of a ring, ready to seal.
#[derive(Debug, Clone)]
pub struct SealingKey {
    key: Arc<RingKey>,
    max_seals: u64,
}

impl SealingKey {
    /// The id to put into the token.
    pub fn id(&self) -> KeyId {
        self.key.id
    }

    /// Encrypts `message` and appends the tag; see [`Aes256Gcm::seal_in_place`].
    ///
    /// # Errors
    /// [`Error::KeyExhausted`], [`Error::Misuse`].
    pub fn seal_in_place(&self, nonce: &[u8; seal::NONCE_LEN], aad: &[u8], message: &mut Vec<u8>) -> Result<(), Error> {
        self.key.count(self.max_seals)?;
        self.key.aead.seal_in_place(nonce, aad, message)
    }

    /// Encrypts `message` and returns the tag; see [`Aes256Gcm::seal_separate_tag`].
    ///
    /// # Errors
    /// [`Error::KeyExhausted`], [`Error::Misuse`].
    pub fn seal_separate_tag(
        &self,
        nonce: &[u8; seal::NONCE_LEN],
        aad: &[u8],
        message: &mut [u8],
    ) -> Result<[u8; seal::TAG_LEN], Error> {
        self.key.count(self.max_seals)?;
        self.key.aead.seal_separate_tag(nonce, aad, message)
    }
}

/// The key of a ring that a token names, ready to open it.
#[derive(Debug, Clone)]
pub struct OpeningKey {
    key: Arc<RingKey>,
    state: KeyState,
}

impl OpeningKey {
    /// The id that the token carries.
    pub fn id(&self) -> KeyId {
        self.key.id
    }

    /// Pending, current or accepted.
    pub fn state(&self) -> KeyState {
        self.state
    }

    /// Checks and decrypts `sealed` in place; see [`Aes256Gcm::open_in_place`].
    ///
    /// # Errors
    /// [`Error::Unauthentic`].
    pub fn open_in_place<'a>(
        &self,
        nonce: &[u8; seal::NONCE_LEN],
        aad: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        self.key.aead.open_in_place(nonce, aad, sealed)
    }
}

/// What readers see: replaced as a whole, never changed.
struct Snapshot {
    set: KeySet,
    /// The expanded keys of `set`, in its order.
    keys: Vec<Arc<RingKey>>,
    stamp: Option<Stamp>,
}

impl Snapshot {
    /// Keys that are `known` are taken over with their counts, and without expanding them again.
    fn new(set: KeySet, stamp: Option<Stamp>, known: &[Arc<RingKey>]) -> Result<Self, Error> {
        let expand = |record: &key_set::KeyRecord| {
            let known = known.iter().find(|key| key.id == record.id && key.secret == record.secret);
            if let Some(key) = known {
                key.written.fetch_max(record.seals, Ordering::Relaxed);
                return Ok(Arc::clone(key));
            }
            Ok(Arc::new(RingKey {
                id: record.id,
                aead: Aes256Gcm::new(&record.secret)?,
                secret: record.secret.clone(),
                written: AtomicU64::new(record.seals),
                unwritten: AtomicU64::new(0),
            }))
        };
        let keys = set.keys.iter().map(expand).collect::<Result<_, Error>>()?;
        Ok(Self { set, keys, stamp })
    }

    /// The set with what this process sealed since it was written.
    fn counted_set(&self) -> KeySet {
        let mut set = self.set.clone();
        set.keys.iter_mut().zip(&self.keys).for_each(|(record, key)| record.seals = key.seals());
        set
    }
}

/// One expanded key. It outlives the snapshots it is in.
#[derive(Debug)]
struct RingKey {
    id: KeyId,
    aead: Aes256Gcm,
    secret: crate::SymmetricKey,
    /// Tokens sealed by all processes, as of the last file read or written.
    written: AtomicU64,
    /// Tokens sealed by this process since it last wrote the file.
    unwritten: AtomicU64,
}

impl RingKey {
    fn seals(&self) -> u64 {
        self.written.load(Ordering::Relaxed).saturating_add(self.unwritten.load(Ordering::Relaxed))
    }

    fn count(&self, max_seals: u64) -> Result<(), Error> {
        let unwritten = self.unwritten.fetch_add(1, Ordering::Relaxed);
        if self.written.load(Ordering::Relaxed).saturating_add(unwritten) < max_seals {
            return Ok(());
        }
        self.unwritten.fetch_sub(1, Ordering::Relaxed);
        Err(Error::KeyExhausted(self.id))
    }
}

fn parse(file: &PrivateFile, json: &[u8]) -> Result<KeySet, Error> {
    jwk_set::parse(json).map_err(|problem| Error::KeyFileMalformed { path: file.path().into(), problem })
}

/// Counts are written to the file in steps. What a crash forgets is small against the half of `max_seals` at which rotation
/// is due.
const COUNT_STEP: u64 = 1 << 20;

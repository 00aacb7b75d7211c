//! Ending self-contained sessions before their time (SM-13).

use crate::{ContextId, Error, IssuerSession, SessionSecurityToken, SubjectId};
use async_trait::async_trait;
use handstamp_keys::sha256;
use handstamp_time::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// One thing that is no longer accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Revocation {
    /// What.
    pub target: RevocationTarget,
    /// Until when it must be remembered: the end of the last session it can concern, clock skew included.
    pub expires: Timestamp,
}

/// What is revoked. Targets are digests: a list of revocations names nobody.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevocationTarget {
    /// The token with this [context id](ContextId::digest).
    Session([u8; 32]),
    /// All tokens that go back to one sign-in, however often the session slid since.
    SignIn([u8; 32]),
    /// All tokens that go back to one session of the user at the issuer, by its [digest](crate::IssuerSession::digest).
    IssuerSession([u8; 32]),
    /// All sessions of a subject that began at or before an instant, the *epoch*: "sign out everywhere".
    Subject {
        /// Whose.
        subject: SubjectId,
        /// Sessions signed in at this instant or earlier are over.
        signed_in_until: Timestamp,
    },
}

impl Revocation {
    /// Revokes the token with this context id.
    pub fn session(context_id: &ContextId, expires: Timestamp) -> Self {
        Self { target: RevocationTarget::Session(context_id.digest()), expires }
    }

    /// Revokes all sessions of a subject that began at or before `signed_in_until`.
    pub fn subject(subject: SubjectId, signed_in_until: Timestamp, expires: Timestamp) -> Self {
        Self { target: RevocationTarget::Subject { subject, signed_in_until }, expires }
    }

    /// Revokes all tokens that go back to the session that `issuer` calls `session_index`.
    pub fn issuer_session(issuer: &str, session_index: &str, expires: Timestamp) -> Self {
        Self { target: RevocationTarget::IssuerSession(IssuerSession::digest_of(issuer, session_index)), expires }
    }

    /// What a sign-out has to revoke: the token, and every token that a parallel request may have made of it by sliding.
    ///
    /// They are remembered until the absolute expiry of the session plus `skew`.
    pub fn of_sign_out(token: &SessionSecurityToken, skew: Duration) -> Vec<Self> {
        let expires = token.absolute_expiry().max(token.valid_to()).saturating_add(skew);
        let sign_in = sign_in_digest(token).map(|digest| Self { target: RevocationTarget::SignIn(digest), expires });
        std::iter::once(Self::session(token.context_id(), expires)).chain(sign_in).collect()
    }
}

impl fmt::Debug for RevocationTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |digest: &[u8; 32]| digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::Session(digest) => write!(f, "Session(#{})", short(digest)),
            Self::SignIn(digest) => write!(f, "SignIn(#{})", short(digest)),
            Self::IssuerSession(digest) => write!(f, "IssuerSession(#{})", short(digest)),
            Self::Subject { subject, signed_in_until } => write!(f, "Subject({subject:?} until {signed_in_until})"),
        }
    }
}

/// What is revoked, in memory: asked for every request, so it never does I/O.
///
/// It is bounded, and it never forgets silently: when it is full, revoking fails. An empty list costs nothing to ask; a
/// filled one costs two or three digests.
pub struct RevocationList {
    shards: Box<[RwLock<HashMap<RevokedDigest, Timestamp>>]>,
    epochs: RwLock<HashMap<SubjectId, Epoch>>,
    capacity: usize,
    digests: AtomicUsize,
    subjects: AtomicUsize,
    /// When room was last made, in ticks.
    purged_at: AtomicI64,
}

#[derive(PartialEq, Eq, Hash, Clone, Copy)]
enum RevokedDigest {
    Session([u8; 32]),
    SignIn([u8; 32]),
    IssuerSession([u8; 32]),
}

#[derive(Clone, Copy)]
struct Epoch {
    signed_in_until: Timestamp,
    expires: Timestamp,
}

impl RevocationList {
    /// How many revocations a list takes by default: about 20 MB of memory when full.
    pub const DEFAULT_CAPACITY: usize = 200_000;

    /// An empty list of [`Self::DEFAULT_CAPACITY`].
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// An empty list that takes `capacity` revocations.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            epochs: RwLock::default(),
            capacity,
            digests: AtomicUsize::new(0),
            subjects: AtomicUsize::new(0),
            purged_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Adds a revocation, or extends the one that is there.
    ///
    /// # Errors
    /// [`Error::RevocationListFull`] when there is no room, even without what had expired a second ago.
    pub fn apply(&self, revocation: &Revocation, now: Timestamp) -> Result<(), Error> {
        if revocation.expires < now {
            return Ok(());
        }
        if self.len() >= self.capacity && !self.make_room(now) && !self.contains(&revocation.target) {
            return Err(Error::RevocationListFull { capacity: self.capacity });
        }
        match revocation.target {
            RevocationTarget::Session(digest) => self.deny(RevokedDigest::Session(digest), revocation.expires),
            RevocationTarget::SignIn(digest) => self.deny(RevokedDigest::SignIn(digest), revocation.expires),
            RevocationTarget::IssuerSession(digest) => {
                self.deny(RevokedDigest::IssuerSession(digest), revocation.expires);
            }
            RevocationTarget::Subject { subject, signed_in_until } => {
                let mut epochs = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
                let epoch = epochs.entry(subject).or_insert(Epoch { signed_in_until, expires: revocation.expires });
                epoch.signed_in_until = epoch.signed_in_until.max(signed_in_until);
                epoch.expires = epoch.expires.max(revocation.expires);
                self.subjects.store(epochs.len(), Ordering::Release);
            }
        }
        Ok(())
    }

    /// Whether a token was revoked.
    pub fn is_revoked(&self, token: &SessionSecurityToken) -> bool {
        self.is_denied(token) || self.is_before_epoch(token)
    }

    /// Forgets what has expired and tells how much that was.
    pub fn purge(&self, now: Timestamp) -> usize {
        let mut dropped = 0;
        for shard in &self.shards {
            let mut denied = shard.write().unwrap_or_else(PoisonError::into_inner);
            let before = denied.len();
            denied.retain(|_, expires| *expires >= now);
            dropped += before - denied.len();
        }
        self.digests.fetch_sub(dropped, Ordering::Release);
        let mut epochs = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
        let before = epochs.len();
        epochs.retain(|_, epoch| epoch.expires >= now);
        self.subjects.store(epochs.len(), Ordering::Release);
        dropped + before - epochs.len()
    }

    /// How many revocations there are.
    pub fn len(&self) -> usize {
        self.digests.load(Ordering::Acquire) + self.subjects.load(Ordering::Acquire)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what has expired, and tells whether that was anything. It locks out every request that asks, so a full list is looked
    /// through once in a second at most, however many revocations come.
    fn make_room(&self, now: Timestamp) -> bool {
        let before = self.purged_at.load(Ordering::Acquire);
        let soonest = now.saturating_sub(PURGE_INTERVAL).ticks();
        let is_first = before <= soonest
            && self.purged_at.compare_exchange(before, now.ticks(), Ordering::AcqRel, Ordering::Acquire).is_ok();
        is_first && self.purge(now) > 0
    }

    fn deny(&self, digest: RevokedDigest, expires: Timestamp) {
        let mut denied = self.shard(&digest).write().unwrap_or_else(PoisonError::into_inner);
        let before = denied.len();
        let until = denied.entry(digest).or_insert(expires);
        *until = (*until).max(expires);
        self.digests.fetch_add(denied.len() - before, Ordering::Release);
    }

    fn contains(&self, target: &RevocationTarget) -> bool {
        match target {
            RevocationTarget::Session(digest) => self.denies(&RevokedDigest::Session(*digest)),
            RevocationTarget::SignIn(digest) => self.denies(&RevokedDigest::SignIn(*digest)),
            RevocationTarget::IssuerSession(digest) => self.denies(&RevokedDigest::IssuerSession(*digest)),
            RevocationTarget::Subject { subject, .. } => {
                self.epochs.read().unwrap_or_else(PoisonError::into_inner).contains_key(subject)
            }
        }
    }

    fn is_denied(&self, token: &SessionSecurityToken) -> bool {
        let issuer_session = || token.issuer_session().and_then(IssuerSession::digest);
        self.digests.load(Ordering::Acquire) > 0
            && (self.denies(&RevokedDigest::Session(token.context_id().digest()))
                || sign_in_digest(token).is_some_and(|digest| self.denies(&RevokedDigest::SignIn(digest)))
                || issuer_session().is_some_and(|digest| self.denies(&RevokedDigest::IssuerSession(digest))))
    }

    fn is_before_epoch(&self, token: &SessionSecurityToken) -> bool {
        self.subjects.load(Ordering::Acquire) > 0
            && token.subject().is_some_and(|subject| {
                let epochs = self.epochs.read().unwrap_or_else(PoisonError::into_inner);
                epochs.get(&subject).is_some_and(|epoch| token.signed_in_at() <= epoch.signed_in_until)
            })
    }

    fn denies(&self, digest: &RevokedDigest) -> bool {
        self.shard(digest).read().unwrap_or_else(PoisonError::into_inner).contains_key(digest)
    }

    fn shard(&self, digest: &RevokedDigest) -> &RwLock<HashMap<RevokedDigest, Timestamp>> {
        let (RevokedDigest::Session(bytes) | RevokedDigest::SignIn(bytes) | RevokedDigest::IssuerSession(bytes)) =
            digest;
        &self.shards[usize::from(bytes[0]) % SHARDS]
    }
}

impl Default for RevocationList {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList").field("len", &self.len()).field("capacity", &self.capacity).finish()
    }
}

/// Where revocations are kept, and how they reach the other nodes.
#[async_trait]
pub trait RevocationStore: Send + Sync {
    /// Keeps a revocation until it expires.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn publish(&self, revocation: &Revocation, now: Timestamp) -> Result<(), Error>;

    /// The revocations that were published after a position, oldest first, and the position after them. From
    /// [`RevocationCursor::START`] it returns all that have not expired.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn changes_since(
        &self,
        cursor: RevocationCursor,
        now: Timestamp,
    ) -> Result<(Vec<Revocation>, RevocationCursor), Error>;

    /// Forgets what has expired and tells how much that was.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn purge_revocations(&self, now: Timestamp) -> Result<usize, Error>;
}

/// A position in the sequence of revocations of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevocationCursor(pub u64);

impl RevocationCursor {
    /// Before the first revocation.
    pub const START: Self = Self(0);
}

/// A [`RevocationList`] kept in step with a [`RevocationStore`].
///
/// Somebody calls [`poll`](Self::poll) about once a second; revocations of this node take effect at once.
pub struct ReplicatedRevocations {
    list: Arc<RevocationList>,
    store: Arc<dyn RevocationStore>,
    cursor: Mutex<RevocationCursor>,
}

impl ReplicatedRevocations {
    /// Joins a list and a store. Call [`poll`](Self::poll) before serving the first request.
    pub fn new(list: Arc<RevocationList>, store: Arc<dyn RevocationStore>) -> Self {
        Self { list, store, cursor: Mutex::new(RevocationCursor::START) }
    }

    /// The list, to be asked.
    pub fn list(&self) -> &Arc<RevocationList> {
        &self.list
    }

    /// Revokes here at once, and everywhere through the store.
    ///
    /// # Errors
    /// [`Error::Store`] when the store failed: the other nodes do not know, so the caller has to say so.
    /// [`Error::RevocationListFull`].
    pub async fn revoke(&self, revocations: &[Revocation], now: Timestamp) -> Result<(), Error> {
        let mut applied = Ok(());
        for revocation in revocations {
            applied = applied.and(self.list.apply(revocation, now));
        }
        for revocation in revocations {
            self.store.publish(revocation, now).await?;
        }
        applied
    }

    /// Takes over what was revoked elsewhere and tells how many revocations that were.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::RevocationListFull`], in which case the next call tries again.
    pub async fn poll(&self, now: Timestamp) -> Result<usize, Error> {
        let from = *self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let (changes, to) = self.store.changes_since(from, now).await?;
        for change in &changes {
            self.list.apply(change, now)?;
        }
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        *cursor = (*cursor).max(to);
        Ok(changes.len())
    }
}

impl fmt::Debug for ReplicatedRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicatedRevocations").field("list", &self.list).finish_non_exhaustive()
    }
}

/// Sliding changes the context id; subject and instant of the sign-in stay.
fn sign_in_digest(token: &SessionSecurityToken) -> Option<[u8; 32]> {
    let mut input = b"handstamp sign-in v1".to_vec();
    input.extend_from_slice(token.subject()?.as_bytes());
    input.extend_from_slice(&token.signed_in_at().ticks().to_be_bytes());
    Some(sha256(&input))
}

const SHARDS: usize = 16;
/// How often a full list is looked through for what has expired.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

//! How long something may last that was begun in a session: a WebSocket, a stream of events.
//!
//! Requests make a session slide, and what was begun in it sees none of them. So requests tell [`SessionEnds`] what they bring, as
//! far as something lasts in their session.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use handstamp_claims::ArcStr;
use handstamp_session_token::{RevocationList, SessionSecurityToken, SessionTokenCacheKey, SubjectId};
use handstamp_time::Timestamp;
use handstamp_web_session::SessionModule;

/// Until when the sessions last in which something goes on: as large as there are such sessions, and not asked while there are none.
#[derive(Default)]
pub(super) struct SessionEnds {
    count: AtomicUsize,
    known: Mutex<HashMap<SignIn, End>>,
}

/// A session, however often it slid: a new token has another context id.
#[derive(Clone, PartialEq, Eq, Hash)]
struct SignIn {
    subject: SubjectId,
    at: Timestamp,
    /// Tells browsers of one user apart, and relying parties.
    context: Option<ArcStr>,
}

struct End {
    at: Timestamp,
    /// How much goes on in the session.
    followers: usize,
}

impl SessionEnds {
    /// Notes how long the session of a request lasts.
    pub(super) fn note(&self, token: &SessionSecurityToken) {
        if self.count.load(Ordering::Acquire) > 0
            && let Some(sign_in) = SignIn::of(token)
            && let Some(end) = self.known().get_mut(&sign_in)
        {
            end.at = end.at.max(token.valid_to());
        }
    }

    fn follow(&self, sign_in: &SignIn, at: Timestamp) {
        let mut known = self.known();
        let end = known.entry(sign_in.clone()).or_insert(End { at, followers: 0 });
        end.followers += 1;
        end.at = end.at.max(at);
        self.count.store(known.len(), Ordering::Release);
    }

    fn leave(&self, sign_in: SignIn) {
        let mut known = self.known();
        if let Entry::Occupied(mut end) = known.entry(sign_in) {
            end.get_mut().followers -= 1;
            if end.get().followers == 0 {
                end.remove();
            }
        }
        self.count.store(known.len(), Ordering::Release);
    }

    fn of(&self, sign_in: &SignIn) -> Option<Timestamp> {
        self.known().get(sign_in).map(|end| end.at)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SignIn, End>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SignIn {
    /// None where no claim tells whose session it is.
    fn of(token: &SessionSecurityToken) -> Option<Self> {
        Some(Self { subject: token.subject()?, at: token.signed_in_at(), context: token.context().cloned() })
    }
}

/// The session that something was begun in.
pub(super) struct SessionLife {
    token: Arc<SessionSecurityToken>,
    sign_in: Option<SignIn>,
    module: Arc<SessionModule>,
    revocations: Arc<RevocationList>,
    ends: Arc<SessionEnds>,
}

impl SessionLife {
    /// Of the session with this token, among those of `module`.
    pub(super) fn new(
        token: Arc<SessionSecurityToken>,
        module: Arc<SessionModule>,
        revocations: Arc<RevocationList>,
        ends: Arc<SessionEnds>,
    ) -> Self {
        let sign_in = SignIn::of(&token);
        if let Some(sign_in) = &sign_in {
            ends.follow(sign_in, token.valid_to());
        }
        Self { token, sign_in, module, revocations, ends }
    }

    /// When the session has ended by its time, or was revoked.
    pub(super) fn over(self) -> SessionOver {
        SessionOver(Some(Box::pin(async move {
            let mut end = self.token.valid_to();
            while self.goes_on(&mut end).await {
                tokio::time::sleep(LOOK).await;
            }
        })))
    }

    async fn goes_on(&self, end: &mut Timestamp) -> bool {
        if self.revocations.is_revoked(&self.token) {
            return false;
        }
        let now = self.module.now();
        if now > *end {
            let latest = self.sign_in.as_ref().and_then(|sign_in| self.ends.of(sign_in));
            *end = latest.unwrap_or(*end);
        }
        if now > *end {
            // It may have slid at another node.
            *end = self.end_in_store(now).await.unwrap_or(*end);
        }
        now <= *end
    }

    async fn end_in_store(&self, now: Timestamp) -> Option<Timestamp> {
        let cache = self.module.cache().filter(|_| self.token.is_reference_mode())?;
        let found = cache.get(&SessionTokenCacheKey::of(&self.token), now).await;
        let found = found.inspect_err(|error| {
            tracing::error!(code = error.code(), %error, "nobody knows whether a session goes on: what lasts in it ends");
        });
        found.ok()?.map(|cached| cached.token.valid_to())
    }
}

impl Drop for SessionLife {
    fn drop(&mut self) {
        if let Some(sign_in) = self.sign_in.take() {
            self.ends.leave(sign_in);
        }
    }
}

/// Waits for the end of a session. Once that has come it stays.
pub(super) struct SessionOver(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Future for SessionOver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(over) = &mut self.0 else { return Poll::Ready(()) };
        std::task::ready!(over.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(())
    }
}

impl fmt::Debug for SessionLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLife").finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionOver").finish_non_exhaustive()
    }
}

/// How often it is looked: as often as revocations of other processes are taken over.
const LOOK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
    use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
    use handstamp_session_token::native::NativeFormat;
    use handstamp_session_token::{MruCache, NewEntry, Revocation, SessionSecurityTokenHandler, SessionTokenCache};
    use handstamp_time::{Clock, VirtualClock};

    const IDLE: Duration = Duration::from_secs(10);

    struct Place {
        clock: Arc<VirtualClock>,
        module: Arc<SessionModule>,
        cache: Arc<MruCache>,
        revocations: Arc<RevocationList>,
        ends: Arc<SessionEnds>,
    }

    impl Place {
        fn new() -> Self {
            let clock = Arc::new(VirtualClock::new(Timestamp::from_unix_seconds(1_700_000_000).unwrap()));
            let ring = KeyRing::in_memory(RotationPolicy::default(), clock.now(), &SystemRandom).unwrap();
            let revocations = Arc::new(RevocationList::new());
            let tokens = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(Arc::new(ring))))
                .audience("urn:shop")
                .revocations(Arc::clone(&revocations))
                .build()
                .unwrap();
            let cache = Arc::new(MruCache::new());
            let module = SessionModule::builder(tokens).cache(Arc::clone(&cache) as _).clock(Arc::clone(&clock) as _);
            Self { clock, module: Arc::new(module.build().unwrap()), cache, revocations, ends: Arc::default() }
        }

        fn token(&self, name: &str, reference: bool) -> SessionSecurityToken {
            let claim = Claim::new(claim_types::NAME, name);
            let now = self.clock.now();
            SessionSecurityToken::builder(ClaimsIdentity::new("Password").with_claim(claim).into())
                .lifetime(IDLE)
                .idle_timeout(IDLE)
                .absolute_expiry(now.saturating_add(100 * IDLE))
                .reference_mode(reference)
                .build(now, &SystemRandom)
                .unwrap()
        }

        fn slid(&self, token: &SessionSecurityToken, keeps_id: bool) -> SessionSecurityToken {
            let now = self.clock.now();
            let builder = if keeps_id { token.extend() } else { token.reissue() };
            builder.valid_from(now).valid_to(now.saturating_add(IDLE)).build(now, &SystemRandom).unwrap()
        }

        fn life(&self, token: &SessionSecurityToken) -> SessionLife {
            SessionLife::new(
                Arc::new(token.clone()),
                Arc::clone(&self.module),
                Arc::clone(&self.revocations),
                Arc::clone(&self.ends),
            )
        }

        async fn ends(&self, over: &mut SessionOver) -> bool {
            // Time is paused: what has to look looks now.
            tokio::time::timeout(3 * LOOK, over).await.is_ok()
        }
    }

    /// A session slides with its requests (SM-12), and what was begun in it goes on with it.
    #[tokio::test(start_paused = true)]
    async fn what_was_begun_in_a_session_lasts_as_long_as_requests_make_it_slide() {
        let place = Place::new();
        let (mut alice, bob) = (place.token("alice", false), place.token("bob", false));
        let (mut hers, mut his) = (place.life(&alice).over(), place.life(&bob).over());
        for _ in 0..4 {
            place.clock.advance(IDLE * 3 / 4);
            alice = place.slid(&alice, false);
            place.ends.note(&alice);
            assert!(!place.ends(&mut hers).await);
        }
        assert!(place.ends(&mut his).await, "his did not slide");
        place.clock.advance(IDLE * 5 / 4);
        assert!(place.ends(&mut hers).await);
        assert!(place.ends.known().is_empty(), "nothing is remembered of what has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_out_ends_it_after_slides_too() {
        let place = Place::new();
        let first = place.token("alice", false);
        let mut over = place.life(&first).over();
        place.clock.advance(IDLE / 2);
        let second = place.slid(&first, false);
        place.ends.note(&second);
        assert!(!place.ends(&mut over).await);
        let now = place.clock.now();
        for revocation in Revocation::of_sign_out(&second, Duration::ZERO) {
            place.revocations.apply(&revocation, now).unwrap();
        }
        assert!(place.ends(&mut over).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_store_knows_of_slides_at_other_nodes() {
        let place = Place::new();
        let token = place.token("alice", true);
        let key = SessionTokenCacheKey::of(&token);
        let mut over = place.life(&token).over();
        place.clock.advance(IDLE / 2);
        let entry = NewEntry::new(Arc::new(place.slid(&token, true)));
        place.cache.add_or_update(&key, entry, place.clock.now()).await.unwrap();
        place.clock.advance(IDLE * 3 / 4);
        assert!(!place.ends(&mut over).await);
        place.clock.advance(IDLE / 2);
        assert!(place.ends(&mut over).await);
    }
}

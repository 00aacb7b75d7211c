//! Contexts that the service alone remembers: pending and active sessions, their keys, and when they end (SC §11).

use crate::contexts::SessionInfo;
use crate::identity;
use handstamp_claims::ClaimsIdentity;
use handstamp_keys::SymmetricKey;
use handstamp_session_token::SessionSecurityToken;
use handstamp_time::Timestamp;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{ContextKey, LocalServiceSettings, SessionKeyError, SessionKeys};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The sessions of a stateless service: the only copy of their keys.
#[derive(Debug)]
pub(crate) struct StatelessContexts {
    limits: Limits,
    table: Mutex<Table>,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    max_sessions: usize,
    max_pending: usize,
    inactivity_timeout: Duration,
    receive_timeout: Option<Duration>,
    rollover_interval: Duration,
}

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<Arc<str>, Session>,
    pending: usize,
    swept: Option<Timestamp>,
}

#[derive(Debug)]
struct Session {
    issued: Timestamp,
    /// Who the bootstrap said it was, before claims were transformed: whoever renews has to be the same.
    bootstrap: Arc<[ClaimsIdentity]>,
    /// The last message; none while the session is pending.
    last_message: Option<Timestamp>,
    current: Arc<SessionKey>,
    /// The key before the current one, and until when it is accepted.
    previous: Option<(Arc<SessionKey>, Timestamp)>,
    /// Renewed keys that no message has used yet, oldest first.
    pending: Vec<Arc<SessionKey>>,
    renewals: u32,
    /// Messages that named the session and did not verify.
    failures: u32,
    /// Where it was asked for.
    address: Option<IpAddr>,
}

/// One key of a session.
#[derive(Debug)]
pub(crate) struct SessionKey {
    pub(crate) context: ContextKey,
    /// The session as whoever obtained the key opened it, or went on with it: the principal is made anew with each key.
    pub(crate) session: Arc<SessionSecurityToken>,
    pub(crate) expires: Timestamp,
}

/// The keys that a message may be protected with; none when there is no session.
#[derive(Debug, Default)]
pub(crate) struct KnownKeys {
    keys: Vec<Arc<SessionKey>>,
}

/// A session that has let a message in.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    pub(crate) token: Arc<SessionSecurityToken>,
    /// The current key, which protects the answer (finding 16).
    pub(crate) key: Arc<SessionKey>,
    /// Whether the key that protects the message has expired.
    pub(crate) is_expired: bool,
}

/// Why a key is not renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RenewalProblem {
    NoSession,
    NotActive,
    NotCurrent,
    AnotherCaller,
    TooManyPendingKeys,
}

/// How many renewed keys may wait to be used.
const MAX_PENDING_KEYS: usize = 5;
/// How many messages may name a session and not verify.
const MAX_FAILURES: u32 = 256;

impl StatelessContexts {
    pub(crate) fn new(settings: &LocalServiceSettings, receive_timeout: Option<Duration>, max_sessions: usize) -> Self {
        let limits = Limits {
            max_sessions,
            max_pending: settings.max_pending_sessions,
            inactivity_timeout: settings.inactivity_timeout,
            receive_timeout,
            rollover_interval: settings.session_key_rollover_interval,
        };
        Self { limits, table: Mutex::default() }
    }

    /// Whether one more session may wait for its first message: of one address they may be half of all, and two at least.
    pub(crate) fn has_room(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let mut table = self.table();
        if !table.has_room(&self.limits, address) {
            // What has timed out takes room until it is thrown out.
            table.sweep(&self.limits, now);
        }
        table.has_room(&self.limits, address)
    }

    /// Adds a session that waits for its first message. False when too many wait already.
    pub(crate) fn issue(&self, bootstrap: Arc<[ClaimsIdentity]>, key: SessionKey, address: Option<IpAddr>) -> bool {
        let mut table = self.table();
        if !table.has_room(&self.limits, address) {
            return false;
        }
        let identifier: Arc<str> = Arc::from(key.context.context().identifier.as_str());
        let session = Session {
            issued: key.session.valid_from(),
            bootstrap,
            address,
            last_message: None,
            current: Arc::new(key),
            previous: None,
            pending: Vec::new(),
            renewals: 0,
            failures: 0,
        };
        table.pending += 1;
        table.sessions.insert(identifier, session);
        true
    }

    /// The keys of a session; none when there is no such session (any more).
    pub(crate) fn keys(&self, identifier: &str, now: Timestamp) -> Option<KnownKeys> {
        let mut table = self.table();
        table.sweep_when_due(&self.limits, now);
        let session = table.live(identifier, &self.limits, now)?;
        let previous = session.previous.iter().filter(|(_, until)| *until >= now).map(|(key, _)| key);
        let keys = std::iter::once(&session.current).chain(&session.pending).chain(previous).cloned().collect();
        Some(KnownKeys { keys })
    }

    /// Lets a verified message in: the session is active from now on, and a renewed key that it used is the current one, unless
    /// that key has expired meanwhile. None when the session or the key is gone by now.
    pub(crate) fn admit(&self, context: &ContextReference, now: Timestamp) -> Option<Admission> {
        let table = &mut *self.table();
        let session = table.live(&context.identifier, &self.limits, now)?;
        let key = session.key(context, now)?;
        // By the service's clock, without skew (SC 11.2).
        let is_expired = key.expires < now;
        table.pending -= usize::from(session.last_message.is_none());
        let session = table.sessions.get_mut(context.identifier.as_str())?;
        session.last_message = Some(now);
        if !is_expired && session.pending.iter().any(|pending| Arc::ptr_eq(pending, &key)) {
            // The others are never used: whoever has them obtained this one as well.
            session.pending.clear();
            let old = std::mem::replace(&mut session.current, key);
            session.previous = Some((old, now.saturating_add(self.limits.rollover_interval)));
            session.renewals += 1;
        }
        let key = Arc::clone(&session.current);
        Some(Admission { token: Arc::clone(&key.session), key, is_expired })
    }

    /// The key for a reply: the current one, which may be younger than the request's (finding 16).
    pub(crate) fn current_key(&self, identifier: &str) -> Option<Arc<SessionKey>> {
        self.table().sessions.get(identifier).map(|session| Arc::clone(&session.current))
    }

    /// The session whose key this caller may renew now (SC 4.3).
    pub(crate) fn check_renewal(
        &self,
        context: &ContextReference,
        bootstrap: &[ClaimsIdentity],
        now: Timestamp,
    ) -> Result<Arc<SessionSecurityToken>, RenewalProblem> {
        let mut table = self.table();
        let session = table.live(&context.identifier, &self.limits, now).ok_or(RenewalProblem::NoSession)?;
        session.check_renewal(context, bootstrap)?;
        Ok(Arc::clone(&session.current.session))
    }

    /// Adds a renewed key.
    pub(crate) fn renew(
        &self,
        context: &ContextReference,
        bootstrap: &[ClaimsIdentity],
        key: SessionKey,
        now: Timestamp,
    ) -> Result<(), RenewalProblem> {
        let mut table = self.table();
        table.live(&context.identifier, &self.limits, now).ok_or(RenewalProblem::NoSession)?;
        let session = table.sessions.get_mut(context.identifier.as_str()).ok_or(RenewalProblem::NoSession)?;
        session.check_renewal(context, bootstrap)?;
        session.pending.push(Arc::new(key));
        Ok(())
    }

    /// Counts a message that named the session and did not verify. After a few hundred the session is over: nobody asks an
    /// oracle that often by mistake (SC 19.4). Good messages in between change nothing: the session's client sends them while
    /// somebody else probes.
    pub(crate) fn failed(&self, identifier: &str) {
        let mut table = self.table();
        let Some(session) = table.sessions.get_mut(identifier) else { return };
        session.failures += 1;
        if session.failures >= MAX_FAILURES {
            table.remove(identifier);
        }
    }

    /// Ends a session. False when there was none.
    pub(crate) fn end(&self, identifier: &str) -> bool {
        self.table().remove(identifier)
    }

    pub(crate) fn list(&self, now: Timestamp) -> Vec<SessionInfo> {
        let mut table = self.table();
        table.sweep(&self.limits, now);
        let sessions = table.sessions.iter();
        sessions
            .map(|(context_id, session)| SessionInfo {
                context_id: Arc::clone(context_id),
                caller: session.current.session.principal().name().map(str::to_owned),
                issued: session.issued,
                expires: session.current.expires,
                last_message: session.last_message,
                renewals: session.renewals,
                pending_keys: session.pending.len(),
                is_cookie: false,
            })
            .collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn has_room(&self, limits: &Limits, address: Option<IpAddr>) -> bool {
        let is_full = self.pending >= limits.max_pending || self.sessions.len() >= limits.max_sessions;
        !is_full && !self.has_its_share(limits, address)
    }

    /// Whether half of all sessions that may wait for their first message are those of one address. A limit so low that this
    /// leaves an address less than two of them is not shared out (finding 40).
    fn has_its_share(&self, limits: &Limits, address: Option<IpAddr>) -> bool {
        let share = (limits.max_pending / 2).max(2);
        // Not before there can be any.
        if address.is_none() || self.pending < share {
            return false;
        }
        let waiting = self.sessions.values().filter(|session| session.last_message.is_none());
        waiting.filter(|session| session.address == address).count() >= share
    }

    /// A session that has not timed out.
    fn live(&mut self, identifier: &str, limits: &Limits, now: Timestamp) -> Option<&Session> {
        if self.sessions.get(identifier)?.has_timed_out(limits, now) {
            self.remove(identifier);
            return None;
        }
        self.sessions.get(identifier)
    }

    fn remove(&mut self, identifier: &str) -> bool {
        let removed = self.sessions.remove(identifier);
        self.pending -= usize::from(removed.as_ref().is_some_and(|session| session.last_message.is_none()));
        removed.is_some()
    }

    /// Sweeps once per `inactivityTimeout`: a lookup never finds what has timed out anyway.
    fn sweep_when_due(&mut self, limits: &Limits, now: Timestamp) {
        if self.swept.is_none_or(|swept| swept.saturating_add(limits.inactivity_timeout) <= now) {
            self.sweep(limits, now);
        }
    }

    /// Throws out what has timed out.
    fn sweep(&mut self, limits: &Limits, now: Timestamp) {
        self.sessions.retain(|_, session| !session.has_timed_out(limits, now));
        self.pending = self.sessions.values().filter(|session| session.last_message.is_none()).count();
        self.swept = Some(now);
    }
}

impl Session {
    /// A pending session is gone after twice `inactivityTimeout` (WCF: after one to two of them), an active one when nothing
    /// came for `receiveTimeout`, which may be infinite (SC 11.1).
    fn has_timed_out(&self, limits: &Limits, now: Timestamp) -> bool {
        match self.last_message {
            None => self.issued.saturating_add(limits.inactivity_timeout.saturating_mul(2)) <= now,
            Some(last) => limits.receive_timeout.is_some_and(|timeout| last.saturating_add(timeout) <= now),
        }
    }

    fn key(&self, context: &ContextReference, now: Timestamp) -> Option<Arc<SessionKey>> {
        let previous = self.previous.iter().filter(|(_, until)| *until >= now).map(|(key, _)| key);
        let mut keys = std::iter::once(&self.current).chain(&self.pending).chain(previous);
        keys.find(|key| key.context.context() == context).cloned()
    }

    fn check_renewal(&self, context: &ContextReference, bootstrap: &[ClaimsIdentity]) -> Result<(), RenewalProblem> {
        if self.last_message.is_none() {
            Err(RenewalProblem::NotActive)
        } else if self.current.context.context() != context {
            Err(RenewalProblem::NotCurrent)
        } else if !is_same_caller(&self.bootstrap, bootstrap) {
            Err(RenewalProblem::AnotherCaller)
        } else if self.pending.len() >= MAX_PENDING_KEYS {
            Err(RenewalProblem::TooManyPendingKeys)
        } else {
            Ok(())
        }
    }
}

/// Of credentials that are shown together each has to be that of the same caller.
fn is_same_caller(first: &[ClaimsIdentity], second: &[ClaimsIdentity]) -> bool {
    first.len() == second.len()
        && first.iter().zip(second).all(|(first, second)| identity::is_same_caller(first, second))
}

impl RenewalProblem {
    /// For the log.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::NoSession => "there is no such session",
            Self::NotActive => "the session has not been used yet",
            Self::NotCurrent => "its key is not the current one",
            Self::AnotherCaller => "the caller is not the one of the session",
            Self::TooManyPendingKeys => "five renewed keys wait to be used",
        }
    }
}

impl SessionKeys for KnownKeys {
    fn by_token(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        // A cookie that came along is ignored (SC-35).
        self.by_reference(&token.context, now)
    }

    fn by_reference(&self, context: &ContextReference, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        let key = self.keys.iter().find(|key| key.context.context() == context);
        key.map(|key| key.context.key().clone()).ok_or(SessionKeyError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_claims::ClaimsPrincipal;
    use handstamp_keys::DeterministicRandom;
    use handstamp_ws_security::Generation;

    fn context(instance: Option<&str>) -> ContextReference {
        let generation = Generation::February2005;
        ContextReference { generation, identifier: "urn:uuid:1".to_owned(), instance: instance.map(str::to_owned) }
    }

    fn key(instance: Option<&str>, now: Timestamp) -> SessionKey {
        let key = SymmetricKey::from_bytes(&[7; 32]);
        let principal = ClaimsPrincipal::new(Vec::new());
        let session = SessionSecurityToken::builder(principal).key(key.clone()).valid_to(Timestamp::MAX);
        let token = SecurityContextToken { id: Some("uuid-1".to_owned()), context: context(instance), cookie: None };
        SessionKey {
            context: ContextKey::new(token, key).unwrap(),
            session: Arc::new(session.build(now, &DeterministicRandom::new(1)).unwrap()),
            expires: Timestamp::MAX,
        }
    }

    /// A message may be opened with a key that is gone when it is let in: another one was quicker with a younger key.
    #[test]
    fn sc_11_2_a_message_whose_key_has_gone_meanwhile_changes_nothing() {
        let start: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let after = |seconds| start.saturating_add(Duration::from_secs(seconds));
        let contexts = StatelessContexts::new(&LocalServiceSettings::default(), None, 10);
        assert!(contexts.issue(Arc::default(), key(None, start), None));
        contexts.admit(&context(None), start).unwrap();
        for renewed in ["a", "b"] {
            contexts.renew(&context(None), &[], key(Some(renewed), start), start).unwrap();
        }
        let known = contexts.keys("urn:uuid:1", after(1)).unwrap();
        assert!(known.by_reference(&context(Some("a")), after(1)).is_ok());
        let admission = contexts.admit(&context(Some("b")), after(1)).unwrap();
        assert_eq!(admission.key.context.context(), &context(Some("b")));
        assert!(contexts.admit(&context(Some("a")), after(2)).is_none());
        let session = &contexts.list(after(2))[0];
        assert_eq!((session.last_message, session.renewals, session.pending_keys), (Some(after(1)), 1, 0));
        assert!(contexts.current_key("urn:uuid:1").is_some(), "the session goes on");
    }
}

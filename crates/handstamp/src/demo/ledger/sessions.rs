//! The ledger's live sessions, as this process met them.
//!
//! What is here is for a page to draw: a session appears with its first message, also one that an earlier process issued. It goes when
//! its time is over, or when the service that remembers it does so no more.

use handstamp_session_token::SessionSecurityToken;
use handstamp_time::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is known of sessions since the process started.
pub(in crate::demo) struct LiveSessions {
    started: Timestamp,
    met: Mutex<HashMap<String, LiveSession>>,
    /// The sessions that a service remembers, each with the end of its key.
    remembered: Box<dyn Fn(Timestamp) -> HashMap<Arc<str>, Timestamp> + Send + Sync>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::demo) struct LiveSession {
    /// The context id.
    pub(in crate::demo) context: String,
    /// Who calls in it.
    pub(in crate::demo) caller: String,
    pub(in crate::demo) issued: Timestamp,
    pub(in crate::demo) expires: Timestamp,
    /// When messages came, at most the last [`MAX_MESSAGES`].
    pub(in crate::demo) messages: Vec<Timestamp>,
    /// How many came.
    pub(in crate::demo) count: u64,
    /// Whether an earlier process issued it.
    pub(in crate::demo) survived: bool,
    /// Whether the service remembers it. Otherwise it is sealed into its token.
    pub(in crate::demo) is_remembered: bool,
}

/// How many sessions are drawn. Of more, the ones that were quiet longest are forgotten.
const MAX_SESSIONS: usize = 50;
/// How many messages of one session are drawn.
const MAX_MESSAGES: usize = 40;

impl LiveSessions {
    /// None yet, in a process that started now. `remembered` are the sessions that a service remembers at a time, by context id, each
    /// with the end of its key.
    pub(in crate::demo) fn new(
        started: Timestamp,
        remembered: impl Fn(Timestamp) -> HashMap<Arc<str>, Timestamp> + Send + Sync + 'static,
    ) -> Self {
        Self { started, met: Mutex::default(), remembered: Box::new(remembered) }
    }

    /// When the process started.
    pub(in crate::demo) fn started(&self) -> Timestamp {
        self.started
    }

    /// Takes note of a message.
    pub(super) fn met(&self, session: &SessionSecurityToken, is_remembered: bool, now: Timestamp) {
        let context = session.context_id().as_unique_id().to_string();
        let caller = session.principal().name().unwrap_or("somebody").to_owned();
        self.note((&context, is_remembered), &caller, (session.valid_from(), session.valid_to()), now);
    }

    fn note(
        &self,
        (context, is_remembered): (&str, bool),
        caller: &str,
        (issued, expires): (Timestamp, Timestamp),
        now: Timestamp,
    ) {
        let mut met = self.lock();
        if !met.contains_key(context) && met.len() >= MAX_SESSIONS {
            let quietest = met.values().min_by_key(|session| session.messages.last().copied());
            if let Some(quietest) = quietest.map(|session| session.context.clone()) {
                met.remove(&quietest);
            }
        }
        let session = met.entry(context.to_owned()).or_insert_with(|| LiveSession {
            context: context.to_owned(),
            caller: caller.to_owned(),
            issued,
            expires,
            messages: Vec::new(),
            count: 0,
            survived: issued < self.started,
            is_remembered,
        });
        if session.messages.len() == MAX_MESSAGES {
            session.messages.remove(0);
        }
        session.messages.push(now);
        session.count += 1;
    }

    /// Those that have not ended, the one with the latest message first.
    pub(in crate::demo) fn live(&self, now: Timestamp) -> Vec<LiveSession> {
        let remembered = (self.remembered)(now);
        let mut met = self.lock();
        met.retain(|context, session| {
            if session.is_remembered {
                let Some(end_of_key) = remembered.get(context.as_str()) else { return false };
                session.expires = *end_of_key;
            }
            session.expires >= now
        });
        let mut live: Vec<LiveSession> = met.values().cloned().collect();
        live.sort_by(|a, b| (b.messages.last(), &a.context).cmp(&(a.messages.last(), &b.context)));
        live
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, LiveSession>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LiveSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSessions")
            .field("started", &self.started)
            .field("met", &self.lock())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl LiveSessions {
    /// As a message in the session does.
    pub(in crate::demo) fn note_for_test(&self, context: &str, issued: Timestamp, expires: Timestamp, now: Timestamp) {
        self.note((context, false), "ada <b>", (issued, expires), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u32) -> Timestamp {
        format!("2030-01-01T08:{minute:02}:00Z").parse().unwrap()
    }

    #[test]
    fn sessions_are_those_with_messages_and_time_left() {
        let sessions = LiveSessions::new(at(10), |_| HashMap::new());
        sessions.note(("a", false), "ada", (at(5), at(30)), at(11));
        sessions.note(("b", false), "ada", (at(12), at(20)), at(12));
        sessions.note(("a", false), "ada", (at(5), at(30)), at(13));
        let live = sessions.live(at(14));
        let seen: Vec<_> = live.iter().map(|session| (&*session.context, session.count, session.survived)).collect();
        assert_eq!(seen, [("a", 2, true), ("b", 1, false)]);
        assert_eq!(sessions.live(at(21)).len(), 1);
    }

    #[test]
    fn a_remembered_session_goes_with_the_memory_of_it_and_lasts_as_long_as_its_key() {
        let sessions = LiveSessions::new(at(0), |now| match now < at(30) {
            true => HashMap::from([("a".into(), at(45))]),
            false => HashMap::new(),
        });
        sessions.note(("a", true), "ada", (at(1), Timestamp::MAX), at(2));
        sessions.note(("cancelled", true), "ada", (at(1), Timestamp::MAX), at(2));
        let live = sessions.live(at(3));
        assert_eq!(
            live.iter().map(|session| (&*session.context, session.expires)).collect::<Vec<_>>(),
            [("a", at(45))]
        );
        assert_eq!(sessions.live(at(31)), []);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let sessions = LiveSessions::new(at(0), |_| HashMap::new());
        for index in 0..MAX_SESSIONS + 5 {
            sessions.note((&index.to_string(), false), "ada", (at(0), at(59)), at(index as u32 % 50));
        }
        for _ in 0..2 * MAX_MESSAGES {
            sessions.note(("last", false), "ada", (at(0), at(59)), at(55));
        }
        let live = sessions.live(at(56));
        assert_eq!((live.len(), live[0].messages.len(), live[0].count), (MAX_SESSIONS, MAX_MESSAGES, 80));
    }
}

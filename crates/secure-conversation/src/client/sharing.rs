//! The costly part of a message apart from the client: for programs whose threads share one.
//!
//! A lock around the client then need not be held while a message is protected or an answer opened:
//!
//! ```text
//! lock: session_sender ─► send ─► (network) ─► lock: opener ─► open ─► lock: take_in
//! ```

use super::exchange::{Exchange, Kind, Outcome};
use super::session::{AcceptedKeys, ClientKey};
use super::{Credentials, Replays, SecureConversationClient, Settings, fault_in};
use crate::error::Error;
use crate::trust::TrustAction;
use handstamp_keys::SecureRandom;
use handstamp_time::Timestamp;
use handstamp_ws_security::{Expectation, Message, Unprotected};
use handstamp_xml::Document;
use std::fmt;
use std::sync::Arc;

/// Protects messages of the application with the key that the session had when it was asked for.
pub struct SessionSender {
    settings: Arc<Settings>,
    credentials: Arc<Credentials>,
    key: Arc<ClientKey>,
}

/// Opens the answer to an exchange with the keys that the session had when it was asked for.
pub struct AnswerOpener {
    settings: Arc<Settings>,
    credentials: Arc<Credentials>,
    replays: Arc<Replays>,
    keys: AcceptedKeys,
}

/// An answer whose protection was taken off, or that did not hold. What it means for the session only the client knows.
#[derive(Debug)]
pub struct OpenedAnswer {
    result: Result<Unprotected, Error>,
    bytes: usize,
}

impl SecureConversationClient {
    /// What protects a message of the application, counted as sent. [`send`](Self::send) is this and [`SessionSender::send`].
    ///
    /// # Errors
    /// [`Error::NoSession`], [`Error::SessionFaulted`], [`Error::SessionClosed`], [`Error::KeyExpired`].
    pub fn session_sender(&mut self, now: Timestamp, random: &dyn SecureRandom) -> Result<SessionSender, Error> {
        self.check_open()?;
        let key = self.session_key(random)?;
        if !self.settings.is_stateful && key.has_expired(now) {
            return Err(Error::KeyExpired);
        }
        if let Some(session) = &mut self.session {
            session.uses += 1;
        }
        Ok(SessionSender { settings: Arc::clone(&self.settings), credentials: Arc::clone(&self.credentials), key })
    }

    /// Whether the session still goes on with the key that `sender` has: a fault about another says nothing of it (finding 17).
    pub fn is_in_use(&self, sender: &SessionSender) -> bool {
        self.has_session() && self.is_current(Some(&sender.key))
    }

    /// What opens the answer to an exchange, other than that of a negotiation.
    pub fn opener(&self, exchange: &Exchange) -> AnswerOpener {
        let keys = match exchange.kind {
            Kind::Trust(TrustAction::Issue | TrustAction::Renew) => AcceptedKeys::of(self.negotiated.as_ref(), None),
            _ => {
                let asked = exchange.key.as_ref().filter(|_| self.settings.is_stateful);
                AcceptedKeys::of(self.session.as_ref(), asked)
            }
        };
        AnswerOpener {
            settings: Arc::clone(&self.settings),
            credentials: Arc::clone(&self.credentials),
            replays: Arc::clone(&self.replays),
            keys,
        }
    }

    /// Takes in an answer that was [opened](AnswerOpener::open).
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn take_in(&mut self, exchange: Exchange, opened: OpenedAnswer, now: Timestamp) -> Result<Outcome, Error> {
        let opened = match opened.result {
            Ok(opened) => opened,
            Err(Error::Security(handstamp_ws_security::Error::UnsecuredFault(fault))) => {
                return self.unsecured_fault(exchange, fault, opened.bytes);
            }
            Err(error) => return Err(error),
        };
        if let Some(fault) = fault_in(&opened)? {
            return self.secured_fault(&exchange, fault, opened);
        }
        match exchange.kind {
            Kind::Request | Kind::Negotiation => Ok(Outcome::Reply(Box::new(opened))),
            Kind::Trust(TrustAction::Cancel) => self.closed(&opened),
            Kind::Trust(action) => self.established(action, &exchange, &opened, now),
        }
    }
}

impl SessionSender {
    /// A message of the application, as [`SecureConversationClient::send`] makes it.
    ///
    /// # Errors
    /// [`Error::Security`] for a message that cannot be protected.
    pub fn send(&self, message: &Message, now: Timestamp, random: &dyn SecureRandom) -> Result<Exchange, Error> {
        let sender = self.credentials.sender(&self.settings.outer, self.settings.protected_channel);
        let sender = match self.settings.is_negotiated {
            true => sender.with_negotiated_context(&self.key.context),
            false => sender.with_context(&self.key.context),
        };
        let protected = sender.protect(message, random, now)?;
        Ok(Exchange {
            request: protected.request,
            key: Some(Arc::clone(&self.key)),
            ..Exchange::new(message.action.clone(), protected.envelope, Kind::Request)
        })
    }

    /// The context id of the session.
    pub fn context_id(&self) -> &str {
        &self.key.context.context().identifier
    }
}

impl AnswerOpener {
    /// Takes the protection off the answer to `exchange`.
    pub fn open(&self, exchange: &Exchange, answer: impl Into<Vec<u8>>, now: Timestamp) -> OpenedAnswer {
        let answer = answer.into();
        let bytes = answer.len();
        OpenedAnswer { result: self.opened(exchange, answer, now), bytes }
    }

    fn opened(&self, exchange: &Exchange, answer: Vec<u8>, now: Timestamp) -> Result<Unprotected, Error> {
        let settings = &*self.settings;
        let document = Document::parse(settings.bounded(answer)?, &settings.parse_options)?;
        let understood = settings.contract.understood_headers();
        let expected = Expectation::reply(&exchange.request).understanding(&understood);
        let (binding, replays, expected) = match exchange.kind {
            Kind::Trust(TrustAction::Issue | TrustAction::Renew) => {
                (&settings.bootstrap, &self.replays.bootstrap, expected)
            }
            Kind::Trust(TrustAction::Cancel) => (&settings.outer, &self.replays.session, expected.cancel()),
            Kind::Request | Kind::Negotiation => {
                let expected = expected.with_body(settings.operation(&exchange.action).reply);
                (&settings.outer, &self.replays.session, expected)
            }
        };
        let receiver = self.credentials.receiver(binding, settings.protected_channel).with_replay_cache(replays);
        Ok(receiver.with_sessions(&self.keys).open(document, &expected, now)?)
    }
}

impl OpenedAnswer {
    /// Whether there was no key for it. Another program that shares the session may have renewed it: replies are under the key in
    /// use at the service (finding 16).
    pub fn lacks_key(&self) -> bool {
        matches!(self.result, Err(Error::Security(handstamp_ws_security::Error::UnknownContext { .. })))
    }
}

/// The context; nothing that is a secret.
impl fmt::Debug for SessionSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSender").field("context_id", &self.context_id()).finish_non_exhaustive()
    }
}

/// Nothing that is a secret.
impl fmt::Debug for AnswerOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerOpener").field("address", &self.settings.address).finish_non_exhaustive()
    }
}

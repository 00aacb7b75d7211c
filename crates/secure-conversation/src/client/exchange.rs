//! One message out and one back.

use crate::client::session::ClientKey;
use crate::negotiation::client::ClientNegotiation;
use crate::trust::{RequestSecurityToken, TrustAction};
use handstamp_ws_security::soap::Fault;
use handstamp_ws_security::{Message, RequestContext, Unprotected};
use std::fmt;
use std::sync::Arc;

/// A message that was made and waits for its answer.
pub struct Exchange {
    pub(super) action: String,
    pub(super) envelope: String,
    pub(super) kind: Kind,
    pub(super) request: RequestContext,
    pub(super) rst: Option<RequestSecurityToken>,
    /// The session's key that protects or endorses the message.
    pub(super) key: Option<Arc<ClientKey>>,
    /// The negotiation that the message is of.
    pub(super) negotiation: Option<Box<ClientNegotiation>>,
    /// What to send again should the service have lost the session, when that is wanted.
    pub(super) retry: Option<Message>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Trust(TrustAction),
    Negotiation,
}

/// What came of an exchange.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// There is a session, or its key is new.
    Established,
    /// One more step is done on the way to a session: [establish](crate::SecureConversationClient::establish) again.
    Negotiating,
    /// The application's reply.
    Reply(Box<Unprotected>),
    /// The application's fault, protected as a reply is.
    Fault {
        /// What every fault says.
        fault: Fault,
        /// The whole message, with the details.
        message: Box<Unprotected>,
    },
    /// The service does not know the session (any more), and one more try was asked for: establish a session, and send this
    /// [again](crate::SecureConversationClient::again). It happens once for a message.
    Again(Box<Message>),
    /// The session is over.
    Closed {
        /// Whether the service said so. Otherwise it keeps no sessions and has nothing to end: the binding of one of the two
        /// ends is wrong about `requireSecurityContextCancellation`.
        was_cancelled: bool,
    },
}

impl Exchange {
    pub(super) fn new(action: String, envelope: String, kind: Kind) -> Self {
        Self {
            action,
            envelope,
            kind,
            request: RequestContext::default(),
            rst: None,
            key: None,
            negotiation: None,
            retry: None,
        }
    }

    /// The action: for the `SOAPAction` header, or the `action` parameter of the media type.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The message to send.
    pub fn envelope(&self) -> &str {
        &self.envelope
    }

    /// The message to send, taken out: for whoever wants to own it.
    pub fn take_envelope(&mut self) -> String {
        std::mem::take(&mut self.envelope)
    }

    /// Whether an answer is to be expected that [`receive`](crate::SecureConversationClient::receive) takes.
    pub fn is_answered(&self) -> bool {
        self.request.message_id.is_some()
    }

    /// Whether it is part of a negotiation, which no security header protects (SC §7).
    pub fn is_negotiation(&self) -> bool {
        self.kind == Kind::Negotiation
    }

    /// Which exchange of the protocol it is; none for a message of the application, and for those of a negotiation.
    pub fn trust_action(&self) -> Option<TrustAction> {
        match self.kind {
            Kind::Request | Kind::Negotiation => None,
            Kind::Trust(action) => Some(action),
        }
    }

    /// An exchange that was begun elsewhere: `request` is what its message carried. For replaying recorded conversations.
    #[must_use]
    pub fn begun_elsewhere(mut self, request: RequestContext, rst: Option<RequestSecurityToken>) -> Self {
        self.request = request;
        if rst.is_some() {
            self.rst = rst;
        }
        self
    }
}

/// The action; nothing of the content.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("action", &self.action).finish_non_exhaustive()
    }
}

//! What goes into a service and what comes out of it.

use super::faults::Head;
use crate::contexts::SessionKey;
use crate::contract::Operation;
use crate::error::Error;
use handstamp_claims::ClaimsPrincipal;
use handstamp_session_token::SessionSecurityToken;
use handstamp_ws_security::soap::{Fault, SoapVersion};
use handstamp_ws_security::{Body, ContextKey, Message, ProtectionLevel, Unprotected};
use handstamp_xml_security::signature::VerifiedElement;
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A message as it arrived.
#[derive(Debug)]
pub struct Incoming<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) soap_action: Option<&'a str>,
    pub(crate) protected_channel: bool,
    pub(crate) address: Option<IpAddr>,
}

/// What became of a message.
#[derive(Debug)]
#[non_exhaustive]
pub enum Handled {
    /// It is for the application. It wants a reply, unless the operation is one-way.
    Request(Box<ApplicationRequest>),
    /// It was for the service, or it is refused: send this back.
    Answer(Answer),
    /// It is no SOAP message, so there is no SOAP answer: HTTP 400.
    Unreadable(Error),
    /// Nothing is to be sent, as WCF sends nothing then: close the connection.
    Dropped(Error),
}

/// A message that the service made itself.
#[derive(Debug)]
pub struct Answer {
    /// The envelope.
    pub envelope: String,
    /// Whose media type the envelope has.
    pub soap: SoapVersion,
    /// The fault in it; HTTP status 500 then, else 200.
    pub fault: Option<Fault>,
    /// What happened, for logs.
    pub event: Event,
}

/// What happened to a session. Names and reasons are for logs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A context was issued.
    Issued {
        /// The context id.
        context_id: String,
        /// The name of the caller; none when anonymous.
        caller: Option<String>,
    },
    /// A negotiation goes on.
    Negotiating,
    /// A negotiation has come to its end: there is a context for the request that follows.
    Negotiated {
        /// Its context id.
        context_id: String,
        /// The subject of the certificate that the client showed.
        certificate: Option<String>,
    },
    /// The key of a context was renewed.
    Renewed {
        /// The context id.
        context_id: String,
    },
    /// A context was ended by its client.
    Cancelled {
        /// The context id.
        context_id: String,
    },
    /// A token was issued.
    TokenIssued {
        /// The id of the assertion.
        token_id: String,
        /// The relying party that it is for.
        audience: String,
        /// The name of whom it speaks of.
        caller: Option<String>,
    },
    /// A message was refused.
    Refused(Error),
}

/// A verified message for the application.
pub struct ApplicationRequest {
    pub(super) message: Unprotected,
    pub(super) session: Arc<SessionSecurityToken>,
    /// Who calls, where it is not the session that knows.
    pub(super) principal: Option<ClaimsPrincipal>,
    pub(super) key: ReplyKey,
    pub(super) reply_level: ProtectionLevel,
    pub(super) protected_channel: bool,
}

/// What protects the reply.
#[derive(Debug)]
pub(super) enum ReplyKey {
    /// The key of the context, of which there is one.
    Stateful(Box<ContextKey>),
    /// The key of the request, unless the session has a younger one by then.
    Stateless(Arc<SessionKey>),
}

impl<'a> Incoming<'a> {
    /// A message that came over a channel that protects nothing.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self::holding(Cow::Owned(bytes.into()))
    }

    /// The same for a message that somebody else holds.
    pub fn borrowed(bytes: &'a [u8]) -> Self {
        Self::holding(Cow::Borrowed(bytes))
    }

    fn holding(bytes: Cow<'a, [u8]>) -> Self {
        Self { bytes, soap_action: None, protected_channel: false, address: None }
    }

    /// The `SOAPAction` header, or the `action` parameter of the media type: when it says something, it has to be what the
    /// message says (SC-04).
    #[must_use]
    pub fn with_soap_action(mut self, action: Option<&'a str>) -> Self {
        self.soap_action = action;
        self
    }

    /// Where the message comes from: no address gets more than its share of what is limited (SC 7.4).
    #[must_use]
    pub fn from_address(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// Says that the message came over TLS.
    #[must_use]
    pub fn over_protected_channel(mut self) -> Self {
        self.protected_channel = true;
        self
    }
}

/// An answer that was made, or not.
impl From<Result<Answer, Error>> for Handled {
    fn from(answer: Result<Answer, Error>) -> Self {
        answer.map_or_else(Self::Dropped, Self::Answer)
    }
}

impl ApplicationRequest {
    pub(super) fn new(
        message: Unprotected,
        session: Arc<SessionSecurityToken>,
        key: ReplyKey,
        operation: Operation,
        head: &Head,
    ) -> Self {
        let (reply_level, protected_channel) = (operation.reply, head.protected_channel);
        Self { message, session, principal: None, key, reply_level, protected_channel }
    }

    /// What is asked.
    pub fn action(&self) -> String {
        self.message.action().unwrap_or_default().into_owned()
    }

    /// The verified body; none when the contract leaves it unprotected.
    pub fn body(&self) -> Option<VerifiedElement<'_>> {
        self.message.body()
    }

    /// Who asks: the principal that was made when the session was issued or its key was renewed, or, where a negotiated context protects messages that show
    /// credentials each, that of this message. It is the portable identity; there is no native one of the operating system, in no
    /// kind of session (SC 10.6).
    pub fn principal(&self) -> &ClaimsPrincipal {
        self.principal.as_ref().unwrap_or_else(|| self.session.principal())
    }

    /// The session, or the negotiated context.
    pub fn session(&self) -> &SessionSecurityToken {
        &self.session
    }

    /// The whole message.
    pub fn message(&self) -> &Unprotected {
        &self.message
    }

    /// A reply, protected as the contract says. `body` is its content.
    pub fn reply(&self, action: impl Into<String>, body: Body) -> Message {
        Message::reply_to(&self.message, action).with_body(body).with_protection(self.reply_level)
    }
}

/// The action and the session; nothing of the content.
impl fmt::Debug for ApplicationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplicationRequest")
            .field("action", &self.message.action())
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

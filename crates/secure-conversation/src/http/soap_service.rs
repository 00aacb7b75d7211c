//! A secure conversation service as a tower service.

use super::endpoint::{Endpoint, Respondent, Terms};
use super::intake::{Posted, answered, dropped, empty, unreadable, with_envelope};
use crate::error::Error;
use crate::service::{ApplicationRequest, Handled, SecureConversationService};
use bytes::Bytes;
use handstamp_ws_security::Body;
use handstamp_ws_security::soap::Fault;
use http::{Response, StatusCode};
use http_body_util::Full;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

/// What an application answers.
#[derive(Debug)]
pub enum Reply {
    /// A reply with this action and the content of its body.
    Message {
        /// `Action`.
        action: String,
        /// The content of the body.
        body: Body,
    },
    /// A fault; without an action it has that of faults.
    Fault {
        /// The fault.
        fault: Fault,
        /// `Action`.
        action: Option<String>,
    },
    /// Nothing: the operation is one-way (HTTP 202).
    None,
}

/// The application behind a service. Functions of the right shape are applications.
pub trait Application: Send + Sync + 'static {
    /// Serves one verified message.
    fn call(&self, request: Arc<ApplicationRequest>) -> impl Future<Output = Reply> + Send;
}

impl<F, R> Application for F
where
    F: Fn(Arc<ApplicationRequest>) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send,
{
    fn call(&self, request: Arc<ApplicationRequest>) -> impl Future<Output = Reply> + Send {
        self(request)
    }
}

/// A [`SecureConversationService`] and the application behind it, for HTTP servers.
///
/// Credentials are verified on the task that serves the request. Where that takes long (password hashes), run the service on a
/// runtime with several threads.
pub type SoapService<A> = Endpoint<Conversation<A>>;

/// A service and the application behind it.
pub struct Conversation<A> {
    service: Arc<SecureConversationService>,
    application: A,
}

impl<A: Application> SoapService<A> {
    /// A service with the clock and the randomness of the system.
    pub fn new(service: Arc<SecureConversationService>, application: A) -> Self {
        let max_message_size = service.max_message_size();
        Self::of(Conversation { service, application }, max_message_size)
    }
}

impl<A> fmt::Debug for Conversation<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").field("service", &self.service).finish_non_exhaustive()
    }
}

impl<A: Application> Respondent for Conversation<A> {
    async fn respond(&self, posted: Posted, address: Option<IpAddr>, terms: &Terms) -> Response<Full<Bytes>> {
        let request = match self.service.handle(posted.incoming(address), terms.clock.now(), terms.random.as_ref()) {
            Handled::Request(request) => Arc::from(request),
            Handled::Answer(answer) => return answered(answer),
            Handled::Unreadable(error) => return unreadable(&error),
            Handled::Dropped(error) => return dropped(&error),
        };
        let reply = self.application.call(Arc::clone(&request)).await;
        self.reply(&request, reply, terms).unwrap_or_else(|error| dropped(&error))
    }
}

impl<A: Application> Conversation<A> {
    fn reply(&self, request: &ApplicationRequest, reply: Reply, terms: &Terms) -> Result<Response<Full<Bytes>>, Error> {
        let (message, status) = match reply {
            Reply::None => return Ok(empty(StatusCode::ACCEPTED)),
            Reply::Message { action, body } => (request.reply(action, body), StatusCode::OK),
            Reply::Fault { fault, action } => {
                (self.service.fault(request, &fault, action.as_deref())?, StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        let envelope = self.service.protect(request, &message, terms.clock.now(), terms.random.as_ref())?;
        Ok(with_envelope(status, message.soap, envelope))
    }
}

//! SOAP routes: secured on one side, plain on the other.
//!
//! ```text
//! WCF client ══ sessions ══► terminate ── plain SOAP, who calls ──► any service
//! any client ── plain SOAP ──► initiate ══ sessions ══► WCF service
//! ```
//!
//! | Module | Holds |
//! |---|---|
//! | [`terms`] | what both sides agreed on, read from a WCF binding or a WSDL |
//! | [`terminate`], [`users`], [`caller_tokens`], [`replays`] | sessions of clients end here |
//! | [`initiate`], [`sessions`], [`token_source`] | sessions with services begin here |
//! | [`plain`], [`wire`], [`head`] | messages without protection, messages in HTTP, and those whose body passes as it comes |
//! | [`way`] | the servers behind |
//! | [`description`] | the WSDL that is served |
//! | [`explain`](mod@explain), [`examine`](mod@examine) | a route in words, and one captured message |

mod caller_tokens;
mod description;
mod examine;
mod explain;
mod head;
mod initiate;
mod plain;
mod replays;
mod sessions;
mod terminate;
mod terms;
mod token_source;
mod users;
mod way;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::ALLOW;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use self::description::Secured;
use self::head::{Beginning, MessageHead};
use self::initiate::Initiate;
use self::sessions::InitiateSessions;
use self::terminate::Terminate;
use self::terms::Terms;
use self::wire::Format;
use super::Visit;
use super::application_headers::TokenHeader;
use super::body::{Body, BodyError};
use super::problem::Problem;
use crate::Error;
use crate::admin::Metrics;
use crate::config::{self, SoapMode};

pub(crate) use self::examine::examine;
pub(crate) use self::explain::explain;
pub(super) use self::terminate::Ground;
pub(crate) use self::terminate::{Seals, TerminateSessions};

/// A route.
#[derive(Debug)]
pub(super) struct SoapRoute {
    side: Side,
    limit: u64,
    /// For messages whose body is not held; none when all are.
    streamed_limit: Option<u64>,
    idle: Duration,
    /// By which clients know the route; that of the request when none.
    address: Option<String>,
    certificate: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Side {
    Terminate(Box<Terminate>),
    Initiate(Box<Initiate>),
}

/// The sessions of all routes, by name. They are what a change of the configuration must not end.
#[derive(Debug, Default)]
pub(super) struct LiveSessions {
    terminate: BTreeMap<String, Arc<TerminateSessions>>,
    initiate: BTreeMap<String, Arc<InitiateSessions>>,
}

impl LiveSessions {
    /// Those of routes that end sessions.
    pub(super) fn terminated(&self) -> BTreeMap<String, Arc<TerminateSessions>> {
        self.terminate.clone()
    }
}

/// A message as it came in HTTP, not compressed any more.
struct Post {
    headers: HeaderMap,
    message: Vec<u8>,
    format: Format,
}

/// A message as it comes, its body still on its way.
struct StreamedPost {
    headers: HeaderMap,
    message: MessageHead,
    /// Of the whole message, when HTTP tells.
    length: Option<u64>,
}

impl SoapRoute {
    /// Opens a route. Its sessions are those of `before` where nothing changed for them, and go into `live`.
    ///
    /// # Errors
    /// A file that cannot be used, settings that do not go together.
    pub(super) fn open(
        name: &str,
        settings: &config::SoapRoute,
        (before, live): (&LiveSessions, &mut LiveSessions),
        ground: Option<&Ground<'_>>,
        token: Option<TokenHeader>,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let terms = Arc::new(Terms::read(settings)?);
        terms.check_streaming(name, settings)?;
        let mut certificate = None;
        let side = match settings.mode {
            SoapMode::Terminate => {
                let no_keys = || terms::setup("HST-KEYS-FILE", format!("soap.{name} needs a key ring"));
                let sessions = before.terminate.get(name);
                let ground = ground.ok_or_else(no_keys)?;
                let sessions = TerminateSessions::open(name, settings, &terms, ground, metrics, sessions)?;
                live.terminate.insert(name.to_owned(), Arc::clone(&sessions));
                let identity = settings.identity.as_deref().map(terms::read_identity).transpose()?;
                certificate = identity.map(|identity| identity.certificate().der().to_vec());
                Side::Terminate(Box::new(Terminate::open(name, settings, (terms, sessions), token, metrics)?))
            }
            SoapMode::Initiate => {
                let sessions = InitiateSessions::open(name, settings, &terms, before.initiate.get(name))?;
                live.initiate.insert(name.to_owned(), Arc::clone(&sessions));
                Side::Initiate(Box::new(Initiate::open(name, settings, sessions, metrics)?))
            }
        };
        let address = settings.address.as_ref().filter(|_| settings.mode == SoapMode::Terminate);
        Ok(Self {
            side,
            limit: settings.max_message_size.0,
            streamed_limit: settings.max_streamed_size.map(|size| size.0),
            idle: settings.idle_timeout,
            address: address.map(ToString::to_string),
            certificate,
        })
    }

    /// Serves a request.
    ///
    /// # Errors
    /// What is no SOAP message.
    pub(super) async fn answer(&self, request: Request<Body>, visit: Visit<'_>) -> Result<Response<Body>, Problem> {
        match *request.method() {
            Method::POST => {}
            Method::GET | Method::HEAD => return self.describe(&request, visit),
            _ => return Ok(not_allowed()),
        }
        let format = Format::of(request.headers()).ok_or_else(wire::unsupported_media)?;
        let (head, mut body) = request.into_parts();
        let length = wire::length(&head.headers);
        let streams = wire::is_plain_text(&head.headers) && length.is_none_or(|length| length > self.limit.min(HELD));
        let streamed_limit = self.streamed_limit.filter(|_| streams);
        let limit = streamed_limit.unwrap_or(self.limit);
        if length.is_some_and(|length| length > limit) {
            return self.too_large(&head.headers, limit);
        }
        body.bound(limit, self.idle);
        if streamed_limit.is_some() {
            match MessageHead::read(body).await.map_err(broken)? {
                Beginning::Head(message) => {
                    let streamed = StreamedPost { headers: head.headers, message: *message, length };
                    return match &self.side {
                        Side::Terminate(terminate) => terminate.stream(streamed, visit).await,
                        Side::Initiate(initiate) => initiate.stream(streamed, visit).await,
                    };
                }
                Beginning::Whole(whole) => body = whole,
            }
        }
        let held = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let body = match Limited::new(body, held).collect().await {
            Ok(body) => body,
            Err(error) if error.is::<LengthLimitError>() => return self.too_large(&head.headers, self.limit),
            Err(error) => match error.downcast::<BodyError>() {
                Ok(error) if matches!(*error, BodyError::TooLarge { .. }) => {
                    return self.too_large(&head.headers, limit);
                }
                Ok(error) => return Err(broken(*error)),
                Err(_) => return Err(Problem::body_cut_off()),
            },
        };
        let message = wire::decompressed(&head.headers, body.to_bytes().into(), held).map_err(|error| {
            tracing::info!(request = %visit.id, error, "the message cannot be decompressed");
            wire::unreadable()
        })?;
        let post = Post { headers: head.headers, message, format };
        match &self.side {
            Side::Terminate(terminate) => terminate.answer(post, visit).await,
            Side::Initiate(initiate) => initiate.answer(post, visit).await,
        }
    }

    /// Clients of sessions are told by HTTP, as WCF does; local programs by a fault, which is what they look for.
    fn too_large(&self, headers: &HeaderMap, limit: u64) -> Result<Response<Body>, Problem> {
        match &self.side {
            Side::Terminate(_) => Err(Problem::body_too_large(limit)),
            Side::Initiate(initiate) => Ok(initiate.too_large(headers, limit)),
        }
    }

    /// Serves the WSDL.
    fn describe(&self, request: &Request<Body>, visit: Visit<'_>) -> Result<Response<Body>, Problem> {
        let Some(wanted) = description::wanted(request.uri()) else { return Ok(not_allowed()) };
        let of_request = || description::address(visit.origin, request.uri());
        let address = self.address.clone().unwrap_or_else(of_request);
        match &self.side {
            Side::Terminate(terminate) => {
                let secured = Secured { certificate: self.certificate.as_deref() };
                description::serve(terminate.terms(), Some(&secured), &wanted, &address)
            }
            Side::Initiate(initiate) => description::serve(initiate.terms(), None, &wanted, &address),
        }
    }
}

/// Messages up to this size, in bytes, are always held: that is simpler, and costs nothing.
const HELD: u64 = 64 << 10;

/// What a client may know of a body that did not come as a whole.
fn broken(error: BodyError) -> Problem {
    match error {
        BodyError::TooLarge { limit } => Problem::body_too_large(limit),
        BodyError::Idle(_) => Problem::body_stalled(),
        _ => Problem::body_cut_off(),
    }
}

/// Only messages are taken here.
fn not_allowed() -> Response<Body> {
    let mut response = wire::empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

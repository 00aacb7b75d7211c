//! Plain inside, secured outside: local programs call a service that demands secure sessions as if it demanded nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use base64_simd::STANDARD;
use handstamp_keys::SystemRandom;
use handstamp_secure_conversation::{Error as SessionError, Outcome};
use handstamp_session_token::UniqueId;
use handstamp_ws_security::soap::{FaultCode, SoapVersion};
use handstamp_ws_security::{Body as SoapBody, Message, Unprotected};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use zeroize::Zeroizing;

use super::plain::{self, ApplicationBlocks, PlainFault, PlainMessage};
use super::sessions::{Call, CallError, Caller, InitiateSessions, Streamed};
use super::terms::Terms;
use super::way::Way;
use super::wire;
use super::{Post, StreamedPost};
use crate::Error;
use crate::admin::{Metrics, SoapMetrics};
use crate::config::{LostSession, SoapCallers, SoapRoute};
use crate::gateway::Visit;
use crate::gateway::body::Body;
use crate::gateway::problem::Problem;

/// A route.
#[derive(Debug)]
pub(crate) struct Initiate {
    name: String,
    sessions: Arc<InitiateSessions>,
    way: Arc<Way>,
    per_caller: bool,
    repeats: bool,
    limit: usize,
    warned_of_headers: AtomicBool,
    metrics: Arc<SoapMetrics>,
}

impl Initiate {
    /// # Errors
    /// A file that cannot be used.
    pub(super) fn open(
        name: &str,
        route: &SoapRoute,
        sessions: Arc<InitiateSessions>,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let way = Way::open(name, route, metrics)?;
        let repeats = match route.lost_session {
            LostSession::RepeatOverTls => way.is_tls(),
            LostSession::Repeat => true,
            LostSession::Fail => false,
        };
        Ok(Self {
            name: name.to_owned(),
            sessions,
            way: Arc::new(way),
            per_caller: route.callers == SoapCallers::Basic,
            repeats,
            limit: route.max_message_size.in_memory(),
            warned_of_headers: AtomicBool::new(false),
            metrics: metrics.soap(name),
        })
    }

    pub(super) fn terms(&self) -> &Terms {
        self.sessions.terms()
    }

    /// Serves a message of a local program.
    ///
    /// # Errors
    /// What is no SOAP message, and a caller without a name where callers sign in themselves.
    pub(super) async fn answer(&self, post: Post, visit: Visit<'_>) -> Result<Response<Body>, Problem> {
        let Post { headers, message, format } = post;
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::info!(request = %visit.id, route = self.name, %error, "not a SOAP message");
            wire::unreadable()
        };
        let text = format.to_text(message, &headers, self.limit).map_err(|error| unreadable(&error))?;
        let plain = PlainMessage::read(text, self.limit).map_err(|error| unreadable(&error))?;
        let caller = match self.per_caller {
            true => Some(basic_credentials(&headers).ok_or_else(unknown_caller)?),
            false => None,
        };
        let asked = Asked::of(&plain);
        let message = match self.message(plain, &headers) {
            Ok(message) => message,
            Err(fault) => return Ok(asked.fault(&headers, &fault)),
        };
        match self.call(message, caller.as_ref(), visit).await {
            Ok(None) => Ok(wire::empty(StatusCode::ACCEPTED)),
            Ok(Some(Outcome::Reply(reply))) => Ok(self.reply(&headers, &asked, &reply)),
            Ok(Some(Outcome::Fault { message, .. })) => {
                self.metrics.fault("application");
                Ok(self.reply(&headers, &asked, &message))
            }
            Ok(Some(_)) => Err(Problem::internal("HST-SOAP-INTERNAL")),
            Err(error) => self.failed(&headers, &asked, &error, visit),
        }
    }

    /// Serves a message whose body is still on its way: TLS protects it towards the service.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub(super) async fn stream(&self, post: StreamedPost, visit: Visit<'_>) -> Result<Response<Body>, Problem> {
        let StreamedPost { headers, message: body, length } = post;
        let plain = PlainMessage::read(body.alone().into(), self.limit).map_err(|error| {
            tracing::info!(request = %visit.id, route = self.name, %error, "not a SOAP message");
            wire::unreadable()
        })?;
        let caller = match self.per_caller {
            true => Some(basic_credentials(&headers).ok_or_else(unknown_caller)?),
            false => None,
        };
        let asked = Asked::of(&plain);
        if plain.soap != self.terms().soap() {
            let reason = "The service speaks another version of SOAP, in which bodies of this size are not passed on \
                          (HST-SOAP-STREAM).";
            return Ok(asked.fault(&headers, &PlainFault::new(FaultCode::Sender, reason)));
        }
        let message = match self.message(plain, &headers) {
            Ok(message) => message,
            Err(fault) => return Ok(asked.fault(&headers, &fault)),
        };
        let call = self.on_behalf(visit);
        let outcome = match self.sessions.of(caller.as_ref()) {
            Ok(session) => session.stream(message, (body, length), call).await,
            Err(error) => Err(error.into()),
        };
        if outcome.as_ref().is_err_and(is_without_session) {
            self.sessions.forget(caller.as_ref());
        }
        match outcome {
            Ok(Streamed::Held(None)) => Ok(wire::empty(StatusCode::ACCEPTED)),
            Ok(Streamed::Held(Some(Outcome::Reply(reply)))) => Ok(self.reply(&headers, &asked, &reply)),
            Ok(Streamed::Held(Some(Outcome::Fault { message, .. }))) => {
                self.metrics.fault("application");
                Ok(self.reply(&headers, &asked, &message))
            }
            Ok(Streamed::Held(Some(_))) => Err(Problem::internal("HST-SOAP-INTERNAL")),
            Ok(Streamed::Passing { reply, body, length }) => {
                let found = ApplicationBlocks::of(&reply);
                found.warn(&self.name, &self.warned_of_headers);
                let mut blocks = found.verified;
                blocks.extend(asked.addressing(&reply.action().unwrap_or_default()));
                let (body, longer) = body.with_header(blocks.iter().map(String::as_str));
                Ok(wire::streamed(asked.soap, body, wire::lengthened(length, longer)))
            }
            Err(error) => self.failed(&headers, &asked, &error, visit),
        }
    }

    /// Tells a local program that its message is too large.
    pub(super) fn too_large(&self, headers: &HeaderMap, limit: u64) -> Response<Body> {
        self.metrics.fault("HST-SOAP-SIZE");
        let said = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let is_soap_11 = said.len() >= 8 && said[..8].eq_ignore_ascii_case(b"text/xml");
        let soap = if is_soap_11 { SoapVersion::Soap11 } else { SoapVersion::Soap12 };
        let reason =
            format!("The request is larger than the {limit} bytes that the gateway takes here (HST-SOAP-SIZE).");
        let asked = Asked { soap, addressing: None, message_id: None };
        asked.fault(headers, &PlainFault::new(FaultCode::Sender, reason))
    }

    /// The message in the words of the service.
    fn message(&self, plain: PlainMessage, headers: &HeaderMap) -> Result<Message, PlainFault> {
        let terms = self.terms();
        let said = plain.action.clone().or_else(|| wire::action(headers));
        let element = plain.element.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        let operation = terms.operation(said.as_deref(), element);
        let action = operation.map(|operation| operation.request.action.clone()).or(said);
        let action = action.ok_or_else(|| {
            let reason = "The request names no action: set SOAPAction (SOAP 1.1), the action parameter of the media type \
                          (SOAP 1.2), or give the gateway the service's WSDL (HST-SOAP-ACTION).";
            PlainFault::new(FaultCode::Sender, reason)
        })?;
        let id = UniqueId::generate(&SystemRandom)
            .map_err(|_| PlainFault::new(FaultCode::Receiver, "There is no randomness (HST-SOAP-INTERNAL)."))?;
        let (soap, addressing) = (terms.soap(), terms.addressing());
        let mut message = Message::request(soap, addressing, action, self.sessions.address(), id.to_string());
        let protection = operation.map(|operation| operation.request.protection.clone()).unwrap_or_default();
        message.protection = protection.body;
        message.body = plain.body;
        message.headers = terms.protected(plain.headers, Some(&protection));
        if operation.is_some_and(handstamp_security_policy::Operation::is_one_way) {
            (message.message_id, message.reply_to) = (None, None);
        }
        Ok(message)
    }

    async fn call(
        &self,
        message: Message,
        caller: Option<&Caller>,
        visit: Visit<'_>,
    ) -> Result<Option<Outcome>, CallError> {
        let session = self.sessions.of(caller)?;
        let call = self.on_behalf(visit);
        let outcome = session.call(message, call, self.repeats).await;
        if outcome.as_ref().is_err_and(is_without_session) {
            self.sessions.forget(caller);
        }
        outcome
    }

    fn on_behalf<'c>(&'c self, visit: Visit<'c>) -> Call<'c> {
        Call { way: &self.way, client: visit.origin.client, trace: visit.trace, metrics: &self.metrics }
    }

    /// The service's reply or fault, as plain as the request was. Only what was protected is in it.
    fn reply(&self, headers: &HeaderMap, asked: &Asked, reply: &Unprotected) -> Response<Body> {
        let found = ApplicationBlocks::of(reply);
        found.warn(&self.name, &self.warned_of_headers);
        let mut blocks = found.verified;
        let body = reply.body();
        let fault = body.and_then(|body| {
            let first = body.children().next()?;
            first.is(reply.soap_version().namespace(), "Fault").then(|| PlainFault::read(first.element()).ok())?
        });
        let (content, status) = match &fault {
            Some(fault) => (fault.to_body(asked.soap), StatusCode::INTERNAL_SERVER_ERROR),
            None => {
                let content = body.and_then(|body| SoapBody::of(body.element()).ok()).unwrap_or_else(SoapBody::empty);
                (content.xml().to_owned(), StatusCode::OK)
            }
        };
        let action = reply.action().unwrap_or_default();
        blocks.extend(asked.addressing(&action));
        asked.answer(headers, status, &blocks, &content)
    }

    /// Tells a local program why there is no answer. What is secret stays in the log.
    fn failed(
        &self,
        headers: &HeaderMap,
        asked: &Asked,
        error: &CallError,
        visit: Visit<'_>,
    ) -> Result<Response<Body>, Problem> {
        let (request, route) = (visit.id, self.name.as_str());
        let tell = |code: &'static str, reason: &str| {
            visit.metrics.reject(code);
            self.metrics.fault(code);
            asked.fault(headers, &PlainFault::new(FaultCode::Receiver, format!("{reason} ({code})")))
        };
        Ok(match error {
            // Where there is no session each message shows the credentials (SC 7).
            CallError::Refused(error) | CallError::Session(error) if self.per_caller && is_about_credentials(error) => {
                tracing::info!(%request, route, code = error.code(), %error, "the service does not know the caller");
                self.metrics.fault("HST-SOAP-CALLER");
                return Err(unknown_caller());
            }
            CallError::Refused(error) => {
                tracing::warn!(%request, route, code = error.code(), %error, "the service gives no session");
                tell("HST-SOAP-SESSION", "The service gives the gateway no session; the gateway's log says why.")
            }
            CallError::Lost(error) => {
                tracing::warn!(%request, route, code = error.code(), %error, "the service lost the session");
                tell(
                    "HST-SOAP-LOST",
                    "The service lost the session and says that it did not process the request. A new session is at hand: \
                     send it again.",
                )
            }
            CallError::Session(error) => {
                tracing::warn!(%request, route, code = error.code(), %error, "the call failed");
                tell("HST-SOAP-CALL", "The service refuses the gateway's message, or its answer is not protected well.")
            }
            CallError::Way(problem) => {
                tracing::warn!(%request, route, code = problem.code(), "the service does not answer");
                let is_too_large = problem.code() == "HST-SOAP-SIZE";
                let reason =
                    if is_too_large { "The service's answer is too large." } else { "The service does not answer." };
                tell(problem.code(), reason)
            }
            CallError::Status(status) => {
                tracing::warn!(%request, route, status = status.as_u16(), "the service answers without SOAP");
                tell("HST-SOAP-STATUS", "The service's server answers, but not with SOAP.")
            }
        })
    }
}

/// What the answer to a local program depends on.
struct Asked {
    soap: SoapVersion,
    addressing: Option<handstamp_ws_security::AddressingVersion>,
    message_id: Option<String>,
}

impl Asked {
    fn of(message: &PlainMessage) -> Self {
        Self { soap: message.soap, addressing: message.addressing, message_id: message.message_id.clone() }
    }

    /// The addressing headers of the answer, for a program that uses them.
    fn addressing(&self, action: &str) -> Vec<String> {
        let version = self.addressing.filter(|_| !action.is_empty());
        version.map(|version| plain::reply_addressing(version, action, self.message_id.as_deref())).unwrap_or_default()
    }

    fn fault(&self, headers: &HeaderMap, fault: &PlainFault) -> Response<Body> {
        let blocks = self.addressing.map(|version| self.addressing(version.fault_action())).unwrap_or_default();
        self.answer(headers, StatusCode::INTERNAL_SERVER_ERROR, &blocks, &fault.to_body(self.soap))
    }

    fn answer(&self, headers: &HeaderMap, status: StatusCode, blocks: &[String], content: &str) -> Response<Body> {
        let envelope = plain::envelope(self.soap, blocks.iter().map(String::as_str), content);
        wire::answer(headers, status, self.soap, envelope)
    }
}

/// Whether there is nothing to keep for the caller, who may be nobody that the service knows.
fn is_without_session(error: &CallError) -> bool {
    match error {
        CallError::Refused(_) => true,
        CallError::Session(error) => is_about_credentials(error),
        _ => false,
    }
}

/// Whether the service refused who the caller is, rather than how it was said.
fn is_about_credentials(error: &SessionError) -> bool {
    let SessionError::Fault { fault, .. } = error else { return false };
    fault.subcode.as_ref().is_some_and(|subcode| subcode.local_name == "FailedAuthentication")
}

/// The name and the password of HTTP Basic authentication (RFC 7617).
fn basic_credentials(headers: &HeaderMap) -> Option<Caller> {
    let said = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = said.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode_to_vec(encoded.trim()).ok()?);
    let (name, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let caller = Caller { name: name.to_owned(), password: Zeroizing::new(password.to_owned()) };
    (!name.is_empty()).then_some(caller)
}

fn unknown_caller() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "HST-SOAP-CALLER",
        "Who is calling?",
        "Send the name and the password that the service knows you by, with HTTP Basic authentication.",
    )
    .header(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"SOAP\", charset=\"UTF-8\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_read_from_basic_authentication() {
        let caller = |value: &'static str| {
            basic_credentials(&HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]))
        };
        let found = caller("Basic YWRhOnNlOmNyZXQ=").expect("a caller");
        assert_eq!((found.name.as_str(), found.password.as_str()), ("ada", "se:cret"));
        for broken in ["Bearer YWRhOnNlOmNyZXQ=", "Basic !", "Basic YWRh", "Basic OnNlY3JldA==", "Basic"] {
            assert!(caller(broken).is_none(), "{broken}");
        }
    }
}

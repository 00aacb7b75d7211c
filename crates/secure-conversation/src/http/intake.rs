//! Requests until they are messages, and what they are answered with.

use super::{media_type, soap_action};
use crate::error::Error;
use crate::service::{Answer, Event, Incoming};
use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use handstamp_ws_security::soap::SoapVersion;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use std::borrow::Cow;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// What is read, and for how long.
#[derive(Clone)]
pub(super) struct Intake {
    max_message_size: usize,
    behind_tls: bool,
    content_limit: Option<TimeLimit>,
}

/// How long something may take, and who wakes us.
#[derive(Clone)]
struct TimeLimit {
    limit: Duration,
    sleep: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

/// A request that was read to its end.
pub struct Posted {
    action: Option<String>,
    content: Bytes,
    is_protected: bool,
}

impl Intake {
    pub(super) fn new(max_message_size: usize) -> Self {
        Self { max_message_size, behind_tls: false, content_limit: None }
    }

    pub(super) fn set_behind_tls(&mut self) {
        self.behind_tls = true;
    }

    pub(super) fn set_content_limit<F>(
        &mut self,
        limit: Duration,
        sleep: impl Fn(Duration) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let sleep = Arc::new(move |time| -> BoxFuture<'static, ()> { Box::pin(sleep(time)) });
        self.content_limit = Some(TimeLimit { limit, sleep });
    }

    /// The request, or the answer to one that is none for SOAP.
    pub(super) async fn read<B>(&self, request: Request<B>) -> Result<Posted, Response<Full<Bytes>>>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return Err(response);
        }
        let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !["text/xml", "application/soap+xml"].iter().any(|known| media_type.eq_ignore_ascii_case(known)) {
            return Err(empty(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let content = self.content(body).await.map_err(|status| {
            tracing::info!(%status, "the content of a request was not read to its end");
            ending(status)
        })?;
        let action = soap_action(&head.headers).map(Cow::into_owned);
        Ok(Posted { action, content, is_protected: self.behind_tls })
    }

    /// All of it, or the status that says why not.
    async fn content<B>(&self, body: B) -> Result<Bytes, StatusCode>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let reading = pin!(Limited::new(body, self.max_message_size).collect());
        let read = match &self.content_limit {
            None => reading.await,
            Some(TimeLimit { limit, sleep }) => match select(reading, sleep(*limit)).await {
                Either::Left((read, _)) => read,
                Either::Right(_) => return Err(StatusCode::REQUEST_TIMEOUT),
            },
        };
        Ok(read.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes())
    }
}

impl Posted {
    /// The message in it.
    pub(super) fn incoming(&self, address: Option<IpAddr>) -> Incoming<'_> {
        let incoming = Incoming::borrowed(&self.content).with_soap_action(self.action.as_deref());
        let incoming = incoming.from_address(address);
        if self.is_protected { incoming.over_protected_channel() } else { incoming }
    }
}

/// What the protocol answers itself, and a line in the log.
pub(super) fn answered(answer: Answer) -> Response<Full<Bytes>> {
    match &answer.event {
        Event::Issued { context_id, caller } => {
            tracing::info!(context_id, caller, "security context issued");
        }
        Event::Negotiating => tracing::debug!("negotiating"),
        Event::Negotiated { context_id, certificate } => {
            tracing::info!(context_id, certificate, "security context negotiated");
        }
        Event::Renewed { context_id } => tracing::info!(context_id, "security context renewed"),
        Event::Cancelled { context_id } => tracing::info!(context_id, "security context cancelled"),
        Event::TokenIssued { token_id, audience, caller } => {
            tracing::info!(token_id, audience, caller, "token issued");
        }
        Event::Refused(error) => tracing::warn!(code = error.code(), %error, "message refused"),
    }
    let status = if answer.fault.is_some() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    with_envelope(status, answer.soap, answer.envelope)
}

pub(super) fn unreadable(error: &Error) -> Response<Full<Bytes>> {
    tracing::info!(code = error.code(), %error, "not a SOAP message");
    empty(StatusCode::BAD_REQUEST)
}

pub(super) fn dropped(error: &Error) -> Response<Full<Bytes>> {
    tracing::warn!(code = error.code(), %error, "message dropped");
    ending(StatusCode::INTERNAL_SERVER_ERROR)
}

pub(super) fn with_envelope(status: StatusCode, soap: SoapVersion, envelope: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(envelope));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type(soap)));
    response
}

pub(super) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// An answer after which nothing more is read from the connection.
fn ending(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = empty(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

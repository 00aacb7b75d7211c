//! Secure conversations over HTTP: the service as a [`tower_service::Service`], the client on top of any.
//!
//! There is still no socket here. A server that speaks `http` (hyper, axum) calls [`SoapService`] or [`TokenEndpoint`];
//! [`SecureSession`] and [`TokenSource`] call an HTTP client that is a tower service, such as that of `hyper-util`. The examples
//! `secure_service`, `secure_client` and `issued_token` put them together.

mod endpoint;
mod intake;
mod parameter;
mod session;
mod soap_service;
mod token_endpoint;
mod token_source;

pub use endpoint::Endpoint;
pub use session::{CallError, SecureSession};
pub use soap_service::{Application, Reply, SoapService};
pub use token_endpoint::{TokenAuthority, TokenDecision, TokenEndpoint};
pub use token_source::TokenSource;

use bytes::Bytes;
use handstamp_ws_security::soap::{Envelope, SoapVersion};
use handstamp_xml::{Document, Element, ParseOptions};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use std::borrow::Cow;
use tower_service::Service;

/// The largest answer, in bytes. The clients have limits of their own, which they can say more about.
const MAX_ANSWER: usize = 16 << 20;

/// Sends an envelope with its action, and waits for the one that comes back.
async fn post<S, B>(
    mut http: S,
    address: &Uri,
    soap: SoapVersion,
    (action, envelope): (&str, &str),
) -> Result<Bytes, CallError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| CallError::Http(error);
    let request = Request::post(address.clone());
    let request = match soap {
        SoapVersion::Soap11 => {
            request.header(CONTENT_TYPE, media_type(soap)).header("SOAPAction", format!("\"{action}\""))
        }
        SoapVersion::Soap12 => request.header(CONTENT_TYPE, format!("{}; action=\"{action}\"", media_type(soap))),
    };
    let request = request.body(Full::from(envelope.to_owned())).map_err(|error| failed(Box::new(error)))?;
    std::future::poll_fn(|context| http.poll_ready(context)).await.map_err(|error| failed(error.into()))?;
    let response = http.call(request).await.map_err(|error| failed(error.into()))?;
    let status = response.status();
    let answer = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(failed)?.to_bytes();
    if holds_message(status, &answer) { Ok(answer) } else { Err(CallError::Status(status)) }
}

/// Whether an answer with this status holds a SOAP message.
///
/// A fault comes with 500 in both versions of SOAP. From others than WCF one of the sender comes with 400 in SOAP 1.2: so with any
/// other status than these and 200 it has to be seen that it is one.
pub fn holds_message(status: StatusCode, answer: &[u8]) -> bool {
    let is_usual = matches!(status, StatusCode::OK | StatusCode::INTERNAL_SERVER_ERROR);
    !answer.is_empty() && (is_usual || may_be_fault(answer))
}

/// Whether it is a SOAP message with a fault, or with a security header: what that protects only who opens it can tell.
fn may_be_fault(answer: &[u8]) -> bool {
    let Ok(document) = Document::parse(answer, &ParseOptions::default()) else { return false };
    let Ok(envelope) = Envelope::of(&document) else { return false };
    let is_fault = |content: Element<'_>| content.is(envelope.version().namespace(), "Fault");
    envelope.body().children().next().is_some_and(is_fault) || !matches!(envelope.security_header(), Ok(None))
}

/// The media type of an envelope.
fn media_type(soap: SoapVersion) -> &'static str {
    match soap {
        SoapVersion::Soap11 => "text/xml; charset=utf-8",
        SoapVersion::Soap12 => "application/soap+xml; charset=utf-8",
    }
}

/// The action that HTTP names, for [`Incoming::with_soap_action`](crate::Incoming::with_soap_action): the `SOAPAction` header of SOAP
/// 1.1, or the `action` parameter of SOAP 1.2.
pub fn soap_action(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    match headers.get("SOAPAction").and_then(|value| value.to_str().ok()) {
        Some(header) => Some(Cow::Borrowed(header.trim().trim_matches('"'))),
        None => parameter::of(headers.get(CONTENT_TYPE)?.to_str().ok()?, "action"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn sc_04_the_action_is_in_the_header_or_in_the_media_type() {
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static(value))])
        };
        assert_eq!(soap_action(&headers("soapaction", "\"urn:a\"")).as_deref(), Some("urn:a"));
        let of_12 = headers("content-type", "application/soap+xml; charset=utf-8; Action=\"urn:b?c=d\"");
        assert_eq!(soap_action(&of_12).as_deref(), Some("urn:b?c=d"));
        assert_eq!(soap_action(&headers("content-type", "text/xml")), None);
        assert_eq!(soap_action(&HeaderMap::new()), None);
    }
}

//! Secure conversations over HTTP: the service as a [`tower_service::Service`], the client on top of any.
//!
//! There is still no socket here. A server that speaks `http` (hyper, axum) calls [`SoapService`]; [`SecureSession`] calls
//! an HTTP client that is a tower service, such as that of `hyper-util`. The examples `secure_service` and `secure_client` put
//! both together.

mod session;
mod soap_service;

pub use session::{CallError, SecureSession};
pub use soap_service::{Application, Reply, SoapService};

use handstamp_ws_security::soap::SoapVersion;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The media type of an envelope.
fn media_type(soap: SoapVersion) -> &'static str {
    match soap {
        SoapVersion::Soap11 => "text/xml; charset=utf-8",
        SoapVersion::Soap12 => "application/soap+xml; charset=utf-8",
    }
}

/// The action that HTTP names: the `SOAPAction` header of SOAP 1.1, or the `action` parameter of SOAP 1.2.
fn soap_action(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get("SOAPAction").and_then(|value| value.to_str().ok());
    header.or_else(|| {
        let media_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let mut parameters = media_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
        parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("action")).map(|(_, value)| value.trim())
    })
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
        assert_eq!(soap_action(&headers("soapaction", "\"urn:a\"")), Some("\"urn:a\""));
        let of_12 = headers("content-type", "application/soap+xml; charset=utf-8; Action=\"urn:b?c=d\"");
        assert_eq!(soap_action(&of_12), Some("\"urn:b?c=d\""));
        assert_eq!(soap_action(&headers("content-type", "text/xml")), None);
        assert_eq!(soap_action(&HeaderMap::new()), None);
    }
}

//! The WSDL that a route serves: with policies for clients of sessions, without for local programs.

use handstamp_security_policy::{Publication, PublishedDocument};
use handstamp_ws_security::ProtectionLevel;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::terms::Terms;
use crate::gateway::body::Body;
use crate::gateway::origin::Origin;
use crate::gateway::problem::Problem;

/// What a WSDL for clients of sessions says besides what its terms do.
pub(super) struct Secured<'s> {
    pub(super) certificate: Option<&'s [u8]>,
}

/// Which document of a WSDL a request asks for: the location by which it is imported, empty for the main one. None when it asks
/// for none.
pub(super) fn wanted(uri: &Uri) -> Option<String> {
    let query = uri.query()?;
    let (name, value) = query.split_once('=').unwrap_or((query, ""));
    match name.to_ascii_lowercase().as_str() {
        "wsdl" | "singlewsdl" => Some(String::new()),
        "part" => Some(percent_decode_str(value).decode_utf8_lossy().into_owned()),
        _ => None,
    }
}

/// The document, at the address that the request used or that the configuration says.
///
/// # Errors
/// There is no such document.
pub(super) fn serve(
    terms: &Terms,
    secured: Option<&Secured<'_>>,
    wanted: &str,
    address: &str,
) -> Result<Response<Body>, Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "HST-SOAP-WSDL", "No description", NO_DESCRIPTION);
    let description = terms.description.as_ref().ok_or_else(none)?;
    let port = Some(description.endpoint.port.as_str());
    let link = |location: &str| format!("{address}?part={}", utf8_percent_encode(location, NON_ALPHANUMERIC));
    let published = match secured {
        Some(secured) => {
            let publication = Publication {
                port,
                address,
                security: &terms.security,
                message_version: terms.version,
                encoding: terms.encoding,
                require_client_certificate: false,
                certificate: secured.certificate,
                protection: ProtectionLevel::EncryptAndSign,
            };
            description.definitions.publish(&publication, link)
        }
        None => description.definitions.plain(port, address, link),
    };
    let documents = published.map_err(|error| {
        tracing::error!(code = error.code(), %error, "the WSDL cannot be published");
        Problem::internal("HST-SOAP-WSDL")
    })?;
    let found = documents.into_iter().find(|PublishedDocument { location, .. }| location == wanted).ok_or_else(none)?;
    let mut response = Response::new(Body::whole(found.text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// The address of a request, without its query.
pub(super) fn address(origin: &Origin, uri: &Uri) -> String {
    format!("{}://{}{}", origin.scheme(), origin.host, uri.path())
}

const NO_DESCRIPTION: &str =
    "There is no WSDL here: the route's configuration names none (wsdl), or the document is not part of it.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_asked_for_in_the_query() {
        let asked = |uri: &str| wanted(&uri.parse().unwrap());
        for main in ["/a?wsdl", "/a?WSDL", "/a?singleWsdl", "/a?wsdl=1"] {
            assert_eq!(asked(main).as_deref(), Some(""), "{main}");
        }
        assert_eq!(asked("/a?part=types%2Fa%2Exsd").as_deref(), Some("types/a.xsd"));
        assert_eq!((asked("/a"), asked("/a?x")), (None, None));
    }
}

//! Messages in HTTP: media types, actions, compression.

use std::io::Read as _;

use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use handstamp_secure_conversation::http::soap_action;
use handstamp_security_policy::Encoding;
use handstamp_ws_security::soap::SoapVersion;
use handstamp_xml::binary::{self, WCF_DICTIONARY};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::gateway::body::Body;
use crate::gateway::problem::Problem;
use crate::soap::encoding::read_package;

/// `SOAPAction` of SOAP 1.1.
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");
/// Answers below this size are not worth compressing, in bytes.
const LEAST_COMPRESSED: usize = 1024;

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Text XML.
    Text,
    /// MTOM: large binary values in parts of their own.
    Mtom,
    /// .NET binary XML.
    Binary,
}

impl From<Encoding> for Format {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Text => Self::Text,
            Encoding::Mtom => Self::Mtom,
            Encoding::Binary => Self::Binary,
        }
    }
}

impl Format {
    /// What the media type says; none for other media than SOAP.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let said = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        match said.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "text/xml" | "application/soap+xml" => Some(Self::Text),
            "multipart/related" => Some(Self::Mtom),
            "application/soap+msbin1" => Some(Self::Binary),
            _ => None,
        }
    }

    /// A message as text XML, of at most `limit` bytes.
    ///
    /// # Errors
    /// It is not in this format, or too large.
    pub(super) fn to_text(self, message: Vec<u8>, headers: &HeaderMap, limit: usize) -> Result<Vec<u8>, String> {
        match self {
            Self::Text => Ok(message),
            Self::Binary => {
                let mut limits = binary::Limits::default();
                limits.max_text = limit;
                let reader = binary::Reader::new(&message, Some(&WCF_DICTIONARY)).with_limits(limits);
                let text = binary::to_text(reader);
                text.map(String::into_bytes).map_err(|error| error.to_string())
            }
            Self::Mtom => {
                // Which part is the root is said in the header.
                let media_type = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
                let package = [b"Content-Type: ", media_type, b"\r\n\r\n", message.as_slice()].concat();
                let document = read_package(&package, limit).map_err(|error| error.to_string())?;
                Ok(document.root().markup().into_bytes())
            }
        }
    }
}

/// A message on its way out, with the media type that it has then.
struct Written {
    message: Vec<u8>,
    media_type: String,
}

impl Format {
    /// An envelope in this format. `action` is for requests.
    fn write(self, soap: SoapVersion, action: Option<&str>, envelope: String) -> Result<Written, binary::Error> {
        let quoted = action.filter(|action| is_quotable(action));
        let parameter = quoted.filter(|_| soap == SoapVersion::Soap12);
        let parameter = parameter.map(|action| format!("; action=\"{action}\"")).unwrap_or_default();
        Ok(match self {
            Self::Text => {
                Written { message: envelope.into_bytes(), media_type: format!("{}{parameter}", media_type(soap)) }
            }
            Self::Binary => Written {
                message: binary::from_text(envelope, Some(&WCF_DICTIONARY), None)?,
                media_type: format!("application/soap+msbin1{parameter}"),
            },
            Self::Mtom => {
                // An envelope with all values in it is a package of one part; no line of it starts with the boundary.
                let boundary = boundary_for(&envelope);
                let kind = media_type(soap).split(';').next().unwrap_or_default();
                let message = format!(
                    "--{boundary}\r\nContent-ID: <root@handstamp>\r\nContent-Transfer-Encoding: 8bit\r\n\
                     Content-Type: application/xop+xml; charset=utf-8; type=\"{kind}\"\r\n\r\n{envelope}\r\n--{boundary}--\r\n"
                );
                let media_type = format!(
                    "multipart/related; type=\"application/xop+xml\"; start=\"<root@handstamp>\"; boundary=\"{boundary}\"; \
                     start-info=\"{kind}\"{parameter}"
                );
                Written { message: message.into_bytes(), media_type }
            }
        })
    }
}

/// A boundary that is not in the envelope.
fn boundary_for(envelope: &str) -> String {
    let mut boundary = "handstamp".to_owned();
    while envelope.contains(&boundary) {
        boundary.push('-');
        boundary.push_str(&envelope.len().to_string());
    }
    boundary
}

/// Whether a text can stand between quotation marks in a header.
fn is_quotable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// The action that HTTP names: the `SOAPAction` header of SOAP 1.1, or the `action` parameter of SOAP 1.2. An empty one says
/// nothing.
pub(super) fn action(headers: &HeaderMap) -> Option<String> {
    let said = soap_action(headers)?;
    let said = said.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

/// Whether a message can be passed on as it comes: text that is not compressed.
pub(super) fn is_plain_text(headers: &HeaderMap) -> bool {
    let coding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
    Format::of(headers) == Some(Format::Text) && (coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
}

/// The length that HTTP tells.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A length that became longer, or shorter.
pub(super) fn lengthened(length: Option<u64>, by: i64) -> Option<u64> {
    length.and_then(|length| length.checked_add_signed(by))
}

/// A message in text whose body may still be on its way.
pub(super) fn streamed(soap: SoapVersion, body: Body, length: Option<u64>) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type(soap)));
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// A request to a service: its headers and its body.
///
/// # Errors
/// The envelope has no such form.
pub(super) fn request(
    format: Format,
    soap: SoapVersion,
    action: &str,
    envelope: String,
) -> Result<(HeaderMap, Vec<u8>), binary::Error> {
    let written = format.write(soap, Some(action), envelope)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, header_value(written.media_type));
    if soap == SoapVersion::Soap11 {
        // An action that is no header value is left to the message itself.
        let action = if is_quotable(action) { action } else { "" };
        headers.insert(SOAP_ACTION, header_value(format!("\"{action}\"")));
    }
    Ok((headers, written.message))
}

/// An answer to a client that sent a request with these headers, in the format of that request.
pub(super) fn answer(request: &HeaderMap, status: StatusCode, soap: SoapVersion, envelope: String) -> Response<Body> {
    let format = Format::of(request).unwrap_or(Format::Text);
    let written = format.write(soap, None, envelope).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer cannot be written");
        Written { message: Vec::new(), media_type: media_type(soap).to_owned() }
    });
    let is_large = written.message.len() >= LEAST_COMPRESSED;
    let compressed = (is_large && accepts_gzip(request)).then(|| compressed(&written.message)).flatten();
    let is_compressed = compressed.is_some();
    let mut response = Response::new(Body::whole(compressed.unwrap_or(written.message)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, header_value(written.media_type));
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    response
}

/// What we write ourselves is printable ASCII, and so a header value.
fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// An answer without content.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Takes the compression off a message.
///
/// # Errors
/// It is not what its header says, or larger than `limit` bytes.
pub(super) fn decompressed(headers: &HeaderMap, message: Vec<u8>, limit: usize) -> Result<Vec<u8>, &'static str> {
    let coding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
        return Ok(message);
    }
    if !coding.eq_ignore_ascii_case(b"gzip") && !coding.eq_ignore_ascii_case(b"x-gzip") {
        return Err("only gzip is understood");
    }
    let mut plain = Vec::with_capacity(message.len().saturating_mul(4).min(limit));
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    GzDecoder::new(message.as_slice()).take(bound).read_to_end(&mut plain).map_err(|_| "it is not gzip")?;
    if plain.len() > limit { Err("it is larger than max_message_size") } else { Ok(plain) }
}

/// A request that is no SOAP message.
pub(super) fn unsupported_media() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "HST-SOAP-MEDIA",
        "Not SOAP",
        "This address takes SOAP messages: text/xml, application/soap+xml, multipart/related (MTOM) or \
         application/soap+msbin1, compressed with gzip or not at all.",
    )
}

/// A request that cannot be read as what it says it is.
pub(super) fn unreadable() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "HST-SOAP-UNREADABLE",
        "Not SOAP",
        "The request is not the SOAP message that its header says it is.",
    )
}

fn media_type(soap: SoapVersion) -> &'static str {
    match soap {
        SoapVersion::Soap11 => "text/xml; charset=utf-8",
        SoapVersion::Soap12 => "application/soap+xml; charset=utf-8",
    }
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    let codings = request.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    codings.flat_map(|line| line.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.trim().parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn compressed(message: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(message.len() / 3);
    GzEncoder::new(message, Compression::fast()).read_to_end(&mut out).ok()?;
    (out.len() < message.len()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn actions_are_in_the_header_or_in_the_media_type() {
        let said = |name, value| action(&headers(&[(name, value)]));
        assert_eq!(said("soapaction", "\"urn:a\"").as_deref(), Some("urn:a"));
        assert_eq!(said("content-type", "application/soap+xml; action=\"urn:b\"").as_deref(), Some("urn:b"));
        assert_eq!(said("content-type", "application/soap+xml; action=\"urn:b;c\"").as_deref(), Some("urn:b;c"));
        assert_eq!(said("soapaction", "\"\""), None);
        for soap in [SoapVersion::Soap11, SoapVersion::Soap12] {
            for format in [Format::Text, Format::Mtom, Format::Binary] {
                let (headers, _) = request(format, soap, "urn:c/D", "<a/>".to_owned()).unwrap();
                assert_eq!(action(&headers).as_deref(), Some("urn:c/D"), "{format:?}");
            }
        }
    }

    #[test]
    fn sc_14_5_messages_survive_every_format() {
        let envelope = "<a xmlns=\"urn:a\"><b>--handstamp é</b></a>";
        for format in [Format::Text, Format::Mtom, Format::Binary] {
            let (headers, message) = request(format, SoapVersion::Soap12, "urn:a", envelope.to_owned()).unwrap();
            assert_eq!(Format::of(&headers), Some(format));
            let text = format.to_text(message, &headers, 1000).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), envelope, "{format:?}");
        }
    }

    /// A part may be in many places.
    #[test]
    fn sc_14_5_values_count_in_each_place_that_they_come_to() {
        let include = "<i:Include href=\"cid:b\" xmlns:i=\"http://www.w3.org/2004/08/xop/include\"/>";
        let places = format!("<b>{include}</b>").repeat(10);
        let package = format!(
            "--b\r\nContent-ID: <r>\r\n\r\n<a>{places}</a>\r\n--b\r\nContent-ID: <b>\r\n\r\n{}\r\n--b--\r\n",
            "x".repeat(3000)
        );
        let headers = headers(&[("content-type", "multipart/related; boundary=\"b\"; start=\"<r>\"")]);
        let to_text = |limit| Format::Mtom.to_text(package.clone().into_bytes(), &headers, limit);
        assert!(to_text(50_000).unwrap().len() > 40_000);
        for limit in [30_000, 100] {
            to_text(limit).unwrap_err();
        }
    }

    #[test]
    fn compression_is_undone_within_the_limit() {
        let gzip = headers(&[("content-encoding", "gzip")]);
        let bomb = compressed("a".repeat(100_000).as_bytes()).unwrap();
        assert_eq!(decompressed(&gzip, bomb.clone(), 100_000).unwrap().len(), 100_000);
        assert!(decompressed(&gzip, bomb, 99_999).is_err());
        assert!(decompressed(&gzip, b"plain".to_vec(), 10).is_err());
        assert!(decompressed(&headers(&[("content-encoding", "br")]), Vec::new(), 10).is_err());
        assert_eq!(decompressed(&headers(&[]), b"plain".to_vec(), 10).unwrap(), b"plain");
    }

    #[test]
    fn answers_are_compressed_for_those_who_want_it() {
        for (accepted, wanted) in
            [("gzip, deflate", true), ("br, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false)]
        {
            let request = headers(&[("accept-encoding", accepted)]);
            let response = answer(&request, StatusCode::OK, SoapVersion::Soap12, "x".repeat(5000));
            assert_eq!(response.headers().contains_key(CONTENT_ENCODING), wanted, "{accepted}");
        }
    }
}

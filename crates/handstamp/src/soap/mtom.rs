//! MTOM: a message in several MIME parts, whose large binary values stand apart from its XML (XOP).

use handstamp_xml::{Document, Fragment, NodeId, ParseOptions};

use super::encoding::refused;
use crate::Error;

/// Whether the octets start like a MIME message, with its header or that of HTTP in front, or like its first part. WCF puts an empty
/// line before that.
pub(super) fn is_mtom(octets: &[u8]) -> bool {
    let start = octets.trim_ascii_start();
    let is_multipart = |(header, _): (&[u8], _)| find(&header.to_ascii_lowercase(), b"multipart/").is_some();
    start.starts_with(b"--") || (!start.starts_with(b"<") && split_header(start).is_ok_and(is_multipart))
}

/// Reads the message, with or without its MIME header, and puts the binary values in their places, within the limits of `options`.
pub(super) fn read(octets: &[u8], options: &ParseOptions) -> Result<Document, Error> {
    let (header, parts) = parts(octets)?;
    let start = parameter(header, "start");
    let is_root = |part: &&Part<'_>| start.is_none_or(|start| part.id == Some(trim_id(start)));
    let root = parts.iter().find(is_root).ok_or_else(|| malformed("its root part is missing"))?;
    let mut document = Document::parse(root.content, options).map_err(|error| refused(error.code(), error))?;
    for (place, reference) in includes(&document)? {
        let part = parts.iter().find(|part| part.id.is_some_and(|id| id == reference));
        let part = part.ok_or_else(|| malformed("an Include refers to a part that is missing"))?;
        let value = base64_simd::STANDARD.encode_to_string(part.content);
        let replaced = document.replace_with_fragment(place, value.as_bytes(), Fragment::Content);
        replaced.map_err(|error| refused(error.code(), error))?;
    }
    Ok(document)
}

/// How many parts a message may have.
const MAX_PARTS: usize = 256;
const XOP: &str = "http://www.w3.org/2004/08/xop/include";

struct Part<'m> {
    /// `Content-ID`, without the angle brackets.
    id: Option<&'m str>,
    content: &'m [u8],
}

/// The MIME header in front, which may be absent, and the parts.
fn parts(octets: &[u8]) -> Result<(&str, Vec<Part<'_>>), Error> {
    let octets = octets.trim_ascii_start();
    let (header, body) = if octets.starts_with(b"--") { (&octets[..0], octets) } else { split_header(octets)? };
    let header = std::str::from_utf8(header).map_err(|_| malformed("its header is not text"))?;
    let (boundary, mut rest) = first_boundary(body, parameter(header, "boundary"))?;
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok((header, parts));
        }
        if parts.len() == MAX_PARTS {
            return Err(malformed("it has too many parts"));
        }
        let delimiter = [b"\r\n", boundary].concat();
        let end = find(rest, &delimiter).ok_or_else(|| malformed("a part has no end"))?;
        let (part, after) = rest.split_at(end);
        parts.push(read_part(part)?);
        rest = after.get(delimiter.len()..).unwrap_or_default();
    }
}

/// The line before the first part, and what follows it. What stands before it means nothing (RFC 2046 §5.1.1).
fn first_boundary<'m>(body: &'m [u8], named: Option<&str>) -> Result<(&'m [u8], &'m [u8]), Error> {
    let is_boundary = |line: &[u8]| match (line.strip_prefix(b"--"), named) {
        (Some(found), Some(named)) => found == named.as_bytes(),
        (Some(found), None) => !found.is_empty(),
        (None, _) => false,
    };
    let mut rest = body;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(line_end(rest));
        let boundary = line.trim_ascii_end();
        if is_boundary(boundary) {
            return Ok((boundary, rest.get(boundary.len()..).unwrap_or_default()));
        }
        rest = after;
    }
    Err(malformed("it has no boundary"))
}

fn read_part(part: &[u8]) -> Result<Part<'_>, Error> {
    // Behind the boundary stands the end of its line.
    let (header, content) = split_header(part)?;
    let header = std::str::from_utf8(header).map_err(|_| malformed("the header of a part is not text"))?;
    let id = header.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("Content-ID").then(|| trim_id(value))
    });
    Ok(Part { id, content })
}

fn split_header(octets: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let end = find(octets, b"\r\n\r\n").ok_or_else(|| malformed("a header has no end"))?;
    Ok((octets.get(..end).unwrap_or_default(), octets.get(end + 4..).unwrap_or_default()))
}

/// The `Include` elements and the ids that they refer to.
fn includes(document: &Document) -> Result<Vec<(NodeId, String)>, Error> {
    let includes = document.root().descendants().filter(|element| element.is(XOP, "Include"));
    includes
        .map(|include| {
            let reference = include.attribute("href").and_then(|href| href.strip_prefix("cid:"));
            let reference = reference.ok_or_else(|| malformed("an Include has no href to a part"))?;
            let reference = percent_encoding::percent_decode_str(reference).decode_utf8_lossy().into_owned();
            Ok((include.id(), reference))
        })
        .collect()
}

fn parameter<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header.split([';', '\n']).find_map(|parameter| {
        let (found, value) = parameter.trim().split_once('=')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn trim_id(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches('>')
}

/// Where the first line ends, its end included.
fn line_end(octets: &[u8]) -> usize {
    octets.iter().position(|octet| *octet == b'\n').map_or(octets.len(), |end| end + 1)
}

fn find(octets: &[u8], what: &[u8]) -> Option<usize> {
    octets.windows(what.len()).position(|window| window == what)
}

fn malformed(problem: &str) -> Error {
    refused("HST-SOAP-MTOM", format!("the MTOM message is malformed: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "--b\r\nContent-ID: <root@x>\r\nContent-Type: application/xop+xml\r\n\r\n\
        <a><i:Include href=\"cid:one%40x\" xmlns:i=\"http://www.w3.org/2004/08/xop/include\"/></a>\
        \r\n--b\r\nContent-ID: <one@x>\r\n\r\n\u{1}--\r\n\r\n--b--\r\n";

    #[test]
    fn sc_14_5_values_in_other_parts_come_into_their_places() {
        let header = "MIME-Version: 1.0\r\nContent-Type: multipart/related;boundary=\"b\";start=\"<root@x>\"\r\n\r\n";
        for message in [MESSAGE.to_owned(), format!("{header}{MESSAGE}")] {
            assert!(is_mtom(message.as_bytes()));
            assert_eq!(read(message.as_bytes(), &ParseOptions::default()).unwrap().root().markup(), "<a>AS0tDQo=</a>");
        }
    }

    #[test]
    fn sc_14_5_a_package_may_have_an_empty_line_or_more_before_its_first_part() {
        let mime = "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b; start=\"<root@x>\"\r\n\r\n";
        let http = format!("POST /ledger HTTP/1.1\r\nHost: l.example\r\n{mime}");
        for before in
            ["\r\n", &format!("{mime}\r\n"), &format!("{http}\r\n"), &format!("{http}for people\r\n--c\r\n\r\n")]
        {
            let message = format!("{before}{MESSAGE}");
            assert!(is_mtom(message.as_bytes()), "{before}");
            assert_eq!(
                read(message.as_bytes(), &ParseOptions::default()).unwrap().root().markup(),
                "<a>AS0tDQo=</a>",
                "{before}"
            );
        }
        for text in ["<a/>\r\n\r\nmultipart/related", "\r\n<a b='--'/>", "a: b\r\n\r\n<a/>"] {
            assert!(!is_mtom(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn sc_14_5_broken_packages_are_refused() {
        for broken in [
            MESSAGE.replace("<one@x>", "<two@x>"),
            MESSAGE.replace("--b--", "--c--"),
            MESSAGE.replace("cid:", "http:"),
            format!("Content-Type: multipart/related;start=\"<other>\"\r\n\r\n{MESSAGE}"),
            "--b".to_owned(),
            "MIME-Version: 1.0".to_owned(),
            "--b\r\n--b--".repeat(300),
        ] {
            assert!(read(broken.as_bytes(), &ParseOptions::default()).is_err(), "{broken}");
        }
    }
}

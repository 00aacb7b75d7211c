//! A message as far as its body: what is needed to know it, while the rest is still on its way (SC 14.6).
//!
//! Where TLS protects, nothing of the security header depends on the body. So the header is taken off and put on, and the body passes
//! as it comes, frame by frame, however large it is. `Envelope` and `Body` stay the sender's: their prefixes and namespaces are
//! those that the body was written with.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use handstamp_ws_security::soap::Envelope;
use handstamp_ws_security::{HeaderBlock, ProtectionLevel};
use handstamp_xml::{Document, ParseOptions};
use http_body_util::BodyExt as _;

use crate::gateway::body::{Body, BodyError};

/// The beginning of a message, up to the start tag of its body, and the rest.
#[derive(Debug)]
pub(super) struct MessageHead {
    text: String,
    parts: Parts,
    /// What follows, from the text on.
    rest: Body,
}

/// Where things are in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    /// The qualified name of `Envelope`.
    envelope: Range<usize>,
    /// All of `Header`; empty, where it would be, when there is none.
    header: Range<usize>,
    /// The qualified name of `Body`.
    body: Range<usize>,
    /// Behind the start tag of `Body`.
    end: usize,
    is_body_empty: bool,
}

/// What the beginning of a message turned out to be.
#[derive(Debug)]
pub(super) enum Beginning {
    Head(Box<MessageHead>),
    /// It is not one that can be cut: it has to be read as a whole.
    Whole(Body),
}

/// What is known of a message of which only the beginning is there.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Parts(Parts),
    /// The start tag of the body has not come yet.
    Unfinished,
    /// It is not a message as they usually are.
    Strange,
}

/// The size of everything before a body, in bytes.
const MAX_HEAD: usize = 256 << 10;
/// Less than this is not looked at twice.
const LEAST_LOOK: usize = 1 << 10;

impl MessageHead {
    /// Reads until the body begins.
    ///
    /// # Errors
    /// What is wrong with the way.
    pub(super) async fn read(mut body: Body) -> Result<Beginning, BodyError> {
        let mut arriving = Arriving::default();
        let found = loop {
            let found = match body.frame().await {
                Some(Ok(frame)) => frame.into_data().ok().and_then(|data| arriving.take(&data)),
                Some(Err(error)) => return Err(error),
                None => {
                    body = Body::empty();
                    Some(arriving.end())
                }
            };
            if let Some(found) = found {
                break found;
            }
        };
        let mut read = arriving.read;
        let Found::Parts(parts) = found else {
            return Ok(Beginning::Whole(body.preceded_by(read.freeze())));
        };
        let rest = read.split_off(parts.end).freeze();
        let Ok(text) = String::from_utf8(read.to_vec()) else {
            read.extend_from_slice(&rest);
            return Ok(Beginning::Whole(body.preceded_by(read.freeze())));
        };
        Ok(Beginning::Head(Box::new(Self { text, parts, rest: body.preceded_by(rest) })))
    }

    /// The beginning of a message that is here as a whole; none for a strange one.
    #[cfg(test)]
    fn of(text: &str) -> Option<Self> {
        let Found::Parts(parts) = parts(text.as_bytes()) else { return None };
        let (text, rest) = text.split_at(parts.end);
        Some(Self { text: text.to_owned(), rest: Body::whole(rest.to_owned()), parts })
    }

    /// A whole message with this header and an empty body.
    pub(super) fn alone(&self) -> String {
        let name = |range: &Range<usize>| &self.text[range.clone()];
        let body = if self.parts.is_body_empty { String::new() } else { format!("</{}>", name(&self.parts.body)) };
        format!("{}{body}</{}>", self.text, name(&self.parts.envelope))
    }

    /// The message as it came.
    pub(super) fn into_body(self) -> Body {
        self.rest.preceded_by(Bytes::from(self.text))
    }

    /// The message with other header blocks, each with the namespaces that it needs; and how many bytes longer it is then.
    pub(super) fn with_header<'b>(self, blocks: impl IntoIterator<Item = &'b str>) -> (Body, i64) {
        let Self { text, parts, rest } = self;
        let envelope = &text[parts.envelope.clone()];
        let prefix = envelope.split_once(':').map(|(prefix, _)| format!("{prefix}:")).unwrap_or_default();
        let blocks: String = blocks.into_iter().collect();
        let header = if blocks.is_empty() { blocks } else { format!("<{prefix}Header>{blocks}</{prefix}Header>") };
        // Sizes of memory fit.
        let longer = header.len() as i64 - parts.header.len() as i64;
        let head = [&text[..parts.header.start], &header, &text[parts.header.end..]].concat();
        (rest.preceded_by(Bytes::from(head)), longer)
    }
}

/// What has come of a message so far. It is looked at from its start each time, so only when it has grown by half: a message in tiny
/// frames costs no more than one in large ones.
#[derive(Default)]
struct Arriving {
    read: BytesMut,
    enough: usize,
}

impl Arriving {
    /// Takes in what has come. None: more has to come before anything can be said.
    fn take(&mut self, data: &[u8]) -> Option<Found> {
        self.read.extend_from_slice(data);
        if self.read.len() < self.enough {
            return None;
        }
        match parts(&self.read) {
            Found::Unfinished if self.read.len() <= MAX_HEAD => {
                self.enough = (self.read.len() * 3 / 2).max(LEAST_LOOK);
                None
            }
            found => Some(found),
        }
    }

    /// No more comes.
    fn end(&self) -> Found {
        parts(&self.read)
    }
}

/// The header blocks of an envelope of ours, each with the namespaces that it needs.
///
/// # Errors
/// It is none.
pub(super) fn header_blocks(envelope: &str) -> Result<Vec<HeaderBlock>, handstamp_ws_security::Error> {
    let document = Document::parse(envelope, &ParseOptions::default())?;
    let envelope = Envelope::of(&document)?;
    Ok(envelope.header_blocks().map(|block| HeaderBlock::of(block, ProtectionLevel::None)).collect())
}

/// Finds the parts of a message. It is for messages that a parser has still to read: what it cannot follow is strange.
fn parts(text: &[u8]) -> Found {
    let mut scanner = Scanner { text, at: 0 };
    let mut open: Vec<Range<usize>> = Vec::new();
    let mut header: Option<Range<usize>> = None;
    let mut content = 0;
    loop {
        let tag = match scanner.next() {
            Ok(Some(tag)) => tag,
            Ok(None) => return Found::Unfinished,
            Err(Strange) => return Found::Strange,
        };
        let local = |name: &Range<usize>| text[name.clone()].rsplit(|byte| *byte == b':').next().unwrap_or_default();
        match (&tag.kind, open.len()) {
            (Kind::End, _) => {
                let Some(name) = open.pop() else { return Found::Strange };
                if text[name] != text[tag.name.clone()] {
                    return Found::Strange;
                }
                match (open.len(), &mut header) {
                    (1, Some(header)) => header.end = tag.end,
                    (0, _) => return Found::Strange,
                    _ => {}
                }
                continue;
            }
            (Kind::Start, 0) if local(&tag.name) == b"Envelope" => content = tag.end,
            (_, 1) if local(&tag.name) == b"Header" && header.is_none() => header = Some(tag.start..tag.end),
            (kind, 1) if local(&tag.name) == b"Body" => {
                let is_body_empty = *kind == Kind::Empty;
                let header = header.unwrap_or(content..content);
                let envelope = open.first().cloned().unwrap_or_default();
                return Found::Parts(Parts { envelope, header, body: tag.name, end: tag.end, is_body_empty });
            }
            (_, 0 | 1) => return Found::Strange,
            _ => {}
        }
        if tag.kind == Kind::Start {
            open.push(tag.name);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Start,
    Empty,
    End,
}

struct Tag {
    kind: Kind,
    name: Range<usize>,
    start: usize,
    end: usize,
}

struct Strange;

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl Scanner<'_> {
    /// The next tag; none when it has not come as a whole.
    fn next(&mut self) -> Result<Option<Tag>, Strange> {
        loop {
            let rest = &self.text[self.at..];
            let Some(start) = memchr::memchr(b'<', rest) else { return Ok(None) };
            let start = self.at + start;
            let rest = &self.text[start..];
            let skip = |opening: &[u8], closing: &[u8]| {
                rest.starts_with(opening).then(|| {
                    let found = memchr::memmem::find(&rest[opening.len()..], closing);
                    found.map(|at| start + opening.len() + at + closing.len())
                })
            };
            if let Some(end) = skip(b"<!--", b"-->").or_else(|| skip(b"<![CDATA[", b"]]>")) {
                let Some(end) = end else { return Ok(None) };
                self.at = end;
                continue;
            }
            if let Some(end) = skip(b"<?", b"?>") {
                let Some(end) = end else { return Ok(None) };
                if !is_plain_declaration(&self.text[start..end]) {
                    return Err(Strange);
                }
                self.at = end;
                continue;
            }
            if rest.starts_with(b"<!") {
                // The beginning of a comment may have come in part.
                let is_unfinished = b"<!--".starts_with(rest) || b"<![CDATA[".starts_with(rest);
                return if is_unfinished { Ok(None) } else { Err(Strange) };
            }
            return Ok(self.tag(start));
        }
    }

    fn tag(&mut self, start: usize) -> Option<Tag> {
        let mut quote = None;
        let length = self.text[start..].iter().position(|byte| match (quote, *byte) {
            (None, b'>') => true,
            (None, b'"' | b'\'') => {
                quote = Some(*byte);
                false
            }
            (Some(open), byte) => {
                if open == byte {
                    quote = None;
                }
                false
            }
            _ => false,
        })?;
        let end = start + length + 1;
        self.at = end;
        let inside = &self.text[start + 1..end - 1];
        let (kind, from) = match (inside.first(), inside.last()) {
            (Some(b'/'), _) => (Kind::End, start + 2),
            (_, Some(b'/')) => (Kind::Empty, start + 1),
            _ => (Kind::Start, start + 1),
        };
        let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>');
        let name = self.text[from..end].iter().position(ends).unwrap_or_default();
        Some(Tag { kind, name: from..from + name, start, end })
    }
}

/// Whether an instruction is the declaration of a document in UTF-8.
fn is_plain_declaration(instruction: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(instruction) else { return false };
    let lower = text.to_ascii_lowercase();
    let names_another = lower.contains("encoding") && !lower.contains("utf-8");
    lower.starts_with("<?xml ") && !names_another
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "<?xml version='1.0' encoding='utf-8'?><!-- <e:Body> --><e:Envelope xmlns:e='urn:e' a='>'>\
        <e:Header><x:Body xmlns:x='urn:x'><e:Header/></x:Body><![CDATA[<e:Body>]]></e:Header> <e:Body b='1'>";

    #[test]
    fn a_message_is_cut_where_its_body_begins_and_nowhere_else() {
        let whole = format!("{MESSAGE}<x/></e:Body></e:Envelope>");
        for length in 0..whole.len() {
            let found = parts(&whole.as_bytes()[..length]);
            if length < MESSAGE.len() {
                assert_eq!(found, Found::Unfinished, "{length}");
            } else {
                let Found::Parts(parts) = found else { panic!("{length}") };
                assert_eq!(parts.end, MESSAGE.len());
                assert!(whole[parts.header].starts_with("<e:Header><x:Body"), "{length}");
            }
        }
    }

    #[test]
    fn strange_messages_are_read_as_a_whole() {
        for strange in [
            "<!DOCTYPE e><e:Envelope>",
            "<?xml version='1.0' encoding='utf-16'?>",
            "<?php ?>",
            "<e:Envelope><e:Other/>",
            "<e:Envelope><e:Header/><e:Header/>",
            "<e:Envelope></e:Envelope>",
            "<e:Envelope><e:Header><a></b>",
            "<Other>",
            "<e:Envelope/>",
        ] {
            assert_eq!(parts(strange.as_bytes()), Found::Strange, "{strange}");
        }
    }

    #[test]
    fn tiny_frames_cost_no_more_than_large_ones() {
        let mut arriving = Arriving::default();
        let (mut looks, mut enough) = (0, 0);
        for _ in 0..=MAX_HEAD {
            assert_eq!(arriving.take(b"<"), None);
            looks += usize::from(arriving.enough != enough);
            enough = arriving.enough;
        }
        assert!(looks < 20, "{looks}");
        let all = (0..MAX_HEAD).find_map(|_| arriving.take(b"<"));
        assert_eq!(all, Some(Found::Unfinished), "so much is no head");

        let message = format!("{MESSAGE}{}</e:Body></e:Envelope>", "<x/>".repeat(1000));
        let mut arriving = Arriving::default();
        let found = message.bytes().find_map(|byte| arriving.take(&[byte]));
        assert!(matches!(found, Some(Found::Parts(parts)) if parts.end == MESSAGE.len()));
        let mut short = Arriving::default();
        let (first, rest) = MESSAGE.as_bytes().split_at(20);
        let head = short.take(first).or_else(|| short.take(rest));
        assert_eq!(head, None);
        assert!(matches!(short.end(), Found::Parts(_)));
    }

    #[tokio::test]
    async fn headers_are_exchanged_and_the_body_stays() {
        let message = format!("{MESSAGE}<x/></e:Body></e:Envelope>");
        let head = MessageHead::of(&message).expect("a head");
        assert!(head.alone().ends_with("<e:Body b='1'></e:Body></e:Envelope>"), "{}", head.alone());
        let (body, longer) = head.with_header(["<y/>"]);
        let text = body.collect().await.expect("whole").to_bytes();
        let text = std::str::from_utf8(&text).expect("text");
        assert!(text.contains("<e:Header><y/></e:Header> <e:Body b='1'><x/></e:Body>"), "{text}");
        assert_eq!(text.len() as i64, message.len() as i64 + longer);
        let bare = MessageHead::of("<Envelope><Body/></Envelope>").expect("a head");
        assert_eq!(bare.alone(), "<Envelope><Body/></Envelope>");
        let (body, _) = bare.with_header(["<y/>"]);
        let text = body.collect().await.expect("whole").to_bytes();
        assert_eq!(text, "<Envelope><Header><y/></Header><Body/></Envelope>");
    }
}

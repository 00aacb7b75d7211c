//! The tokenizer: from text to the arena, in one pass and without recursion.

mod attributes;
mod decoding;
mod markup;
mod names;
mod tags;

use crate::arena::{
    AttributeRecord, DeclarationRecord, IdRecord, Kind, NO_NAMESPACE, NO_PREFIX, NodeId, NodeRecord, Span,
    XML_NAMESPACE, XML_PREFIX, flags,
};
use crate::chars::is_white;
use crate::document::Tables;
use crate::error::{Error, LimitKind, NamespaceRule, Position, Syntax, excerpt};
use crate::limits::{Limits, ParseOptions};
use crate::reference::Reference;
use crate::scan::Marks;
use decoding::Decoding;
use names::RecentPrefixes;
use std::fmt;

/// Buffers that one parse leaves for the next. What is in them between two says nothing about a document, so copies are empty.
#[derive(Default)]
pub(crate) struct Scratch {
    marks: Marks,
    /// For each prefix number, the namespace it is bound to at this point.
    bindings: Vec<u16>,
    /// Bindings to restore when elements end.
    undo: Vec<(u16, u16)>,
    open: Vec<Open>,
    order: Vec<AttributeRecord>,
    recent: RecentPrefixes,
    pub(crate) ids: Vec<IdRecord>,
}

impl Scratch {
    /// Sets which namespaces prefixes stand for where a parse begins. `around` are the declarations of the elements around, the
    /// nearest first; numbers of prefixes are below `prefixes`.
    pub(crate) fn bind(&mut self, prefixes: usize, around: impl IntoIterator<Item = DeclarationRecord>) {
        self.bindings.clear();
        self.bindings.resize(prefixes, UNBOUND);
        let fixed = DeclarationRecord { prefix: XML_PREFIX, namespace: XML_NAMESPACE };
        let outermost = DeclarationRecord { prefix: NO_PREFIX, namespace: NO_NAMESPACE };
        for declaration in std::iter::once(fixed).chain(around).chain([outermost]) {
            if let Some(binding @ &mut UNBOUND) = self.bindings.get_mut(usize::from(declaration.prefix)) {
                *binding = declaration.namespace;
            }
        }
    }
}

impl Clone for Scratch {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}

#[derive(Debug)]
struct Open {
    node: NodeId,
    last_child: NodeId,
    undo: u32,
    prefix: u16,
    /// Whether all its content so far is as [`flags::PLAIN`] says.
    plain: bool,
}

/// Where a parse takes place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    /// The offset of its first byte; it goes to the end of the source.
    pub(crate) start: usize,
    /// The node that gets the children.
    pub(crate) holder: NodeId,
    /// How many elements are open around it.
    pub(crate) depth: usize,
    /// Whether text may stand outside elements.
    pub(crate) text: bool,
    /// Whether there must be exactly one element outside of others.
    pub(crate) single: bool,
}

pub(crate) const UNBOUND: u16 = u16::MAX;

/// Parses a region of `source` into `tables`. [`Scratch::bind`] has said which namespaces are in scope there.
pub(crate) fn parse(
    source: &str,
    region: Region,
    options: &ParseOptions,
    tables: &mut Tables,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let limits = options.limits().effective();
    let scanned = scratch.marks.scan(source.as_bytes(), region.start);
    if let Some(at) = scanned.bad.or_else(|| if scanned.is_ascii { None } else { noncharacter(source, region.start) }) {
        return Err(Failure { at, fault: Fault::Syntax(Syntax::Character) }.into_error(source, tables));
    }
    scratch.undo.clear();
    scratch.recent.clear();
    scratch.ids.clear();
    scratch.open.clear();
    let holder = Open { node: region.holder, last_child: NodeId::NONE, undo: 0, prefix: NO_PREFIX, plain: false };
    scratch.open.push(holder);
    let mut tokenizer =
        Tokenizer { source, bytes: source.as_bytes(), tables, scratch, limits, options: *options, region, roots: 0 };
    tokenizer.run().map_err(|failure| failure.into_error(source, tables))
}

/// U+FFFE or U+FFFF, the only characters of UTF-8 above the control characters that XML does not allow.
fn noncharacter(source: &str, start: usize) -> Option<usize> {
    let region = source.as_bytes().get(start..)?;
    memchr::memmem::find_iter(region, b"\xEF\xBF")
        .find(|at| matches!(region.get(at + 2), Some(0xBE | 0xBF)))
        .map(|at| start + at)
}

/// A failure as the tokenizer sees it: small, because it is part of the result of every step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) at: usize,
    pub(crate) fault: Fault,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Syntax(Syntax),
    Namespaces(NamespaceRule),
    Limit(LimitKind, usize),
    DocumentType,
    ProcessingInstruction,
    DuplicateId(Span),
}

impl Failure {
    pub(crate) fn into_error(self, source: &str, tables: &Tables) -> Error {
        let at = Position::of(source, self.at);
        match self.fault {
            Fault::Syntax(what) => Error::NotWellFormed { what, at },
            Fault::Namespaces(what) => Error::Namespaces { what, at },
            Fault::Limit(kind, maximum) => Error::Limit { kind, maximum, at: Some(at) },
            Fault::DocumentType => Error::DocumentType { at },
            Fault::ProcessingInstruction => Error::ProcessingInstruction { at },
            Fault::DuplicateId(id) => Error::DuplicateId { id: excerpt(tables.texts(source).get(id)), at },
        }
    }
}

struct Tokenizer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    tables: &'a mut Tables,
    scratch: &'a mut Scratch,
    limits: Limits,
    options: ParseOptions,
    region: Region,
    roots: usize,
}

#[cold]
fn fail<T>(at: usize, what: Syntax) -> Result<T, Failure> {
    Err(Failure { at, fault: Fault::Syntax(what) })
}

#[cold]
fn misuse<T>(at: usize, what: NamespaceRule) -> Result<T, Failure> {
    Err(Failure { at, fault: Fault::Namespaces(what) })
}

#[cold]
fn exceeds<T>(at: usize, kind: LimitKind, maximum: usize) -> Result<T, Failure> {
    Err(Failure { at, fault: Fault::Limit(kind, maximum) })
}

impl Tokenizer<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        let mut at = self.region.start;
        while at < self.bytes.len() {
            if self.byte(at) != b'<' {
                at = self.text(at)?;
                if at >= self.bytes.len() {
                    break;
                }
            }
            at = match self.byte(at + 1) {
                b'/' => self.end_tag(at)?,
                b'!' => self.declaration(at)?,
                b'?' => self.processing_instruction(at)?,
                _ => self.start_tag(at)?,
            };
        }
        if self.scratch.open.len() > 1 {
            return fail(at, Syntax::UnexpectedEnd);
        }
        if self.region.single && self.roots == 0 {
            return fail(at, Syntax::NoRoot);
        }
        Ok(())
    }

    /// The byte at an offset, or 0, which no document holds, at the end.
    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn starts_with(&self, at: usize, what: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(what))
    }

    fn skip_white(&self, mut at: usize) -> usize {
        while is_white(self.byte(at)) {
            at += 1;
        }
        at
    }

    fn is_outside(&self) -> bool {
        self.scratch.open.len() == 1
    }

    /// Adds a node as the last child of the open one; `plain` says whether that may stay as [`flags::PLAIN`] says.
    #[inline(always)]
    fn push(&mut self, mut record: NodeRecord, plain: bool) -> Result<(), Failure> {
        let id = NodeId(self.tables.nodes.len() as u32);
        if self.tables.nodes.len() > self.limits.nodes {
            return exceeds(record.start as usize, LimitKind::Nodes, self.limits.nodes);
        }
        if let Some(open) = self.scratch.open.last_mut() {
            record.parent = open.node;
            open.plain &= plain && (record.kind != Kind::Element || record.prefix == open.prefix);
            if open.last_child == NodeId::NONE {
                if let Some(record) = self.tables.nodes.get_mut(open.node.index()) {
                    record.first_child = id;
                }
            } else if let Some(record) = self.tables.nodes.get_mut(open.last_child.index()) {
                record.next_sibling = id;
            }
            open.last_child = id;
        }
        self.tables.nodes.push(record);
        Ok(())
    }

    /// Reads text up to the next `<` or the end.
    #[inline]
    fn text(&mut self, start: usize) -> Result<usize, Failure> {
        let mark = self.scratch.marks.next(start);
        let text = match self.byte(mark) {
            0 | b'<' => Value { span: Span::source(start, mark), canonical: true, end: mark },
            _ => self.marked_text(start, mark)?,
        };
        if self.is_outside() && !self.region.text {
            let bytes = self.bytes.get(start..text.end).unwrap_or_default();
            return match bytes.iter().position(|&b| !is_white(b)) {
                Some(offset) => fail(start + offset, Syntax::OutsideRoot),
                None => Ok(text.end),
            };
        }
        let mut record = NodeRecord::new(Kind::Text, NodeId::NONE, start, text.end);
        record.set_value(text.span);
        if text.canonical {
            record.flags = flags::CANONICAL;
        }
        self.push(record, text.canonical)?;
        Ok(text.end)
    }

    /// The same for text with something in it that may need a closer look, first at `at`.
    fn marked_text(&mut self, start: usize, mut at: usize) -> Result<Value, Failure> {
        let mut canonical = true;
        let mut decoding = Decoding::default();
        loop {
            match self.byte(at) {
                0 | b'<' => break,
                b'&' => {
                    let reference = Reference::read(self.bytes, at)?;
                    canonical &= reference.is_canonical_in_text;
                    decoding.replace(
                        self.source,
                        &mut self.tables.decoded,
                        start,
                        at,
                        reference.end,
                        reference.character,
                    );
                    at = reference.end;
                }
                b'>' => {
                    if at >= start + 2 && self.bytes.get(at - 2..at) == Some(b"]]") {
                        return fail(at - 2, Syntax::CDataEnd);
                    }
                    canonical = false;
                    at += 1;
                }
                b'\r' => {
                    canonical = false;
                    let end = if self.byte(at + 1) == b'\n' { at + 2 } else { at + 1 };
                    decoding.replace(self.source, &mut self.tables.decoded, start, at, end, '\n');
                    at = end;
                }
                _ => at += 1,
            }
            at = self.scratch.marks.next(at);
        }
        let span = decoding.finish(self.source, &mut self.tables.decoded, start, at);
        Ok(Value { span, canonical, end: at })
    }
}

/// A text or the value of an attribute.
struct Value {
    span: Span,
    canonical: bool,
    end: usize,
}

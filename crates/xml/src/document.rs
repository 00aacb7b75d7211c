//! A parsed document, and the parser that makes it.

use crate::arena::{AttributeRecord, DeclarationRecord, IdRecord, Interner, Kind, NodeId, NodeRecord, Texts, hash};
use crate::chars::is_white;
use crate::element::Element;
use crate::encoding;
use crate::error::{Error, Syntax};
use crate::limits::ParseOptions;
use crate::parse::{self, Failure, Fault, Region, Scratch};

/// A well-formed XML document in one arena.
///
/// It owns its text. Elements are read through [`Element`], a small handle that can be copied freely; a [`NodeId`] is
/// the same without the borrow.
///
/// ```
/// use handstamp_xml::{Document, ParseOptions};
///
/// let document = Document::parse("<o:order xmlns:o='urn:shop' Id='o-1'><o:item>hat</o:item></o:order>", &ParseOptions::default())?;
/// let order = document.root();
/// assert!(order.is("urn:shop", "order"));
/// assert_eq!(order.child("urn:shop", "item").map(|item| item.text()).as_deref(), Some("hat"));
/// assert_eq!(document.element_by_id("o-1"), Some(order));
/// # Ok::<(), handstamp_xml::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    pub(crate) source: String,
    pub(crate) tables: Tables,
    pub(crate) options: ParseOptions,
    pub(crate) root: NodeId,
    /// Buffers for parsing fragments.
    pub(crate) scratch: Scratch,
}

impl Document {
    /// Parses a document. UTF-8, or UTF-16 with a byte order mark or an XML declaration.
    ///
    /// To parse many documents, a [`Parser`] saves allocations.
    ///
    /// # Errors
    /// [`Error`] if the document is not well-formed, exceeds a limit, or has what the options or this crate refuse.
    pub fn parse(input: impl Into<Vec<u8>>, options: &ParseOptions) -> Result<Self, Error> {
        let mut parser = Parser::new(*options);
        let document = parser.parse(input)?;
        Ok(Self { scratch: parser.scratch, ..document })
    }

    /// The root element.
    pub fn root(&self) -> Element<'_> {
        Element::new(self, self.root)
    }

    /// The element with this identifier: the value of an attribute `Id`, `ID` or `AssertionID` in no namespace, of `wsu:Id` or of
    /// `xml:id`. There is never more than one.
    pub fn element_by_id(&self, id: &str) -> Option<Element<'_>> {
        let texts = self.texts();
        let hash = hash(id.as_bytes());
        let is_it = |record: &IdRecord| record.hash.cmp(&hash).then_with(|| texts.get(record.value).cmp(id));
        let index = self.tables.ids.binary_search_by(is_it).ok()?;
        self.tables.ids.get(index).map(|record| Element::new(self, record.node))
    }

    /// The element that a [`NodeId`] of this document names. If the element was replaced by another one (see
    /// [`replace_with_fragment`](Self::replace_with_fragment)), that one. Nothing if the identifier names no element, or one that is no
    /// longer part of the document.
    pub fn element(&self, id: NodeId) -> Option<Element<'_>> {
        let mut id = id;
        loop {
            let record = self.tables.nodes.get(id.index())?;
            match record.kind {
                Kind::Element if self.is_attached(id) => return Some(Element::new(self, id)),
                // A replacement is always a later node, so this ends.
                Kind::Replaced => id = record.first_child.some()?,
                _ => return None,
            }
        }
    }

    /// The whole text as parsed, in UTF-8, without a byte order mark. Fragments that replaced parts of the document follow its end.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The options that the document was parsed with.
    pub fn options(&self) -> &ParseOptions {
        &self.options
    }

    fn is_attached(&self, id: NodeId) -> bool {
        let mut at = id;
        while let Some(record) = self.tables.nodes.get(at.index()) {
            match record.kind {
                Kind::Document => return at == NodeId::DOCUMENT,
                Kind::Replaced => return false,
                _ => at = record.parent,
            }
        }
        false
    }

    pub(crate) fn texts(&self) -> Texts<'_> {
        self.tables.texts(&self.source)
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The record of a node. Node numbers come from this document's own tables, so the fallback is never taken by them.
    pub(crate) fn record(&self, id: NodeId) -> &NodeRecord {
        self.tables.nodes.get(id.index()).unwrap_or(&NOWHERE)
    }
}

const NOWHERE: NodeRecord = NodeRecord {
    kind: Kind::Replaced,
    flags: 0,
    namespace: 0,
    prefix: 0,
    local_length: 0,
    attribute_count: 0,
    declaration_count: 0,
    attributes: 0,
    declarations: 0,
    start: 0,
    tag_end: 0,
    close: 0,
    end: 0,
    local: 0,
    parent: NodeId::NONE,
    first_child: NodeId::NONE,
    next_sibling: NodeId::NONE,
};

/// Parses documents one after the other and reuses its buffers.
///
/// ```
/// use handstamp_xml::{ParseOptions, Parser};
///
/// let mut parser = Parser::new(ParseOptions::default());
/// for message in ["<a/>", "<b/>"] {
///     let document = parser.parse(message)?;
///     // ... read it ...
///     parser.recycle(document);
/// }
/// # Ok::<(), handstamp_xml::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Parser {
    options: ParseOptions,
    scratch: Scratch,
    spare: Option<Tables>,
}

impl Parser {
    /// A parser with these options.
    pub fn new(options: ParseOptions) -> Self {
        Self { options, scratch: Scratch::default(), spare: None }
    }

    /// Parses a document; see [`Document::parse`].
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse(&mut self, input: impl Into<Vec<u8>>) -> Result<Document, Error> {
        let (source, detected) = encoding::decode(input.into(), self.options.limits())?;
        let mut tables = self.spare.take().unwrap_or_else(|| Tables::for_source(source.len()));
        tables.nodes.push(NodeRecord::new(Kind::Document, NodeId::NONE, 0, source.len()));
        let start = match xml_declaration(&source) {
            Ok(None) => 0,
            Ok(Some(declaration)) => {
                if let Some(encoding) = declaration.encoding {
                    detected.check_declared(encoding, source.is_ascii())?;
                }
                declaration.end
            }
            Err(failure) => return Err(failure.into_error(&source, &tables)),
        };
        let region = Region { start, holder: NodeId::DOCUMENT, depth: 0, text: false, single: true };
        self.scratch.bind(tables.prefixes.len(), []);
        parse::parse(&source, region, &self.options, &mut tables, &mut self.scratch)?;
        tables.ids.append(&mut self.scratch.ids);
        tables.sort_ids(&source)?;
        let root = tables
            .children(NodeId::DOCUMENT)
            .find(|&id| tables.nodes.get(id.index()).is_some_and(|record| record.kind == Kind::Element))
            .unwrap_or(NodeId::NONE);
        Ok(Document { source, tables, options: self.options, root, scratch: Scratch::default() })
    }

    /// Takes the buffers of a document that is no longer needed. Those of unusually large documents are not kept.
    pub fn recycle(&mut self, document: Document) {
        let mut tables = document.tables;
        if tables.nodes.capacity() <= Self::MOST_SPARE_NODES {
            tables.clear();
            self.spare = Some(tables);
        }
    }

    /// About 1 MiB of node records.
    const MOST_SPARE_NODES: usize = 1 << 14;
}

/// All that a document knows about its source.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) nodes: Vec<NodeRecord>,
    pub(crate) attributes: Vec<AttributeRecord>,
    pub(crate) declarations: Vec<DeclarationRecord>,
    pub(crate) prefixes: Interner,
    pub(crate) namespaces: Interner,
    /// Sorted by hash and value.
    pub(crate) ids: Vec<IdRecord>,
    pub(crate) decoded: String,
}

impl Tables {
    /// Tables with room for what messages of this size usually hold. Attackers gain nothing: it is proportional to what they sent.
    fn for_source(size: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(size / 24 + 8),
            attributes: Vec::with_capacity(size / 64 + 8),
            declarations: Vec::with_capacity(size / 256 + 8),
            prefixes: Interner::prefixes(),
            namespaces: Interner::namespaces(),
            ids: Vec::new(),
            decoded: String::new(),
        }
    }

    fn clear(&mut self) {
        self.nodes.clear();
        self.attributes.clear();
        self.declarations.clear();
        self.prefixes.clear();
        self.namespaces.clear();
        self.ids.clear();
        self.decoded.clear();
    }

    pub(crate) fn texts<'t>(&'t self, source: &'t str) -> Texts<'t> {
        Texts { source, decoded: &self.decoded }
    }

    pub(crate) fn children(&self, parent: NodeId) -> impl Iterator<Item = NodeId> {
        let first = self.nodes.get(parent.index()).and_then(|record| record.first_child.some());
        std::iter::successors(first, |id| self.nodes.get(id.index())?.next_sibling.some())
    }

    /// Sorts the identifiers and refuses any that is there twice.
    pub(crate) fn sort_ids(&mut self, source: &str) -> Result<(), Error> {
        let texts = Texts { source, decoded: &self.decoded };
        let key = |id: &IdRecord| (texts.get(id.value), id.node);
        self.ids.sort_unstable_by(|a, b| a.hash.cmp(&b.hash).then_with(|| key(a).cmp(&key(b))));
        let is_twice = |a: &IdRecord, b: &IdRecord| a.hash == b.hash && texts.get(a.value) == texts.get(b.value);
        let twice = self.ids.windows(2).find(|pair| is_twice(&pair[0], &pair[1]));
        match twice {
            None => Ok(()),
            Some(pair) => {
                let at = self.nodes.get(pair[1].node.index()).map_or(0, |record| record.start as usize);
                Err(Failure { at, fault: Fault::DuplicateId(pair[1].value) }.into_error(source, self))
            }
        }
    }
}

struct Declaration<'s> {
    encoding: Option<&'s str>,
    end: usize,
}

/// Reads `<?xml version="1.0" encoding="…" standalone="…"?>` if the source starts with it (XML 1.0 §2.8).
fn xml_declaration(source: &str) -> Result<Option<Declaration<'_>>, Failure> {
    let bytes = source.as_bytes();
    if !(bytes.starts_with(b"<?xml") && bytes.get(5).is_some_and(|&b| is_white(b))) {
        return Ok(None);
    }
    let malformed = |at: usize| Failure { at, fault: Fault::Syntax(Syntax::Declaration) };
    let end = memchr::memmem::find(bytes, b"?>").ok_or_else(|| malformed(bytes.len()))?;
    let mut rest = source.get(5..end).unwrap_or_default();
    let white: &[char] = &[' ', '\t', '\r', '\n'];
    let mut pseudo_attribute = |name: &str| -> Result<Option<&str>, Failure> {
        let trimmed = rest.trim_start_matches(white);
        let Some(after) = trimmed.strip_prefix(name) else { return Ok(None) };
        let at = end - trimmed.len();
        if trimmed.len() == rest.len() {
            return Err(malformed(at));
        }
        let quoted = after.trim_start_matches(white).strip_prefix('=').map(|value| value.trim_start_matches(white));
        let quoted = quoted.ok_or_else(|| malformed(at))?;
        let quote = quoted.chars().next().filter(|&c| c == '"' || c == '\'').ok_or_else(|| malformed(at))?;
        let (value, after) = quoted.get(1..).and_then(|v| v.split_once(quote)).ok_or_else(|| malformed(at))?;
        rest = after;
        Ok(Some(value))
    };
    let version = pseudo_attribute("version")?;
    let encoding = pseudo_attribute("encoding")?;
    let standalone = pseudo_attribute("standalone")?;
    let is_version = |v: &str| {
        v.strip_prefix("1.").is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_encoding = |e: &str| {
        e.starts_with(|c: char| c.is_ascii_alphabetic())
            && e.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    if !rest.trim_matches(white).is_empty()
        || !version.is_some_and(is_version)
        || !encoding.is_none_or(is_encoding)
        || !standalone.is_none_or(|s| s == "yes" || s == "no")
    {
        return Err(malformed(0));
    }
    Ok(Some(Declaration { encoding, end: end + 2 }))
}

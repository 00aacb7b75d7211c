//! The flat tables that a document consists of. Everything refers to everything else by 32-bit index or offset.

use crate::error::LimitKind;
use crate::limits::Limits;
use crate::names::KNOWN;

/// Identifies a node of one document.
///
/// It stays valid for the life of the document, also when parts of it are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// No node; also the parent of the document node.
    pub(crate) const NONE: Self = Self(u32::MAX);
    /// The node that stands for the document and holds the root element.
    pub(crate) const DOCUMENT: Self = Self(0);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn some(self) -> Option<Self> {
        if self == Self::NONE { None } else { Some(self) }
    }
}

/// A stretch of the source or, if the top bit of `start` is set, of the decoded texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    const DECODED: u32 = 1 << 31;

    pub(crate) fn source(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    pub(crate) fn decoded(start: usize, end: usize) -> Self {
        Self { start: start as u32 | Self::DECODED, end: end as u32 }
    }
}

/// The text of the document: the source as received (in UTF-8), and the values that had to be decoded because they hold
/// references or line ends that XML normalizes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Texts<'t> {
    pub(crate) source: &'t str,
    pub(crate) decoded: &'t str,
}

impl<'t> Texts<'t> {
    #[inline]
    pub(crate) fn get(self, span: Span) -> &'t str {
        let end = span.end as usize;
        let text = if span.start & Span::DECODED == 0 {
            self.source.get(span.start as usize..end)
        } else {
            self.decoded.get((span.start & !Span::DECODED) as usize..end)
        };
        text.unwrap_or_default()
    }

    /// As [`get`](Self::get), without the check that a text starts and ends between characters.
    #[inline]
    pub(crate) fn bytes(self, span: Span) -> &'t [u8] {
        let end = span.end as usize;
        let bytes = if span.start & Span::DECODED == 0 {
            self.source.as_bytes().get(span.start as usize..end)
        } else {
            self.decoded.as_bytes().get((span.start & !Span::DECODED) as usize..end)
        };
        bytes.unwrap_or_default()
    }

    #[inline]
    pub(crate) fn source(self, start: u32, end: u32) -> &'t str {
        self.source.get(start as usize..end as usize).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Document,
    Element,
    Text,
    CData,
    Comment,
    ProcessingInstruction,
    /// An element or the content of one that was taken out by a replacement; `first_child` is the element that stands in for it.
    Replaced,
}

/// Flags of a node.
pub(crate) mod flags {
    /// The source from `start` to the end of the last attribute is in canonical form, if all namespace declarations are due.
    /// For other nodes: the whole source is.
    pub(crate) const CANONICAL: u8 = 1;
    /// `>` follows the last attribute directly.
    pub(crate) const CANONICAL_TAIL: u8 = 2;
    /// The end tag has no white space.
    pub(crate) const CANONICAL_END: u8 = 4;
    /// `<a/>`.
    pub(crate) const EMPTY_TAG: u8 = 8;
    /// The attributes stand in canonical order.
    pub(crate) const SORTED: u8 = 16;
    /// Once the start tag is written, the rest of the source up to the end of the end tag is in canonical form, whatever the
    /// method: all elements in it have the prefix of this one, and there is no other prefix, no declaration and no comment.
    pub(crate) const PLAIN: u8 = 32;
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeRecord {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) namespace: u16,
    pub(crate) prefix: u16,
    pub(crate) local_length: u16,
    pub(crate) attribute_count: u16,
    pub(crate) declaration_count: u16,
    pub(crate) attributes: u32,
    pub(crate) declarations: u32,
    /// Of the markup or text in the source.
    pub(crate) start: u32,
    /// The end of the start tag.
    pub(crate) tag_end: u32,
    /// The start of the end tag.
    pub(crate) close: u32,
    /// The end of all.
    pub(crate) end: u32,
    /// The local name or target (from here, `local_length` bytes).
    pub(crate) local: u32,
    pub(crate) parent: NodeId,
    pub(crate) first_child: NodeId,
    pub(crate) next_sibling: NodeId,
}

impl NodeRecord {
    pub(crate) fn new(kind: Kind, parent: NodeId, start: usize, end: usize) -> Self {
        Self {
            kind,
            flags: 0,
            namespace: 0,
            prefix: 0,
            local_length: 0,
            attribute_count: 0,
            declaration_count: 0,
            attributes: 0,
            declarations: 0,
            start: start as u32,
            tag_end: end as u32,
            close: end as u32,
            end: end as u32,
            local: start as u32,
            parent,
            first_child: NodeId::NONE,
            next_sibling: NodeId::NONE,
        }
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The text of a text node, the data of a comment or processing instruction. These have no end tag and no attributes, so the span lives there.
    pub(crate) fn value(&self) -> Span {
        Span { start: self.attributes, end: self.declarations }
    }

    pub(crate) fn set_value(&mut self, span: Span) {
        self.attributes = span.start;
        self.declarations = span.end;
    }

    /// Where the qualified name ends in the source.
    pub(crate) fn name_end(&self) -> u32 {
        self.local + u32::from(self.local_length)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeRecord {
    /// The start of the qualified name.
    pub(crate) name: u32,
    pub(crate) local: u32,
    pub(crate) local_length: u16,
    pub(crate) prefix: u16,
    pub(crate) namespace: u16,
    pub(crate) value: Span,
}

impl AttributeRecord {
    pub(crate) fn name_end(&self) -> u32 {
        self.local + u32::from(self.local_length)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct DeclarationRecord {
    pub(crate) prefix: u16,
    pub(crate) namespace: u16,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct IdRecord {
    /// [`hash`] of the value: identifiers are ordered by it first, which is faster than to compare texts.
    pub(crate) hash: u32,
    pub(crate) value: Span,
    pub(crate) node: NodeId,
}

/// Small numbers for prefixes or namespace names, in order of first appearance after the fixed ones.
#[derive(Clone, Debug)]
pub(crate) struct Interner {
    fixed: &'static Fixed,
    entries: Vec<(u32, Span)>,
    /// Open addressing; 0 is free, otherwise the index in `entries` plus one.
    slots: Vec<u16>,
}

impl Interner {
    pub(crate) fn prefixes() -> Self {
        Self { fixed: &PREFIXES, entries: Vec::with_capacity(16), slots: vec![0; 32] }
    }

    pub(crate) fn namespaces() -> Self {
        Self { fixed: &NAMESPACES, entries: Vec::with_capacity(16), slots: vec![0; 32] }
    }

    pub(crate) fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.entries.clear();
            self.slots.fill(0);
        }
    }

    /// How many numbers are in use; all are smaller.
    pub(crate) fn len(&self) -> usize {
        self.fixed.names.len() + self.entries.len()
    }

    /// Forgets the numbers from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.entries.truncate(len.saturating_sub(self.fixed.names.len()));
        self.rebuild(self.slots.len());
    }

    /// The number of the text at `span`.
    #[inline]
    pub(crate) fn intern(&mut self, texts: Texts<'_>, span: Span, limits: &Limits) -> Result<u16, (LimitKind, usize)> {
        let text = texts.bytes(span);
        let hash = hash(text);
        let slot = match self.look_up(texts, text, hash) {
            Ok(number) => return Ok(number),
            Err(slot) => slot,
        };
        if self.entries.len() >= limits.distinct_namespaces {
            return Err((LimitKind::DistinctNamespaces, limits.distinct_namespaces));
        }
        let number = self.len() as u16;
        self.entries.push((hash, span));
        if let Some(free) = self.slots.get_mut(slot) {
            *free = self.entries.len() as u16;
        }
        if self.entries.len() * 2 > self.slots.len() {
            self.rebuild(self.slots.len() * 2);
        }
        Ok(number)
    }

    /// The number of a text, if it has one.
    pub(crate) fn find(&self, texts: Texts<'_>, text: &str) -> Option<u16> {
        self.look_up(texts, text.as_bytes(), hash(text.as_bytes())).ok()
    }

    #[inline]
    pub(crate) fn text<'t>(&self, texts: Texts<'t>, number: u16) -> &'t str {
        let number = usize::from(number);
        if let Some(&name) = self.fixed.names.get(number) {
            return name;
        }
        self.entries.get(number - self.fixed.names.len()).map_or("", |&(_, span)| texts.get(span))
    }

    /// The number, or the free slot.
    #[inline]
    fn look_up(&self, texts: Texts<'_>, text: &[u8], hash: u32) -> Result<u16, usize> {
        if let Some(number) = self.fixed.find(text, hash) {
            return Ok(number);
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots.get(slot) {
                None | Some(0) => return Err(slot),
                Some(&taken) => {
                    let index = usize::from(taken - 1);
                    if self.entries.get(index).is_some_and(|&(h, span)| h == hash && texts.bytes(span) == text) {
                        return Ok((self.fixed.names.len() + index) as u16);
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    fn rebuild(&mut self, size: usize) {
        self.slots.clear();
        self.slots.resize(size, 0);
        let mask = size - 1;
        for (index, &(hash, _)) in self.entries.iter().enumerate() {
            let mut slot = hash as usize & mask;
            while self.slots.get(slot).is_some_and(|&taken| taken != 0) {
                slot = (slot + 1) & mask;
            }
            if let Some(free) = self.slots.get_mut(slot) {
                *free = (index + 1) as u16;
            }
        }
    }
}

/// Texts with the same numbers in every document.
#[derive(Debug)]
struct Fixed {
    names: &'static [&'static str],
    slots: [u8; Self::SLOTS],
}

impl Fixed {
    const SLOTS: usize = 128;

    const fn new(names: &'static [&'static str]) -> Self {
        let mut slots = [u8::MAX; Self::SLOTS];
        let mut i = 0;
        while i < names.len() {
            let mut slot = hash(names[i].as_bytes()) as usize % Self::SLOTS;
            while slots[slot] != u8::MAX {
                slot = (slot + 1) % Self::SLOTS;
            }
            slots[slot] = i as u8;
            i += 1;
        }
        Self { names, slots }
    }

    #[inline]
    fn find(&self, text: &[u8], hash: u32) -> Option<u16> {
        let mut slot = hash as usize % Self::SLOTS;
        loop {
            let number = self.slots[slot];
            let name = self.names.get(usize::from(number))?;
            if name.as_bytes() == text {
                return Some(u16::from(number));
            }
            slot = (slot + 1) % Self::SLOTS;
        }
    }
}

/// Numbers of prefixes: none, `xml`, `xmlns`.
static PREFIXES: Fixed = Fixed::new(&["", "xml", "xmlns"]);
static NAMESPACES: Fixed = Fixed::new(&KNOWN);

/// The prefix number of names without one.
pub(crate) const NO_PREFIX: u16 = 0;
pub(crate) const XML_PREFIX: u16 = 1;
pub(crate) const XMLNS_PREFIX: u16 = 2;
/// The namespace number of names in no namespace.
pub(crate) const NO_NAMESPACE: u16 = 0;
pub(crate) const XML_NAMESPACE: u16 = 1;
pub(crate) const XMLNS_NAMESPACE: u16 = 2;
/// The number of [`names::WSU`](crate::names::WSU).
pub(crate) const WSU_NAMESPACE: u16 = 3;

/// Eight bytes a step. Collisions only cost time, within the limit on distinct names.
#[inline]
pub(crate) const fn hash(bytes: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut i = 0;
    while i < words.len() {
        state = (state.rotate_left(5) ^ u64::from_le_bytes(words[i])).wrapping_mul(FACTOR);
        i += 1;
    }
    let mut tail = 0;
    i = 0;
    while i < rest.len() {
        tail = tail << 8 | rest[i] as u64;
        i += 1;
    }
    state = (state.rotate_left(5) ^ tail).wrapping_mul(FACTOR);
    (state >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_numbers_are_positions_in_the_list() {
        let (namespaces, texts) = (Interner::namespaces(), Texts::default());
        for (i, name) in KNOWN.iter().enumerate() {
            assert_eq!(namespaces.find(texts, name), Some(i as u16), "{name}");
        }
        assert_eq!(KNOWN[usize::from(WSU_NAMESPACE)], crate::names::WSU);
        assert_eq!(KNOWN[usize::from(XML_NAMESPACE)], crate::names::XML);
        assert_eq!(KNOWN[usize::from(XMLNS_NAMESPACE)], crate::names::XMLNS);
    }

    #[test]
    fn interning_gives_one_number_per_text_and_keeps_the_limit() {
        let mut source = String::new();
        let mut spans: Vec<Span> = (0..101)
            .map(|i| {
                let start = source.len();
                source.push_str(&if i < 100 { format!("p{}", i % 50) } else { "more".into() });
                Span::source(start, source.len())
            })
            .collect();
        let more = spans.pop().unwrap();
        let texts = Texts { source: &source, decoded: "" };
        let limits = Limits { distinct_namespaces: 50, ..Limits::default() };
        let mut prefixes = Interner::prefixes();
        let numbers: Vec<u16> = spans.iter().map(|&s| prefixes.intern(texts, s, &limits).unwrap()).collect();
        assert_eq!(numbers[..50], numbers[50..]);
        assert_eq!(prefixes.text(texts, numbers[7]), "p7");
        assert_eq!(prefixes.intern(texts, more, &limits), Err((LimitKind::DistinctNamespaces, 50)));
        prefixes.truncate(3 + 10);
        assert_eq!(prefixes.find(texts, "p9"), Some(12));
        assert_eq!(prefixes.find(texts, "p10"), None);
    }
}

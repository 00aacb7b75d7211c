//! The tokenizer: from text to the arena, in one pass and without recursion.

use crate::arena::{
    AttributeRecord, DeclarationRecord, IdRecord, Kind, NO_NAMESPACE, NO_PREFIX, NodeId, NodeRecord, Span,
    WSU_NAMESPACE, XML_NAMESPACE, XML_PREFIX, XMLNS_NAMESPACE, XMLNS_PREFIX, flags,
};
use crate::chars::{ASCII, NAME, START, is_name_char, is_name_start, is_white};
use crate::document::Tables;
use crate::error::{Error, LimitKind, NamespaceRule, Position, Syntax, excerpt};
use crate::limits::{Limits, ParseOptions};
use crate::reference::Reference;
use crate::scan::Marks;

/// Buffers that one parse leaves for the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    marks: Marks,
    /// For each prefix number, the namespace it is bound to at this point.
    bindings: Vec<u16>,
    /// Bindings to restore when elements end.
    undo: Vec<(u16, u16)>,
    open: Vec<Open>,
    order: Vec<AttributeRecord>,
    pub(crate) ids: Vec<IdRecord>,
}

#[derive(Debug)]
struct Open {
    node: NodeId,
    last_child: NodeId,
    undo: usize,
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

/// Parses a region of `source` into `tables`. `bindings` are the namespace declarations in scope, outermost first.
pub(crate) fn parse(
    source: &str,
    region: Region,
    bindings: &[DeclarationRecord],
    options: &ParseOptions,
    tables: &mut Tables,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let limits = options.limits().effective();
    let scanned = scratch.marks.scan(source.as_bytes(), region.start);
    if let Some(at) = scanned.bad.or_else(|| if scanned.is_ascii { None } else { noncharacter(source, region.start) }) {
        return Err(Failure { at, fault: Fault::Syntax(Syntax::Character) }.into_error(source, tables));
    }
    scratch.bindings.clear();
    scratch.bindings.resize(tables.prefixes.len(), UNBOUND);
    for (prefix, namespace) in [(NO_PREFIX, NO_NAMESPACE), (XML_PREFIX, XML_NAMESPACE)]
        .into_iter()
        .chain(bindings.iter().map(|b| (b.prefix, b.namespace)))
    {
        if let Some(binding) = scratch.bindings.get_mut(usize::from(prefix)) {
            *binding = namespace;
        }
    }
    scratch.undo.clear();
    scratch.ids.clear();
    scratch.open.clear();
    scratch.open.push(Open { node: region.holder, last_child: NodeId::NONE, undo: 0 });
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

/// A qualified name in the source.
#[derive(Clone, Copy)]
struct Name {
    start: usize,
    /// After the colon, or `start`.
    local: usize,
    end: usize,
}

struct Value {
    span: Span,
    canonical: bool,
    /// After the closing quote.
    next: usize,
}

fn fail<T>(at: usize, what: Syntax) -> Result<T, Failure> {
    Err(Failure { at, fault: Fault::Syntax(what) })
}

fn misuse<T>(at: usize, what: NamespaceRule) -> Result<T, Failure> {
    Err(Failure { at, fault: Fault::Namespaces(what) })
}

fn exceeds<T>(at: usize, kind: LimitKind, maximum: usize) -> Result<T, Failure> {
    Err(Failure { at, fault: Fault::Limit(kind, maximum) })
}

impl Tokenizer<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        let mut at = self.region.start;
        loop {
            at = self.text(at)?;
            if at >= self.bytes.len() {
                break;
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

    /// Adds a node as the last child of the open one.
    #[inline]
    fn push(&mut self, kind: Kind, start: usize, end: usize) -> Result<&mut NodeRecord, Failure> {
        let id = NodeId(self.tables.nodes.len() as u32);
        if self.tables.nodes.len() > self.limits.nodes {
            return exceeds(start, LimitKind::Nodes, self.limits.nodes);
        }
        let mut parent = NodeId::NONE;
        if let Some(open) = self.scratch.open.last_mut() {
            parent = open.node;
            if open.last_child == NodeId::NONE {
                if let Some(record) = self.tables.nodes.get_mut(parent.index()) {
                    record.first_child = id;
                }
            } else if let Some(record) = self.tables.nodes.get_mut(open.last_child.index()) {
                record.next_sibling = id;
            }
            open.last_child = id;
        }
        self.tables.nodes.push(NodeRecord::new(kind, parent, start, end));
        match self.tables.nodes.last_mut() {
            Some(record) => Ok(record),
            None => exceeds(start, LimitKind::Nodes, 0),
        }
    }

    /// Reads text up to the next `<` or the end.
    #[inline]
    fn text(&mut self, start: usize) -> Result<usize, Failure> {
        let mut at = self.scratch.marks.next(start);
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
        if at == start {
            return Ok(at);
        }
        let span = decoding.finish(self.source, &mut self.tables.decoded, start, at);
        if self.is_outside() && !self.region.text {
            let text = self.bytes.get(start..at).unwrap_or_default();
            return match text.iter().position(|&b| !is_white(b)) {
                Some(offset) => fail(start + offset, Syntax::OutsideRoot),
                None => Ok(at),
            };
        }
        let record = self.push(Kind::Text, start, at)?;
        record.set_value(span);
        record.flags = if canonical { flags::CANONICAL } else { 0 };
        Ok(at)
    }

    fn end_tag(&mut self, start: usize) -> Result<usize, Failure> {
        let Some(open) = (if self.is_outside() { None } else { self.scratch.open.pop() }) else {
            return fail(start, Syntax::EndTag);
        };
        let Some(record) = self.tables.nodes.get_mut(open.node.index()) else {
            return fail(start, Syntax::EndTag);
        };
        let name = self.bytes.get(record.start as usize + 1..record.name_end() as usize).unwrap_or_default();
        let rest = self.bytes.get(start + 2..).unwrap_or_default();
        if !rest.starts_with(name) {
            return fail(start, Syntax::EndTag);
        }
        let mut at = start + 2 + name.len();
        if self.bytes.get(at) == Some(&b'>') {
            record.flags |= flags::CANONICAL_END;
        } else {
            while self.bytes.get(at).is_some_and(|&b| is_white(b)) {
                at += 1;
            }
            if self.bytes.get(at) != Some(&b'>') {
                return fail(start, Syntax::EndTag);
            }
        }
        record.close = start as u32;
        record.end = (at + 1) as u32;
        self.restore_bindings(open.undo);
        Ok(at + 1)
    }

    #[inline]
    fn restore_bindings(&mut self, mark: usize) {
        while self.scratch.undo.len() > mark {
            if let Some((prefix, namespace)) = self.scratch.undo.pop()
                && let Some(binding) = self.scratch.bindings.get_mut(usize::from(prefix))
            {
                *binding = namespace;
            }
        }
    }

    fn start_tag(&mut self, start: usize) -> Result<usize, Failure> {
        if self.is_outside() {
            if self.region.single && self.roots > 0 {
                return fail(start, Syntax::OutsideRoot);
            }
            self.roots += 1;
        }
        // The holder is on the stack too, so its length is the depth of the new element.
        if self.region.depth + self.scratch.open.len() > self.limits.depth {
            return exceeds(start, LimitKind::Depth, self.limits.depth);
        }
        let name = self.name(start + 1)?;
        let id = NodeId(self.tables.nodes.len() as u32);
        let first_attribute = self.tables.attributes.len();
        let first_declaration = self.tables.declarations.len();
        let undo = self.scratch.undo.len();
        let mut tag = flags::CANONICAL;
        let mut at = name.end;
        let tag_end = loop {
            let white = at;
            at = self.skip_white(at);
            match self.byte(at) {
                b'>' => {
                    if at == white {
                        tag |= flags::CANONICAL_TAIL;
                    }
                    break at + 1;
                }
                b'/' if self.byte(at + 1) == b'>' => {
                    tag |= flags::EMPTY_TAG;
                    break at + 2;
                }
                0 => return fail(at, Syntax::UnexpectedEnd),
                _ if at == white => return fail(at, Syntax::Tag),
                _ => {}
            }
            if self.tables.attributes.len() - first_attribute + self.tables.declarations.len() - first_declaration
                >= self.limits.attributes_per_element
            {
                return exceeds(at, LimitKind::AttributesPerElement, self.limits.attributes_per_element);
            }
            if at != white + 1 || self.byte(white) != b' ' {
                tag &= !flags::CANONICAL;
            }
            let (next, canonical) = self.attribute(at, first_attribute, first_declaration)?;
            if !canonical {
                tag &= !flags::CANONICAL;
            }
            at = next;
        };
        let prefix = self.prefix_of(name)?;
        let namespace = self.binding(prefix, name.start)?;
        if self.finish_attributes(first_attribute, id)? {
            tag |= flags::SORTED;
        } else {
            tag &= !flags::CANONICAL;
        }
        let attribute_count = (self.tables.attributes.len() - first_attribute) as u16;
        let declaration_count = (self.tables.declarations.len() - first_declaration) as u16;
        let record = self.push(Kind::Element, start, tag_end)?;
        record.flags = tag;
        record.namespace = namespace;
        record.prefix = prefix;
        record.local = name.local as u32;
        record.local_length = (name.end - name.local) as u16;
        record.attributes = first_attribute as u32;
        record.attribute_count = attribute_count;
        record.declarations = first_declaration as u32;
        record.declaration_count = declaration_count;
        if tag & flags::EMPTY_TAG == 0 {
            self.scratch.open.push(Open { node: id, last_child: NodeId::NONE, undo });
        } else {
            self.restore_bindings(undo);
        }
        Ok(tag_end)
    }

    /// Reads `Name`, `prefix:local` or `local`.
    #[inline]
    fn name(&self, start: usize) -> Result<Name, Failure> {
        let mut at = self.ncname(start)?;
        let mut local = start;
        if self.byte(at) == b':' {
            local = at + 1;
            at = self.ncname(local).map_err(|failure| match failure.fault {
                Fault::Syntax(_) => Failure { fault: Fault::Namespaces(NamespaceRule::QualifiedName), ..failure },
                _ => failure,
            })?;
            if self.byte(at) == b':' {
                return misuse(at, NamespaceRule::QualifiedName);
            }
        }
        if at - start > self.limits.name_length {
            return exceeds(start, LimitKind::NameLength, self.limits.name_length);
        }
        Ok(Name { start, local, end: at })
    }

    #[inline]
    fn ncname(&self, start: usize) -> Result<usize, Failure> {
        let class = |at: usize| self.bytes.get(at).map_or(0, |&b| ASCII[usize::from(b)]);
        let mut at = start;
        if class(at) & START != 0 {
            at += 1;
            while class(at) & NAME != 0 {
                at += 1;
            }
            if self.byte(at) < 0x80 {
                return Ok(at);
            }
        }
        self.ncname_beyond_ascii(start)
    }

    #[cold]
    fn ncname_beyond_ascii(&self, start: usize) -> Result<usize, Failure> {
        let rest = self.source.get(start..).unwrap_or_default();
        match rest.chars().next() {
            Some(c) if is_name_start(c) => {}
            Some(':') => return misuse(start, NamespaceRule::QualifiedName),
            Some(_) => return fail(start, Syntax::Name),
            None => return fail(start, Syntax::UnexpectedEnd),
        }
        let mut end = self.bytes.len();
        for (offset, c) in rest.char_indices() {
            if !is_name_char(c) {
                end = start + offset;
                break;
            }
            if offset > self.limits.name_length {
                return exceeds(start, LimitKind::NameLength, self.limits.name_length);
            }
        }
        Ok(end)
    }

    #[inline]
    fn prefix_of(&mut self, name: Name) -> Result<u16, Failure> {
        if name.local == name.start { Ok(NO_PREFIX) } else { self.intern_prefix(name.start, name.local - 1) }
    }

    fn intern_prefix(&mut self, start: usize, end: usize) -> Result<u16, Failure> {
        let texts = crate::arena::Texts { source: self.source, decoded: &self.tables.decoded };
        match self.tables.prefixes.intern(texts, Span::source(start, end), &self.limits) {
            Ok(number) => Ok(number),
            Err((kind, maximum)) => exceeds(start, kind, maximum),
        }
    }

    #[inline]
    fn binding(&self, prefix: u16, at: usize) -> Result<u16, Failure> {
        match self.scratch.bindings.get(usize::from(prefix)) {
            Some(&namespace) if namespace != UNBOUND => Ok(namespace),
            _ if prefix == XMLNS_PREFIX => misuse(at, NamespaceRule::Reserved),
            _ => misuse(at, NamespaceRule::UndeclaredPrefix),
        }
    }

    /// Reads an attribute or namespace declaration; says where it ends and whether it is written, and placed among the
    /// declarations, as the canonical form wants.
    #[inline]
    fn attribute(
        &mut self,
        start: usize,
        first_attribute: usize,
        first_declaration: usize,
    ) -> Result<(usize, bool), Failure> {
        let name = self.name(start)?;
        let mut at = name.end;
        let mut canonical = true;
        if self.byte(at) != b'=' {
            at = self.skip_white(at);
            canonical = false;
            if self.byte(at) != b'=' {
                return fail(at, if at >= self.bytes.len() { Syntax::UnexpectedEnd } else { Syntax::Attribute });
            }
        }
        at += 1;
        if is_white(self.byte(at)) {
            at = self.skip_white(at);
            canonical = false;
        }
        let value = self.attribute_value(at)?;
        canonical &= value.canonical;
        if self.starts_with(start, b"xmlns") {
            if name.end == start + 5 {
                canonical &= self.declaration_of(NO_PREFIX, name, value.span, first_declaration)?;
                return Ok((value.next, canonical && self.tables.attributes.len() == first_attribute));
            }
            if name.local == start + 6 {
                let prefix = self.intern_prefix(name.local, name.end)?;
                canonical &= self.declaration_of(prefix, name, value.span, first_declaration)?;
                return Ok((value.next, canonical && self.tables.attributes.len() == first_attribute));
            }
        }
        if self.tables.attributes.len() >= self.limits.attributes {
            return exceeds(start, LimitKind::Attributes, self.limits.attributes);
        }
        let prefix = self.prefix_of(name)?;
        self.tables.attributes.push(AttributeRecord {
            name: start as u32,
            local: name.local as u32,
            local_length: (name.end - name.local) as u16,
            prefix,
            namespace: NO_NAMESPACE,
            value: value.span,
        });
        Ok((value.next, canonical))
    }

    #[inline]
    fn attribute_value(&mut self, open: usize) -> Result<Value, Failure> {
        let quote = self.byte(open);
        if quote != b'"' && quote != b'\'' {
            return fail(open, if open >= self.bytes.len() { Syntax::UnexpectedEnd } else { Syntax::Attribute });
        }
        let start = open + 1;
        let mut canonical = quote == b'"';
        let mut decoding = Decoding::default();
        let mut at = self.scratch.marks.next(start);
        loop {
            match self.byte(at) {
                byte if byte == quote => break,
                0 => return fail(at, Syntax::UnexpectedEnd),
                b'<' => return fail(at, Syntax::LessThanInAttribute),
                b'&' => {
                    let reference = Reference::read(self.bytes, at)?;
                    canonical &= reference.is_canonical_in_attribute;
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
                byte @ (b'\t' | b'\n' | b'\r') => {
                    canonical = false;
                    let end = if byte == b'\r' && self.byte(at + 1) == b'\n' { at + 2 } else { at + 1 };
                    decoding.replace(self.source, &mut self.tables.decoded, start, at, end, ' ');
                    at = end;
                }
                _ => at += 1,
            }
            at = self.scratch.marks.next(at);
        }
        let span = decoding.finish(self.source, &mut self.tables.decoded, start, at);
        Ok(Value { span, canonical, next: at + 1 })
    }

    /// Puts a namespace declaration into force; says whether it comes after all earlier ones of this tag in canonical order.
    fn declaration_of(&mut self, prefix: u16, name: Name, uri: Span, first: usize) -> Result<bool, Failure> {
        let at = name.start;
        if self.tables.declarations.len() >= self.limits.namespace_declarations {
            return exceeds(at, LimitKind::NamespaceDeclarations, self.limits.namespace_declarations);
        }
        let texts = crate::arena::Texts { source: self.source, decoded: &self.tables.decoded };
        let namespace = match self.tables.namespaces.intern(texts, uri, &self.limits) {
            Ok(number) => number,
            Err((kind, maximum)) => return exceeds(at, kind, maximum),
        };
        if prefix == XMLNS_PREFIX
            || namespace == XMLNS_NAMESPACE
            || (prefix == XML_PREFIX) != (namespace == XML_NAMESPACE)
        {
            return misuse(at, NamespaceRule::Reserved);
        }
        if namespace == NO_NAMESPACE && prefix != NO_PREFIX {
            return misuse(at, NamespaceRule::Undeclaring);
        }
        let earlier = self.tables.declarations.get(first..).unwrap_or_default();
        if earlier.iter().any(|declared| declared.prefix == prefix) {
            return fail(at, Syntax::DuplicateAttribute);
        }
        let text_of = |number| self.tables.prefixes.text(texts, number);
        let sorted = earlier.last().is_none_or(|last| text_of(last.prefix) < text_of(prefix));
        self.tables.declarations.push(DeclarationRecord { prefix, namespace });
        if self.scratch.bindings.len() < self.tables.prefixes.len() {
            self.scratch.bindings.resize(self.tables.prefixes.len(), UNBOUND);
        }
        if let Some(binding) = self.scratch.bindings.get_mut(usize::from(prefix)) {
            self.scratch.undo.push((prefix, *binding));
            *binding = namespace;
        }
        // A declaration of the prefix xml is never part of the canonical form.
        Ok(sorted && prefix != XML_PREFIX)
    }

    /// Resolves the prefixes of an element's attributes, checks that no two have the same name, and collects identifiers.
    /// Says whether they stand in canonical order.
    fn finish_attributes(&mut self, first: usize, element: NodeId) -> Result<bool, Failure> {
        for index in first..self.tables.attributes.len() {
            let Some(&attribute) = self.tables.attributes.get(index) else { break };
            let namespace = if attribute.prefix == NO_PREFIX {
                NO_NAMESPACE
            } else {
                let namespace = self.binding(attribute.prefix, attribute.name as usize)?;
                if let Some(record) = self.tables.attributes.get_mut(index) {
                    record.namespace = namespace;
                }
                namespace
            };
            let local = self.bytes.get(attribute.local as usize..attribute.name_end() as usize).unwrap_or_default();
            let is_id = match namespace {
                NO_NAMESPACE => matches!(local, b"Id" | b"ID" | b"AssertionID"),
                WSU_NAMESPACE => local == b"Id",
                XML_NAMESPACE => local == b"id",
                _ => false,
            };
            if is_id {
                if self.tables.ids.len() + self.scratch.ids.len() >= self.limits.ids {
                    return exceeds(attribute.name as usize, LimitKind::Ids, self.limits.ids);
                }
                self.scratch.ids.push(IdRecord { value: attribute.value, node: element });
            }
        }
        let attributes = self.tables.attributes.get(first..).unwrap_or_default();
        if attributes.len() < 2 {
            return Ok(true);
        }
        let texts = crate::arena::Texts { source: self.source, decoded: &self.tables.decoded };
        let key = |a: &AttributeRecord| {
            (self.tables.namespaces.text(texts, a.namespace), texts.source(a.local, a.name_end()))
        };
        if attributes.is_sorted_by(|a, b| key(a) < key(b)) {
            return Ok(true);
        }
        let order = &mut self.scratch.order;
        order.clear();
        order.extend_from_slice(attributes);
        let by_number = |a: &AttributeRecord| (a.namespace, texts.source(a.local, a.name_end()));
        order.sort_unstable_by(|a, b| by_number(a).cmp(&by_number(b)));
        match order.windows(2).find(|pair| by_number(&pair[0]) == by_number(&pair[1])) {
            Some(pair) => fail(pair[0].name.max(pair[1].name) as usize, Syntax::DuplicateAttribute),
            None => Ok(false),
        }
    }

    /// `<!`: a comment, a CDATA section, or a document type declaration, which is refused.
    fn declaration(&mut self, start: usize) -> Result<usize, Failure> {
        if self.starts_with(start, b"<!--") {
            return self.comment(start);
        }
        if self.starts_with(start, b"<![CDATA[") {
            return self.cdata(start);
        }
        if self.starts_with(start, b"<!DOCTYPE") {
            return Err(Failure { at: start, fault: Fault::DocumentType });
        }
        fail(start, Syntax::Markup)
    }

    fn comment(&mut self, start: usize) -> Result<usize, Failure> {
        let inside = start + 4;
        let Some(end) = self.find(inside, b"--") else {
            return fail(self.bytes.len(), Syntax::UnexpectedEnd);
        };
        if self.byte(end + 2) != b'>' {
            return fail(end, if end + 2 >= self.bytes.len() { Syntax::UnexpectedEnd } else { Syntax::Comment });
        }
        self.plain(Kind::Comment, start, inside, end, end + 3)?;
        Ok(end + 3)
    }

    fn cdata(&mut self, start: usize) -> Result<usize, Failure> {
        if self.is_outside() && !self.region.text {
            return fail(start, Syntax::OutsideRoot);
        }
        let inside = start + 9;
        let Some(end) = self.find(inside, b"]]>") else {
            return fail(self.bytes.len(), Syntax::UnexpectedEnd);
        };
        self.plain(Kind::CData, start, inside, end, end + 3)?.flags = 0;
        Ok(end + 3)
    }

    fn processing_instruction(&mut self, start: usize) -> Result<usize, Failure> {
        let target = start + 2;
        let target_end = self.ncname(target)?;
        let name = self.bytes.get(target..target_end).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"xml") {
            return fail(start, Syntax::Declaration);
        }
        if !self.options.accepts_processing_instructions() {
            return Err(Failure { at: start, fault: Fault::ProcessingInstruction });
        }
        if name.len() > self.limits.name_length {
            return exceeds(start, LimitKind::NameLength, self.limits.name_length);
        }
        if self.byte(target_end) == b':' {
            return misuse(target_end, NamespaceRule::QualifiedName);
        }
        let data = self.skip_white(target_end);
        let Some(end) = self.find(data, b"?>") else {
            return fail(self.bytes.len(), Syntax::UnexpectedEnd);
        };
        if data == target_end && end != data {
            return fail(target_end, Syntax::ProcessingInstruction);
        }
        let spaced =
            if data == end { data == target_end } else { data == target_end + 1 && self.byte(target_end) == b' ' };
        let record = self.plain(Kind::ProcessingInstruction, start, data, end, end + 2)?;
        if !spaced {
            record.flags = 0;
        }
        record.local = target as u32;
        record.local_length = (target_end - target) as u16;
        Ok(end + 2)
    }

    fn find(&self, from: usize, what: &[u8]) -> Option<usize> {
        memchr::memmem::find(self.bytes.get(from..)?, what).map(|offset| from + offset)
    }

    /// Adds a node whose value holds no references.
    fn plain(
        &mut self,
        kind: Kind,
        start: usize,
        inside: usize,
        inside_end: usize,
        end: usize,
    ) -> Result<&mut NodeRecord, Failure> {
        let mut decoding = Decoding::default();
        let mut at = inside;
        while let Some(offset) = memchr::memchr(b'\r', self.bytes.get(at..inside_end).unwrap_or_default()) {
            at += offset;
            let next = if at + 1 < inside_end && self.byte(at + 1) == b'\n' { at + 2 } else { at + 1 };
            decoding.replace(self.source, &mut self.tables.decoded, inside, at, next, '\n');
            at = next;
        }
        let canonical = decoding.is_unused();
        let span = decoding.finish(self.source, &mut self.tables.decoded, inside, inside_end);
        let record = self.push(kind, start, end)?;
        record.set_value(span);
        record.flags = if canonical { flags::CANONICAL } else { 0 };
        Ok(record)
    }
}

/// Builds the decoded form of a value, once something in it needs that.
#[derive(Default)]
struct Decoding {
    /// Where the decoded form starts, and up to where the source is dealt with.
    begun: Option<(usize, usize)>,
}

impl Decoding {
    fn is_unused(&self) -> bool {
        self.begun.is_none()
    }

    /// Puts `character` in the place of `source[at..end]`; the value starts at `start`.
    #[cold]
    fn replace(&mut self, source: &str, decoded: &mut String, start: usize, at: usize, end: usize, character: char) {
        let (begin, done) = self.begun.unwrap_or((decoded.len(), start));
        decoded.push_str(source.get(done..at).unwrap_or_default());
        decoded.push(character);
        self.begun = Some((begin, end));
    }

    #[inline]
    fn finish(self, source: &str, decoded: &mut String, start: usize, end: usize) -> Span {
        match self.begun {
            None => Span::source(start, end),
            Some((begin, done)) => {
                decoded.push_str(source.get(done..end).unwrap_or_default());
                Span::decoded(begin, decoded.len())
            }
        }
    }
}

//! Attributes and namespace declarations.

use super::decoding::Decoding;
use super::names::{Name, binding};
use super::{Failure, Tokenizer, UNBOUND, Value, exceeds, fail, misuse};
use crate::arena::{
    AttributeRecord, DeclarationRecord, IdRecord, NO_NAMESPACE, NO_PREFIX, NodeId, Span, Texts, WSU_NAMESPACE,
    XML_NAMESPACE, XML_PREFIX, XMLNS_NAMESPACE, XMLNS_PREFIX, hash,
};
use crate::chars::is_white;
use crate::error::{LimitKind, NamespaceRule, Syntax};
use crate::reference::Reference;
use std::ops::Range;

const XMLNS: &[u8] = b"xmlns";

/// What an element's attributes have in common.
pub(super) struct Attributes {
    /// They stand in canonical order.
    pub(super) sorted: bool,
    /// One of them has a prefix.
    pub(super) prefixed: bool,
}

impl Tokenizer<'_> {
    /// Reads an attribute or namespace declaration; says where it ends and whether it is written, and placed among the
    /// declarations, as the canonical form wants.
    #[inline]
    pub(super) fn attribute(
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
        let quote = self.byte(at);
        if quote != b'"' && quote != b'\'' {
            return fail(at, if at >= self.bytes.len() { Syntax::UnexpectedEnd } else { Syntax::Attribute });
        }
        at += 1;
        let mark = self.scratch.marks.next(at);
        let value = if self.byte(mark) == quote {
            Value { span: Span::source(at, mark), canonical: quote == b'"', end: mark }
        } else {
            self.marked_value(quote, at, mark)?
        };
        canonical &= value.canonical;
        if let Some(declared) = self.declared(name) {
            let prefix = match declared.len() {
                0 => NO_PREFIX,
                _ => self.intern_prefix(declared.start, declared.end)?,
            };
            canonical &= self.declaration_of(prefix, name, value.span, first_declaration)?;
            return Ok((value.end + 1, canonical && self.tables.attributes.len() == first_attribute));
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
        Ok((value.end + 1, canonical))
    }

    /// Reads a value with something in it that may need a closer look, first at `at`.
    fn marked_value(&mut self, quote: u8, start: usize, mut at: usize) -> Result<Value, Failure> {
        let mut canonical = quote == b'"';
        let mut decoding = Decoding::default();
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
        Ok(Value { span, canonical, end: at })
    }

    /// Where the prefix stands that an attribute of this name declares, if it declares one; the default namespace has an empty one.
    #[inline]
    fn declared(&self, name: Name) -> Option<Range<usize>> {
        let is_default = name.local == name.start;
        let end = if is_default { name.end } else { name.local - 1 };
        if end - name.start != XMLNS.len() || !self.starts_with(name.start, XMLNS) {
            return None;
        }
        Some(if is_default { name.end } else { name.local }..name.end)
    }

    /// Puts a namespace declaration into force; says whether it comes after all earlier ones of this tag in canonical order.
    fn declaration_of(&mut self, prefix: u16, name: Name, uri: Span, first: usize) -> Result<bool, Failure> {
        let at = name.start;
        if self.tables.declarations.len() >= self.limits.namespace_declarations {
            return exceeds(at, LimitKind::NamespaceDeclarations, self.limits.namespace_declarations);
        }
        let texts = Texts { source: self.source, decoded: &self.tables.decoded };
        if texts.get(uri).len() > self.limits.name_length {
            return exceeds(at, LimitKind::NameLength, self.limits.name_length);
        }
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
    pub(super) fn finish_attributes(&mut self, first: usize, element: NodeId) -> Result<Attributes, Failure> {
        let mut prefixed = false;
        for attribute in self.tables.attributes.get_mut(first..).unwrap_or_default() {
            if attribute.prefix != NO_PREFIX {
                prefixed = true;
                attribute.namespace = binding(&self.scratch.bindings, attribute.prefix, attribute.name as usize)?;
            }
            // The lengths of the names of identifiers.
            if !matches!(attribute.local_length, 2 | 11) {
                continue;
            }
            let local = self.bytes.get(attribute.local as usize..attribute.name_end() as usize).unwrap_or_default();
            let is_id = match attribute.namespace {
                NO_NAMESPACE => matches!(local, b"Id" | b"ID" | b"AssertionID"),
                WSU_NAMESPACE => local == b"Id",
                XML_NAMESPACE => local == b"id",
                _ => false,
            };
            if is_id && self.options.has_ids() {
                if self.tables.ids.len() + self.scratch.ids.len() >= self.limits.ids {
                    return exceeds(attribute.name as usize, LimitKind::Ids, self.limits.ids);
                }
                let texts = Texts { source: self.source, decoded: &self.tables.decoded };
                let hash = hash(texts.bytes(attribute.value));
                self.scratch.ids.push(IdRecord { hash, value: attribute.value, node: element });
            }
        }
        let sorted = self.tables.attributes.len() < first + 2 || self.are_sorted(first)?;
        Ok(Attributes { sorted, prefixed })
    }

    /// Whether attributes stand in canonical order; fails when two have the same name.
    fn are_sorted(&mut self, first: usize) -> Result<bool, Failure> {
        let attributes = self.tables.attributes.get(first..).unwrap_or_default();
        let texts = Texts { source: self.source, decoded: &self.tables.decoded };
        let local = |a: &AttributeRecord| texts.bytes(Span { start: a.local, end: a.name_end() });
        let namespace = |a: &AttributeRecord| self.tables.namespaces.text(texts, a.namespace);
        let are_in_order = |a: &AttributeRecord, b: &AttributeRecord| match a.namespace == b.namespace {
            true => local(a) < local(b),
            false => namespace(a) < namespace(b),
        };
        if attributes.is_sorted_by(are_in_order) {
            return Ok(true);
        }
        let order = &mut self.scratch.order;
        order.clear();
        order.extend_from_slice(attributes);
        let by_number = |a: &AttributeRecord| (a.namespace, local(a));
        order.sort_unstable_by(|a, b| by_number(a).cmp(&by_number(b)));
        match order.windows(2).find(|pair| by_number(&pair[0]) == by_number(&pair[1])) {
            Some(pair) => fail(pair[0].name.max(pair[1].name) as usize, Syntax::DuplicateAttribute),
            None => Ok(false),
        }
    }
}

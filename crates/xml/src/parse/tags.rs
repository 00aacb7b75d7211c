//! Start tags and end tags.

use super::attributes::Attributes;
use super::{Failure, Open, Tokenizer, exceeds, fail};
use crate::arena::{Kind, NodeId, NodeRecord, flags};
use crate::chars::{VECTOR, is_white, leading_equal_bytes};
use crate::error::{LimitKind, Syntax};
use std::ops::Range;

impl Tokenizer<'_> {
    pub(super) fn end_tag(&mut self, start: usize) -> Result<usize, Failure> {
        let Some(open) = (if self.is_outside() { None } else { self.scratch.open.pop() }) else {
            return fail(start, Syntax::EndTag);
        };
        let Some(record) = self.tables.nodes.get_mut(open.node.index()) else {
            return fail(start, Syntax::EndTag);
        };
        let name = record.start as usize + 1..record.name_end() as usize;
        if !stands_again(self.bytes, name.clone(), start + 2) {
            return fail(start, Syntax::EndTag);
        }
        let mut at = start + 2 + name.len();
        let mut plain = open.plain;
        if self.bytes.get(at) == Some(&b'>') {
            record.flags |= flags::CANONICAL_END;
        } else {
            plain = false;
            while self.bytes.get(at).is_some_and(|&b| is_white(b)) {
                at += 1;
            }
            if self.bytes.get(at) != Some(&b'>') {
                return fail(start, Syntax::EndTag);
            }
        }
        record.close = start as u32;
        record.end = (at + 1) as u32;
        if plain {
            record.flags |= flags::PLAIN;
        } else if let Some(around) = self.scratch.open.last_mut() {
            around.plain = false;
        }
        self.restore_bindings(open.undo);
        Ok(at + 1)
    }

    #[inline]
    pub(super) fn restore_bindings(&mut self, mark: u32) {
        while self.scratch.undo.len() > mark as usize {
            if let Some((prefix, namespace)) = self.scratch.undo.pop()
                && let Some(binding) = self.scratch.bindings.get_mut(usize::from(prefix))
            {
                *binding = namespace;
            }
        }
    }

    pub(super) fn start_tag(&mut self, start: usize) -> Result<usize, Failure> {
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
        let attributes = self.tables.attributes.len();
        let declarations = self.tables.declarations.len();
        let undo = self.scratch.undo.len() as u32;
        let tag = match self.byte(name.end) {
            b'>' => StartTag::bare(name.end + 1),
            _ => self.attributes(name.end, id)?,
        };
        let prefix = self.prefix_of(name)?;
        let namespace = self.binding(prefix, name.start)?;
        let record = NodeRecord {
            flags: tag.flags,
            namespace,
            prefix,
            local: name.local as u32,
            local_length: (name.end - name.local) as u16,
            attributes: attributes as u32,
            attribute_count: tag.attributes,
            declarations: declarations as u32,
            declaration_count: tag.declarations,
            ..NodeRecord::new(Kind::Element, NodeId::NONE, start, tag.end)
        };
        self.push(record, tag.plain)?;
        if tag.flags & flags::EMPTY_TAG == 0 {
            self.scratch.open.push(Open { node: id, last_child: NodeId::NONE, undo, prefix, plain: true });
        } else {
            self.restore_bindings(undo);
        }
        Ok(tag.end)
    }

    /// Reads the rest of a start tag of `element`, from the end of its name.
    fn attributes(&mut self, name_end: usize, element: NodeId) -> Result<StartTag, Failure> {
        let first_attribute = self.tables.attributes.len();
        let first_declaration = self.tables.declarations.len();
        let mut flags = flags::CANONICAL;
        let mut at = name_end;
        let mut count = 0;
        let end = loop {
            let white = at;
            let mut next = self.byte(at);
            if next == b'>' {
                flags |= flags::CANONICAL_TAIL;
                break at + 1;
            }
            while is_white(next) {
                at += 1;
                next = self.byte(at);
            }
            if next == b'>' {
                break at + 1;
            }
            if next == b'/' && self.byte(at + 1) == b'>' {
                flags |= flags::EMPTY_TAG;
                break at + 2;
            }
            if at == white || next == 0 {
                return fail(at, if next == 0 { Syntax::UnexpectedEnd } else { Syntax::Tag });
            }
            if count >= self.limits.attributes_per_element {
                return exceeds(at, LimitKind::AttributesPerElement, self.limits.attributes_per_element);
            }
            count += 1;
            let (next, canonical) = self.attribute(at, first_attribute, first_declaration)?;
            if !canonical || at != white + 1 || self.byte(white) != b' ' {
                flags &= !flags::CANONICAL;
            }
            at = next;
        };
        let attributes = (self.tables.attributes.len() - first_attribute) as u16;
        let declarations = (self.tables.declarations.len() - first_declaration) as u16;
        let found = match attributes {
            0 => Attributes { sorted: true, prefixed: false },
            _ => self.finish_attributes(first_attribute, element)?,
        };
        if found.sorted {
            flags |= flags::SORTED;
        } else {
            flags &= !flags::CANONICAL;
        }
        let plain =
            flags & PLAIN_TAG == flags::CANONICAL | flags::CANONICAL_TAIL && declarations == 0 && !found.prefixed;
        Ok(StartTag { end, flags, plain, attributes, declarations })
    }
}

/// A start tag without its name.
struct StartTag {
    /// After it.
    end: usize,
    flags: u8,
    /// Whether it may stand in content that is as [`flags::PLAIN`] says.
    plain: bool,
    /// How many.
    attributes: u16,
    /// How many.
    declarations: u16,
}

impl StartTag {
    /// `<a>`.
    fn bare(end: usize) -> Self {
        let flags = flags::CANONICAL | flags::CANONICAL_TAIL | flags::SORTED;
        Self { end, flags, plain: true, attributes: 0, declarations: 0 }
    }
}

/// Whether what stands in a range of `bytes` stands at another place again. Few names are longer than a vector.
#[inline]
fn stands_again(bytes: &[u8], range: Range<usize>, at: usize) -> bool {
    let length = range.len();
    let (Some(once), Some(again)) = (bytes.get(range.start..), bytes.get(at..)) else { return false };
    match (once.first_chunk(), again.first_chunk()) {
        (Some(once), Some(again)) if length <= VECTOR => leading_equal_bytes(once, again) >= length,
        _ => once.get(..length).is_some_and(|once| again.starts_with(once)),
    }
}

const PLAIN_TAG: u8 = flags::CANONICAL | flags::CANONICAL_TAIL | flags::EMPTY_TAG;

//! Comments, CDATA sections and processing instructions.

use super::decoding::Decoding;
use super::{Failure, Fault, Tokenizer, exceeds, fail, misuse};
use crate::arena::{Kind, NodeId, NodeRecord, flags};
use crate::error::{LimitKind, NamespaceRule, Syntax};
use std::ops::Range;

impl Tokenizer<'_> {
    /// `<!`: a comment, a CDATA section, or a document type declaration, which is refused.
    pub(super) fn declaration(&mut self, start: usize) -> Result<usize, Failure> {
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
        let record = self.verbatim(Kind::Comment, start, inside..end, end + 3);
        self.push(record, false)?;
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
        let record = self.verbatim(Kind::CData, start, inside..end, end + 3);
        self.push(NodeRecord { flags: 0, ..record }, false)?;
        Ok(end + 3)
    }

    pub(super) fn processing_instruction(&mut self, start: usize) -> Result<usize, Failure> {
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
        let record = self.verbatim(Kind::ProcessingInstruction, start, data..end, end + 2);
        let record = NodeRecord {
            flags: if spaced { record.flags } else { 0 },
            local: target as u32,
            local_length: (target_end - target) as u16,
            ..record
        };
        self.push(record, false)?;
        Ok(end + 2)
    }

    fn find(&self, from: usize, what: &[u8]) -> Option<usize> {
        memchr::memmem::find(self.bytes.get(from..)?, what).map(|offset| from + offset)
    }

    /// A node whose value holds no references.
    fn verbatim(&mut self, kind: Kind, start: usize, inside: Range<usize>, end: usize) -> NodeRecord {
        let mut decoding = Decoding::default();
        let mut at = inside.start;
        while let Some(offset) = memchr::memchr(b'\r', self.bytes.get(at..inside.end).unwrap_or_default()) {
            at += offset;
            let next = if at + 1 < inside.end && self.byte(at + 1) == b'\n' { at + 2 } else { at + 1 };
            decoding.replace(self.source, &mut self.tables.decoded, inside.start, at, next, '\n');
            at = next;
        }
        let mut record = NodeRecord::new(kind, NodeId::NONE, start, end);
        record.flags = if decoding.is_unused() { flags::CANONICAL } else { 0 };
        record.set_value(decoding.finish(self.source, &mut self.tables.decoded, inside.start, inside.end));
        record
    }
}

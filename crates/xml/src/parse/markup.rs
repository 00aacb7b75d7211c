//! Comments, CDATA sections and processing instructions.

use super::decoding::Decoding;
use super::{Failure, Fault, Tokenizer, exceeds, fail, misuse};
use crate::arena::{Kind, NodeRecord, flags};
use crate::error::{LimitKind, NamespaceRule, Syntax};

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

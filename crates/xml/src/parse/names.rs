//! Qualified names and what their prefixes stand for.

use super::{Failure, Fault, Tokenizer, UNBOUND, exceeds, fail, misuse};
use crate::arena::{NO_PREFIX, Span, Texts, XMLNS_PREFIX};
use crate::chars::{ASCII, NAME, START, is_name_char, is_name_start, leading_name_bytes};
use crate::error::{LimitKind, NamespaceRule, Syntax};

/// A qualified name in the source.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) start: usize,
    /// After the colon, or `start`.
    pub(super) local: usize,
    pub(super) end: usize,
}

impl Tokenizer<'_> {
    /// Reads `Name`, `prefix:local` or `local`.
    #[inline]
    pub(super) fn name(&self, start: usize) -> Result<Name, Failure> {
        let mut local = start;
        let mut end = self.ascii_ncname(start);
        let mut next = self.byte(end);
        if next == b':' && end > start {
            local = end + 1;
            end = self.ascii_ncname(local);
            next = self.byte(end);
        }
        if next < 0x80 && next != b':' && end > local && end - start <= self.limits.name_length {
            return Ok(Name { start, local, end });
        }
        self.any_name(start)
    }

    /// The same for names that are not of few ASCII characters, and to find out what is wrong.
    #[cold]
    fn any_name(&self, start: usize) -> Result<Name, Failure> {
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

    pub(super) fn ncname(&self, start: usize) -> Result<usize, Failure> {
        let end = self.ascii_ncname(start);
        if end > start && self.byte(end) < 0x80 { Ok(end) } else { self.ncname_beyond_ascii(start) }
    }

    /// Where the ASCII characters of the name that starts here end; `start` when none starts here.
    #[inline]
    fn ascii_ncname(&self, start: usize) -> usize {
        let class = |at: usize| self.bytes.get(at).map_or(0, |&b| ASCII[usize::from(b)]);
        if class(start) & START == 0 {
            return start;
        }
        let mut at = start;
        // Most names end within the next 16 bytes; to know that is cheaper than to look at one byte after the other.
        if let Some(next) = self.bytes.get(start..).and_then(<[u8]>::first_chunk) {
            at += leading_name_bytes(next);
            if at < start + next.len() {
                return at;
            }
        }
        while class(at) & NAME != 0 {
            at += 1;
        }
        at
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
    pub(super) fn prefix_of(&mut self, name: Name) -> Result<u16, Failure> {
        if name.local == name.start { Ok(NO_PREFIX) } else { self.intern_prefix(name.start, name.local - 1) }
    }

    #[inline]
    pub(super) fn intern_prefix(&mut self, start: usize, end: usize) -> Result<u16, Failure> {
        let key = RecentPrefixes::key(self.bytes, start, end);
        match self.scratch.recent.get(key) {
            Some(number) => Ok(number),
            None => self.intern_new_prefix(start, end, key),
        }
    }

    fn intern_new_prefix(&mut self, start: usize, end: usize, key: Option<u64>) -> Result<u16, Failure> {
        let texts = Texts { source: self.source, decoded: &self.tables.decoded };
        match self.tables.prefixes.intern(texts, Span::source(start, end), &self.limits) {
            Ok(number) => {
                self.scratch.recent.put(key, number);
                Ok(number)
            }
            Err((kind, maximum)) => exceeds(start, kind, maximum),
        }
    }

    #[inline]
    pub(super) fn binding(&self, prefix: u16, at: usize) -> Result<u16, Failure> {
        binding(&self.scratch.bindings, prefix, at)
    }
}

/// The namespace that a prefix of the name at `at` is bound to.
#[inline]
pub(super) fn binding(bindings: &[u16], prefix: u16, at: usize) -> Result<u16, Failure> {
    match bindings.get(usize::from(prefix)) {
        Some(&namespace) if namespace != UNBOUND => Ok(namespace),
        _ if prefix == XMLNS_PREFIX => misuse(at, NamespaceRule::Reserved),
        _ => misuse(at, NamespaceRule::UndeclaredPrefix),
    }
}

/// The numbers of short prefixes that were seen lately: most names of a message have one of a few.
#[derive(Debug, Default)]
pub(super) struct RecentPrefixes {
    entries: [(u64, u16); Self::SIZE],
}

impl RecentPrefixes {
    const SIZE: usize = 16;

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The bytes of a prefix of at most eight bytes, as a number. Names hold no zero bytes, so no other prefix has the same, and
    /// none has 0.
    #[inline]
    fn key(bytes: &[u8], start: usize, end: usize) -> Option<u64> {
        let length = end - start;
        if length == 0 || length > 8 {
            return None;
        }
        let word = bytes.get(start..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*word) & (u64::MAX >> (64 - 8 * length)))
    }

    #[inline]
    fn get(&self, key: Option<u64>) -> Option<u16> {
        let key = key?;
        let (known, number) = self.entries[Self::slot(key)];
        (known == key).then_some(number)
    }

    fn put(&mut self, key: Option<u64>, number: u16) {
        if let Some(key) = key {
            self.entries[Self::slot(key)] = (key, number);
        }
    }

    #[inline]
    fn slot(key: u64) -> usize {
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60) as usize % Self::SIZE
    }
}

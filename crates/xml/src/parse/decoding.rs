//! Values that differ from their source.

use crate::arena::Span;

/// Builds the decoded form of a value, once something in it needs that.
#[derive(Default)]
pub(super) struct Decoding {
    /// Where the decoded form starts, and up to where the source is dealt with.
    begun: Option<(usize, usize)>,
}

impl Decoding {
    pub(super) fn is_unused(&self) -> bool {
        self.begun.is_none()
    }

    /// Puts `character` in the place of `source[at..end]`; the value starts at `start`.
    #[cold]
    pub(super) fn replace(
        &mut self,
        source: &str,
        decoded: &mut String,
        start: usize,
        at: usize,
        end: usize,
        character: char,
    ) {
        let (begin, done) = self.begun.unwrap_or((decoded.len(), start));
        decoded.push_str(source.get(done..at).unwrap_or_default());
        decoded.push(character);
        self.begun = Some((begin, end));
    }

    #[inline]
    pub(super) fn finish(self, source: &str, decoded: &mut String, start: usize, end: usize) -> Span {
        match self.begun {
            None => Span::source(start, end),
            Some((begin, done)) => {
                decoded.push_str(source.get(done..end).unwrap_or_default());
                Span::decoded(begin, decoded.len())
            }
        }
    }
}

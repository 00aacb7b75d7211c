//! The first pass over a document: where its special bytes are, 64 bytes at a time.
//!
//! One bitmap marks every byte that can end or complicate a run of text or an attribute value. The tokenizer then jumps from
//! mark to mark instead of looking at each byte. The same pass finds bytes that XML never allows.

use wide::u8x16;

/// Positions of `<`, `>`, `&`, `"`, `'` and of all control characters (which, in a document that passed, are TAB, LF and CR).
#[derive(Debug, Default)]
pub(crate) struct Marks {
    words: Vec<u64>,
    base: usize,
    end: usize,
}

/// What the pass found out besides the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Offset of the first control character that XML does not allow.
    pub(crate) bad: Option<usize>,
    pub(crate) is_ascii: bool,
}

impl Marks {
    /// Marks `bytes[base..]`. Earlier marks are forgotten.
    pub(crate) fn scan(&mut self, bytes: &[u8], base: usize) -> Scanned {
        self.base = base;
        self.end = bytes.len();
        let region = bytes.get(base..).unwrap_or_default();
        let (blocks, rest) = region.as_chunks::<BLOCK>();
        let mut seen = Seen::default();
        self.words.clear();
        self.words.reserve(blocks.len() + 1);
        self.words.extend(blocks.iter().map(|block| special(block, &mut seen)));
        if !rest.is_empty() {
            let mut block = [b' '; BLOCK];
            for (to, &from) in block.iter_mut().zip(rest) {
                *to = from;
            }
            self.words.push(special(&block, &mut seen));
        }
        // Without an early exit the compiler can look at many bytes at once.
        let any_bad = seen.any_control() && region.iter().fold(false, |any, &byte| any | is_bad(byte));
        Scanned {
            bad: if any_bad { region.iter().position(|&byte| is_bad(byte)).map(|i| base + i) } else { None },
            is_ascii: seen.is_ascii(),
        }
    }

    /// The first mark at or after `position`, or the end of the document.
    #[inline]
    pub(crate) fn next(&self, position: usize) -> usize {
        let offset = position.wrapping_sub(self.base);
        let mut index = offset / BLOCK;
        let Some(&word) = self.words.get(index) else { return self.end };
        let mut word = word & (u64::MAX << (offset % BLOCK));
        while word == 0 {
            index += 1;
            match self.words.get(index) {
                Some(&next) => word = next,
                None => return self.end,
            }
        }
        self.base + index * BLOCK + word.trailing_zeros() as usize
    }
}

const BLOCK: usize = 64;

/// What all blocks have in common.
struct Seen {
    least: u8x16,
    any: u8x16,
}

impl Default for Seen {
    fn default() -> Self {
        Self { least: u8x16::MAX, any: u8x16::ZERO }
    }
}

impl Seen {
    fn any_control(&self) -> bool {
        self.least.reduce_min() < b' '
    }

    fn is_ascii(&self) -> bool {
        self.any.to_bitmask() == 0
    }
}

/// The marks of a block, one bit per byte, the first byte in the lowest bit: [`is_special`], 16 bytes at a time.
#[inline]
fn special(block: &[u8; BLOCK], seen: &mut Seen) -> u64 {
    let (vectors, _) = block.as_chunks::<16>();
    let mut bits = 0;
    for (i, vector) in vectors.iter().enumerate() {
        let bytes = u8x16::new(*vector);
        seen.least = seen.least.min(bytes);
        seen.any |= bytes;
        let control = bytes.min(u8x16::splat(0x1F)).simd_eq(bytes);
        let angle = (bytes | u8x16::splat(0x02)).simd_eq(u8x16::splat(b'>'));
        let quote_or_ampersand = (bytes | u8x16::splat(0x04)).simd_eq(u8x16::splat(b'&'));
        let apostrophe = bytes.simd_eq(u8x16::splat(b'\''));
        let marks = control | angle | quote_or_ampersand | apostrophe;
        bits |= u64::from(marks.to_bitmask()) << (16 * i);
    }
    bits
}

#[inline]
fn is_special(byte: u8) -> bool {
    // '<' is 3C and '>' is 3E; '"' is 22 and '&' is 26.
    (byte < 0x20) | (byte | 0x02 == b'>') | (byte | 0x04 == b'&') | (byte == b'\'')
}

/// Whether a text holds any byte that [`Marks`] would mark.
#[inline]
pub(crate) fn any_special(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |any, &byte| any | is_special(byte))
}

#[inline]
fn is_bad(byte: u8) -> bool {
    (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_classified_byte_by_byte() {
        for byte in 0..=255_u8 {
            for at in [0, 7, 8, 15, 16, 40, 63] {
                let mut block = [b'a'; BLOCK];
                block[at] = byte;
                let expected = matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'' | 0..0x20);
                let mut seen = Seen::default();
                assert_eq!(special(&block, &mut seen), u64::from(expected) << at, "{byte}");
                assert_eq!(is_special(byte), expected, "{byte}");
                assert_eq!((seen.any_control(), seen.is_ascii()), (byte < b' ', byte < 0x80), "{byte}");
            }
            assert_eq!(is_bad(byte), byte < 0x20 && !b"\t\n\r".contains(&byte));
        }
    }

    #[test]
    fn marks_are_found_across_blocks_and_from_a_base() {
        let mut bytes = vec![b'x'; 300];
        for at in [3, 64, 127, 128, 299] {
            bytes[at] = b'<';
        }
        let mut marks = Marks::default();
        for base in [0, 1, 60, 128] {
            assert_eq!(marks.scan(&bytes, base), Scanned { bad: None, is_ascii: true });
            for position in base..=300 {
                let expected = (position..300).find(|&i| bytes[i] == b'<').unwrap_or(300);
                assert_eq!(marks.next(position), expected, "{position} from {base}");
            }
        }
    }

    #[test]
    fn the_first_bad_byte_is_reported() {
        let mut marks = Marks::default();
        assert_eq!(marks.scan(b"a\tb\nc\rd", 0).bad, None);
        assert_eq!(marks.scan(b"abc\x0bd\x00", 0).bad, Some(3));
        assert_eq!(marks.scan(b"abc\x0bd\x00", 4).bad, Some(5));
        assert!(!marks.scan("ä".as_bytes(), 0).is_ascii);
    }
}

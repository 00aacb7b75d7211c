//! The first pass over a document: where its special bytes are, 64 bytes at a time.
//!
//! One bitmap marks every byte that can end or complicate a run of text or an attribute value. The tokenizer then jumps from
//! mark to mark instead of looking at each byte. The same pass finds bytes that XML never allows.

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
        self.words.clear();
        self.words.reserve(blocks.len() + 1);
        self.words.extend(blocks.iter().map(special));
        if !rest.is_empty() {
            let mut block = [b' '; BLOCK];
            for (to, &from) in block.iter_mut().zip(rest) {
                *to = from;
            }
            self.words.push(special(&block));
        }
        // Without an early exit the compiler can look at many bytes at once.
        let least = region.iter().fold(u8::MAX, |least, &byte| least.min(byte));
        let any_bad = least < b' ' && region.iter().fold(false, |any, &byte| any | is_bad(byte));
        Scanned {
            bad: if any_bad { region.iter().position(|&byte| is_bad(byte)).map(|i| base + i) } else { None },
            is_ascii: region.is_ascii(),
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

/// The marks of a block, one bit per byte, the first byte in the lowest bit.
///
/// Written so that the compiler classifies 16 or 32 bytes with one instruction: every byte gets a byte of answer, without
/// branches, and a multiplication gathers eight of them into eight bits.
#[inline]
fn special(block: &[u8; BLOCK]) -> u64 {
    let mut answers = [0_u8; BLOCK];
    for (answer, &byte) in answers.iter_mut().zip(block) {
        *answer = u8::from(is_special(byte));
    }
    let (words, _) = answers.as_chunks::<8>();
    let mut bits = 0;
    for (i, word) in words.iter().enumerate() {
        bits |= (u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
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
                assert_eq!(special(&block), u64::from(expected) << at, "{byte}");
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

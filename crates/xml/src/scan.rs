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
        self.words.clear();
        let region = bytes.get(base..).unwrap_or_default();
        self.words.reserve(region.len() / BLOCK + 1);
        let mut any_bad = false;
        let mut non_ascii = false;
        let (blocks, rest) = region.as_chunks::<BLOCK>();
        for block in blocks {
            let found = Found::in_block(block);
            self.words.push(found.special);
            any_bad |= found.bad;
            non_ascii |= found.non_ascii;
        }
        if !rest.is_empty() {
            let mut block = [b' '; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            let found = Found::in_block(&block);
            self.words.push(found.special);
            any_bad |= found.bad;
            non_ascii |= found.non_ascii;
        }
        let is_bad = |b: &u8| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r');
        Scanned {
            bad: if any_bad { region.iter().position(is_bad).map(|i| base + i) } else { None },
            is_ascii: !non_ascii,
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

#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// One bit per byte, the first byte in the lowest bit.
    special: u64,
    bad: bool,
    non_ascii: bool,
}

impl Found {
    /// Written so that the compiler looks at 16 or 32 bytes with one instruction: every byte gets a byte of answers, without
    /// branches, and a multiplication gathers eight of them into eight bits.
    #[inline]
    fn in_block(block: &[u8; BLOCK]) -> Self {
        let mut special = [0_u8; BLOCK];
        let mut bad = 0_u8;
        let mut all = 0_u8;
        for (answer, &byte) in special.iter_mut().zip(block) {
            let control = byte < 0x20;
            let white = (byte == b'\t') | (byte == b'\n') | (byte == b'\r');
            // '<' is 3C and '>' is 3E.
            let angle = byte | 0x02 == b'>';
            let quote = (byte == b'"') | (byte == b'\'') | (byte == b'&');
            *answer = u8::from(control | angle | quote);
            bad |= u8::from(control & !white);
            all |= byte;
        }
        let mut bits = 0;
        let (words, _) = special.as_chunks::<8>();
        for (i, word) in words.iter().enumerate() {
            bits |= (u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
        }
        Self { special: bits, bad: bad != 0, non_ascii: all >= 0x80 }
    }
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
                let special = matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'' | 0..0x20);
                let bad = byte < 0x20 && !b"\t\n\r".contains(&byte);
                let expected = Found { special: u64::from(special) << at, bad, non_ascii: byte >= 0x80 };
                assert_eq!(Found::in_block(&block), expected, "{byte}");
            }
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

//! Which characters may stand where (XML 1.0 fifth edition §2.2, §2.3).

use wide::u8x16;

/// `Char`: what a document may hold at all.
pub(crate) fn is_char(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        _ => c >= ' ',
    }
}

/// Whether a text holds nothing else.
pub(crate) fn is_text(text: &str) -> bool {
    // Without a branch for each byte. U+FFFE and U+FFFF begin with EF.
    let doubtful = text.bytes().fold(false, |doubtful, byte| doubtful | (byte < 0x20) | (byte == 0xEF));
    !doubtful || text.chars().all(is_char)
}

/// `NameStartChar` without the colon.
pub(crate) fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// `NameChar` without the colon.
pub(crate) fn is_name_char(c: char) -> bool {
    is_name_start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// `NCName` (Namespaces in XML 1.0): a name without a colon.
pub(crate) fn is_ncname(name: &str) -> bool {
    let class = |byte: &u8| ASCII[usize::from(*byte)];
    let bytes = name.as_bytes();
    if bytes.first().is_some_and(|byte| class(byte) & START != 0) && bytes.iter().all(|byte| class(byte) & NAME != 0) {
        return true;
    }
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

/// How many bytes are looked at together.
pub(crate) const VECTOR: usize = 16;

/// How many bytes from the first on are the same, without looking at one after the other.
#[inline]
pub(crate) fn leading_equal_bytes(one: &[u8; VECTOR], other: &[u8; VECTOR]) -> usize {
    u8x16::new(*one).simd_eq(u8x16::new(*other)).to_bitmask().trailing_ones() as usize
}

/// How many bytes from the first on are [`NAME`] bytes, without looking at one after the other.
#[inline]
pub(crate) fn leading_name_bytes(bytes: &[u8; VECTOR]) -> usize {
    let bytes = u8x16::new(*bytes);
    let is_within = |bytes: u8x16, count: u8| bytes.min(u8x16::splat(count - 1)).simd_eq(bytes);
    let letter = is_within((bytes | u8x16::splat(0x20)) - u8x16::splat(b'a'), 26);
    let digit = is_within(bytes - u8x16::splat(b'0'), 10);
    let hyphen_or_dot = is_within(bytes - u8x16::splat(b'-'), 2);
    let underscore = bytes.simd_eq(u8x16::splat(b'_'));
    let names = (letter | digit | hyphen_or_dot | underscore).to_bitmask();
    names.trailing_ones() as usize
}

/// `S`.
pub(crate) fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// [`ASCII`]: may start a name.
pub(crate) const START: u8 = 1;
/// [`ASCII`]: may stand in a name.
pub(crate) const NAME: u8 = 2;

/// The classes of bytes in names; non-ASCII bytes have none and take the slow path.
pub(crate) static ASCII: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        if byte.is_ascii_alphabetic() || byte == b'_' {
            table[byte as usize] = START | NAME;
        } else if byte.is_ascii_digit() || byte == b'-' || byte == b'.' {
            table[byte as usize] = NAME;
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_bytes_are_counted_as_the_table_has_them() {
        for byte in 0..=u8::MAX {
            for at in 0..16 {
                let mut bytes = *b"aZ09-._zAmMnNbBq";
                bytes[at] = byte;
                let expected = if ASCII[usize::from(byte)] & NAME == 0 { at } else { 16 };
                assert_eq!(leading_name_bytes(&bytes), expected, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn the_table_agrees_with_the_productions() {
        for byte in 0..0x80_u8 {
            let c = char::from(byte);
            assert_eq!(ASCII[usize::from(byte)] & START != 0, is_name_start(c), "{c:?}");
            assert_eq!(ASCII[usize::from(byte)] & NAME != 0, is_name_char(c), "{c:?}");
        }
    }

    #[test]
    fn ncnames() {
        for name in ["a", "_", "é", "a-b.c", "a·", "日本"] {
            assert!(is_ncname(name), "{name}");
        }
        for name in ["", "1", "-", ".", "a:b", "a b", "·", "a×"] {
            assert!(!is_ncname(name), "{name}");
        }
    }
}

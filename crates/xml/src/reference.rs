//! `&amp;` and its kind, and character references.

use crate::chars::is_char;
use crate::error::Syntax;
use crate::parse::{Failure, Fault};

/// A reference in text or in an attribute value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) character: char,
    /// After the semicolon.
    pub(crate) end: usize,
    pub(crate) is_canonical_in_text: bool,
    pub(crate) is_canonical_in_attribute: bool,
}

impl Reference {
    /// Reads the reference whose `&` is at `at`.
    pub(crate) fn read(bytes: &[u8], at: usize) -> Result<Self, Failure> {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        if rest.first() == Some(&b'#') {
            return Self::numeric(rest, at);
        }
        for (name, character, in_text, in_attribute) in [
            (&b"amp;"[..], '&', true, true),
            (b"lt;", '<', true, true),
            (b"gt;", '>', true, false),
            (b"quot;", '"', false, true),
            (b"apos;", '\'', false, false),
        ] {
            if rest.starts_with(name) {
                return Ok(Self {
                    character,
                    end: at + 1 + name.len(),
                    is_canonical_in_text: in_text,
                    is_canonical_in_attribute: in_attribute,
                });
            }
        }
        Err(Failure { at, fault: Fault::Syntax(Syntax::Reference) })
    }

    /// `rest` starts with `#`.
    fn numeric(rest: &[u8], at: usize) -> Result<Self, Failure> {
        let hexadecimal = rest.get(1) == Some(&b'x');
        let (radix, first_digit) = if hexadecimal { (16, 2) } else { (10, 1) };
        let mut value = 0_u32;
        let mut index = first_digit;
        while let Some(digit) = rest.get(index).and_then(|&b| char::from(b).to_digit(radix)) {
            // Saturates far above the last character, whatever the number of digits.
            value = value.saturating_mul(radix).saturating_add(digit);
            index += 1;
        }
        if index == first_digit || rest.get(index) != Some(&b';') {
            return Err(Failure { at, fault: Fault::Syntax(Syntax::Reference) });
        }
        let Some(character) = char::from_u32(value).filter(|&c| is_char(c)) else {
            return Err(Failure { at, fault: Fault::Syntax(Syntax::CharacterReference) });
        };
        let written = rest.get(..=index).unwrap_or_default();
        Ok(Self {
            character,
            end: at + 2 + index,
            is_canonical_in_text: written == b"#xD;",
            is_canonical_in_attribute: matches!(written, b"#x9;" | b"#xA;" | b"#xD;"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_canonical_ones_recognised() {
        for (text, character, in_text, in_attribute) in [
            ("&amp;", '&', true, true),
            ("&quot;", '"', false, true),
            ("&apos;", '\'', false, false),
            ("&#65;", 'A', false, false),
            ("&#x1F600;", '\u{1F600}', false, false),
            ("&#xD;", '\r', true, true),
            ("&#xd;", '\r', false, false),
            ("&#x0D;", '\r', false, false),
            ("&#x9;", '\t', false, true),
            ("&#00000000000000000000000000010;", '\n', false, false),
        ] {
            let expected = Reference {
                character,
                end: text.len(),
                is_canonical_in_text: in_text,
                is_canonical_in_attribute: in_attribute,
            };
            assert_eq!(Reference::read(text.as_bytes(), 0).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_reference_or_no_character_is_refused() {
        for text in ["&", "&;", "&am", "&amp", "&foo;", "&#;", "&#x;", "&#xG;", "&#X41;", "&#12", "& amp;", "&#-1;"] {
            assert!(
                matches!(Reference::read(text.as_bytes(), 0).unwrap_err().fault, Fault::Syntax(Syntax::Reference)),
                "{text}"
            );
        }
        for text in ["&#0;", "&#8;", "&#xD800;", "&#xFFFE;", "&#x110000;", "&#99999999999999999999;"] {
            let fault = Reference::read(text.as_bytes(), 0).unwrap_err().fault;
            assert!(matches!(fault, Fault::Syntax(Syntax::CharacterReference)), "{text}");
        }
    }
}

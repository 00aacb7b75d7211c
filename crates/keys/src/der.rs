//! As much DER as keys need: a strict reader and a writer of small structures.

/// The bytes are no DER, or not the DER that was expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// A constructed context-specific tag, `[number]`.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// Object identifiers, as the content bytes of their encoding.
pub(crate) mod oid {
    pub(crate) const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    pub(crate) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    pub(crate) const P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
    pub(crate) const P521: &[u8] = &[0x2b, 0x81, 4, 0, 0x23];
}

/// Reads elements one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the only element in `der`.
    pub(crate) fn only(der: &'a [u8], tag: u8) -> Result<Self, Malformed> {
        let mut reader = Self(der);
        let content = reader.read(tag)?;
        reader.end()?;
        Ok(Self(content))
    }

    /// The content of the next element, which has this tag.
    pub(crate) fn read(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let (found, content) = self.any()?;
        if found == tag { Ok(content) } else { Err(Malformed) }
    }

    /// The elements within the next element, which has this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Result<Self, Malformed> {
        self.read(tag).map(Self)
    }

    /// The content of the next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.0.first() == Some(&tag) { self.read(tag).map(Some) } else { Ok(None) }
    }

    /// The magnitude of a non-negative integer, without leading zeros; zero is empty.
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8], Malformed> {
        match self.read(INTEGER)? {
            [] => Err(Malformed),
            [0] => Ok(&[]),
            [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => Ok(rest),
            [0 | 0x80..=0xff, ..] => Err(Malformed),
            content => Ok(content),
        }
    }

    /// A small non-negative integer.
    pub(crate) fn number(&mut self) -> Result<u32, Malformed> {
        let bytes = self.unsigned()?;
        if bytes.len() > 4 {
            return Err(Malformed);
        }
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Tag and content of the next element.
    pub(crate) fn any(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let (tag, rest) = self.0.split_first().ok_or(Malformed)?;
        let (first, rest) = rest.split_first().ok_or(Malformed)?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(Malformed)?;
                let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                if length < 0x80 || bytes.first() == Some(&0) {
                    return Err(Malformed);
                }
                (length, rest)
            }
            _ => return Err(Malformed),
        };
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok((*tag, content))
    }

    /// The bytes not yet read.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// One element with the concatenation of `parts` as its content.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let significant = &bytes[length.leading_zeros() as usize / 8..];
        out.push(0x80 | significant.len() as u8);
        out.extend_from_slice(significant);
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A non-negative integer from its big-endian magnitude.
pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let start = magnitude.iter().position(|byte| *byte != 0).unwrap_or(magnitude.len());
    let magnitude = &magnitude[start..];
    let sign: &[u8] = if magnitude.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, magnitude])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_shortest_lengths_and_numbers_are_der() {
        assert!(Reader(&[4, 0x81, 0x7f]).any().is_err());
        assert!(Reader(&[4, 0x80, 0, 0]).any().is_err());
        assert!(Reader(&[4, 0x82, 0, 0x80]).any().is_err());
        assert!(Reader(&[2, 2, 0, 1]).unsigned().is_err());
        assert!(Reader(&[2, 1, 0x80]).unsigned().is_err());
        assert_eq!(Reader(&[2, 2, 0, 0x80]).number(), Ok(128));
        assert_eq!(Reader(&[2, 1, 0]).number(), Ok(0));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(content in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let der = element(OCTET_STRING, &[&content]);
            let mut reader = Reader(&der);
            prop_assert_eq!(reader.read(OCTET_STRING).ok(), Some(&content[..]));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn numbers_survive(number: u32) {
            prop_assert_eq!(Reader(&unsigned(&number.to_be_bytes())).number(), Ok(number));
        }

        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let mut reader = Reader(&bytes);
            while reader.any().is_ok() {}
        }
    }
}

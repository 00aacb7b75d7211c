use super::Error;

/// The input, read front to back; every length is checked against what is left.
///
/// Errors are made where they are returned and nowhere else: this is the innermost loop of every reader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'i> {
    rest: &'i [u8],
    length: usize,
}

impl<'i> Source<'i> {
    pub(super) fn new(input: &'i [u8]) -> Self {
        Self { rest: input, length: input.len() }
    }

    #[inline]
    pub(super) fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        let Some((&byte, rest)) = self.rest.split_first() else { return Err(self.truncated()) };
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'i [u8], Error> {
        let Some((bytes, rest)) = self.rest.split_at_checked(length) else { return Err(self.truncated()) };
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else { return Err(self.truncated()) };
        self.rest = rest;
        Ok(*bytes)
    }

    #[cold]
    fn truncated(&self) -> Error {
        Error::Truncated { offset: self.position() }
    }

    /// A `MultiByteInt31`: seven bits a byte, low ones first; needless continuation bytes are legal up to five.
    #[inline]
    pub(super) fn multi_byte_int31(&mut self) -> Result<u32, Error> {
        match self.rest.split_first() {
            Some((&first, rest)) if first < 0x80 => {
                self.rest = rest;
                Ok(first.into())
            }
            _ => self.long_multi_byte_int31(),
        }
    }

    fn long_multi_byte_int31(&mut self) -> Result<u32, Error> {
        let offset = self.position();
        let first = self.byte()?;
        let mut value = u32::from(first & 0x7F);
        for shift in [7, 14, 21, 28] {
            let byte = self.byte()?;
            if shift == 28 && byte > 0x07 {
                break;
            }
            value |= u32::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::Length { offset })
    }

    /// A signed 32-bit length that must not be negative.
    pub(super) fn length32(&mut self) -> Result<usize, Error> {
        let offset = self.position();
        let length = i32::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| Error::Length { offset })
    }

    #[inline]
    pub(super) fn utf8(&mut self, length: usize) -> Result<&'i str, Error> {
        let offset = self.position();
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Error::Encoding { offset, encoding: "UTF-8" })
    }

    pub(super) fn utf16(&mut self, length: usize) -> Result<String, Error> {
        let offset = self.position();
        let invalid = || Error::Encoding { offset, encoding: "UTF-16" };
        let (units, []) = self.bytes(length)?.as_chunks() else { return Err(invalid()) };
        char::decode_utf16(units.iter().map(|&unit| u16::from_le_bytes(unit)))
            .collect::<Result<_, _>>()
            .map_err(|_| invalid())
    }

    /// A string: its length in bytes, then UTF-8.
    #[inline]
    pub(super) fn string(&mut self) -> Result<&'i str, Error> {
        let length = self.multi_byte_int31()?;
        self.utf8(length as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_have_needless_bytes_but_not_more_than_five() {
        let read = |bytes: &[u8]| Source::new(bytes).multi_byte_int31();
        assert_eq!(read(&[0x81, 0x00]), Ok(1));
        assert_eq!(read(&[0x81, 0x80, 0x80, 0x80, 0x00]), Ok(1));
        assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF, 0x07]), Ok(0x7FFF_FFFF));
        assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF, 0x08]), Err(Error::Length { offset: 0 }));
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), Err(Error::Length { offset: 0 }));
        assert_eq!(read(&[0x80]), Err(Error::Truncated { offset: 1 }));
    }
}

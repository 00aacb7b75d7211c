use super::Error;

/// The input, read front to back; every length is checked against what is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'i> {
    input: &'i [u8],
    position: usize,
}

impl<'i> Source<'i> {
    pub(super) fn new(input: &'i [u8]) -> Self {
        Self { input, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.position >= self.input.len()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.input.get(self.position).copied()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.peek().ok_or(Error::Truncated { offset: self.position })?;
        self.position += 1;
        Ok(byte)
    }

    #[inline]
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'i [u8], Error> {
        let truncated = Error::Truncated { offset: self.position };
        let end = self.position.checked_add(length).ok_or(truncated.clone())?;
        let bytes = self.input.get(self.position..end).ok_or(truncated)?;
        self.position = end;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let offset = self.position;
        self.bytes(N)?.try_into().map_err(|_| Error::Truncated { offset })
    }

    /// A `MultiByteInt31`: seven bits a byte, low ones first; needless continuation bytes are legal up to five.
    #[inline]
    pub(super) fn multi_byte_int31(&mut self) -> Result<u32, Error> {
        let offset = self.position;
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(first.into());
        }
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
        let offset = self.position;
        let length = i32::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| Error::Length { offset })
    }

    #[inline]
    pub(super) fn utf8(&mut self, length: usize) -> Result<&'i str, Error> {
        let offset = self.position;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Error::Encoding { offset, encoding: "UTF-8" })
    }

    pub(super) fn utf16(&mut self, length: usize) -> Result<String, Error> {
        let invalid = Error::Encoding { offset: self.position, encoding: "UTF-16" };
        let (units, []) = self.bytes(length)?.as_chunks() else { return Err(invalid) };
        char::decode_utf16(units.iter().map(|&unit| u16::from_le_bytes(unit)))
            .collect::<Result<_, _>>()
            .map_err(|_| invalid)
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

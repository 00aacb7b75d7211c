use super::Error;
use super::source::Source;
use std::collections::HashMap;

/// The strings that one side of a connection has sent so far ([MC-NBFSE]): string number `n` is `2 * n + 1` on the wire.
///
/// Each direction of a connection has its own. Before each message of `application/soap+msbinsession1` the new strings
/// travel: the receiver calls [`receive`](Self::receive), the sender [`announce`](Self::announce).
#[derive(Debug)]
pub struct SessionDictionary {
    strings: Vec<Box<str>>,
    indices: HashMap<Box<str>, u32>,
    announced: usize,
    size: usize,
    max_size: usize,
}

impl SessionDictionary {
    /// The size that WCF allows when nothing else is configured (`MaxSessionSize`), in bytes of UTF-8.
    pub const DEFAULT_MAX_SIZE: usize = 2048;

    /// An empty dictionary of at most [`DEFAULT_MAX_SIZE`](Self::DEFAULT_MAX_SIZE).
    pub fn new() -> Self {
        Self::with_max_size(Self::DEFAULT_MAX_SIZE)
    }

    /// An empty dictionary whose strings take at most `max_size` bytes of UTF-8, one counted extra for each.
    pub fn with_max_size(max_size: usize) -> Self {
        Self { strings: Vec::new(), indices: HashMap::new(), announced: 0, size: 0, max_size }
    }

    /// Takes the new strings off the front of a message and returns the document behind them.
    ///
    /// # Errors
    /// When the strings are not well formed, or too large together: the session cannot go on.
    pub fn receive<'m>(&mut self, message: &'m [u8]) -> Result<&'m [u8], Error> {
        let mut source = Source::new(message);
        let size = source.multi_byte_int31()? as usize;
        let start = source.position();
        let mut strings = Source::new(source.bytes(size)?);
        while !strings.is_at_end() {
            let offset = start + strings.position();
            if self.add(strings.string()?).is_none() {
                return Err(Error::Limit { offset, what: "bytes of session strings", limit: self.max_size });
            }
        }
        self.announced = self.strings.len();
        Ok(message.get(source.position()..).unwrap_or_default())
    }

    /// The strings added since the last call, in the form that goes before a message.
    pub fn announce(&mut self) -> Vec<u8> {
        let mut strings = Vec::new();
        for string in self.strings.get(self.announced..).unwrap_or_default() {
            push_multi_byte_int31(&mut strings, string.len());
            strings.extend_from_slice(string.as_bytes());
        }
        self.announced = self.strings.len();
        let mut framed = Vec::with_capacity(strings.len() + 5);
        push_multi_byte_int31(&mut framed, strings.len());
        framed.extend_from_slice(&strings);
        framed
    }

    /// Adds a string, as a message that is sent or received does; none when there is no room. Returns its number.
    ///
    /// A received string that is there already takes a new number, because the peer counts it.
    pub fn add(&mut self, string: &str) -> Option<u32> {
        let size = self.size.checked_add(string.len() + 1).filter(|&size| size <= self.max_size)?;
        let index = u32::try_from(self.strings.len()).ok()?;
        self.size = size;
        self.strings.push(string.into());
        self.indices.entry(string.into()).or_insert(index);
        Some(index)
    }

    /// String number `index`.
    pub fn get(&self, index: u32) -> Option<&str> {
        self.strings.get(usize::try_from(index).ok()?).map(AsRef::as_ref)
    }

    /// The number of `string`.
    pub fn index_of(&self, string: &str) -> Option<u32> {
        self.indices.get(string).copied()
    }

    /// The strings in the order of their numbers.
    pub fn strings(&self) -> impl Iterator<Item = &str> {
        self.strings.iter().map(AsRef::as_ref)
    }
}

impl Default for SessionDictionary {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends a `MultiByteInt31`. The caller keeps lengths below 2³¹.
pub(super) fn push_multi_byte_int31(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_received() {
        let mut sender = SessionDictionary::new();
        sender.add("one").unwrap();
        let mut message = sender.announce();
        message.extend_from_slice(b"document");
        let mut receiver = SessionDictionary::new();
        assert_eq!(receiver.receive(&message), Ok(&b"document"[..]));
        assert_eq!(receiver.get(0), Some("one"));
        assert_eq!(sender.announce(), [0]);
    }

    #[test]
    fn a_dictionary_is_bounded_and_its_framing_exact() {
        let mut receiver = SessionDictionary::with_max_size(8);
        assert_eq!(
            receiver.receive(&[9, 8, b'1', b'2', b'3', b'4', b'5', b'6', b'7', b'8']).unwrap_err().code(),
            "HST-NBFX-LIMIT"
        );
        assert_eq!(receiver.receive(&[2, 2, b'a', b'b']).unwrap_err().code(), "HST-NBFX-TRUNCATED");
        assert_eq!(receiver.receive(&[4, 1, b'a']).unwrap_err().code(), "HST-NBFX-TRUNCATED");
    }
}

//! Deterministic CBOR (RFC 8949 §4.2.1): just the items that tokens are made of.
//!
//! Heads are in their shortest form, lengths are definite, and nothing else is read. The reader hands out slices of its
//! input, and checks every length against what is left before anybody allocates by it.

use crate::Malformed;
use zeroize::Zeroizing;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const NULL: u8 = 0xf6;

/// Writes items. The buffer is wiped when it moves and when it is dropped: it holds a key.
pub(super) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    pub(super) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    pub(super) fn unsigned(&mut self, value: u64) {
        self.head(UNSIGNED, value);
    }

    pub(super) fn integer(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(UNSIGNED, value),
            Err(_) => self.head(NEGATIVE, !value as u64),
        }
    }

    /// Writes -1 - `value`.
    pub(super) fn negative(&mut self, value: u64) {
        self.head(NEGATIVE, value);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.head(BYTES, bytes.len() as u64);
        self.append(bytes);
    }

    /// Starts a byte string whose bytes the caller appends elsewhere.
    pub(super) fn byte_string_head(&mut self, len: usize) {
        self.head(BYTES, len as u64);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.append(text.as_bytes());
    }

    pub(super) fn array(&mut self, len: usize) {
        self.head(ARRAY, len as u64);
    }

    pub(super) fn null(&mut self) {
        self.append(&[NULL]);
    }

    /// Starts a map whose entries are counted as they are written.
    pub(super) fn map(&mut self) -> Map {
        let at = self.0.len();
        self.head(MAP, 0);
        Map { at }
    }

    /// Starts the next entry of a map of fewer than 24 entries, in ascending order of keys.
    pub(super) fn entry(&mut self, map: &Map, key: u8) {
        if let Some(head) = self.0.get_mut(map.at) {
            *head += 1;
        }
        self.head(UNSIGNED, u64::from(key));
    }

    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        match argument {
            0..=23 => self.append(&[major | bytes[7]]),
            24..=0xff => self.append(&[major | 24, bytes[7]]),
            0x100..=0xffff => self.append(&[major | 25, bytes[6], bytes[7]]),
            0x1_0000..=0xffff_ffff => self.append(&[major | 26, bytes[4], bytes[5], bytes[6], bytes[7]]),
            _ => {
                self.append(&[major | 27]);
                self.append(&bytes);
            }
        }
    }

    /// Growing a vector would leave the old bytes behind; here they are wiped.
    fn append(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity())));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

/// A map being written.
pub(super) struct Map {
    at: usize,
}

/// What kind of item comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Unsigned,
    Negative,
    Bytes,
    Text,
    Array,
    Map,
    Null,
}

/// Reads items.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// Succeeds when everything was read.
    pub(super) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed::Structure("bytes after the end")) }
    }

    pub(super) fn kind(&self) -> Result<Kind, Malformed> {
        let first = *self.rest.first().ok_or(CUT_OFF)?;
        match first >> 5 {
            UNSIGNED => Ok(Kind::Unsigned),
            NEGATIVE => Ok(Kind::Negative),
            BYTES => Ok(Kind::Bytes),
            TEXT => Ok(Kind::Text),
            ARRAY => Ok(Kind::Array),
            MAP => Ok(Kind::Map),
            _ if first == NULL => Ok(Kind::Null),
            _ => Err(Malformed::Structure("an item that tokens are not made of")),
        }
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, Malformed> {
        self.head(UNSIGNED)
    }

    /// Reads -1 - n and returns n.
    pub(super) fn negative(&mut self) -> Result<u64, Malformed> {
        self.head(NEGATIVE)
    }

    pub(super) fn integer(&mut self) -> Result<i64, Malformed> {
        let negative = self.kind()? == Kind::Negative;
        let argument = self.head(if negative { NEGATIVE } else { UNSIGNED })?;
        let value = i64::try_from(argument).map_err(|_| Malformed::Structure("an integer out of range"))?;
        Ok(if negative { !value } else { value })
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.head(BYTES)?;
        self.take(len)
    }

    pub(super) fn byte_array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes()?.try_into().map_err(|_| Malformed::Structure("a byte string of the wrong length"))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let len = self.head(TEXT)?;
        std::str::from_utf8(self.take(len)?).map_err(|_| Malformed::Structure("text that is not UTF-8"))
    }

    /// Reads the start of an array and returns the number of its items, each of which takes a byte at least.
    pub(super) fn array(&mut self) -> Result<usize, Malformed> {
        let len = self.head(ARRAY)?;
        self.count(len)
    }

    pub(super) fn map(&mut self) -> Result<Entries, Malformed> {
        let len = self.head(MAP)?;
        Ok(Entries { left: self.count(len)?, last: None })
    }

    pub(super) fn null(&mut self) -> Result<(), Malformed> {
        match self.take(1)? {
            [NULL] => Ok(()),
            _ => Err(UNEXPECTED),
        }
    }

    fn head(&mut self, major: u8) -> Result<u64, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(CUT_OFF)?;
        if first >> 5 != major {
            return Err(UNEXPECTED);
        }
        let width = match first & 31 {
            small @ 0..=23 => {
                self.rest = rest;
                return Ok(u64::from(small));
            }
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(Malformed::Structure("an indefinite length")),
        };
        let (bytes, rest) = rest.split_at_checked(width).ok_or(CUT_OFF)?;
        let argument = bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let shortest = match width {
            1 => argument >= 24,
            2 => argument > 0xff,
            4 => argument > 0xffff,
            _ => argument > 0xffff_ffff,
        };
        if !shortest {
            return Err(Malformed::Structure("a number that is not in its shortest form"));
        }
        self.rest = rest;
        Ok(argument)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(len).map_err(|_| CUT_OFF)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(taken)
    }

    fn count(&self, len: u64) -> Result<usize, Malformed> {
        usize::try_from(len).ok().filter(|len| *len <= self.rest.len()).ok_or(CUT_OFF)
    }
}

/// The entries of a map being read: keys must ascend, which excludes duplicates.
pub(super) struct Entries {
    left: usize,
    last: Option<u64>,
}

impl Entries {
    /// The key of the next entry; none at the end.
    pub(super) fn next(&mut self, reader: &mut Reader<'_>) -> Result<Option<u64>, Malformed> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let key = reader.unsigned()?;
        if self.last.is_some_and(|last| last >= key) {
            return Err(Malformed::Structure("map keys that are not in order"));
        }
        self.last = Some(key);
        Ok(Some(key))
    }
}

const CUT_OFF: Malformed = Malformed::Structure("cut off");
const UNEXPECTED: Malformed = Malformed::Structure("an item of another kind than expected");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::with_capacity(0);
        write(&mut writer);
        writer.into_bytes().to_vec()
    }

    #[test]
    fn heads_are_as_short_as_rfc_8949_wants_them() {
        for (value, hex) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (255, "18ff"),
            (256, "190100"),
            (65_535, "19ffff"),
            (65_536, "1a00010000"),
            (4_294_967_296, "1b0000000100000000"),
            (-1, "20"),
            (-24, "37"),
            (-25, "3818"),
            (i64::MIN, "3b7fffffffffffffff"),
        ] {
            let bytes = written(|w| w.integer(value));
            assert_eq!(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>(), hex);
            assert_eq!(Reader::new(&bytes).integer(), Ok(value));
        }
    }

    #[test]
    fn longer_heads_indefinite_lengths_and_foreign_items_are_refused() {
        for bytes in [
            &[0x18, 23][..],
            &[0x19, 0, 255],
            &[0x1a, 0, 0, 255, 255],
            &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
            &[0x1c],
            &[0x1f],
            &[0x18],
            &[],
        ] {
            assert!(Reader::new(bytes).unsigned().is_err(), "{bytes:x?}");
        }
        assert!(Reader::new(&[0x5f, 0xff]).bytes().is_err());
        assert!(Reader::new(&[0x62, 0xc3, 0x28]).text().is_err());
        for foreign in [0xc0, 0xf4, 0xf7, 0xf9, 0xff] {
            assert!(Reader::new(&[foreign]).kind().is_err());
        }
        assert!(Reader::new(&[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).integer().is_err());
    }

    #[test]
    fn lengths_are_checked_against_the_input() {
        for bytes in [&[0x42, 1][..], &[0x5b, 255, 255, 255, 255, 255, 255, 255, 255, 0]] {
            assert!(Reader::new(bytes).bytes().is_err());
        }
        assert!(Reader::new(&[0x9a, 0, 1, 0, 0, 0]).array().is_err());
        assert!(Reader::new(&[0xba, 0, 1, 0, 0, 0]).map().is_err());
    }

    #[test]
    fn map_keys_must_ascend() {
        for bytes in [[0xa2, 1, 0, 1, 0], [0xa2, 2, 0, 1, 0]] {
            let mut reader = Reader::new(&bytes);
            let mut entries = reader.map().unwrap();
            entries.next(&mut reader).unwrap();
            reader.unsigned().unwrap();
            assert!(entries.next(&mut reader).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_ciborium_writes_and_what_is_read(
            n: i64, bytes: Vec<u8>, text in ".{0,40}", key in 0u8..200
        ) {
            use ciborium::Value;
            let ours = written(|w| {
                w.array(4);
                w.integer(n);
                w.bytes(&bytes);
                w.text(&text);
                let map = w.map();
                w.entry(&map, key);
                w.null();
            });
            let value = Value::Array(vec![
                Value::from(n),
                Value::Bytes(bytes.clone()),
                Value::Text(text.clone()),
                Value::Map(vec![(Value::from(key), Value::Null)]),
            ]);
            let mut theirs = Vec::new();
            ciborium::into_writer(&value, &mut theirs).unwrap();
            prop_assert_eq!(&ours, &theirs);

            let mut reader = Reader::new(&ours);
            prop_assert_eq!(reader.array(), Ok(4));
            prop_assert_eq!(reader.integer(), Ok(n));
            prop_assert_eq!(reader.bytes(), Ok(&bytes[..]));
            prop_assert_eq!(reader.text(), Ok(&text[..]));
            let mut entries = reader.map().unwrap();
            prop_assert_eq!(entries.next(&mut reader), Ok(Some(u64::from(key))));
            prop_assert_eq!(reader.kind(), Ok(Kind::Null));
            prop_assert_eq!(reader.null(), Ok(()));
            prop_assert_eq!(entries.next(&mut reader), Ok(None));
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }
}

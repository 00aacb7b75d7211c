//! Texts and the compact forms of values.

use super::cbor::{Kind, Reader, Writer};
use super::table;
use crate::Malformed;
use crate::unique_id::{guid_text, parse_guid};
use handstamp_claims::ArcStr;
use handstamp_time::Timestamp;

/// The texts that a writer has written so far, in order.
#[derive(Default)]
pub(super) struct Written<'a>(Vec<&'a str>);

impl<'a> Written<'a> {
    /// Writes a text: the number of a well-known one, a reference to an earlier one, or the text itself.
    pub(super) fn text(&mut self, writer: &mut Writer, text: &'a str) {
        if let Some(index) = table::index(text) {
            writer.unsigned(index);
        } else if let Some(earlier) = self.0.iter().position(|earlier| *earlier == text) {
            writer.negative(earlier as u64);
        } else {
            writer.text(text);
            if is_remembered(text, self.0.len()) {
                self.0.push(text);
            }
        }
    }

    /// Writes a value in its most compact form.
    pub(super) fn value(&mut self, writer: &mut Writer, value: &'a str, form: &Form) {
        match form {
            Form::Text => self.text(writer, value),
            Form::Guid(guid) => writer.bytes(guid),
            Form::UnderscoreGuid(guid) => {
                writer.array(1);
                writer.bytes(guid);
            }
            Form::Base64(bytes) => writer.bytes(bytes),
            Form::Seconds(seconds) => {
                writer.array(1);
                writer.integer(*seconds);
            }
            Form::Milliseconds(seconds, milliseconds) => {
                writer.array(2);
                writer.integer(*seconds);
                writer.unsigned(*milliseconds);
            }
        }
    }
}

/// The texts that a reader has read so far, in order.
#[derive(Default)]
pub(super) struct Read(Vec<ArcStr>);

impl Read {
    /// Reads what [`Written::text`] writes.
    pub(super) fn text(&mut self, reader: &mut Reader<'_>) -> Result<ArcStr, Malformed> {
        match reader.kind()? {
            Kind::Unsigned => {
                table::text(reader.unsigned()?).cloned().ok_or(Malformed::Structure("an unknown number for a text"))
            }
            Kind::Negative => {
                let earlier = usize::try_from(reader.negative()?).ok().and_then(|earlier| self.0.get(earlier));
                earlier.cloned().ok_or(Malformed::Structure("a reference to no text"))
            }
            _ => {
                let text = ArcStr::from(reader.text()?);
                if is_remembered(&text, self.0.len()) {
                    self.0.push(text.clone());
                }
                Ok(text)
            }
        }
    }

    /// Reads what [`Written::value`] writes, and tells whether it is a date and time.
    pub(super) fn value(&mut self, reader: &mut Reader<'_>) -> Result<(ArcStr, bool), Malformed> {
        match reader.kind()? {
            Kind::Bytes => Ok((of_bytes(reader.bytes()?), false)),
            Kind::Array => of_array(reader),
            _ => Ok((self.text(reader)?, false)),
        }
    }
}

/// How a value is best written. Every form but the first stands for exactly one text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As text.
    Text,
    /// A GUID in lower case with hyphens.
    Guid([u8; 16]),
    /// The same after an underscore, as XML ids are.
    UnderscoreGuid([u8; 16]),
    /// Standard base64 with padding, 20 characters or more, of any number of bytes but 16.
    Base64(Vec<u8>),
    /// `yyyy-MM-ddTHH:mm:ssZ`.
    Seconds(i64),
    /// `yyyy-MM-ddTHH:mm:ss.fffZ`.
    Milliseconds(i64, u64),
}

impl Form {
    pub(super) fn of(value: &str) -> Self {
        let bytes = value.as_bytes();
        let form = match bytes {
            [.., b'Z'] if matches!(bytes.len(), 20 | 24) && bytes[10] == b'T' => Self::time(value),
            [b'_', guid @ ..] if guid.len() == 36 => parse_guid(guid).map(Self::UnderscoreGuid),
            // A GUID has hyphens, which base64 has not.
            guid if guid.len() == 36 && guid[8] == b'-' => parse_guid(guid).map(Self::Guid),
            base64 if base64.len() >= MIN_BASE64 && base64.len() % 4 == 0 => Self::base64(value),
            _ => None,
        };
        form.unwrap_or(Self::Text)
    }

    pub(super) fn is_time(&self) -> bool {
        matches!(self, Self::Seconds(_) | Self::Milliseconds(..))
    }

    fn time(text: &str) -> Option<Self> {
        let time: Timestamp = text.parse().ok()?;
        let seconds = time.unix_seconds();
        if text.len() == 20 {
            return (time.to_string() == text).then_some(Self::Seconds(seconds));
        }
        let milliseconds = time.ticks() / 10_000 % 1000;
        (time.milliseconds().to_string() == text).then_some(Self::Milliseconds(seconds, milliseconds as u64))
    }

    fn base64(text: &str) -> Option<Self> {
        let bytes = base64_simd::STANDARD.decode_to_vec(text).ok()?;
        (bytes.len() != 16 && base64_simd::STANDARD.encode_to_string(&bytes) == text).then_some(Self::Base64(bytes))
    }
}

fn of_bytes(bytes: &[u8]) -> ArcStr {
    match bytes.try_into() {
        Ok(guid) => ascii(&guid_text(guid)),
        Err(_) => ArcStr::from(base64_simd::STANDARD.encode_to_string(bytes)),
    }
}

fn of_array(reader: &mut Reader<'_>) -> Result<(ArcStr, bool), Malformed> {
    let len = reader.array()?;
    if len == 1 && reader.kind()? == Kind::Bytes {
        let mut text = [b'_'; 37];
        text[1..].copy_from_slice(&guid_text(&reader.byte_array()?));
        return Ok((ascii(&text), false));
    }
    let time = Timestamp::from_unix_seconds(reader.integer()?).ok_or(BAD_TIME)?;
    match len {
        1 => Ok((ArcStr::from(time.to_string()), true)),
        2 => {
            let milliseconds = i64::try_from(reader.unsigned()?).ok().filter(|ms| *ms < 1000).ok_or(BAD_TIME)?;
            let time = Timestamp::from_ticks(time.ticks() + milliseconds * 10_000).ok_or(BAD_TIME)?;
            Ok((ArcStr::from(time.milliseconds().to_string()), true))
        }
        _ => Err(Malformed::Structure("a value of an unknown form")),
    }
}

fn ascii(bytes: &[u8]) -> ArcStr {
    ArcStr::from(std::str::from_utf8(bytes).unwrap_or_default())
}

/// Writer and reader have to agree which texts can be referred to: the first 256 of two bytes or more.
fn is_remembered(text: &str, so_far: usize) -> bool {
    text.len() >= 2 && so_far < 256
}

/// Shorter texts that happen to be base64 are mostly words.
const MIN_BASE64: usize = 20;
const BAD_TIME: Malformed = Malformed::Structure("a time out of range");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(values: &[&str]) -> (Vec<String>, usize) {
        let mut writer = Writer::with_capacity(64);
        let mut written = Written::default();
        for value in values {
            written.value(&mut writer, value, &Form::of(value));
        }
        let bytes = writer.into_bytes();
        let (mut reader, mut read) = (Reader::new(&bytes), Read::default());
        let values = values.iter().map(|_| read.value(&mut reader).unwrap().0.to_string()).collect();
        reader.finish().unwrap();
        (values, bytes.len())
    }

    #[test]
    fn compact_forms_are_compact() {
        for (value, size) in [
            ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", 17),
            ("_3f2504e0-4f89-41d3-9a0c-0305e82c3301", 18),
            ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", 34),
            ("2030-01-01T09:00:00Z", 6),
            ("2030-01-01T09:00:00.000Z", 7),
            ("2030-01-01T09:00:00.123Z", 8),
            ("0001-01-01T00:00:00Z", 10),
            ("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password", 1),
            ("", 1),
        ] {
            assert_eq!(round_trip(&[value]), (vec![value.to_owned()], size), "{value}");
        }
        assert_eq!(round_trip(&["alice@contoso.example", "alice@contoso.example"]).1, 22 + 1);
    }

    #[test]
    fn texts_that_only_look_compact_stay_texts() {
        for value in [
            "3F2504E0-4F89-41D3-9A0C-0305E82C3301",
            "3f2504e0-4f89-41d3-9a0c-0305e82c330g",
            "MDEyMzQ1Njc4OTAxMjM0NQ==",
            "MDEyMzQ1Njc4OTAxMjM0NTY3OF==",
            "MDEyMzQ1Njc4OTAxMjM0NTY3OA=",
            "2030-01-01T24:00:00Z",
            "2030-02-30T09:00:00Z",
            "2030-01-01T09:00:00.5Z",
            "2030-01-01T09:00:60.000Z",
            "Warehouse Manager",
        ] {
            assert_eq!(Form::of(value), Form::Text, "{value}");
            assert_eq!(round_trip(&[value]).0, [value]);
        }
    }

    #[test]
    fn references_and_numbers_to_nothing_are_refused() {
        for bytes in [&[0x20][..], &[0x62, b'a', b'b', 0x21], &[0x18, 200], &[0x61, b'a', 0x20]] {
            let (mut reader, mut read) = (Reader::new(bytes), Read::default());
            let last = std::iter::from_fn(|| (reader.kind().is_ok()).then(|| read.text(&mut reader))).last();
            assert!(matches!(last, Some(Err(_))), "{bytes:x?}");
        }
        for bytes in [
            &[0x80][..],
            &[0x82, 0, 0x19, 3, 232],
            &[0x83, 0, 0, 0],
            &[0x81, 0x41, 0],
            &[0x81, 0x1b, 127, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(Read::default().value(&mut Reader::new(bytes)).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn more_texts_than_can_be_referred_to() {
        let texts: Vec<String> = (0..300).chain(0..300).map(|n| format!("text {n}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(round_trip(&texts).0, texts);
    }

    proptest! {
        #[test]
        fn every_value_round_trips(values in prop::collection::vec(prop_oneof![
            ".{0,50}",
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[A-Za-z0-9+/]{20,44}={0,2}",
            "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{3})?Z",
            "[ab]{1,2}",
        ], 0..20)) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            prop_assert_eq!(round_trip(&values).0, values);
        }
    }
}

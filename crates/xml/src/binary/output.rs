use super::record;

/// The writer's output, with the bookkeeping of the reference writer's buffer.
///
/// The reference writes into a buffer of 512 bytes and reserves the worst-case size of each item before it writes it.
/// When the reservation does not fit, the buffer is flushed first. That shows in the output: the end of an element is
/// merged into the text record before it only while that record's type is still in the buffer.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    /// How much of the end of `bytes` would be in the buffer.
    buffered: usize,
    /// Where the type of the last text record is, while it can still be changed.
    text_record: Option<usize>,
}

const BUFFER: usize = 512;

/// The longest text, in UTF-16 units, that the reference writes in one go.
const SHORT_TEXT: usize = 85;
/// The longest name, likewise.
const SHORT_NAME: usize = 41;
/// The pieces of longer text, in UTF-16 units.
const UTF8_PIECE: usize = 170;
const UTF16_PIECE: usize = 256;

impl Output {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A record that is no text: an element, an attribute, a declaration, a comment, the ends.
    pub(super) fn record(&mut self, record: u8) {
        self.reserve(1);
        self.push(&[record]);
        self.text_record = None;
    }

    /// The end of an element: merged into the text record before it when the buffer allows.
    pub(super) fn end_element(&mut self) {
        match self.text_record.take().and_then(|at| self.bytes.get_mut(at)) {
            Some(record) => *record += 1,
            None => self.record(record::END_ELEMENT),
        }
    }

    /// From here on no text record can be changed: it belongs to an attribute or a list.
    pub(super) fn seal_text(&mut self) {
        self.text_record = None;
    }

    /// A byte that belongs to the record before it.
    pub(super) fn byte(&mut self, byte: u8) {
        self.reserve(1);
        self.push(&[byte]);
    }

    pub(super) fn multi_byte_int31(&mut self, value: usize) {
        self.reserve(5);
        let before = self.bytes.len();
        super::session::push_multi_byte_int31(&mut self.bytes, value);
        self.buffered += self.bytes.len() - before;
    }

    /// A name, a namespace or a comment: length and UTF-8.
    pub(super) fn string(&mut self, string: &str) {
        let units = utf16_units(string);
        if units <= SHORT_NAME {
            self.reserve(1 + 3 * units);
            self.push(&[string.len() as u8]);
            self.push(string.as_bytes());
        } else {
            self.multi_byte_int31(string.len());
            self.utf8_pieces(string);
        }
    }

    /// A text record whose value has a fixed size.
    pub(super) fn fixed_text(&mut self, record: u8, value: &[u8]) {
        self.reserve(1 + value.len());
        self.text_record = Some(self.bytes.len());
        self.push(&[record]);
        self.push(value);
    }

    /// A whole number, in the shortest record that holds it.
    pub(super) fn integer(&mut self, value: i64) {
        if let Ok(value) = i8::try_from(value) {
            match value {
                0 => self.fixed_text(record::ZERO, &[]),
                1 => self.fixed_text(record::ONE, &[]),
                value => self.fixed_text(record::INT8, &value.to_le_bytes()),
            }
        } else if let Ok(value) = i16::try_from(value) {
            self.fixed_text(record::INT16, &value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.fixed_text(record::INT32, &value.to_le_bytes());
        } else {
            self.fixed_text(record::INT64, &value.to_le_bytes());
        }
    }

    /// A 32-bit floating-point number; a whole one goes out as an integer, negative zero too.
    pub(super) fn float(&mut self, value: f32) {
        const TWO_TO_63: f32 = 9_223_372_036_854_775_808.0;
        if value.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&value) {
            self.integer(value as i64);
        } else {
            self.fixed_text(record::FLOAT, &value.to_le_bytes());
        }
    }

    /// A 64-bit floating-point number; a finite one that 32 bits hold exactly goes out as such.
    pub(super) fn double(&mut self, value: f64) {
        let narrow = value as f32;
        if narrow.is_finite() && f64::from(narrow) == value {
            self.float(narrow);
        } else {
            self.fixed_text(record::DOUBLE, &value.to_le_bytes());
        }
    }

    /// Characters, in the encoding and length form that the reference chooses. An empty text gives an empty record.
    pub(super) fn text(&mut self, text: &str) {
        match text {
            "" => return self.fixed_text(record::EMPTY, &[]),
            "0" => return self.fixed_text(record::ZERO, &[]),
            "1" => return self.fixed_text(record::ONE, &[]),
            _ => {}
        }
        let units = utf16_units(text);
        let wide = text.len() / 2 > units;
        if units <= SHORT_TEXT {
            self.reserve(2 + 3 * units);
            self.text_record = Some(self.bytes.len());
            if wide {
                self.push(&[record::UNICODE_CHARS8, (2 * units) as u8]);
                self.utf16(text);
            } else {
                self.push(&[record::CHARS8, text.len() as u8]);
                self.push(text.as_bytes());
            }
        } else if wide {
            self.sized_text(record::UNICODE_CHARS8, 2 * units);
            for (piece, units) in Pieces::new(text, units, UTF16_PIECE) {
                self.reserve(2 * units);
                self.utf16(piece);
            }
        } else {
            self.sized_text(record::CHARS8, text.len());
            self.utf8_pieces(text);
        }
    }

    /// Bytes as one record. `first` are the bytes left over from the call before.
    pub(super) fn bytes(&mut self, first: &[u8], rest: &[u8]) {
        self.sized_text(record::BYTES8, first.len() + rest.len());
        if !first.is_empty() {
            self.reserve(first.len());
            self.push(first);
        }
        if rest.len() < BUFFER {
            self.reserve(rest.len());
            self.push(rest);
        } else {
            self.unbuffered(rest);
        }
    }

    /// Bytes that go past the buffer.
    pub(super) fn unbuffered(&mut self, bytes: &[u8]) {
        self.flush();
        self.bytes.extend_from_slice(bytes);
    }

    /// The type of a text record and the length of its content; `record` is the form with a length of one byte.
    fn sized_text(&mut self, record: u8, length: usize) {
        self.reserve(5);
        self.text_record = Some(self.bytes.len());
        if let Ok(length) = u8::try_from(length) {
            self.push(&[record, length]);
        } else if let Ok(length) = u16::try_from(length) {
            self.push(&[record + 2]);
            self.push(&length.to_le_bytes());
        } else {
            self.push(&[record + 4]);
            self.push(&(length as u32).to_le_bytes());
        }
    }

    fn utf8_pieces(&mut self, text: &str) {
        for (piece, units) in Pieces::new(text, utf16_units(text), UTF8_PIECE) {
            self.reserve(3 * units);
            self.push(piece.as_bytes());
        }
    }

    fn utf16(&mut self, text: &str) {
        for unit in text.encode_utf16() {
            self.push(&unit.to_le_bytes());
        }
    }

    #[inline]
    fn reserve(&mut self, size: usize) {
        if self.buffered + size > BUFFER {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.buffered = 0;
        self.text_record = None;
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.buffered += bytes.len();
    }
}

#[inline]
fn utf16_units(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Text in pieces of a number of UTF-16 units; a piece before the last does not end inside a surrogate pair.
struct Pieces<'a> {
    text: &'a str,
    units: usize,
    piece: usize,
}

impl<'a> Pieces<'a> {
    fn new(text: &'a str, units: usize, piece: usize) -> Self {
        Self { text, units, piece }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (&'a str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        if self.text.is_empty() {
            return None;
        }
        let (mut length, mut units) = (self.text.len(), self.units);
        if units > self.piece {
            (length, units) = (0, 0);
            for character in self.text.chars() {
                if units + character.len_utf16() > self.piece {
                    break;
                }
                units += character.len_utf16();
                length += character.len_utf8();
            }
        }
        let (piece, rest) = self.text.split_at(length);
        self.text = rest;
        self.units -= units;
        Some((piece, units))
    }
}

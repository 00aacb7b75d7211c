use super::source::Source;
use super::{Error, Reader, SessionDictionary, StaticDictionary, record};
use std::fmt::Write;

/// The records of a document, one on a line, for people: offset, bytes of the type, name of the type, content.
///
/// The records up to the first fault are listed, then the fault: this is the tool to find out what is wrong with a
/// document. Lines are indented by depth.
///
/// ```
/// # use handstamp_xml::binary::list_records;
/// let list = list_records(&[0x40, 0x01, b'e', 0x89, 0x05], None, None);
/// assert_eq!(list, "00000000  40 ShortElement e\n00000003    89 Int8TextWithEndElement 5\n");
/// ```
pub fn list_records(
    input: &[u8],
    dictionary: Option<&StaticDictionary>,
    session: Option<&SessionDictionary>,
) -> String {
    let mut lister = Lister { source: Source::new(input), dictionary, session, depth: 0, out: String::new() };
    while !lister.source.is_at_end() {
        let offset = lister.source.position();
        if let Err(error) = lister.record(offset) {
            let _ = writeln!(lister.out, "{offset:08x}  ** {error}");
            return lister.out;
        }
    }
    // The grammar of single records is fine; the reader knows the rules between them.
    let mut reader = Reader::new(input, dictionary);
    if let Some(session) = session {
        reader = reader.with_session(session);
    }
    loop {
        match reader.read() {
            Ok(Some(_)) => {}
            Ok(None) => return lister.out,
            Err(error) => {
                let _ = writeln!(lister.out, "{:08x}  ** {error}", reader.position());
                return lister.out;
            }
        }
    }
}

struct Lister<'i> {
    source: Source<'i>,
    dictionary: Option<&'i StaticDictionary>,
    session: Option<&'i SessionDictionary>,
    depth: usize,
    out: String,
}

impl Lister<'_> {
    fn record(&mut self, offset: usize) -> Result<(), Error> {
        let record = self.source.byte()?;
        let name = record::name(record).ok_or(Error::UnknownRecord { offset, record })?;
        let is_text = record >= record::TEXT_FIRST;
        let ends = record == record::END_ELEMENT || (is_text && record & 1 == 1);
        if record == record::END_ELEMENT {
            self.depth = self.depth.saturating_sub(1);
        }
        let (letter, content) = self.content(record)?;
        let end = if is_text && ends { "WithEndElement" } else { "" };
        let indent = "  ".repeat(self.depth.min(40));
        let line = format!("{offset:08x}  {indent}{record:02x} {name}{letter}{end} {content}");
        self.out.push_str(line.trim_end());
        self.out.push('\n');
        match record {
            record::SHORT_ELEMENT..=record::PREFIX_ELEMENT_Z => self.depth += 1,
            _ if is_text && ends => self.depth = self.depth.saturating_sub(1),
            record::ARRAY => self.array()?,
            _ => {}
        }
        Ok(())
    }

    /// The prefix letter that belongs to the record's name, and what follows the type.
    fn content(&mut self, record: u8) -> Result<(String, String), Error> {
        let none = String::new();
        Ok(match record {
            record::END_ELEMENT | record::ARRAY => (none.clone(), none),
            record::COMMENT => (none, format!("{:?}", self.source.string()?)),
            record::SHORT_ATTRIBUTE | record::SHORT_ELEMENT => (none, self.source.string()?.to_owned()),
            record::ATTRIBUTE | record::ELEMENT => {
                let prefix = self.source.string()?;
                (none, format!("{prefix}:{}", self.source.string()?))
            }
            record::SHORT_DICTIONARY_ATTRIBUTE | record::SHORT_DICTIONARY_ELEMENT => (none, self.dictionary_string()?),
            record::DICTIONARY_ATTRIBUTE | record::DICTIONARY_ELEMENT => {
                let prefix = self.source.string()?;
                (none, format!("{prefix}:{}", self.dictionary_string()?))
            }
            record::SHORT_XMLNS => (none, format!("{:?}", self.source.string()?)),
            record::XMLNS => {
                let prefix = self.source.string()?;
                (none, format!("{prefix} = {:?}", self.source.string()?))
            }
            record::SHORT_DICTIONARY_XMLNS => (none, self.dictionary_string()?),
            record::DICTIONARY_XMLNS => {
                let prefix = self.source.string()?;
                (none, format!("{prefix} = {}", self.dictionary_string()?))
            }
            record::PREFIX_DICTIONARY_ATTRIBUTE_A..=record::PREFIX_DICTIONARY_ATTRIBUTE_Z => {
                (letter(record - record::PREFIX_DICTIONARY_ATTRIBUTE_A), self.dictionary_string()?)
            }
            record::PREFIX_ATTRIBUTE_A..=record::PREFIX_ATTRIBUTE_Z => {
                (letter(record - record::PREFIX_ATTRIBUTE_A), self.source.string()?.to_owned())
            }
            record::PREFIX_DICTIONARY_ELEMENT_A..=record::PREFIX_DICTIONARY_ELEMENT_Z => {
                (letter(record - record::PREFIX_DICTIONARY_ELEMENT_A), self.dictionary_string()?)
            }
            record::PREFIX_ELEMENT_A..=record::PREFIX_ELEMENT_Z => {
                (letter(record - record::PREFIX_ELEMENT_A), self.source.string()?.to_owned())
            }
            text => (none, self.text(text & !1)?),
        })
    }

    fn text(&mut self, record: u8) -> Result<String, Error> {
        match record {
            record::START_LIST | record::END_LIST => Ok(String::new()),
            record::DICTIONARY_TEXT => self.dictionary_string(),
            record::QNAME_DICTIONARY => {
                let prefix = letter(self.source.byte()?);
                Ok(format!("{prefix}:{}", self.dictionary_string()?))
            }
            record => {
                let value = super::reader::plain_value(&mut self.source, record)?;
                Ok(match value {
                    super::Value::Text(text) => format!("{text:?}"),
                    super::Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
                    other => other.to_string(),
                })
            }
        }
    }

    /// The rest of an array: its element record with attributes, the end, and the items on one line.
    fn array(&mut self) -> Result<(), Error> {
        loop {
            let offset = self.source.position();
            let ends = self.source.peek() == Some(record::END_ELEMENT);
            if self.source.is_at_end() || self.source.peek() == Some(record::ARRAY) {
                return Err(Error::Misplaced { offset, reason: "an array begins with its element" });
            }
            self.record(offset)?;
            if ends {
                break;
            }
        }
        let offset = self.source.position();
        let record = self.source.byte()?;
        let size = if record & 1 == 1 { record::array_item_size(record & !1) } else { None };
        let size = size.ok_or(Error::Misplaced { offset, reason: "an array cannot hold this type" })?;
        let count = self.source.multi_byte_int31()? as usize;
        let length = count.checked_mul(size).ok_or(Error::Length { offset })?;
        let mut items = Source::new(self.source.bytes(length)?);
        let name = record::name(record).unwrap_or_default();
        let _ = write!(self.out, "{offset:08x}  {}{record:02x} {count} x {name}", "  ".repeat(self.depth.min(40)));
        while !items.is_at_end() {
            let _ = write!(self.out, " {}", super::reader::plain_value(&mut items, record & !1)?);
        }
        self.out.push('\n');
        Ok(())
    }

    fn dictionary_string(&mut self) -> Result<String, Error> {
        let offset = self.source.position();
        let id = self.source.multi_byte_int31()?;
        let string = if id % 2 == 0 {
            self.dictionary.and_then(|dictionary| dictionary.get(id / 2))
        } else {
            self.session.and_then(|session| session.get(id / 2))
        };
        let string = string.ok_or(Error::UnknownString { offset, id })?;
        Ok(format!("{string} (#{id})"))
    }
}

fn letter(index: u8) -> String {
    record::letter(index).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_before_a_fault_are_listed() {
        let list = list_records(&[0x40, 1, b'e', 0x98, 1, b'x', 0xFF], None, None);
        assert!(list.contains("ShortElement e") && list.contains("Chars8Text \"x\""), "{list}");
        assert!(list.ends_with("** byte 6 holds 0xff, which is no record of binary XML\n"), "{list}");
    }

    #[test]
    fn an_array_is_one_line_of_items() {
        let list =
            list_records(&[0x40, 1, b'r', 0x03, 0x40, 1, b'i', 0x01, 0x8B, 0x02, 1, 0, 0xFF, 0xFF, 0x01], None, None);
        assert!(list.contains("8b 2 x Int16Text 1 -1\n"), "{list}");
        assert!(!list.contains("**"), "{list}");
    }
}

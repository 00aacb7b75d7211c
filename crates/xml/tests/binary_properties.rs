//! What the writer writes, the reader reads.

#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

use handstamp_xml::binary::{
    DateTime, DateTimeKind, Decimal, Guid, Name, Node, Reader, SessionDictionary, Value, Writer,
};
use proptest::prelude::*;

/// Values that come back as the same kind.
fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::Int32),
        (i64::from(i32::MAX) + 1..=i64::MAX).prop_map(Value::Int64),
        (i64::MAX as u64 + 1..=u64::MAX).prop_map(Value::UInt64),
        any::<f64>().prop_filter("not narrowed", |value| f64::from(*value as f32) != *value).prop_map(Value::Double),
        (0..=DateTime::MAX_TICKS).prop_map(|ticks| Value::DateTime(DateTime::new(ticks, DateTimeKind::Utc).unwrap())),
        any::<i64>().prop_map(Value::TimeSpan),
        any::<[u8; 16]>().prop_map(|bytes| Value::Guid(Guid(bytes))),
        any::<[u8; 16]>().prop_map(|bytes| Value::UniqueId(Guid(bytes))),
        (any::<bool>(), any::<u64>(), 0u8..=28)
            .prop_map(|(negative, units, scale)| Value::Decimal(Decimal::new(negative, units.into(), scale).unwrap())),
        ".{2,700}".prop_map(|text| Value::Text(text.into())),
        "[一-龥]{2,400}".prop_map(|text| Value::Text(text.into())),
    ]
}

proptest! {
    #[test]
    fn values_come_back(values in prop::collection::vec(value(), 1..20), session in any::<bool>()) {
        let mut dictionary = SessionDictionary::new();
        let mut writer = Writer::new(None);
        if session {
            writer = writer.with_session(&mut dictionary);
        }
        writer.start_element("r", Name::Dictionary("root"), Name::Dictionary("urn:r")).unwrap();
        for value in &values {
            writer.start_element(None, Name::Dictionary("value"), Name::Dictionary("urn:r")).unwrap();
            writer.attribute("", Name::Dictionary("copy"), Name::NONE, value).unwrap();
            writer.value(value).unwrap();
            writer.end_element().unwrap();
        }
        writer.end_element().unwrap();
        let bytes = writer.finish().unwrap();
        let mut reader = Reader::new(&bytes, None).with_session(&dictionary);
        let mut read = Vec::new();
        while let Some(node) = reader.read().unwrap() {
            match node {
                Node::Start(element) if element.name == "value" => {
                    prop_assert_eq!((element.prefix, element.namespace), ("r", "urn:r"));
                    let copy = reader.take_attribute("copy").unwrap();
                    prop_assert_eq!(copy.into_text(), values[read.len()].clone().into_text());
                }
                Node::Text(value) => read.push(value),
                _ => {}
            }
        }
        prop_assert_eq!(read, values);
    }

    #[test]
    fn bytes_come_back_in_their_pieces(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..5)) {
        let mut writer = Writer::new(None);
        writer.start_element("", Name::Inline("b"), Name::NONE).unwrap();
        pieces.iter().for_each(|piece| writer.bytes(piece).unwrap());
        writer.end_element().unwrap();
        let written = writer.finish().unwrap();
        let mut reader = Reader::new(&written, None);
        let mut read = Vec::new();
        while let Some(node) = reader.read().unwrap() {
            if let Node::Text(Value::Bytes(bytes)) = node {
                read.extend_from_slice(bytes);
            }
        }
        prop_assert_eq!(read, pieces.concat());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let input = [&[0x40, 0x01, b'e'], &bytes[..]].concat();
        let mut reader = Reader::new(&input, None);
        while let Ok(Some(_)) = reader.read() {}
    }
}

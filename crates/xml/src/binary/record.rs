//! Record types, [MC-NBFX] 2.2.

pub(super) const END_ELEMENT: u8 = 0x01;
pub(super) const COMMENT: u8 = 0x02;
pub(super) const ARRAY: u8 = 0x03;
pub(super) const SHORT_ATTRIBUTE: u8 = 0x04;
pub(super) const ATTRIBUTE: u8 = 0x05;
pub(super) const SHORT_DICTIONARY_ATTRIBUTE: u8 = 0x06;
pub(super) const DICTIONARY_ATTRIBUTE: u8 = 0x07;
pub(super) const SHORT_XMLNS: u8 = 0x08;
pub(super) const XMLNS: u8 = 0x09;
pub(super) const SHORT_DICTIONARY_XMLNS: u8 = 0x0A;
pub(super) const DICTIONARY_XMLNS: u8 = 0x0B;
pub(super) const PREFIX_DICTIONARY_ATTRIBUTE_A: u8 = 0x0C;
pub(super) const PREFIX_DICTIONARY_ATTRIBUTE_Z: u8 = 0x25;
pub(super) const PREFIX_ATTRIBUTE_A: u8 = 0x26;
pub(super) const PREFIX_ATTRIBUTE_Z: u8 = 0x3F;
pub(super) const SHORT_ELEMENT: u8 = 0x40;
pub(super) const ELEMENT: u8 = 0x41;
pub(super) const SHORT_DICTIONARY_ELEMENT: u8 = 0x42;
pub(super) const DICTIONARY_ELEMENT: u8 = 0x43;
pub(super) const PREFIX_DICTIONARY_ELEMENT_A: u8 = 0x44;
pub(super) const PREFIX_DICTIONARY_ELEMENT_Z: u8 = 0x5D;
pub(super) const PREFIX_ELEMENT_A: u8 = 0x5E;
pub(super) const PREFIX_ELEMENT_Z: u8 = 0x77;
pub(super) const TEXT_FIRST: u8 = 0x80;
pub(super) const TEXT_LAST: u8 = 0xBD;

// Text records; each has an odd twin that also ends the element.
pub(super) const ZERO: u8 = 0x80;
pub(super) const ONE: u8 = 0x82;
pub(super) const FALSE: u8 = 0x84;
pub(super) const TRUE: u8 = 0x86;
pub(super) const INT8: u8 = 0x88;
pub(super) const INT16: u8 = 0x8A;
pub(super) const INT32: u8 = 0x8C;
pub(super) const INT64: u8 = 0x8E;
pub(super) const FLOAT: u8 = 0x90;
pub(super) const DOUBLE: u8 = 0x92;
pub(super) const DECIMAL: u8 = 0x94;
pub(super) const DATE_TIME: u8 = 0x96;
pub(super) const CHARS8: u8 = 0x98;
pub(super) const CHARS16: u8 = 0x9A;
pub(super) const CHARS32: u8 = 0x9C;
pub(super) const BYTES8: u8 = 0x9E;
pub(super) const BYTES16: u8 = 0xA0;
pub(super) const BYTES32: u8 = 0xA2;
pub(super) const START_LIST: u8 = 0xA4;
pub(super) const END_LIST: u8 = 0xA6;
pub(super) const EMPTY: u8 = 0xA8;
pub(super) const DICTIONARY_TEXT: u8 = 0xAA;
pub(super) const UNIQUE_ID: u8 = 0xAC;
pub(super) const TIME_SPAN: u8 = 0xAE;
pub(super) const UUID: u8 = 0xB0;
pub(super) const UINT64: u8 = 0xB2;
pub(super) const BOOL: u8 = 0xB4;
pub(super) const UNICODE_CHARS8: u8 = 0xB6;
pub(super) const UNICODE_CHARS16: u8 = 0xB8;
pub(super) const UNICODE_CHARS32: u8 = 0xBA;
pub(super) const QNAME_DICTIONARY: u8 = 0xBC;

/// The letter of a record that carries its prefix in its type, counted from the record for `a`.
pub(super) fn letter(index: u8) -> &'static str {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";
    let at = usize::from(index);
    LETTERS.get(at..at + 1).unwrap_or_default()
}

/// The position in the alphabet of a prefix that has records of its own: one letter a to z.
pub(super) fn letter_index(prefix: &str) -> Option<u8> {
    match prefix.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(letter - b'a'),
        _ => None,
    }
}

/// The size in bytes of one item, when the record may be an array item (given in its even form).
pub(super) fn array_item_size(record: u8) -> Option<usize> {
    match record {
        BOOL => Some(1),
        INT16 => Some(2),
        INT32 | FLOAT => Some(4),
        INT64 | DOUBLE | DATE_TIME | TIME_SPAN => Some(8),
        DECIMAL | UUID => Some(16),
        _ => None,
    }
}

/// The name of a record type in [MC-NBFX], without prefix letter and `WithEndElement`.
pub(super) fn name(record: u8) -> Option<&'static str> {
    Some(match record {
        END_ELEMENT => "EndElement",
        COMMENT => "Comment",
        ARRAY => "Array",
        SHORT_ATTRIBUTE => "ShortAttribute",
        ATTRIBUTE => "Attribute",
        SHORT_DICTIONARY_ATTRIBUTE => "ShortDictionaryAttribute",
        DICTIONARY_ATTRIBUTE => "DictionaryAttribute",
        SHORT_XMLNS => "ShortXmlnsAttribute",
        XMLNS => "XmlnsAttribute",
        SHORT_DICTIONARY_XMLNS => "ShortDictionaryXmlnsAttribute",
        DICTIONARY_XMLNS => "DictionaryXmlnsAttribute",
        PREFIX_DICTIONARY_ATTRIBUTE_A..=PREFIX_DICTIONARY_ATTRIBUTE_Z => "PrefixDictionaryAttribute",
        PREFIX_ATTRIBUTE_A..=PREFIX_ATTRIBUTE_Z => "PrefixAttribute",
        SHORT_ELEMENT => "ShortElement",
        ELEMENT => "Element",
        SHORT_DICTIONARY_ELEMENT => "ShortDictionaryElement",
        DICTIONARY_ELEMENT => "DictionaryElement",
        PREFIX_DICTIONARY_ELEMENT_A..=PREFIX_DICTIONARY_ELEMENT_Z => "PrefixDictionaryElement",
        PREFIX_ELEMENT_A..=PREFIX_ELEMENT_Z => "PrefixElement",
        TEXT_FIRST..=TEXT_LAST => match record & !1 {
            ZERO => "ZeroText",
            ONE => "OneText",
            FALSE => "FalseText",
            TRUE => "TrueText",
            INT8 => "Int8Text",
            INT16 => "Int16Text",
            INT32 => "Int32Text",
            INT64 => "Int64Text",
            FLOAT => "FloatText",
            DOUBLE => "DoubleText",
            DECIMAL => "DecimalText",
            DATE_TIME => "DateTimeText",
            CHARS8 => "Chars8Text",
            CHARS16 => "Chars16Text",
            CHARS32 => "Chars32Text",
            BYTES8 => "Bytes8Text",
            BYTES16 => "Bytes16Text",
            BYTES32 => "Bytes32Text",
            START_LIST => "StartListText",
            END_LIST => "EndListText",
            EMPTY => "EmptyText",
            DICTIONARY_TEXT => "DictionaryText",
            UNIQUE_ID => "UniqueIdText",
            TIME_SPAN => "TimeSpanText",
            UUID => "UuidText",
            UINT64 => "UInt64Text",
            BOOL => "BoolText",
            UNICODE_CHARS8 => "UnicodeChars8Text",
            UNICODE_CHARS16 => "UnicodeChars16Text",
            UNICODE_CHARS32 => "UnicodeChars32Text",
            _ => "QNameDictionaryText",
        },
        _ => return None,
    })
}

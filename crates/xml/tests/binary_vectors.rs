//! The golden binary XML of `vectors/nbfx.json`: written by .NET's writer, read by .NET's reader.
//!
//! Requirements: session-token.md §2.3 (ST-11, ST-12), ST-43.

#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

use handstamp_testkit::vectors;
use handstamp_xml::binary::{
    ArrayItems, DateTime, DateTimeKind, Decimal, Error, Guid, Name, Node, Reader, SessionDictionary, StaticDictionary,
    Value, WCF_DICTIONARY, Writer, from_text, list_records, to_text,
};
use serde_json::Value as Json;
use std::sync::LazyLock;

static VECTORS: LazyLock<Json> = LazyLock::new(|| vectors::load("nbfx"));
static CUSTOM: LazyLock<StaticDictionary> = LazyLock::new(|| dictionary("custom"));

fn dictionary(name: &str) -> StaticDictionary {
    let strings = VECTORS["dictionaries"][name].as_array().unwrap();
    StaticDictionary::from_strings(strings.iter().map(|string| string.as_str().unwrap().to_owned()))
}

fn cases(list: &str) -> &'static [Json] {
    VECTORS[list].as_array().unwrap()
}

fn dictionary_of(case: &Json) -> Option<&'static StaticDictionary> {
    match case["dictionary"].as_str() {
        Some("custom") => Some(&CUSTOM),
        Some("nbfs") => Some(&WCF_DICTIONARY),
        Some(other) => panic!("unknown dictionary {other}"),
        None => None,
    }
}

fn session_of(case: &Json) -> Option<SessionDictionary> {
    let strings = case["sessionStrings"].as_array()?;
    let mut session = SessionDictionary::new();
    for string in strings {
        session.add(string.as_str().unwrap()).unwrap();
    }
    Some(session)
}

fn bytes_of(case: &Json) -> Vec<u8> {
    match case["binary"].as_str() {
        Some(base64) => base64_of(base64),
        None => hex(case["hex"].as_str().unwrap()),
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn base64_of(text: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text).unwrap()
}

#[test]
fn the_wcf_dictionary_is_the_golden_one() {
    let golden = VECTORS["dictionaries"]["nbfs"].as_array().unwrap();
    assert_eq!(golden.len(), WCF_DICTIONARY.len());
    for (index, string) in golden.iter().enumerate() {
        assert_eq!(WCF_DICTIONARY.get(index as u32), string.as_str());
    }
}

#[test]
fn st_11_writer_output_is_byte_identical_on_all_cases() {
    assert_eq!(cases("cases").len(), 134);
    for case in cases("cases") {
        let mut session = case["sessionStrings"].is_array().then(SessionDictionary::new);
        let mut writer = Writer::new(dictionary_of(case));
        if let Some(session) = &mut session {
            writer = writer.with_session(session);
        }
        for op in case["ops"].as_array().unwrap() {
            apply(&mut writer, op).unwrap_or_else(|e| panic!("{}: {op}: {e}", case["name"]));
        }
        let written = writer.finish().unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
        let golden = bytes_of(case);
        let same = written.iter().zip(&golden).take_while(|(a, b)| a == b).count();
        assert!(
            written == golden,
            "{}: differs at {same}: {:02x?} instead of {:02x?}",
            case["name"],
            &written[same..written.len().min(same + 16)],
            &golden[same..golden.len().min(same + 16)]
        );
        if let Some(session) = &session {
            let golden: Vec<_> =
                case["sessionStrings"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
            assert_eq!(session.strings().collect::<Vec<_>>(), golden, "{}", case["name"]);
        }
    }
}

#[test]
fn every_case_reads_as_the_reference_reads_it() {
    let lists = [cases("cases"), cases("decodeCases")].concat();
    assert_eq!(lists.len(), 134 + 38);
    for case in &lists {
        let bytes = bytes_of(case);
        let session = session_of(case);
        let reader = || {
            let reader = Reader::new(&bytes, dictionary_of(case));
            if let Some(session) = &session { reader.with_session(session) } else { reader }
        };
        if case["lenient"] == true {
            // Malformed, though the reference takes it; we refuse.
            assert!(nodes(reader()).is_err(), "{}", case["name"]);
            continue;
        }
        let read = nodes(reader()).unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
        if case["nodes"].is_array() {
            // Parsing drops the type of text, which is compared apart.
            assert_eq!(without_types(&read), without_types(case["nodes"].as_array().unwrap()), "{}", case["name"]);
            for (ours, golden) in read.iter().zip(case["nodes"].as_array().unwrap()) {
                // The reference calls a value String when more content follows, whatever its record.
                if ours[0] == "text" && golden[2] != "String" {
                    assert_eq!(ours, golden, "{}", case["name"]);
                }
            }
        }
        match case["text"].as_str() {
            Some(golden) => assert_eq!(to_text(reader()).unwrap(), golden, "{}", case["name"]),
            None if case["textLength"].is_u64() => {
                let text = to_text(reader()).unwrap();
                let units = text.encode_utf16().count() as u64;
                let length = case["textLength"].as_u64().unwrap();
                assert!(length == units || length == text.len() as u64, "{}", case["name"]);
            }
            None => assert!(to_text(reader()).is_err(), "{}", case["name"]),
        }
        let list = list_records(&bytes, dictionary_of(case), session.as_ref());
        assert!(!list.contains("**"), "{}: {list}", case["name"]);
    }
}

#[test]
fn every_invalid_case_is_refused() {
    assert_eq!(cases("invalidCases").len(), 37);
    for case in cases("invalidCases") {
        let bytes = bytes_of(case);
        let session = session_of(case);
        let mut reader = Reader::new(&bytes, dictionary_of(case));
        if let Some(session) = &session {
            reader = reader.with_session(session);
        }
        assert!(nodes(reader).is_err(), "{}", case["name"]);
        assert!(list_records(&bytes, dictionary_of(case), session.as_ref()).contains("**"), "{}", case["name"]);
    }
}

#[test]
fn input_cut_at_any_byte_is_refused() {
    // A comment behind the root may be missing without harm, so that case stays out.
    for case in cases("cases").iter().filter(|case| case["hex"].is_string() && case["name"] != "comments") {
        let bytes = bytes_of(case);
        let session = session_of(case);
        for length in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..length], dictionary_of(case));
            if let Some(session) = &session {
                reader = reader.with_session(session);
            }
            assert!(nodes(reader).is_err(), "{} at {length}", case["name"]);
        }
    }
}

#[test]
fn wcf_messages_read_and_write_in_both_forms() {
    let mut sender = SessionDictionary::new();
    let mut receiver = SessionDictionary::new();
    for message in VECTORS["messageEncoder"]["messages"].as_array().unwrap() {
        let text = message["text"].as_str().unwrap();
        let plain = base64_of(message["plain"].as_str().unwrap());
        assert_eq!(to_text(Reader::new(&plain, Some(&WCF_DICTIONARY))).unwrap(), text);
        assert_eq!(write_message(text, Writer::new(Some(&WCF_DICTIONARY))), plain);

        let framed = base64_of(message["session"].as_str().unwrap());
        let document = receiver.receive(&framed).unwrap();
        let reader = Reader::new(document, Some(&WCF_DICTIONARY)).with_session(&receiver);
        assert_eq!(to_text(reader).unwrap(), text);
        let written = write_message(text, Writer::new(Some(&WCF_DICTIONARY)).with_session(&mut sender));
        assert_eq!([sender.announce(), written].concat(), framed);
    }
}

/// The message of the vectors, whose ids and texts are taken from its text form.
fn write_message(text: &str, mut writer: Writer<'_>) -> Vec<u8> {
    const SOAP: Name<'_> = Name::Dictionary("http://www.w3.org/2003/05/soap-envelope");
    const ADDRESSING: Name<'_> = Name::Dictionary("http://www.w3.org/2005/08/addressing");
    const TEMPURI: Name<'_> = Name::Dictionary("http://tempuri.org/");
    let between = |start: &str, end: &str| {
        let from = text.find(start).unwrap() + start.len();
        &text[from..from + text[from..].find(end).unwrap()]
    };
    let mut write = || -> Result<(), Error> {
        writer.start_element("s", Name::Dictionary("Envelope"), SOAP)?;
        writer.declare("a", ADDRESSING)?;
        writer.start_element("s", Name::Dictionary("Header"), SOAP)?;
        writer.start_element("a", Name::Dictionary("Action"), ADDRESSING)?;
        writer.attribute("s", Name::Dictionary("mustUnderstand"), SOAP, &Value::Text("1".into()))?;
        writer.text(between("<a:Action s:mustUnderstand=\"1\">", "<"))?;
        writer.end_element()?;
        writer.start_element("a", Name::Dictionary("MessageID"), ADDRESSING)?;
        writer.unique_id(between("<a:MessageID>", "<"))?;
        writer.end_element()?;
        writer.start_element("a", Name::Dictionary("To"), ADDRESSING)?;
        writer.attribute("s", Name::Dictionary("mustUnderstand"), SOAP, &Value::Text("1".into()))?;
        writer.text(between("<a:To s:mustUnderstand=\"1\">", "<"))?;
        writer.end_element()?;
        writer.end_element()?;
        writer.start_element("s", Name::Dictionary("Body"), SOAP)?;
        writer.start_element(None, Name::Dictionary("Echo"), TEMPURI)?;
        writer.start_element(None, Name::Dictionary("text"), TEMPURI)?;
        writer.text(between("<text>", "<"))?;
        for _ in 0..4 {
            writer.end_element()?;
        }
        Ok(())
    };
    write().unwrap();
    writer.finish().unwrap()
}

/// Types are lost in text, so the bytes may differ; the text must not.
#[test]
fn text_survives_the_way_through_binary() {
    for case in [cases("cases"), cases("decodeCases")].concat() {
        let Some(text) = case["text"].as_str().filter(|text| text.starts_with('<') && !text.starts_with("<!--")) else {
            continue;
        };
        if case["name"] == "array-of-bool" {
            assert_eq!(from_text(text, None, None).unwrap_err().code(), "HST-NBFX-TEXT", "several roots");
            continue;
        }
        let mut session = SessionDictionary::with_max_size(1 << 20);
        let plain = from_text(text, dictionary_of(&case), None).unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
        assert_eq!(to_text(Reader::new(&plain, dictionary_of(&case))).unwrap(), text, "{}", case["name"]);
        let numbered = from_text(text, dictionary_of(&case), Some(&mut session)).unwrap();
        let reader = Reader::new(&numbered, dictionary_of(&case)).with_session(&session);
        assert_eq!(to_text(reader).unwrap(), text, "{}", case["name"]);
    }
}

#[test]
fn text_that_says_everything_gives_the_golden_bytes() {
    let untyped =
        ["nested-elements", "default-namespace-dictionary", "mixed-content-text", "text-zero-one", "text-markup"];
    let untyped = cases("cases").iter().filter(|case| {
        let name = case["name"].as_str().unwrap();
        untyped.contains(&name) || name.starts_with("chars8") || name.starts_with("prefix-dictionary-elements")
    });
    let mut count = 0;
    for case in untyped {
        let Some(text) = case["text"].as_str() else { continue };
        assert!(from_text(text, dictionary_of(case), None).unwrap() == bytes_of(case), "{}", case["name"]);
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn limits_hold() {
    let deep = [[0x40, 1, b'e'].repeat(129), vec![1; 129]].concat();
    assert_eq!(nodes(Reader::new(&deep, None)).unwrap_err().code(), "HST-NBFX-LIMIT");
    let shallow = [[0x40, 1, b'e'].repeat(128), vec![1; 128]].concat();
    assert!(nodes(Reader::new(&shallow, None)).is_ok());
    let mut attributes = vec![0x40, 1, b'e'];
    for number in 0..257 {
        attributes.extend([
            0x04,
            4,
            b'a',
            b'0' + (number / 100) as u8,
            b'0' + (number / 10 % 10) as u8,
            b'0' + (number % 10) as u8,
            0xA8,
        ]);
    }
    attributes.push(1);
    assert_eq!(nodes(Reader::new(&attributes, None)).unwrap_err().code(), "HST-NBFX-LIMIT");
}

#[test]
fn the_writer_refuses_what_is_no_document() {
    let misuse = |write: fn(&mut Writer<'_>) -> Result<(), Error>| {
        let mut writer = Writer::new(None);
        let error = write(&mut writer).err().or_else(|| writer.finish().err());
        assert_eq!(error.expect("must be refused").code(), "HST-NBFX-MISUSE");
    };
    const E: Name<'_> = Name::Inline("e");
    misuse(|_| Ok(()));
    misuse(|w| w.text("x"));
    misuse(|w| {
        w.start_element("", E, Name::NONE)?;
        w.end_element()?;
        w.end_element()
    });
    misuse(|w| w.start_element("", E, Name::NONE));
    misuse(|w| w.start_element("", Name::Inline("a b"), Name::NONE));
    misuse(|w| w.start_element("p:q", E, Name::Inline("urn:x")));
    misuse(|w| w.start_element("p", E, Name::NONE));
    misuse(|w| w.start_element("", Name::Static(0), Name::NONE));
    misuse(|w| {
        w.start_element("", E, Name::NONE)?;
        w.end_element()?;
        w.start_element("", E, Name::NONE)
    });
    misuse(|w| {
        w.start_element("", E, Name::NONE)?;
        w.text("x")?;
        w.start_attribute("", E, Name::NONE)
    });
    misuse(|w| {
        w.start_element("", E, Name::NONE)?;
        w.start_attribute("", E, Name::NONE)?;
        w.value(&Value::Int32(1))?;
        w.value(&Value::Int32(2))
    });
    misuse(|w| {
        w.start_element("", E, Name::NONE)?;
        w.comment("a--b")
    });
    misuse(|w| {
        w.start_element("p", E, Name::Inline("urn:a"))?;
        w.declare("p", Name::Inline("urn:b"))
    });
}

/// The nodes in the form of the vectors.
fn nodes(mut reader: Reader<'_>) -> Result<Vec<Json>, Error> {
    let mut nodes = Vec::new();
    while let Some(node) = reader.read()? {
        nodes.push(match node {
            Node::Start(element) => {
                let mut node =
                    vec!["element".into(), element.prefix.into(), element.name.into(), element.namespace.into()];
                let attributes: Vec<Json> = reader
                    .attributes()
                    .iter()
                    .map(|a| Json::from(vec![a.prefix, a.name, a.namespace, &a.value.clone().into_text()]))
                    .collect();
                if !attributes.is_empty() {
                    node.push(Json::Array(attributes));
                }
                Json::Array(node)
            }
            Node::End => Json::from(vec!["end"]),
            Node::Text(value) => {
                let kind = match &value {
                    Value::Bool(_) => "Boolean",
                    Value::Int32(_) => "Int32",
                    Value::Int64(_) => "Int64",
                    Value::UInt64(_) => "UInt64",
                    Value::Float(_) => "Single",
                    Value::Double(_) => "Double",
                    Value::Decimal(_) => "Decimal",
                    Value::DateTime(_) => "DateTime",
                    Value::TimeSpan(_) => "TimeSpan",
                    Value::Bytes(_) => "Byte[]",
                    Value::UniqueId(_) => "UniqueId",
                    Value::Guid(_) => "Guid",
                    _ => "String",
                };
                Json::from(vec!["text", &value.into_text(), kind])
            }
            Node::Comment(text) => Json::from(vec!["comment", text]),
        });
    }
    Ok(nodes)
}

fn without_types(nodes: &[Json]) -> Vec<Json> {
    nodes
        .iter()
        .map(|node| if node[0] == "text" { Json::from(vec!["text", node[1].as_str().unwrap()]) } else { node.clone() })
        .collect()
}

fn apply(writer: &mut Writer<'_>, op: &Json) -> Result<(), Error> {
    let op = op.as_array().unwrap();
    let string = |at: usize| long_text(&op[at]);
    let kind = op[0].as_str().unwrap();
    let plain = kind.strip_suffix('D').unwrap_or(kind);
    let as_name: fn(&str) -> Name<'_> =
        if plain == kind { |text| Name::Inline(text) } else { |text| Name::Dictionary(text) };
    match plain {
        "elem" => writer.start_element(op[1].as_str(), as_name(&string(2)), as_name(&string(3))),
        "attr" => writer.start_attribute(op[1].as_str(), as_name(&string(2)), as_name(&string(3))),
        "endAttr" => writer.end_attribute(),
        "xmlns" => writer.declare(&string(1), as_name(&string(2))),
        "text" if plain != kind => writer.dictionary_string(Name::Dictionary(&string(1))),
        "text" | "chars" | "cdata" | "ws" => writer.text(&string(1)),
        "surrogateEntity" => {
            let unit = |at: usize| op[at].as_u64().unwrap() as u16;
            writer.text(&String::from_utf16(&[unit(2), unit(1)]).unwrap())
        }
        "charEntity" => writer.text(&char::from_u32(op[1].as_u64().unwrap() as u32).unwrap().to_string()),
        "comment" => writer.comment(&string(1)),
        "base64" => writer.bytes(&base64_of(op[1].as_str().unwrap())),
        "uniqueId" => writer.unique_id(&string(1)),
        "list" => {
            let texts: Vec<_> = op[1].as_array().unwrap().to_vec();
            let items: Vec<_> = texts.iter().map(|item| value(item.as_array().unwrap())).collect();
            writer.value(&Value::List(items))
        }
        "qname" => writer.qualified_name(as_name(&string(1)), &string(2)),
        "array" => array(writer, op[1].as_str().unwrap(), &op[2..], as_name),
        "arrayDateTime" => array(writer, "dateTime", &op[1..], as_name),
        "end" | "fullEnd" => writer.end_element(),
        _ => writer.value(&value(op)),
    }
}

fn array(writer: &mut Writer<'_>, kind: &str, rest: &[Json], as_name: fn(&str) -> Name<'_>) -> Result<(), Error> {
    let (prefix, name, namespace) = (rest[0].as_str(), rest[1].as_str().unwrap(), rest[2].as_str().unwrap());
    let items = rest[3].as_array().unwrap();
    let ints = || items.iter().map(|item| item.as_i64().unwrap_or_else(|| item.as_str().unwrap().parse().unwrap()));
    let texts = || items.iter().map(|item| item.as_str().unwrap());
    let mut write = |items: ArrayItems<'_>| writer.array(prefix, as_name(name), as_name(namespace), items);
    match kind {
        "bool" => write(ArrayItems::Bool(&items.iter().map(|item| item.as_bool().unwrap()).collect::<Vec<_>>())),
        "int16" => write(ArrayItems::Int16(&ints().map(|item| item as i16).collect::<Vec<_>>())),
        "int32" => write(ArrayItems::Int32(&ints().map(|item| item as i32).collect::<Vec<_>>())),
        "int64" => write(ArrayItems::Int64(&ints().collect::<Vec<_>>())),
        "timeSpan" => write(ArrayItems::TimeSpan(&ints().collect::<Vec<_>>())),
        "float" => write(ArrayItems::Float(&texts().map(float).collect::<Vec<_>>())),
        "double" => write(ArrayItems::Double(&texts().map(double).collect::<Vec<_>>())),
        "decimal" => write(ArrayItems::Decimal(&texts().map(|item| Decimal::parse(item).unwrap()).collect::<Vec<_>>())),
        "guid" => write(ArrayItems::Guid(&texts().map(|item| Guid::parse(item).unwrap()).collect::<Vec<_>>())),
        "dateTime" => {
            let dates: Vec<_> = items.iter().map(|item| date_time(item.as_array().unwrap())).collect();
            write(ArrayItems::DateTime(&dates))
        }
        other => panic!("array of {other}"),
    }
}

fn value(op: &[Json]) -> Value<'_> {
    let text = || op[1].as_str().unwrap();
    let int = || op[1].as_i64().unwrap_or_else(|| text().parse().unwrap());
    match op[0].as_str().unwrap() {
        "text" => Value::Text(text().into()),
        "bool" => Value::Bool(op[1].as_bool().unwrap()),
        "int32" => Value::Int32(int() as i32),
        "int64" => Value::Int64(int()),
        "uint64" => Value::UInt64(text().parse().unwrap()),
        "float" => Value::Float(float(text())),
        "double" => Value::Double(double(text())),
        "decimal" => Value::Decimal(Decimal::parse(text()).unwrap()),
        "dateTime" => Value::DateTime(date_time(op)),
        "timeSpan" => Value::TimeSpan(int()),
        "guid" => Value::Guid(Guid::parse(text()).unwrap()),
        other => panic!("unknown call {other}"),
    }
}

fn float(bits: &str) -> f32 {
    f32::from_bits(u32::from_str_radix(bits, 16).unwrap())
}

fn double(bits: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(bits, 16).unwrap())
}

fn date_time(op: &[Json]) -> DateTime {
    let kind = match op[2].as_str().unwrap() {
        "Utc" => DateTimeKind::Utc,
        "Unspecified" => DateTimeKind::Unspecified,
        other => panic!("kind {other}"),
    };
    DateTime::new(op[1].as_str().unwrap().parse().unwrap(), kind).unwrap()
}

/// A string, or a long periodic one given as `{repeat, utf16Length}`.
fn long_text(json: &Json) -> String {
    if let Some(text) = json.as_str() {
        return text.to_owned();
    }
    let period: Vec<u16> = json["repeat"].as_str().unwrap().encode_utf16().collect();
    let length = json["utf16Length"].as_u64().unwrap() as usize;
    String::from_utf16(&period.into_iter().cycle().take(length).collect::<Vec<_>>()).unwrap()
}

//! Any bytes as .NET binary XML.
//!
//! What reads as a document with one root and turns into text must turn back into binary XML of the same text.
#![no_main]

use handstamp_xml::binary::{Node, Reader, SessionDictionary, WCF_DICTIONARY, from_text, list_records, to_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut session = SessionDictionary::new();
    let document = session.receive(data).unwrap_or(data);
    list_records(document, Some(&WCF_DICTIONARY), Some(&session));
    let reader = || Reader::new(document, Some(&WCF_DICTIONARY)).with_session(&session);
    let Ok(text) = to_text(reader()) else { return };
    let (mut reader, mut roots, mut depth) = (reader(), 0, 0);
    while let Some(node) = reader.read().expect("it was read before") {
        match node {
            Node::Start(_) => {
                roots += usize::from(depth == 0);
                depth += 1;
            }
            Node::End => depth -= 1,
            // Outside of the root, and in the eyes of text XML next to each other, these do not come back.
            Node::Comment(_) if depth == 0 => return,
            _ => {}
        }
    }
    if roots == 1 && let Ok(binary) = from_text(text.as_str(), Some(&WCF_DICTIONARY), None) {
        assert_eq!(to_text(Reader::new(&binary, Some(&WCF_DICTIONARY))).as_deref(), Ok(text.as_str()));
    }
});

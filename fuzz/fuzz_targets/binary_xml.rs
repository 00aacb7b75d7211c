//! Any bytes as .NET binary XML.
//!
//! What turns into text turns back into binary XML; from there on, text and binary XML say the same for ever. The first
//! text may differ: it keeps declarations among the attributes.
#![no_main]

use handstamp_xml::binary::{Reader, SessionDictionary, WCF_DICTIONARY, from_text, list_records, to_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut session = SessionDictionary::new();
    let document = session.receive(data).unwrap_or(data);
    list_records(document, Some(&WCF_DICTIONARY), Some(&session));
    let reader = Reader::new(document, Some(&WCF_DICTIONARY)).with_session(&session);
    let Ok(first) = to_text(reader) else { return };
    let Ok(binary) = from_text(first, Some(&WCF_DICTIONARY), None) else { return };
    let second = to_text(Reader::new(&binary, Some(&WCF_DICTIONARY))).expect("our own");
    let again = from_text(second.as_str(), Some(&WCF_DICTIONARY), None).expect("our own");
    assert_eq!(again, binary);
});

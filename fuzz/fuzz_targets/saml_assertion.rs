//! Any XML as an assertion: what is read can be written, and reads as the same.
#![no_main]

use handstamp_saml::{Assertion, MappingSettings};
use handstamp_xml::{Document, ParseOptions};
use handstamp_xml_security::signature::VerifiedElement;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(assertion) = read(data) else { return };
    let _ = assertion.to_identity("issuer", &MappingSettings::default());
    let xml = assertion.to_xml().expect("what came from XML can be written as XML");
    let again = read(xml.as_bytes());
    // Instants are written in milliseconds, statements of 1.1 are merged, and keys of confirmations are not kept.
    if let Some(again) = again {
        assert_eq!(again.attributes, assertion.attributes);
        assert_eq!(again.to_xml().expect("as before"), xml);
    }
});

fn read(xml: &[u8]) -> Option<Assertion> {
    let document = Document::parse(xml, &ParseOptions::default()).ok()?;
    Assertion::read(VerifiedElement::trusted_without_signature(document.root())).ok()
}

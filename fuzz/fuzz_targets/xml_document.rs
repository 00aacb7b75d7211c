//! Any bytes as a document: refused with an error, or a tree that hangs together and says the same as its canonical form.
#![no_main]

use handstamp_xml::c14n::{Method, canonicalize_document};
use handstamp_xml::{Document, Fragment, Limits, ParseOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let options = ParseOptions::default().allow_processing_instructions();
    let document = match Document::parse(data, &options) {
        Ok(document) => document,
        Err(error) => {
            assert!(error.to_string().len() < 1000 && error.code().starts_with("HST-XML-"));
            return;
        }
    };
    for element in document.root().descendants() {
        assert!(element.children().all(|child| child.parent() == Some(element)));
        assert_eq!(document.element(element.id()), Some(element));
        for attribute in element.attributes() {
            assert!(element.attribute_ns(attribute.namespace(), attribute.local_name()).is_some());
        }
        assert!(element.source().starts_with('<') && element.source().ends_with('>'));
        assert_eq!(element.namespace_of_prefix(element.prefix()).unwrap_or_default(), element.namespace());
    }
    let mut canonical = Vec::new();
    canonicalize_document(&document, &Method::inclusive().with_comments(), None, &mut canonical);
    let again = Document::parse(canonical.as_slice(), &roomy()).expect("a canonical form is well-formed");
    assert_eq!(again.root().text(), document.root().text());
    let names = |document: &Document| -> Vec<String> {
        document.root().descendants().map(|e| format!("{{{}}}{}", e.namespace(), e.local_name())).collect()
    };
    assert_eq!(names(&again), names(&document));
    // As a decrypted fragment.
    let mut host = Document::parse("<a xmlns='urn:a'><b Id='host-b'/></a>", &options).expect("a good document");
    let place = host.element_by_id("host-b").expect("it is there").id();
    for kind in [Fragment::Element, Fragment::Content] {
        let _ = host.replace_with_fragment(place, data, kind);
        assert!(host.root().is("urn:a", "a"));
    }
});

/// A canonical form may have more bytes and declarations than the document it was made from.
fn roomy() -> ParseOptions {
    let mut limits = Limits::default();
    limits.size = 1 << 30;
    limits.attributes_per_element = 60_000;
    limits.namespace_declarations = 1 << 24;
    ParseOptions::default().with_limits(limits).allow_processing_instructions()
}

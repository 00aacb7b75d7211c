//! Canonicalization of parts of any document: what comes out is well-formed and its own canonical form.
//! The first byte chooses the method, the second the element, the third the one to leave out.
#![no_main]

use handstamp_xml::c14n::{Method, canonicalize};
use handstamp_xml::{Document, Limits, ParseOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [choice, apex, omit, text @ ..] = data else { return };
    let options = ParseOptions::default().allow_processing_instructions();
    let Ok(document) = Document::parse(text, &options) else { return };
    let count = document.root().descendants().count();
    let nth = |n: u8| document.root().descendants().nth(usize::from(n) % count);
    let (Some(apex), Some(left_out)) = (nth(*apex), nth(*omit)) else { return };
    let mut method = if choice & 1 == 0 { Method::exclusive() } else { Method::inclusive() };
    method.comments = choice & 2 != 0;
    if choice & 4 != 0 {
        method = method.with_prefix_list("#default p q a");
    }
    let omit = (choice & 8 != 0 && left_out != apex && !apex.is_in(left_out)).then(|| left_out.id());
    let mut form = Vec::new();
    canonicalize(apex, &method, omit, &mut form);
    let again = Document::parse(form.as_slice(), &roomy()).expect("a canonical form is well-formed");
    let mut twice = Vec::new();
    canonicalize(again.root(), &method, None, &mut twice);
    assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&form));
});

/// A canonical form may have more bytes and declarations than the document it was made from.
fn roomy() -> ParseOptions {
    let mut limits = Limits::default();
    limits.size = 1 << 30;
    limits.attributes_per_element = 60_000;
    limits.namespace_declarations = 1 << 24;
    ParseOptions::default().with_limits(limits).allow_processing_instructions()
}

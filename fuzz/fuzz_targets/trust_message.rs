//! Any XML as a request for a security context and as an answer to one: what is read can be written, and reads as the same.
#![no_main]

use handstamp_secure_conversation::trust::{IssuedContext, RequestSecurityToken, RequestSecurityTokenResponse};
use handstamp_ws_security::{AlgorithmSuite, Generation};
use handstamp_xml::{Document, Limits, ParseOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(document) = parse(data) else { return };
    for generation in [Generation::February2005, Generation::V13] {
        if let Ok(request) = RequestSecurityToken::parse(document.root(), generation)
            && let Ok(xml) = request.to_xml()
        {
            let written = parse(xml.as_bytes()).expect("what was written is XML");
            let again = RequestSecurityToken::parse(written.root(), generation).expect("what was written is read");
            // A reference is trimmed where a value may not be.
            assert_eq!((again.entropy, again.key_size), (request.entropy, request.key_size));
            assert_eq!((again.request_type, again.context), (request.request_type, request.context));
        }
        if let Ok(response) = RequestSecurityTokenResponse::parse(document.root(), generation)
            && let Ok(xml) = response.to_xml(true)
        {
            let written = parse(xml.as_bytes()).expect("what was written is XML");
            let again =
                RequestSecurityTokenResponse::parse(written.root(), generation).expect("what was written is read");
            assert_eq!((again.entropy, again.proof), (response.entropy, response.proof));
            assert_eq!((again.key_size, again.cancelled), (response.key_size, response.cancelled));
            assert_eq!(again.token.map(|token| token.context), response.token.map(|token| token.context));
        }
    }
    // Both in one document, as a client meets them.
    let mut children = document.root().children();
    if let (Some(request), Some(response)) = (children.next(), children.next()) {
        let _ = IssuedContext::read(request, response, &AlgorithmSuite::BASIC128);
    }
});

fn parse(xml: &[u8]) -> Option<Document> {
    let mut limits = Limits::default();
    limits.size = 1 << 20;
    Document::parse(xml, &ParseOptions::default().with_limits(limits)).ok()
}

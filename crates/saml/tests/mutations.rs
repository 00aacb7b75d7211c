//! Every byte of a signed document changed, one at a time: nothing but the genuine identity ever comes out.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_xml::{Document, ParseOptions};
use support::{accept, assertions, handler, now, to_json, vector};

/// A byte that keeps most documents well formed, so that the change reaches the signature.
fn changed(byte: u8) -> u8 {
    match byte {
        b'a'..=b'y' | b'A'..=b'Y' | b'0'..=b'8' => byte + 1,
        b'z' | b'Z' | b'9' => byte - 1,
        b' ' => b'\t',
        other => other ^ 1,
    }
}

fn no_mutation_makes_another_identity(file: &str) {
    let genuine = vector(file);
    let identity = to_json(&accept(&handler(), &genuine).unwrap().identity);
    let start = genuine.find("Assertion").unwrap();
    let end = genuine.rfind("Assertion").unwrap();
    // The certificate is pinned as a whole, so its bytes are not worth the time.
    let certificate = genuine.find("<X509Certificate>").unwrap()..genuine.find("</X509Certificate>").unwrap();
    let (mut refused, mut tried) = (0, 0);
    for at in (start..end).filter(|at| !certificate.contains(at)) {
        let mut bytes = genuine.clone().into_bytes();
        bytes[at] = changed(bytes[at]);
        tried += 1;
        let Ok(document) = Document::parse(bytes, &ParseOptions::default()) else {
            refused += 1;
            continue;
        };
        for element in assertions(&document) {
            match handler().accept(element, None, now()) {
                Ok(token) => assert_eq!(to_json(&token.identity), identity, "byte {at} of {file}"),
                Err(_) => refused += 1,
            }
        }
    }
    // What is not refused: white space inside tags, prefixes of declarations that are not used, comments.
    assert!(refused > tried * 9 / 10, "{refused} of {tried} refused");
}

#[test]
fn sm_28_no_changed_byte_of_saml_11_makes_another_identity() {
    no_mutation_makes_another_identity("adfs-saml11.xml");
}

#[test]
fn sm_28_no_changed_byte_of_saml_20_makes_another_identity() {
    no_mutation_makes_another_identity("adfs-saml20.xml");
}

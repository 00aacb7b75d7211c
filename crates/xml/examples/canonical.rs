//! Two spellings of one message: a signature must not tell them apart, and .NET's binary form is a third.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_xml::binary::{Reader, WCF_DICTIONARY, to_text};
use handstamp_xml::{Document, ParseOptions, c14n};
use std::error::Error;

fn canonical(xml: &str) -> Result<String, Box<dyn Error>> {
    let document = Document::parse(xml.to_owned(), &ParseOptions::default())?;
    let mut octets = Vec::new();
    c14n::canonicalize(document.root(), &c14n::Method::exclusive(), None, &mut octets);
    Ok(String::from_utf8(octets)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let one = r#"<p:order xmlns:p="urn:shop" b="2" a='1'><p:item  /><!-- cheap --></p:order >"#;
    let other = "<p:order a=\"1\"\n   b=\"2\" xmlns:p=\"urn:shop\" xmlns:unused=\"urn:x\"><p:item></p:item></p:order>";
    println!("{}", canonical(one)?);
    assert_eq!(canonical(one)?, canonical(other)?);

    // What could mean two things is refused, and the error says where it stands.
    let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
    let error = Document::parse(bomb, &ParseOptions::default()).expect_err("document type declarations are refused");
    println!("{error}");

    // <order>7</order> as WCF's binary encoding writes it.
    let binary = [0x40, 5, b'o', b'r', b'd', b'e', b'r', 0x99, 1, b'7'];
    let text = to_text(Reader::new(&binary, Some(&WCF_DICTIONARY)))?;
    println!("{text}");
    assert_eq!(text, "<order>7</order>");
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}

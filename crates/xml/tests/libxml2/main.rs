//! The judgment of libxml2 (`xmllint`, Debian package libxml2-utils) over a generated corpus: the same documents are accepted, and their
//! canonical forms are the same to the byte.
//!
//! Deliberate differences, which the comparison leaves out:
//! * document type declarations: always refused here;
//! * encodings other than UTF-8 and UTF-16: refused here;
//! * identifiers given twice: refused here (the corpus has none);
//! * the version `1.` in an XML declaration: libxml2 accepts it, the production `VersionNum` asks for a digit;
//! * U+0000 after the root element: libxml2 takes it for the end of the document;
//! * `&` in a namespace name: libxml2 2.9 writes it unescaped, which is not even well-formed (the corpus has none; `vectors/c14n.json`
//!   has a case);
//! * namespace names that are not URIs: any text is a namespace name here, as the recommendation asks of a processor.

mod corpus;
mod xmllint;

use corpus::Corpus;
use handstamp_xml::c14n::{Method, canonicalize_document};
use handstamp_xml::{Document, Error, ParseOptions, Syntax};
use xmllint::Xmllint;

fn options() -> ParseOptions {
    ParseOptions::default().allow_processing_instructions()
}

#[test]
fn canonical_forms_are_the_same() {
    let Some(xmllint) = Xmllint::find("canonical") else { return };
    let mut corpus = Corpus::new(0x5EED_0001);
    let documents: Vec<String> = (0..1500).map(|_| corpus.document()).collect();
    for (flag, method) in
        [("--exc-c14n", Method::exclusive().with_comments()), ("--c14n", Method::inclusive().with_comments())]
    {
        let theirs = xmllint.canonical_forms(flag, &documents);
        for (text, theirs) in documents.iter().zip(theirs) {
            let document = Document::parse(text.as_str(), &options()).unwrap_or_else(|e| panic!("{e}: {text}"));
            let mut ours = Vec::new();
            canonicalize_document(&document, &method, None, &mut ours);
            assert_eq!(String::from_utf8_lossy(&ours), theirs, "{flag} of {text}");
        }
    }
}

#[test]
fn the_same_mutations_are_refused() {
    let Some(xmllint) = Xmllint::find("mutations") else { return };
    let mut corpus = Corpus::new(0x5EED_0002);
    let documents: Vec<Vec<u8>> = (0..4000).map(|_| corpus.mutation()).collect();
    let theirs = xmllint.accepted(&documents);
    let mut refused = 0;
    let mut differences = Vec::new();
    for (document, theirs) in documents.iter().zip(theirs) {
        let ours = Document::parse(document.as_slice(), &options());
        refused += usize::from(ours.is_err());
        let is_deliberate = match &ours {
            Err(Error::DocumentType { .. } | Error::DuplicateId { .. }) => true,
            Err(Error::Encoding(_)) => std::str::from_utf8(document).is_ok(),
            Err(Error::NotWellFormed { what: Syntax::Declaration, .. }) => {
                ["'1.'", "\"1.\""].iter().any(|version| String::from_utf8_lossy(document).contains(version))
            }
            Err(Error::NotWellFormed { what: Syntax::Character, at }) => document.get(at.offset) == Some(&0),
            _ => false,
        };
        if ours.is_ok() != theirs && !is_deliberate {
            let verdict = ours.map_or_else(|e| e.to_string(), |_| "accepted".into());
            differences
                .push(format!("ours: {verdict}; libxml2 accepts: {theirs}\n{}", String::from_utf8_lossy(document)));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences[..differences.len().min(12)].join("\n\n")
    );
    assert!(refused > 1000 && refused < 3500, "the mutations do not test both verdicts: {refused} of 4000 refused");
}

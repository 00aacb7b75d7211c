//! Every case of `vectors/c14n.json`.

use handstamp_testkit::vectors;
use handstamp_xml::c14n::{self, Method};
use handstamp_xml::{Document, Element, ParseOptions, names};

#[test]
fn every_case_gives_the_recorded_canonical_form() {
    let data = vectors::load("c14n");
    let cases = data["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 163);
    let options = ParseOptions::default().allow_processing_instructions();
    let mut failed = Vec::new();
    for case in cases {
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let source = data["documents"][text("document")].as_str().expect("document");
        let document = Document::parse(source, &options).unwrap_or_else(|e| panic!("{}: {e}", text("name")));
        let mut method = Method::from_uri(text("algorithm")).expect("a known algorithm");
        method.prefix_list = case["inclusivePrefixes"]
            .as_array()
            .expect("prefixes")
            .iter()
            .map(|prefix| prefix.as_str().expect("prefix").to_owned())
            .collect();
        let mut canonical = Vec::new();
        match &case["select"] {
            serde_json::Value::Null => c14n::canonicalize_document(&document, &method, None, &mut canonical),
            select => {
                let apex = document
                    .root()
                    .descendants()
                    .find(|e| selects(select, *e))
                    .unwrap_or_else(|| panic!("{}: nothing matches {select}", text("name")));
                c14n::canonicalize(apex, &method, None, &mut canonical);
            }
        }
        if canonical != text("canonical").as_bytes() {
            failed.push(format!(
                "{}\n  {}\n  {}",
                text("name"),
                String::from_utf8_lossy(&canonical),
                text("canonical")
            ));
        }
    }
    assert!(failed.is_empty(), "{} cases differ:\n{}", failed.len(), failed.join("\n"));
}

/// By `wsu:Id`, or by an XPath that is `//name` or `//*[local-name()="name"]`.
fn selects(select: &serde_json::Value, element: Element<'_>) -> bool {
    let value = select["value"].as_str().expect("value");
    match select["by"].as_str() {
        Some("wsu:Id") => element.attribute_ns(names::WSU, "Id") == Some(value),
        Some("xpath") => match value.strip_prefix("//*[local-name()=\"").and_then(|v| v.strip_suffix("\"]")) {
            Some(local) => element.local_name() == local,
            None => element.is("", value.strip_prefix("//").expect("a path of one step")),
        },
        other => panic!("{other:?}"),
    }
}

//! XML that stands on its own, with the form of it that signatures digest.

use crate::error::Error;
use handstamp_xml::{Document, Element, Node, ParseOptions, c14n, escape};
use memchr::memmem;
use std::fmt::Write as _;

/// An element with every namespace that it needs.
#[derive(Debug, Clone)]
pub(super) struct Standalone {
    xml: String,
    /// Exclusive C14N of it, where that is not the same.
    canonical: Option<String>,
}

impl Standalone {
    /// What is canonical already, and declares what it uses.
    pub(super) fn canonical(xml: String) -> Self {
        Self { xml, canonical: None }
    }

    /// An element of a document, wherever it stands there.
    pub(super) fn of(element: Element<'_>) -> Self {
        let canonical = canonicalize(element, &c14n::Method::exclusive());
        let prefixes = prefixes_of_content(element, &canonical);
        if prefixes.is_empty() {
            return Self { xml: canonical, canonical: None };
        }
        let method = c14n::Method { prefix_list: prefixes, ..c14n::Method::exclusive() };
        let xml = canonicalize(element, &method);
        let canonical = (xml != canonical).then_some(canonical);
        Self { xml, canonical }
    }

    /// What is sent.
    pub(super) fn xml(&self) -> &str {
        &self.xml
    }

    /// What is digested.
    pub(super) fn digested(&self) -> &str {
        self.canonical.as_deref().unwrap_or(&self.xml)
    }
}

/// The content of an element, each child with the namespaces that it needs; the second value tells whether it is canonical.
pub(super) fn content_of(element: Element<'_>) -> Result<(String, bool), Error> {
    let mut content = String::with_capacity(1024);
    let mut is_canonical = true;
    for node in element.nodes() {
        match node {
            Node::Text(text) => escape::append_text(&mut content, text)?,
            Node::Element(child) => {
                let child = Standalone::of(child);
                is_canonical &= child.canonical.is_none();
                content.push_str(&child.xml);
            }
            _ => {}
        }
    }
    Ok((content, is_canonical))
}

/// Parses content as that of an element of its own.
pub(super) fn parse_content(content: &str) -> Result<(Document, bool), Error> {
    let mut wrapped = String::with_capacity(content.len() + 7);
    _ = write!(wrapped, "<b>{content}</b>");
    let document = Document::parse(wrapped, &ParseOptions::default())?;
    let canonical = canonicalize(document.root(), &c14n::Method::exclusive());
    let is_canonical = canonical == document.source();
    Ok((document, is_canonical))
}

pub(super) fn canonicalize(element: Element<'_>, method: &c14n::Method) -> String {
    let mut octets = Vec::with_capacity(2048);
    c14n::canonicalize(element, method, None, &mut octets);
    // Canonical XML of a document that is UTF-8 is UTF-8.
    String::from_utf8(octets).unwrap_or_default()
}

/// Prefixes in scope that values may use, such as that of `xsi:type="p:T"`: exclusive canonicalization alone loses them.
fn prefixes_of_content(element: Element<'_>, canonical: &str) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    for (prefix, _) in std::iter::once(element).chain(element.ancestors()).flat_map(Element::namespace_declarations) {
        let name = if prefix.is_empty() { "#default" } else { prefix };
        let may_be_used = prefix.is_empty() || mentions(canonical, prefix);
        if may_be_used && !prefixes.iter().any(|known| known == name) {
            prefixes.push(name.to_owned());
        }
    }
    prefixes
}

/// Whether the prefix stands anywhere before a colon, and not just the end of a longer name, as `s` does in `xmlns:`.
fn mentions(canonical: &str, prefix: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.') || !c.is_ascii();
    memmem::find_iter(canonical.as_bytes(), prefix).any(|at| {
        canonical.get(at + prefix.len()..).is_some_and(|after| after.starts_with(':'))
            && canonical.get(..at).is_some_and(|before| !before.ends_with(is_of_name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_the_namespaces_that_their_content_uses() {
        let xml = r#"<e xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q"><a t="p:T"><p:b/></a></e>"#;
        let document = Document::parse(xml, &ParseOptions::default()).unwrap();
        let standalone = Standalone::of(document.root().child("urn:d", "a").unwrap());
        assert_eq!(standalone.xml(), r#"<a xmlns="urn:d" xmlns:p="urn:p" t="p:T"><p:b></p:b></a>"#);
        assert_eq!(standalone.digested(), r#"<a xmlns="urn:d" t="p:T"><p:b xmlns:p="urn:p"></p:b></a>"#);
    }

    #[test]
    fn a_prefix_that_only_ends_another_name_is_not_needed() {
        let xml = r#"<e xmlns:s="urn:s" xmlns:x="urn:x"><x:a t="as:b">x-s:y</x:a></e>"#;
        let document = Document::parse(xml, &ParseOptions::default()).unwrap();
        let standalone = Standalone::of(document.root().child("urn:x", "a").unwrap());
        assert_eq!(standalone.xml(), r#"<x:a xmlns:x="urn:x" t="as:b">x-s:y</x:a>"#);
    }

    #[test]
    fn content_is_known_to_be_canonical_or_not() {
        assert!(parse_content(r#"<a xmlns="urn:a">b</a>"#).unwrap().1);
        assert!(parse_content("").unwrap().1);
        for other in ["<a/>", "<a ></a>", "<a b='1'></a>", r#"<a xmlns:x="urn:x"></a>"#, "<!-- c -->"] {
            assert!(!parse_content(other).unwrap().1, "{other}");
        }
        for broken in ["<a>", "</b><b>", "<p:a/>", "<?x?>", "<!DOCTYPE a>"] {
            assert!(parse_content(broken).is_err(), "{broken}");
        }
    }
}

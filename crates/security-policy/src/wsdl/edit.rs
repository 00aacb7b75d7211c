//! Edits of a document's text: everything that is not touched stays as it stands.

use handstamp_xml::{Document, Element, escape};
use std::ops::Range;

/// Replacements in one document.
#[derive(Default)]
pub(crate) struct Edits {
    replacements: Vec<(Range<usize>, String)>,
}

impl Edits {
    pub(crate) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.replacements.push((range, text.into()));
    }

    pub(crate) fn remove(&mut self, element: Element<'_>) {
        self.replace(element.source_range(), "");
    }

    /// Changes the start tag of an element, and puts content before what is in it. Call it once for each element.
    pub(crate) fn start_tag(&mut self, element: Element<'_>, change: impl FnOnce(&mut StartTag), content: &str) {
        let source = element.source();
        let end = tag_end(source);
        let mut tag = StartTag { text: source.get(..end).unwrap_or(source).to_owned() };
        change(&mut tag);
        let mut text = tag.text;
        if !content.is_empty() {
            if let Some(open) = text.strip_suffix("/>") {
                let name = name_of(&text).to_owned();
                text = format!("{}>{content}</{name}>", open.trim_end());
            } else {
                text.push_str(content);
            }
        }
        let start = element.source_range().start;
        self.replace(start..start + end, text);
    }

    /// Gives an element another prefix, which its tag declares.
    pub(crate) fn rename(
        &mut self,
        element: Element<'_>,
        prefix: &str,
        namespace: &str,
        change: impl FnOnce(&mut StartTag),
    ) {
        let qualified = format!("{prefix}:{}", element.local_name());
        let old = name_of(element.source()).to_owned();
        self.start_tag(
            element,
            |tag| {
                tag.unset(&format!("xmlns:{prefix}"));
                tag.text.replace_range(1..=old.len(), &format!("{qualified} xmlns:{prefix}=\"{namespace}\""));
                change(tag);
            },
            "",
        );
        let closing = format!("</{old}");
        if let Some(at) = element.source().rfind(&closing).filter(|at| *at >= tag_end(element.source())) {
            let start = element.source_range().start + at;
            self.replace(start..start + closing.len(), format!("</{qualified}"));
        }
    }

    /// The document's text with the replacements in it. Replacements inside others are dropped.
    pub(crate) fn apply(mut self, document: &Document) -> String {
        self.replacements.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let source = document.source();
        let mut out = String::with_capacity(source.len() + 1024);
        let mut at = 0;
        for (range, text) in self.replacements {
            if range.start < at {
                continue;
            }
            out.push_str(source.get(at..range.start).unwrap_or_default());
            out.push_str(&text);
            at = range.end;
        }
        out.push_str(source.get(at..).unwrap_or_default());
        out
    }
}

/// The text of a start tag.
pub(crate) struct StartTag {
    text: String,
}

impl StartTag {
    /// Sets an attribute, which is added when it is not there. The name is as written, with its prefix.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let value = escape::attribute_value(value);
        let written = format!("{name}=\"{value}\"");
        if let Some(range) = self.find(name) {
            self.text.replace_range(range, &written);
            return;
        }
        let end = if self.text.ends_with("/>") { self.text.len() - 2 } else { self.text.len() - 1 };
        let end = self.text.get(..end).map_or(end, |text| text.trim_end().len());
        self.text.insert_str(end, &format!(" {written}"));
    }

    /// Takes an attribute away.
    pub(crate) fn unset(&mut self, name: &str) {
        if let Some(range) = self.find(name) {
            self.text.replace_range(range, "");
        }
    }

    /// Where an attribute stands, from its name to its closing quote.
    fn find(&self, name: &str) -> Option<Range<usize>> {
        let text = self.text.as_bytes();
        let mut at = 1 + name_of(&self.text).len();
        loop {
            while text.get(at)?.is_ascii_whitespace() {
                at += 1;
            }
            let start = at;
            let equals = start + text.get(start..)?.iter().position(|octet| *octet == b'=')?;
            let quote = equals + text.get(equals..)?.iter().position(|octet| matches!(octet, b'"' | b'\''))?;
            let value = quote + 1;
            let end = value + text.get(value..)?.iter().position(|octet| Some(octet) == text.get(quote))? + 1;
            if self.text.get(start..equals)?.trim_end() == name {
                return Some(start..end);
            }
            at = end;
        }
    }
}

/// Behind the `>` of the start tag. The text begins with one and is well-formed.
fn tag_end(source: &str) -> usize {
    let mut quote = None;
    for (at, octet) in source.bytes().enumerate() {
        match (quote, octet) {
            (None, b'"' | b'\'') => quote = Some(octet),
            (Some(open), _) if open == octet => quote = None,
            (None, b'>') => return at + 1,
            _ => {}
        }
    }
    source.len()
}

/// The name in a start tag, with its prefix.
fn name_of(tag: &str) -> &str {
    let name = tag.strip_prefix('<').unwrap_or(tag);
    let end =
        name.find(|letter: char| letter.is_ascii_whitespace() || matches!(letter, '/' | '>')).unwrap_or(name.len());
    name.get(..end).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_xml::ParseOptions;

    #[test]
    fn only_what_is_named_changes() {
        let document =
            Document::parse("<a x = 'y>' >\n<b:c xmlns:b='u' d=\"1\"/> </a>", &ParseOptions::default()).unwrap();
        let (root, child) = (document.root(), document.root().children().next().unwrap());
        let mut edits = Edits::default();
        edits.start_tag(root, |tag| tag.set("x", "<"), "<n/>");
        edits.rename(child, "z", "urn:z", |tag| {
            tag.set("e", "2");
            tag.unset("d");
        });
        assert_eq!(edits.apply(&document), "<a x=\"&lt;\" ><n/>\n<z:c xmlns:z=\"urn:z\" xmlns:b='u'  e=\"2\"/> </a>");
    }

    #[test]
    fn an_empty_element_opens_for_content() {
        let document = Document::parse("<a><b /></a>", &ParseOptions::default()).unwrap();
        let mut edits = Edits::default();
        edits.start_tag(document.root().children().next().unwrap(), |_| {}, "text");
        assert_eq!(edits.apply(&document), "<a><b>text</b></a>");
    }
}

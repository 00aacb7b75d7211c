//! Writing XML that is in canonical form from the start.

use crate::chars::{is_ncname, is_text};
use crate::error::{Error, WriterMisuse, excerpt};
use crate::escape::{push_attribute_value, push_text};
use crate::names;
use std::ops::Range;

/// Writes a document, or a part of one, in exclusive canonical form.
///
/// What comes out needs no canonicalization before it is signed: attributes are sorted, namespaces are declared where names
/// first use them and nowhere else, and everything is escaped as Canonical XML wants.
///
/// Calls can be chained. A mistake of the caller (a malformed name, a character that XML does not allow, an end without a
/// start) is remembered, and [`finish`](Self::finish) returns the first one.
///
/// ```
/// use handstamp_xml::{Writer, names};
///
/// let mut writer = Writer::new();
/// writer
///     .start("u", names::WSU, "Timestamp")
///     .attribute_ns("u", names::WSU, "Id", "_0")
///     .element("u", names::WSU, "Created", "2030-01-02T03:04:05Z")
///     .end();
/// assert_eq!(
///     writer.finish()?,
///     concat!(
///         r#"<u:Timestamp xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" u:Id="_0">"#,
///         "<u:Created>2030-01-02T03:04:05Z</u:Created></u:Timestamp>"
///     )
/// );
/// # Ok::<(), handstamp_xml::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    /// Texts that `scope`, `open` and `tag` refer to; what an element adds goes when it ends.
    pool: String,
    scope: Vec<Binding>,
    open: Vec<Open>,
    /// The start tag that is being put together.
    tag: Option<Tag>,
    attributes: Vec<Attribute>,
    roots: usize,
    misuse: Option<WriterMisuse>,
}

#[derive(Clone, Debug)]
struct Binding {
    prefix: Range<usize>,
    namespace: Range<usize>,
}

#[derive(Clone, Debug)]
struct Open {
    name: Range<usize>,
    scope: usize,
}

#[derive(Clone, Debug)]
struct Tag {
    name: Range<usize>,
    /// Bindings from here on are the tag's own.
    scope: usize,
}

#[derive(Clone, Debug)]
struct Attribute {
    prefix: Range<usize>,
    namespace: Range<usize>,
    local: Range<usize>,
    value: Range<usize>,
}

impl Writer {
    /// A writer for a document, or for a part that stands on its own.
    pub fn new() -> Self {
        // What a token or a small message needs, so that it does not grow by doubling.
        Self {
            out: Vec::with_capacity(1024),
            pool: String::with_capacity(512),
            scope: Vec::with_capacity(8),
            open: Vec::with_capacity(8),
            attributes: Vec::with_capacity(4),
            ..Self::default()
        }
    }

    /// Writes `<?xml version="1.0" encoding="utf-8"?>`. Only as the first thing; canonical forms have none.
    pub fn declaration(&mut self) -> &mut Self {
        if self.out.is_empty() && self.tag.is_none() {
            self.out.extend_from_slice(br#"<?xml version="1.0" encoding="utf-8"?>"#);
        } else {
            self.remember(WriterMisuse::Order);
        }
        self
    }

    /// Starts an element. An empty prefix means the default namespace, an empty namespace no namespace (then the prefix
    /// must be empty too).
    pub fn start(&mut self, prefix: &str, namespace: &str, local: &str) -> &mut Self {
        self.close_tag();
        if self.open.is_empty() {
            self.roots += 1;
        }
        let scope = self.scope.len();
        let start = self.pool.len();
        self.push_name(prefix, local);
        let name = start..self.pool.len();
        self.tag = Some(Tag { name: name.clone(), scope });
        self.open.push(Open { name, scope });
        self.attributes.clear();
        self.bind(prefix, namespace);
        self
    }

    /// An attribute in no namespace. Only directly after [`start`](Self::start) or another attribute.
    pub fn attribute(&mut self, local: &str, value: &str) -> &mut Self {
        self.attribute_ns("", "", local, value)
    }

    /// An attribute in a namespace; it needs a prefix.
    pub fn attribute_ns(&mut self, prefix: &str, namespace: &str, local: &str, value: &str) -> &mut Self {
        if self.tag.is_none() {
            self.remember(WriterMisuse::Order);
            return self;
        }
        if prefix.is_empty() != namespace.is_empty() || (prefix.is_empty() && local == "xmlns") {
            self.remember(WriterMisuse::Namespace(excerpt(namespace)));
            return self;
        }
        if !prefix.is_empty() {
            self.bind(prefix, namespace);
        }
        self.check_name(local);
        self.check_text(value);
        let attribute = Attribute {
            prefix: self.store(prefix),
            namespace: self.store(namespace),
            local: self.store(local),
            value: self.store(value),
        };
        let is_same =
            |other: &Attribute| self.stored(&other.local) == local && self.stored(&other.namespace) == namespace;
        if self.attributes.iter().any(is_same) {
            self.remember(WriterMisuse::DuplicateAttribute(excerpt(local)));
        }
        self.attributes.push(attribute);
        self
    }

    /// Declares a namespace that only content uses, such as the prefix in the value of `xsi:type`. Nothing happens if it is
    /// declared already. To keep such a declaration, canonicalization needs the prefix in its list.
    pub fn declare(&mut self, prefix: &str, namespace: &str) -> &mut Self {
        if self.tag.is_none() {
            self.remember(WriterMisuse::Order);
        } else {
            self.bind(prefix, namespace);
        }
        self
    }

    /// The attribute `u:Id`: what WS-Security references name.
    pub fn wsu_id(&mut self, id: &str) -> &mut Self {
        self.attribute_ns("u", names::WSU, "Id", id)
    }

    /// Text in the current element.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.close_tag();
        if self.open.is_empty() {
            self.remember(WriterMisuse::Order);
        }
        self.check_text(text);
        push_text(&mut self.out, text);
        self
    }

    /// An element with nothing but text.
    pub fn element(&mut self, prefix: &str, namespace: &str, local: &str, text: &str) -> &mut Self {
        self.start(prefix, namespace, local).text(text).end()
    }

    /// Appends markup that is in canonical form already and declares the prefixes it uses, such as the output of another writer or of
    /// [`canonicalize`](crate::c14n::canonicalize). It is copied as it is: nothing is checked.
    pub fn canonical_fragment(&mut self, fragment: &str) -> &mut Self {
        self.close_tag();
        if self.open.is_empty() {
            self.roots += 1;
        }
        self.out.extend_from_slice(fragment.as_bytes());
        self
    }

    /// Ends the element that was started last.
    pub fn end(&mut self) -> &mut Self {
        self.close_tag();
        let Some(open) = self.open.pop() else {
            self.remember(WriterMisuse::Order);
            return self;
        };
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(self.pool.get(open.name.clone()).unwrap_or_default().as_bytes());
        self.out.push(b'>');
        self.scope.truncate(open.scope);
        self.pool.truncate(open.name.start);
        self
    }

    /// What was written.
    ///
    /// # Errors
    /// [`Error::Writer`] with the first mistake, also if elements are still open or there is not exactly one root.
    pub fn finish(mut self) -> Result<String, Error> {
        self.close_tag();
        if !self.open.is_empty() || self.roots != 1 {
            self.remember(WriterMisuse::Unbalanced);
        }
        match self.misuse {
            Some(misuse) => Err(misuse.into()),
            // Everything that was appended came from strings.
            None => String::from_utf8(self.out).map_err(|_| WriterMisuse::Order.into()),
        }
    }

    /// Writes the pending start tag.
    fn close_tag(&mut self) {
        let Some(tag) = self.tag.take() else { return };
        let Self { out, pool, scope, attributes, .. } = self;
        let text = |range: &Range<usize>| pool.get(range.clone()).unwrap_or_default();
        out.push(b'<');
        out.extend_from_slice(text(&tag.name).as_bytes());
        let own = scope.get_mut(tag.scope..).unwrap_or_default();
        own.sort_unstable_by(|a, b| text(&a.prefix).cmp(text(&b.prefix)));
        for binding in own.iter() {
            out.extend_from_slice(b" xmlns");
            if !binding.prefix.is_empty() {
                out.push(b':');
                out.extend_from_slice(text(&binding.prefix).as_bytes());
            }
            out.extend_from_slice(b"=\"");
            push_attribute_value(out, text(&binding.namespace));
            out.push(b'"');
        }
        attributes
            .sort_unstable_by(|a, b| (text(&a.namespace), text(&a.local)).cmp(&(text(&b.namespace), text(&b.local))));
        for attribute in attributes.iter() {
            out.push(b' ');
            if !attribute.prefix.is_empty() {
                out.extend_from_slice(text(&attribute.prefix).as_bytes());
                out.push(b':');
            }
            out.extend_from_slice(text(&attribute.local).as_bytes());
            out.extend_from_slice(b"=\"");
            push_attribute_value(out, text(&attribute.value));
            out.push(b'"');
        }
        out.push(b'>');
        attributes.clear();
    }

    /// Makes sure that the prefix stands for the namespace in the current tag.
    fn bind(&mut self, prefix: &str, namespace: &str) {
        if prefix == "xml" || namespace == names::XML {
            if prefix != "xml" || namespace != names::XML {
                self.remember(WriterMisuse::Namespace(excerpt(namespace)));
            }
            return;
        }
        if prefix == "xmlns" || namespace == names::XMLNS || (namespace.is_empty() && !prefix.is_empty()) {
            self.remember(WriterMisuse::Namespace(excerpt(namespace)));
            return;
        }
        let found = self.scope.iter().enumerate().rev().find(|(_, binding)| self.stored(&binding.prefix) == prefix);
        match found {
            Some((_, binding)) if self.stored(&binding.namespace) == namespace => return,
            None if prefix.is_empty() && namespace.is_empty() => return,
            Some((index, _)) if self.tag.as_ref().is_some_and(|tag| index >= tag.scope) => {
                // One tag cannot bind a prefix twice.
                self.remember(WriterMisuse::Namespace(excerpt(namespace)));
                return;
            }
            _ => {}
        }
        if !prefix.is_empty() {
            self.check_name(prefix);
        }
        self.check_text(namespace);
        let binding = Binding { prefix: self.store(prefix), namespace: self.store(namespace) };
        self.scope.push(binding);
    }

    fn push_name(&mut self, prefix: &str, local: &str) {
        self.check_name(local);
        if !prefix.is_empty() {
            self.pool.push_str(prefix);
            self.pool.push(':');
        }
        self.pool.push_str(local);
    }

    fn store(&mut self, text: &str) -> Range<usize> {
        let start = self.pool.len();
        self.pool.push_str(text);
        start..self.pool.len()
    }

    fn stored(&self, range: &Range<usize>) -> &str {
        self.pool.get(range.clone()).unwrap_or_default()
    }

    fn check_name(&mut self, name: &str) {
        if !is_ncname(name) {
            self.remember(WriterMisuse::Name(excerpt(name)));
        }
    }

    fn check_text(&mut self, text: &str) {
        if !is_text(text) {
            self.remember(WriterMisuse::Character);
        }
    }

    fn remember(&mut self, misuse: WriterMisuse) {
        self.misuse.get_or_insert(misuse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::c14n::{Method, canonicalize};
    use crate::{Document, ParseOptions};

    fn written(write: impl FnOnce(&mut Writer)) -> Result<String, Error> {
        let mut writer = Writer::new();
        write(&mut writer);
        writer.finish()
    }

    fn misuse(write: impl FnOnce(&mut Writer)) -> WriterMisuse {
        match written(write) {
            Err(Error::Writer(misuse)) => misuse,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn namespaces_are_declared_where_they_are_used_and_once() {
        let xml = written(|w| {
            w.start("", "urn:d", "a")
                .attribute("z", "1")
                .attribute_ns("q", "urn:q", "b", "2")
                .attribute_ns("p", "urn:r", "a", "3");
            w.element("q", "urn:q", "c", "<&>\r\"\t");
            w.start("", "", "d").attribute("x", "<&>\r\n\t\"").end();
            w.start("q", "urn:other", "e").element("q", "urn:other", "f", "").end();
            w.element("q", "urn:q", "g", "").end();
        })
        .unwrap();
        assert_eq!(
            xml,
            "<a xmlns=\"urn:d\" xmlns:p=\"urn:r\" xmlns:q=\"urn:q\" z=\"1\" q:b=\"2\" p:a=\"3\">\
             <q:c>&lt;&amp;&gt;&#xD;\"\t</q:c><d xmlns=\"\" x=\"&lt;&amp;>&#xD;&#xA;&#x9;&quot;\"></d>\
             <q:e xmlns:q=\"urn:other\"><q:f></q:f></q:e><q:g></q:g></a>"
        );
        let document = Document::parse(xml.as_str(), &ParseOptions::default()).unwrap();
        let mut canonical = Vec::new();
        canonicalize(document.root(), &Method::exclusive(), None, &mut canonical);
        assert_eq!(String::from_utf8(canonical).unwrap(), xml);
    }

    #[test]
    fn fragments_declarations_and_xml_attributes() {
        let xml = written(|w| {
            w.declaration().start("a", "urn:a", "a").declare("xs", names::XSD).wsu_id("i");
            w.attribute_ns("xml", names::XML, "lang", "en").canonical_fragment("<b></b>").end();
        })
        .unwrap();
        assert_eq!(
            xml,
            format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><a:a xmlns:a=\"urn:a\" xmlns:u=\"{}\" xmlns:xs=\"{}\" u:Id=\"i\" xml:lang=\"en\"><b></b></a:a>",
                names::WSU,
                names::XSD
            )
        );
    }

    #[test]
    fn the_callers_mistakes_are_errors() {
        assert_eq!(misuse(|w| _ = w.start("", "", "a")), WriterMisuse::Unbalanced);
        assert_eq!(misuse(|_| ()), WriterMisuse::Unbalanced);
        assert_eq!(misuse(|w| _ = w.element("", "", "a", "").element("", "", "b", "")), WriterMisuse::Unbalanced);
        assert_eq!(misuse(|w| _ = w.end()), WriterMisuse::Order);
        assert_eq!(misuse(|w| _ = w.text("x")), WriterMisuse::Order);
        assert_eq!(misuse(|w| _ = w.start("", "", "a").text("x").attribute("b", "").end()), WriterMisuse::Order);
        assert_eq!(misuse(|w| _ = w.element("", "", "a", "").declaration()), WriterMisuse::Order);
        assert_eq!(misuse(|w| _ = w.element("", "", "a b", "")), WriterMisuse::Name("a b".into()));
        assert_eq!(misuse(|w| _ = w.element("", "", "a:b", "")), WriterMisuse::Name("a:b".into()));
        assert_eq!(misuse(|w| _ = w.element("1", "urn:x", "a", "")), WriterMisuse::Name("1".into()));
        assert_eq!(misuse(|w| _ = w.element("", "", "a", "\u{1}")), WriterMisuse::Character);
        assert_eq!(misuse(|w| _ = w.start("", "", "a").attribute("b", "\u{FFFF}").end()), WriterMisuse::Character);
        assert_eq!(misuse(|w| _ = w.element("p", "", "a", "")), WriterMisuse::Namespace("".into()));
        assert_eq!(misuse(|w| _ = w.element("xmlns", "urn:x", "a", "")), WriterMisuse::Namespace("urn:x".into()));
        assert_eq!(misuse(|w| _ = w.element("xml", "urn:x", "a", "")), WriterMisuse::Namespace("urn:x".into()));
        assert_eq!(
            misuse(|w| _ = w.start("p", "urn:x", "a").attribute_ns("p", "urn:y", "b", "").end()),
            WriterMisuse::Namespace("urn:y".into())
        );
        assert_eq!(
            misuse(|w| _ = w.start("", "", "a").attribute("b", "").attribute("b", "").end()),
            WriterMisuse::DuplicateAttribute("b".into())
        );
    }
}

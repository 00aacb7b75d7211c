//! Reading elements.

use crate::arena::{AttributeRecord, DeclarationRecord, Kind, NO_NAMESPACE, NodeId, NodeRecord, Span, XML_PREFIX};
use crate::document::Document;
use crate::names;
use std::borrow::Cow;
use std::fmt;

/// An element of a [`Document`]: a handle, to be copied freely.
///
/// Two handles are equal if they mean the same element of the same document.
#[derive(Clone, Copy)]
pub struct Element<'d> {
    document: &'d Document,
    id: NodeId,
}

impl<'d> Element<'d> {
    pub(crate) fn new(document: &'d Document, id: NodeId) -> Self {
        Self { document, id }
    }

    /// The document that the element is part of.
    pub fn document(self) -> &'d Document {
        self.document
    }

    /// What identifies the element in its document, without borrowing it.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The name without its prefix.
    pub fn local_name(self) -> &'d str {
        let record = self.record();
        self.document.texts().source(record.local, record.name_end())
    }

    /// The namespace name; empty if the element is in none.
    pub fn namespace(self) -> &'d str {
        self.document.tables().namespaces.text(self.document.texts(), self.record().namespace)
    }

    /// The prefix as written; empty if there is none. Prefixes have no meaning of their own: compare with [`is`](Self::is).
    pub fn prefix(self) -> &'d str {
        self.document.tables().prefixes.text(self.document.texts(), self.record().prefix)
    }

    /// Whether this is the element `local` of a namespace (empty for none).
    ///
    /// ```
    /// # use handstamp_xml::{Document, ParseOptions, names};
    /// # let document = Document::parse("<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'/>", &ParseOptions::default())?;
    /// assert!(document.root().is(names::SOAP12, "Envelope"));
    /// # Ok::<(), handstamp_xml::Error>(())
    /// ```
    #[inline]
    pub fn is(self, namespace: &str, local: &str) -> bool {
        self.local_bytes() == local.as_bytes() && self.namespace() == namespace
    }

    /// The value of the attribute with this name in no namespace.
    #[inline]
    pub fn attribute(self, local: &str) -> Option<&'d str> {
        let mut attributes = self.attributes();
        attributes
            .find(|a| a.record.namespace == NO_NAMESPACE && a.local_bytes() == local.as_bytes())
            .map(Attribute::value)
    }

    /// The value of the attribute with this name in a namespace.
    #[inline]
    pub fn attribute_ns(self, namespace: &str, local: &str) -> Option<&'d str> {
        let mut attributes = self.attributes();
        attributes.find(|a| a.local_bytes() == local.as_bytes() && a.namespace() == namespace).map(Attribute::value)
    }

    /// The attributes in document order, without namespace declarations.
    pub fn attributes(self) -> impl ExactSizeIterator<Item = Attribute<'d>> + Clone {
        self.attribute_records().iter().map(move |record| Attribute { document: self.document, record })
    }

    /// The child elements.
    pub fn children(self) -> impl Iterator<Item = Self> + Clone {
        let document = self.document;
        std::iter::successors(self.record().first_child.some(), move |&id| document.record(id).next_sibling.some())
            .filter(move |&id| document.record(id).kind == Kind::Element)
            .map(move |id| Self { document, id })
    }

    /// The first child element with this name.
    #[inline]
    pub fn child(self, namespace: &str, local: &str) -> Option<Self> {
        self.children().find(|child| child.is(namespace, local))
    }

    /// All child nodes.
    pub fn nodes(self) -> Nodes<'d> {
        Nodes { document: self.document, next: self.record().first_child }
    }

    /// The element and all elements in it, in document order.
    pub fn descendants(self) -> impl Iterator<Item = Self> + Clone {
        let document = self.document;
        std::iter::successors(Some(self.id), move |&id| next_in(document, self.id, id))
            .filter(move |&id| document.record(id).kind == Kind::Element)
            .map(move |id| Self { document, id })
    }

    /// All text in the element and the elements in it, without comments. Borrowed if it is in one piece.
    pub fn text(self) -> Cow<'d, str> {
        let texts = self.document.texts();
        let mut text = Cow::Borrowed("");
        let mut at = self.id;
        while let Some(id) = next_in(self.document, self.id, at) {
            let record = self.document.record(id);
            if matches!(record.kind, Kind::Text | Kind::CData) {
                text += texts.get(record.value());
            }
            at = id;
        }
        text
    }

    /// The element around this one; nothing for the root.
    pub fn parent(self) -> Option<Self> {
        let id = self.record().parent;
        (self.document.record(id).kind == Kind::Element).then_some(Self { id, ..self })
    }

    /// The element around this one, the one around that, and so on to the root.
    pub fn ancestors(self) -> impl Iterator<Item = Self> + Clone {
        std::iter::successors(self.parent(), |element| element.parent())
    }

    /// Whether this element is `other` or in it.
    pub fn is_in(self, other: Self) -> bool {
        // An element has a smaller number than all that is in it.
        self == other
            || self.ancestors().take_while(|ancestor| ancestor.id >= other.id).any(|ancestor| ancestor == other)
    }

    /// The namespace that a prefix stands for here; the empty prefix asks for the default namespace. Nothing if there is no
    /// declaration (or, for the default namespace, if it is undeclared).
    ///
    /// For qualified names in content, such as the value of `xsi:type`.
    pub fn namespace_of_prefix(self, prefix: &str) -> Option<&'d str> {
        if prefix == "xml" {
            return Some(names::XML);
        }
        let tables = self.document.tables();
        let number = tables.prefixes.find(self.document.texts(), prefix)?;
        let declaration = std::iter::once(self).chain(self.ancestors()).find_map(|element| {
            element.declaration_records().iter().find(|declaration| declaration.prefix == number)
        })?;
        let namespace = declaration.namespace;
        (namespace != NO_NAMESPACE).then(|| tables.namespaces.text(self.document.texts(), namespace))
    }

    /// The namespace declarations of this element's own tag: prefix (empty for the default namespace) and namespace name.
    pub fn namespace_declarations(self) -> impl ExactSizeIterator<Item = (&'d str, &'d str)> + Clone {
        let (tables, texts) = (self.document.tables(), self.document.texts());
        self.declaration_records().iter().map(move |declaration| {
            (tables.prefixes.text(texts, declaration.prefix), tables.namespaces.text(texts, declaration.namespace))
        })
    }

    /// The element's markup as it was received (in UTF-8), with all that was in it at that time: replacements inside do not show.
    pub fn source(self) -> &'d str {
        let record = self.record();
        self.document.texts().source(record.start, record.end)
    }

    /// Where [`source`](Self::source) stands in [`Document::source`].
    pub fn source_range(self) -> std::ops::Range<usize> {
        let record = self.record();
        record.start as usize..record.end as usize
    }

    /// The element's markup as it is now: as it was received, with replacements in their places.
    ///
    /// ```
    /// use handstamp_xml::{Document, Fragment, ParseOptions};
    ///
    /// let mut document = Document::parse("<a b='1' ><secret/> </a>", &ParseOptions::default())?;
    /// let secret = document.root().child("", "secret").unwrap().id();
    /// document.replace_with_fragment(secret, b"<plain />", Fragment::Element)?;
    /// assert_eq!(document.root().markup(), "<a b='1' ><plain /> </a>");
    /// # Ok::<(), handstamp_xml::Error>(())
    /// ```
    pub fn markup(self) -> String {
        let mut out = String::with_capacity(self.source().len());
        self.document.write_markup(self.id, &mut out);
        out
    }

    /// The local name, without the check that it starts and ends between characters.
    fn local_bytes(self) -> &'d [u8] {
        let record = self.record();
        self.document.texts().bytes(Span { start: record.local, end: record.name_end() })
    }

    pub(crate) fn record(self) -> &'d NodeRecord {
        self.document.record(self.id)
    }

    pub(crate) fn attribute_records(self) -> &'d [AttributeRecord] {
        let record = self.record();
        let first = record.attributes as usize;
        self.document.tables().attributes.get(first..first + usize::from(record.attribute_count)).unwrap_or_default()
    }

    pub(crate) fn declaration_records(self) -> &'d [DeclarationRecord] {
        let record = self.record();
        let first = record.declarations as usize;
        self.document
            .tables()
            .declarations
            .get(first..first + usize::from(record.declaration_count))
            .unwrap_or_default()
    }

    /// The namespace declarations in force here, one for each prefix, without the one of `xml`.
    pub(crate) fn nearest_declarations_in_scope(self) -> Vec<DeclarationRecord> {
        let mut nearest: Vec<DeclarationRecord> = Vec::new();
        let mut seen = vec![false; self.document.tables().prefixes.len()];
        for declaration in std::iter::once(self).chain(self.ancestors()).flat_map(Self::declaration_records) {
            if declaration.prefix != XML_PREFIX
                && let Some(seen) = seen.get_mut(usize::from(declaration.prefix))
                && !std::mem::replace(seen, true)
            {
                nearest.push(*declaration);
            }
        }
        nearest
    }
}

/// The node after `at` in document order within `top`.
fn next_in(document: &Document, top: NodeId, at: NodeId) -> Option<NodeId> {
    let mut record = document.record(at);
    if record.kind == Kind::Element
        && let Some(child) = record.first_child.some()
    {
        return Some(child);
    }
    let mut at = at;
    while at != top {
        if let Some(next) = record.next_sibling.some() {
            return Some(next);
        }
        at = record.parent.some()?;
        record = document.record(at);
    }
    None
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && std::ptr::eq(self.document, other.document)
    }
}

impl Eq for Element<'_> {}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({{{}}}{}, {:?})", self.namespace(), self.local_name(), self.id)
    }
}

/// An attribute of an [`Element`]; namespace declarations are not attributes.
#[derive(Clone, Copy)]
pub struct Attribute<'d> {
    document: &'d Document,
    record: &'d AttributeRecord,
}

impl<'d> Attribute<'d> {
    /// The name without its prefix.
    pub fn local_name(self) -> &'d str {
        self.document.texts().source(self.record.local, self.record.name_end())
    }

    fn local_bytes(self) -> &'d [u8] {
        self.document.texts().bytes(Span { start: self.record.local, end: self.record.name_end() })
    }

    /// The namespace name; empty for attributes without a prefix.
    pub fn namespace(self) -> &'d str {
        self.document.tables().namespaces.text(self.document.texts(), self.record.namespace)
    }

    /// The prefix as written; empty if there is none.
    pub fn prefix(self) -> &'d str {
        self.document.tables().prefixes.text(self.document.texts(), self.record.prefix)
    }

    /// The value, with references resolved and white space normalized (XML 1.0 §3.3.3, for attributes of type CDATA).
    pub fn value(self) -> &'d str {
        self.document.texts().get(self.record.value)
    }
}

impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}={:?}", self.namespace(), self.local_name(), self.value())
    }
}

/// A node in an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Node<'d> {
    /// An element.
    Element(Element<'d>),
    /// Text. A CDATA section makes a text of its own, so neighbors may both be texts.
    Text(&'d str),
    /// A comment, without `<!--` and `-->`.
    Comment(&'d str),
    /// A processing instruction.
    ProcessingInstruction {
        /// Its name.
        target: &'d str,
        /// The rest, up to `?>`.
        data: &'d str,
    },
}

/// The child nodes of an element, in document order.
#[derive(Clone, Debug)]
pub struct Nodes<'d> {
    document: &'d Document,
    next: NodeId,
}

impl<'d> Iterator for Nodes<'d> {
    type Item = Node<'d>;

    fn next(&mut self) -> Option<Node<'d>> {
        loop {
            let id = self.next.some()?;
            let (record, texts) = (self.document.record(id), self.document.texts());
            self.next = record.next_sibling;
            return Some(match record.kind {
                Kind::Element => Node::Element(Element::new(self.document, id)),
                Kind::Text | Kind::CData => Node::Text(texts.get(record.value())),
                Kind::Comment => Node::Comment(texts.get(record.value())),
                Kind::ProcessingInstruction => Node::ProcessingInstruction {
                    target: texts.source(record.local, record.name_end()),
                    data: texts.get(record.value()),
                },
                Kind::Document | Kind::Replaced => continue,
            });
        }
    }
}

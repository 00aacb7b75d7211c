//! Canonical XML: the one form of a document that signatures are computed over.
//!
//! Both methods that WS-Security and SAML use are here: [Exclusive XML Canonicalization 1.0] and [Canonical XML 1.0], with and
//! without comments, of a whole document or of an element, with one element left out for enveloped signatures.
//!
//! ```
//! use handstamp_xml::c14n::{self, Method};
//! use handstamp_xml::{Document, ParseOptions};
//!
//! let document = Document::parse("<a xmlns:p='urn:p' xmlns:q='urn:q'><p:b  z='1' y='2' /></a>", &ParseOptions::default())?;
//! let b = document.root().child("urn:p", "b").unwrap();
//! let mut out = Vec::new();
//! c14n::canonicalize(b, &Method::exclusive(), None, &mut out);
//! assert_eq!(out, br#"<p:b xmlns:p="urn:p" y="2" z="1"></p:b>"#);
//! # Ok::<(), handstamp_xml::Error>(())
//! ```
//!
//! # How it works
//!
//! Most of what peers send is canonical already. The parser notes for every tag and text whether its source is; canonicalizing
//! then means walking the subtree, keeping count of which prefixes the output has declared, and copying the source in runs as long as
//! possible. Only tags that deviate are written anew.
//!
//! [Exclusive XML Canonicalization 1.0]: https://www.w3.org/TR/xml-exc-c14n/
//! [Canonical XML 1.0]: https://www.w3.org/TR/2001/REC-xml-c14n-20010315

mod exclusive;
mod inclusive;
mod output;
mod scope;

use crate::arena::{Kind, NodeId, NodeRecord, flags};
use crate::document::Document;
use crate::element::Element;
use output::Output;
use scope::Scope;

/// Which of the two ways to treat namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Only the namespaces that names use: an element keeps its form when it moves to another document.
    Exclusive,
    /// All namespaces in scope and, for a subtree, the `xml:` attributes of the elements around it.
    Inclusive,
}

/// A canonicalization method with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// How namespaces are treated.
    pub algorithm: Algorithm,
    /// Whether comments are kept.
    pub comments: bool,
    /// For [`Algorithm::Exclusive`]: prefixes that are treated as in the inclusive method (`InclusiveNamespaces/@PrefixList`).
    /// `#default` stands for the default namespace. Prefixes that are not declared are ignored.
    pub prefix_list: Vec<String>,
}

impl Method {
    /// Exclusive, without comments: what WS-Security and SAML use.
    pub const fn exclusive() -> Self {
        Self { algorithm: Algorithm::Exclusive, comments: false, prefix_list: Vec::new() }
    }

    /// Inclusive, without comments.
    pub const fn inclusive() -> Self {
        Self { algorithm: Algorithm::Inclusive, comments: false, prefix_list: Vec::new() }
    }

    /// Keeps comments.
    #[must_use]
    pub fn with_comments(mut self) -> Self {
        self.comments = true;
        self
    }

    /// Sets the prefix list from the value of `PrefixList`: prefixes separated by white space.
    #[must_use]
    pub fn with_prefix_list(mut self, list: &str) -> Self {
        self.prefix_list = list.split_ascii_whitespace().map(Into::into).collect();
        self
    }

    /// The method that an algorithm identifier names; nothing if it is none of the four.
    pub fn from_uri(uri: &str) -> Option<Self> {
        match uri {
            EXCLUSIVE => Some(Self::exclusive()),
            EXCLUSIVE_WITH_COMMENTS => Some(Self::exclusive().with_comments()),
            INCLUSIVE => Some(Self::inclusive()),
            INCLUSIVE_WITH_COMMENTS => Some(Self::inclusive().with_comments()),
            _ => None,
        }
    }

    /// The algorithm identifier.
    pub fn uri(&self) -> &'static str {
        match (self.algorithm, self.comments) {
            (Algorithm::Exclusive, false) => EXCLUSIVE,
            (Algorithm::Exclusive, true) => EXCLUSIVE_WITH_COMMENTS,
            (Algorithm::Inclusive, false) => INCLUSIVE,
            (Algorithm::Inclusive, true) => INCLUSIVE_WITH_COMMENTS,
        }
    }
}

/// Exclusive XML Canonicalization 1.0, without comments.
pub const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// Exclusive XML Canonicalization 1.0, with comments.
pub const EXCLUSIVE_WITH_COMMENTS: &str = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments";
/// Canonical XML 1.0, without comments.
pub const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
/// Canonical XML 1.0, with comments.
pub const INCLUSIVE_WITH_COMMENTS: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments";

/// Appends the canonical form of an element with all that is in it, except the element `omit`.
pub fn canonicalize(element: Element<'_>, method: &Method, omit: Option<NodeId>, out: &mut Vec<u8>) {
    Canonicalizer::default().element(element, method, omit, out);
}

/// Appends the canonical form of a document, with the comments (if kept) and processing instructions around its root, except the
/// element `omit`.
pub fn canonicalize_document(document: &Document, method: &Method, omit: Option<NodeId>, out: &mut Vec<u8>) {
    Canonicalizer::default().document(document, method, omit, out);
}

/// Canonicalizes one thing after the other and reuses its buffers.
#[derive(Debug, Default)]
pub struct Canonicalizer {
    scope: Scope,
    /// For each open element, how many changes of `scope` there were before it.
    open: Vec<usize>,
}

impl Canonicalizer {
    /// As [`canonicalize`].
    pub fn element(&mut self, element: Element<'_>, method: &Method, omit: Option<NodeId>, out: &mut Vec<u8>) {
        let document = element.document();
        self.scope.reset(document, method);
        self.open.clear();
        let mut walk = Walk { document, method, omit, out: Output::new(document, out), canonicalizer: self };
        walk.subtree(element.id());
        walk.out.flush();
    }

    /// As [`canonicalize_document`].
    pub fn document(&mut self, document: &Document, method: &Method, omit: Option<NodeId>, out: &mut Vec<u8>) {
        let root = document.root().id();
        let mut after_root = false;
        for id in document.tables().children(NodeId::DOCUMENT) {
            let record = document.record(id);
            if id == root {
                self.element(document.root(), method, omit, out);
                after_root = true;
            } else if record.kind == Kind::ProcessingInstruction || (record.kind == Kind::Comment && method.comments) {
                if after_root {
                    out.push(b'\n');
                }
                let mut output = Output::new(document, out);
                output.leaf(record, method.comments);
                output.flush();
                if !after_root {
                    out.push(b'\n');
                }
            }
        }
    }
}

struct Walk<'a, 'd> {
    document: &'d Document,
    method: &'a Method,
    omit: Option<NodeId>,
    out: Output<'a, 'd>,
    canonicalizer: &'a mut Canonicalizer,
}

impl Walk<'_, '_> {
    /// Without recursion: down to the first child, else to the next sibling, else up.
    fn subtree(&mut self, apex: NodeId) {
        let mut at = apex;
        loop {
            let record = self.document.record(at);
            if record.kind == Kind::Element {
                if self.omit != Some(at) {
                    let before = self.canonicalizer.scope.mark();
                    self.start_tag(at, record, at == apex);
                    if record.has(flags::PLAIN) && self.omit.is_none() {
                        self.out.plain_rest(record);
                        self.canonicalizer.scope.undo(before);
                    } else if record.first_child != NodeId::NONE {
                        self.canonicalizer.open.push(before);
                        at = record.first_child;
                        continue;
                    } else {
                        self.out.end_tag(record);
                        self.canonicalizer.scope.undo(before);
                    }
                }
            } else {
                self.out.leaf(record, self.method.comments);
            }
            let mut record = record;
            loop {
                if at == apex {
                    return;
                }
                if record.next_sibling != NodeId::NONE {
                    at = record.next_sibling;
                    break;
                }
                at = record.parent;
                record = self.document.record(at);
                self.out.end_tag(record);
                if let Some(before) = self.canonicalizer.open.pop() {
                    self.canonicalizer.scope.undo(before);
                }
            }
        }
    }

    #[inline]
    fn start_tag(&mut self, id: NodeId, record: &NodeRecord, is_apex: bool) {
        let element = Element::new(self.document, id);
        let scope = &mut self.canonicalizer.scope;
        scope.due.clear();
        scope.inherited.clear();
        match self.method.algorithm {
            Algorithm::Exclusive => scope.render_exclusive(element, is_apex),
            Algorithm::Inclusive => scope.render_inclusive(element, is_apex),
        }
        if record.has(flags::CANONICAL) && scope.inherited.is_empty() && scope.due_are_declared_by(element) {
            self.out.canonical_start_tag(record);
        } else {
            self.out.rebuilt_start_tag(element, &mut scope.due, &mut scope.inherited);
        }
    }
}

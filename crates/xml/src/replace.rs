//! Putting decrypted markup in the place of what held it, without parsing the document again.

use crate::arena::{Kind, NodeId, NodeRecord, flags};
use crate::document::{Document, Tables};
use crate::element::Element;
use crate::error::{EncodingFault, Error};
use crate::parse::{self, Region, Scratch};

/// What a fragment is. XML Encryption says it in the `Type` attribute of `EncryptedData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fragment {
    /// Exactly one element; comments and white space may stand around it.
    Element,
    /// What may be the content of an element: text, elements, comments, or nothing.
    Content,
}

impl Document {
    /// Replaces an element by a fragment of UTF-8 XML, which is parsed as if it had stood in this place from the start: with the
    /// namespaces that the element's parent has in scope, within the limits of the document and without document type declaration.
    /// The identifiers in it become known, and those in the replaced element are forgotten.
    ///
    /// The [`NodeId`] of every other element stays valid. The one of the replaced element leads to the new element
    /// ([`Fragment::Element`]), or nowhere ([`Fragment::Content`]). The elements that took the place are returned.
    ///
    /// ```
    /// use handstamp_xml::{Document, Fragment, ParseOptions};
    ///
    /// let mut document = Document::parse("<a xmlns:p='urn:p'><secret/></a>", &ParseOptions::default())?;
    /// let secret = document.root().child("", "secret").unwrap().id();
    /// document.replace_with_fragment(secret, b"<p:b>text</p:b>", Fragment::Element)?;
    /// assert_eq!(document.root().child("urn:p", "b").unwrap().text(), "text");
    /// # Ok::<(), handstamp_xml::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchElement`] if `node` is not an element that is part of the document; otherwise as [`Document::parse`], with
    /// positions that count the fragment as appended to [`source`](Self::source). The document is then unchanged.
    pub fn replace_with_fragment(
        &mut self,
        node: NodeId,
        fragment: &[u8],
        kind: Fragment,
    ) -> Result<Vec<NodeId>, Error> {
        let element = self.element(node).filter(|element| element.id() == node).ok_or(Error::NoSuchElement(node))?;
        let depth = element.ancestors().count();
        let parent = element.record().parent;
        let single = kind == Fragment::Element || parent == NodeId::DOCUMENT;
        self.options.limits().check_size(self.source.len().saturating_add(fragment.len()))?;
        let text = std::str::from_utf8(fragment)
            .map_err(|e| EncodingFault::NotUtf8 { offset: self.source.len() + e.valid_up_to() })?;

        let before = Checkpoint::of(self);
        let start = self.source.len();
        self.source.push_str(text);
        // The new nodes get a parent of their own first, so that nothing of the document changes if this fails.
        let holder = NodeId(self.tables.nodes.len() as u32);
        self.tables.nodes.push(NodeRecord::new(Kind::Document, NodeId::NONE, start, self.source.len()));
        let region = Region { start, holder, depth, text: !single, single };
        let mut scratch = std::mem::take(&mut self.scratch);
        let around = Element::new(self, node).ancestors().flat_map(Element::declaration_records).copied();
        scratch.bind(self.tables.prefixes.len(), around);
        let parsed = parse::parse(&self.source, region, &self.options, &mut self.tables, &mut scratch)
            .and_then(|()| self.exchange_ids(node, &mut scratch));
        self.scratch = scratch;
        if let Err(error) = parsed {
            before.restore(self);
            return Err(error);
        }
        Ok(self.splice(node, parent, holder, single))
    }

    /// Forgets the identifiers in `node` and adds the new ones; if one is there twice, all is as before.
    fn exchange_ids(&mut self, node: NodeId, scratch: &mut Scratch) -> Result<(), Error> {
        let old = std::mem::take(&mut self.tables.ids);
        let replaced = Element::new(self, node);
        let mut ids = Vec::with_capacity(old.len() + scratch.ids.len());
        ids.extend(old.iter().filter(|id| !Element::new(self, id.node).is_in(replaced)));
        if scratch.ids.is_empty() {
            self.tables.ids = ids;
            return Ok(());
        }
        ids.append(&mut scratch.ids);
        self.tables.ids = ids;
        self.tables.sort_ids(&self.source).inspect_err(|_| self.tables.ids = old)
    }

    /// Moves the children of `holder` to the place of `node`.
    fn splice(&mut self, node: NodeId, parent: NodeId, holder: NodeId, single: bool) -> Vec<NodeId> {
        let first_new = self.record(holder).first_child;
        let previous = self.tables.children(parent).take_while(|&id| id != node).last();
        let after = self.record(node).next_sibling;
        let first = first_new.some().unwrap_or(after);
        match previous {
            Some(previous) => self.update(previous, |record| record.next_sibling = first),
            None => self.update(parent, |record| record.first_child = first),
        }
        let mut elements = Vec::new();
        let mut next = first_new;
        while let Some(id) = next.some() {
            let record = self.record(id);
            if record.kind == Kind::Element {
                elements.push(id);
            }
            next = record.next_sibling;
            self.update(id, |record| {
                record.parent = parent;
                record.next_sibling = next.some().unwrap_or(after);
            });
        }
        self.update(holder, |record| record.first_child = NodeId::NONE);
        let successor = if single { elements.first().copied().unwrap_or(NodeId::NONE) } else { NodeId::NONE };
        self.update(node, |record| {
            record.kind = Kind::Replaced;
            record.first_child = successor;
        });
        if self.root == node {
            self.root = successor;
        }
        // The source behind the start tags around it no longer tells what is in them.
        let mut around = parent;
        while around != NodeId::NONE {
            self.update(around, |record| record.flags &= !flags::PLAIN);
            around = self.record(around).parent;
        }
        elements
    }

    /// Appends a node as it is now. Nesting is bounded by [`Limits::depth`](crate::Limits::depth).
    pub(crate) fn write_markup(&self, id: NodeId, out: &mut String) {
        let (record, texts) = (self.record(id), self.texts());
        if record.kind != Kind::Element || record.flags & flags::EMPTY_TAG != 0 {
            out.push_str(texts.source(record.start, record.end));
            return;
        }
        out.push_str(texts.source(record.start, record.tag_end));
        for child in self.tables.children(id) {
            self.write_markup(child, out);
        }
        out.push_str(texts.source(record.close, record.end));
    }

    fn update(&mut self, id: NodeId, change: impl FnOnce(&mut NodeRecord)) {
        if let Some(record) = self.tables.nodes.get_mut(id.index()) {
            change(record);
        }
    }
}

/// How long everything was before a fragment was appended.
struct Checkpoint {
    source: usize,
    decoded: usize,
    nodes: usize,
    attributes: usize,
    declarations: usize,
    prefixes: usize,
    namespaces: usize,
}

impl Checkpoint {
    fn of(document: &Document) -> Self {
        let Tables { nodes, attributes, declarations, prefixes, namespaces, decoded, .. } = &document.tables;
        Self {
            source: document.source.len(),
            decoded: decoded.len(),
            nodes: nodes.len(),
            attributes: attributes.len(),
            declarations: declarations.len(),
            prefixes: prefixes.len(),
            namespaces: namespaces.len(),
        }
    }

    fn restore(self, document: &mut Document) {
        document.source.truncate(self.source);
        let tables = &mut document.tables;
        tables.decoded.truncate(self.decoded);
        tables.nodes.truncate(self.nodes);
        tables.attributes.truncate(self.attributes);
        tables.declarations.truncate(self.declarations);
        tables.prefixes.truncate(self.prefixes);
        tables.namespaces.truncate(self.namespaces);
    }
}

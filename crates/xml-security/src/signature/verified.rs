//! What was verified, and the only way to read it.

use crate::algorithm::SignatureMethod;
use handstamp_xml::{Element, Node, NodeId};
use std::borrow::Cow;

/// The outcome of a successful verification: the elements that the signature covers.
///
/// Consumers read from these and from nothing else, so a signature that was moved, wrapped or doubled
/// cannot make them read something it does not cover.
#[derive(Debug, Clone)]
pub struct Verified<'d> {
    pub(super) method: SignatureMethod,
    pub(super) elements: Vec<VerifiedElement<'d>>,
}

impl<'d> Verified<'d> {
    /// The covered elements, in the order of the references.
    pub fn elements(&self) -> &[VerifiedElement<'d>] {
        &self.elements
    }

    /// The verified form of exactly `element`; none when no reference names it.
    ///
    /// An element *inside* a covered one is reached from there with [`VerifiedElement::children`].
    pub fn element(&self, element: Element<'d>) -> Option<VerifiedElement<'d>> {
        self.elements.iter().find(|verified| verified.element.id() == element.id()).copied()
    }

    /// The algorithm that made the signature.
    pub fn method(&self) -> SignatureMethod {
        self.method
    }

    /// The same without the borrow of the document, so that parts of it can be decrypted in place.
    pub fn nodes(&self) -> VerifiedNodes {
        VerifiedNodes {
            nodes: self.elements.iter().map(|verified| (verified.element.id(), verified.omitted)).collect(),
        }
    }
}

/// Which elements of a document a signature covers: a [`Verified`] without the borrow.
///
/// What decryption in place puts into a covered element, or into the place of one, was covered as ciphertext and counts as
/// covered.
#[derive(Debug, Clone, Default)]
pub struct VerifiedNodes {
    nodes: Vec<(NodeId, Option<NodeId>)>,
}

impl VerifiedNodes {
    /// The verified form of exactly `element`, in the document that the signature was verified in; none when no reference
    /// names it.
    pub fn element<'d>(&self, element: Element<'d>) -> Option<VerifiedElement<'d>> {
        let is_named = |node: NodeId| element.document().element(node).is_some_and(|named| named.id() == element.id());
        let (_, omitted) = self.nodes.iter().find(|(node, _)| is_named(*node))?;
        // Which further prefixes the signature listed is not kept: count none as covered.
        Some(VerifiedElement { element, omitted: *omitted, prefixes: CoveredPrefixes::Listed("") })
    }

    /// How many elements are covered.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is covered.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The covered elements, in the order of the references.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().map(|(node, _)| *node)
    }
}

/// An element whose content a signature covers.
///
/// It offers what [`Element`] offers for reading, without the ways out: there is no parent, and a signature
/// that was left out by the enveloped-signature transform cannot be seen. Namespace declarations outside the
/// covered element are covered only as far as names inside use them.
#[derive(Debug, Clone, Copy)]
pub struct VerifiedElement<'d> {
    pub(super) element: Element<'d>,
    pub(super) omitted: Option<NodeId>,
    pub(super) prefixes: CoveredPrefixes<'d>,
}

/// Which namespace declarations are covered though no name uses them.
#[derive(Debug, Clone, Copy)]
pub(super) enum CoveredPrefixes<'d> {
    /// All: the canonicalization is an inclusive one, or the element is trusted as it stands.
    All,
    /// Those of this `PrefixList`.
    Listed(&'d str),
}

impl<'d> VerifiedElement<'d> {
    /// Takes an element as authentic for another reason than an XML signature: it came over a channel that
    /// authenticates the sender, or the caller has just made it. The name is long so that reviews find it.
    pub fn trusted_without_signature(element: Element<'d>) -> Self {
        Self { element, omitted: None, prefixes: CoveredPrefixes::All }
    }

    /// The local name.
    pub fn local_name(self) -> &'d str {
        self.element.local_name()
    }

    /// The namespace; empty for none.
    pub fn namespace(self) -> &'d str {
        self.element.namespace()
    }

    /// Whether this is the element `local_name` of `namespace`.
    pub fn is(self, namespace: &str, local_name: &str) -> bool {
        self.element.is(namespace, local_name)
    }

    /// The value of the attribute `local_name` in no namespace.
    pub fn attribute(self, local_name: &str) -> Option<&'d str> {
        self.element.attribute(local_name)
    }

    /// The value of an attribute in a namespace.
    pub fn attribute_ns(self, namespace: &str, local_name: &str) -> Option<&'d str> {
        self.element.attribute_ns(namespace, local_name)
    }

    /// The child elements that are covered.
    pub fn children(self) -> impl Iterator<Item = VerifiedElement<'d>> {
        self.element
            .children()
            .filter(move |child| Some(child.id()) != self.omitted)
            .map(move |element| VerifiedElement { element, ..self })
    }

    /// The first covered child of this name.
    pub fn child(self, namespace: &str, local_name: &str) -> Option<VerifiedElement<'d>> {
        self.children().find(|child| child.is(namespace, local_name))
    }

    /// The text content: all character data below, joined over comments and elements.
    pub fn text(self) -> Cow<'d, str> {
        let omitted = self.omitted.and_then(|id| self.element.document().element(id));
        let Some(omitted) = omitted.filter(|omitted| omitted.is_in(self.element)) else {
            return self.element.text();
        };
        let mut text = String::new();
        let mut open = vec![self.element.nodes()];
        while let Some(nodes) = open.last_mut() {
            match nodes.next() {
                None => drop(open.pop()),
                Some(Node::Text(part)) => text.push_str(part),
                Some(Node::Element(child)) if child != omitted => open.push(child.nodes()),
                Some(_) => {}
            }
        }
        Cow::Owned(text)
    }

    /// The namespace bound to `prefix` here, for names in content such as `xsi:type`. Anybody may have changed the binding on
    /// the way, unless the signature [covers](Self::covers_prefix) it.
    pub fn namespace_of_prefix(self, prefix: &str) -> Option<&'d str> {
        self.element.namespace_of_prefix(prefix)
    }

    /// Whether the signature covers what `prefix` is bound to here. Exclusive canonicalization leaves a declaration out unless a
    /// name of an element or attribute uses it, or `PrefixList` names it.
    pub fn covers_prefix(self, prefix: &str) -> bool {
        let is_used = self.element.prefix() == prefix
            || (!prefix.is_empty() && self.element.attributes().any(|attribute| attribute.prefix() == prefix));
        is_used
            || match self.prefixes {
                CoveredPrefixes::All => true,
                CoveredPrefixes::Listed(list) => {
                    let name = if prefix.is_empty() { "#default" } else { prefix };
                    list.split_ascii_whitespace().any(|listed| listed == name)
                }
            }
    }

    /// The underlying element, for handing it to code that has a reason to see unverified surroundings,
    /// such as decryption in place.
    pub fn element(self) -> Element<'d> {
        self.element
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_xml::{Document, ParseOptions};

    #[test]
    fn prefixes_are_covered_when_they_are_used_or_listed() {
        let xml = "<a xmlns='urn:d' xmlns:p='urn:p' xmlns:q='urn:q' xmlns:r='urn:r'><p:b q:c=''/></a>";
        let document = Document::parse(xml, &ParseOptions::default()).unwrap();
        let element = document.root().children().next().unwrap();
        let covered = |prefixes| {
            let element = VerifiedElement { element, omitted: None, prefixes };
            ["", "p", "q", "r"].map(|prefix| element.covers_prefix(prefix))
        };
        assert_eq!(covered(CoveredPrefixes::Listed("")), [false, true, true, false]);
        assert_eq!(covered(CoveredPrefixes::Listed("x r #default")), [true; 4]);
        assert_eq!(covered(CoveredPrefixes::All), [true; 4]);
    }
}

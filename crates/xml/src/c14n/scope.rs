//! Which namespace declarations the output has made, and which are due.

use super::Method;
use crate::arena::{AttributeRecord, DeclarationRecord, NO_NAMESPACE, NO_PREFIX, XML_NAMESPACE, XML_PREFIX};
use crate::document::Document;
use crate::element::Element;

#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// For each prefix number, the namespace that the output declares it with at this point.
    rendered: Vec<u16>,
    /// What to put back when elements end.
    undo: Vec<(u16, u16)>,
    /// Prefixes of the method's list that the document knows.
    pub(super) listed: Vec<u16>,
    /// Declarations that the current start tag must have.
    pub(super) due: Vec<DeclarationRecord>,
    /// `xml:` attributes that the apex takes over from the elements around it.
    pub(super) inherited: Vec<AttributeRecord>,
}

const NOT_RENDERED: u16 = u16::MAX;

impl Scope {
    pub(super) fn reset(&mut self, document: &Document, method: &Method) {
        let tables = document.tables();
        self.rendered.clear();
        self.rendered.resize(tables.prefixes.len(), NOT_RENDERED);
        for (prefix, namespace) in [(NO_PREFIX, NO_NAMESPACE), (XML_PREFIX, XML_NAMESPACE)] {
            if let Some(rendered) = self.rendered.get_mut(usize::from(prefix)) {
                *rendered = namespace;
            }
        }
        self.undo.clear();
        self.listed.clear();
        self.listed.extend(method.prefix_list.iter().filter_map(|prefix| {
            let prefix = if prefix == "#default" { "" } else { prefix };
            tables.prefixes.find(document.texts(), prefix)
        }));
    }

    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    #[inline]
    pub(super) fn undo(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some((prefix, namespace)) = self.undo.pop()
                && let Some(rendered) = self.rendered.get_mut(usize::from(prefix))
            {
                *rendered = namespace;
            }
        }
    }

    /// Makes a declaration due if the output does not have it yet.
    #[inline]
    pub(super) fn render(&mut self, prefix: u16, namespace: u16) {
        if let Some(rendered) = self.rendered.get_mut(usize::from(prefix))
            && *rendered != namespace
        {
            self.undo.push((prefix, *rendered));
            *rendered = namespace;
            self.due.push(DeclarationRecord { prefix, namespace });
        }
    }

    /// Whether the element's own tag makes exactly the declarations that are due.
    #[inline]
    pub(super) fn due_are_declared_by(&self, element: Element<'_>) -> bool {
        let declared = element.declaration_records();
        declared.len() == self.due.len()
            && self.due.iter().all(|due| declared.iter().any(|declaration| declaration.prefix == due.prefix))
    }
}

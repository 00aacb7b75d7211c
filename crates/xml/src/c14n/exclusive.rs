//! Exclusive XML Canonicalization 1.0 §3: declarations are made where names use them.

use super::scope::Scope;
use crate::arena::NO_PREFIX;
use crate::element::Element;

impl Scope {
    #[inline]
    pub(super) fn render_exclusive(&mut self, element: Element<'_>, is_apex: bool) {
        let record = element.record();
        self.render(record.prefix, record.namespace);
        for attribute in element.attribute_records() {
            if attribute.prefix != NO_PREFIX {
                self.render(attribute.prefix, attribute.namespace);
            }
        }
        if !self.listed.is_empty() {
            self.render_listed(element, is_apex);
        }
    }

    /// Prefixes of the list are treated as in the inclusive method: declared at the apex if in scope there, and where the
    /// document declares them.
    fn render_listed(&mut self, element: Element<'_>, is_apex: bool) {
        let declared =
            if is_apex { element.nearest_declarations_in_scope() } else { element.declaration_records().to_vec() };
        for declaration in declared {
            if self.listed.contains(&declaration.prefix) {
                self.render(declaration.prefix, declaration.namespace);
            }
        }
    }
}

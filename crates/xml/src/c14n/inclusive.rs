//! Canonical XML 1.0 §2.3 and §2.4: all declarations in scope, and the `xml:` attributes around a subtree.

use super::scope::Scope;
use crate::arena::{XML_NAMESPACE, XML_PREFIX};
use crate::element::Element;

impl Scope {
    #[inline]
    pub(super) fn render_inclusive(&mut self, element: Element<'_>, is_apex: bool) {
        if is_apex {
            for declaration in element.nearest_declarations_in_scope() {
                self.render(declaration.prefix, declaration.namespace);
            }
            self.inherit_xml_attributes(element);
            return;
        }
        for declaration in element.declaration_records() {
            if declaration.prefix != XML_PREFIX {
                self.render(declaration.prefix, declaration.namespace);
            }
        }
    }

    fn inherit_xml_attributes(&mut self, apex: Element<'_>) {
        let texts = apex.document().texts();
        for ancestor in apex.ancestors() {
            for attribute in ancestor.attribute_records().iter().filter(|a| a.namespace == XML_NAMESPACE) {
                let local = texts.source(attribute.local, attribute.name_end());
                let nearer = |a: &crate::arena::AttributeRecord| {
                    a.namespace == XML_NAMESPACE && texts.source(a.local, a.name_end()) == local
                };
                if !apex.attribute_records().iter().any(nearer) && !self.inherited.iter().any(nearer) {
                    self.inherited.push(*attribute);
                }
            }
        }
    }
}

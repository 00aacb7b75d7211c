//! Configuration XML as people read it: one element a line, indented, and only what differs from its default.

use crate::attributes::AttributeText;
use handstamp_xml::escape;

/// Elements without namespaces, as configuration files have them.
#[derive(Default)]
pub(crate) struct Markup {
    text: String,
    open: Vec<&'static str>,
    in_tag: bool,
}

impl Markup {
    pub(crate) fn start(&mut self, name: &'static str) {
        self.line();
        self.text.push('<');
        self.text.push_str(name);
        self.open.push(name);
        self.in_tag = true;
    }

    /// An attribute of the element that was started last.
    pub(crate) fn attribute(&mut self, name: &str, value: &impl AttributeText) {
        if let Some(value) = value.text() {
            self.text.push_str(&format!(" {name}=\"{}\"", escape::attribute_value(&value)));
        }
    }

    /// The same, when it says something.
    pub(crate) fn attribute_unless<T: AttributeText>(&mut self, default: &T, name: &str, value: &T) {
        if value != default {
            self.attribute(name, value);
        }
    }

    /// An element that is written already. It is copied as it is.
    pub(crate) fn fragment(&mut self, element: &str) {
        self.line();
        self.text.push_str(element);
    }

    pub(crate) fn end(&mut self) {
        let Some(name) = self.open.pop() else { return };
        if self.in_tag {
            self.text.push_str("/>");
            self.in_tag = false;
        } else {
            self.line();
            self.text.push_str(&format!("</{name}>"));
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push('\n');
        self.text
    }

    fn line(&mut self) {
        if self.in_tag {
            self.text.push('>');
            self.in_tag = false;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&"  ".repeat(self.open.len()));
    }
}

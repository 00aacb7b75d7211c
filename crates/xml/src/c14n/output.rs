//! The output: runs of source where it is canonical, tags and texts written anew where it is not.

use crate::arena::{AttributeRecord, DeclarationRecord, Kind, NO_PREFIX, NodeRecord, Texts, flags};
use crate::chars::is_white;
use crate::document::Document;
use crate::element::Element;
use crate::escape::{push_attribute_value, push_text};

pub(super) struct Output<'a, 'd> {
    document: &'d Document,
    texts: Texts<'d>,
    out: &'a mut Vec<u8>,
    /// Source that is to be copied, but not copied yet because more may follow.
    run_start: u32,
    run_end: u32,
}

impl<'a, 'd> Output<'a, 'd> {
    pub(super) fn new(document: &'d Document, out: &'a mut Vec<u8>) -> Self {
        Self { document, texts: document.texts(), out, run_start: 0, run_end: 0 }
    }

    /// Copies the pending run.
    pub(super) fn flush(&mut self) {
        self.out.extend_from_slice(self.texts.source(self.run_start, self.run_end).as_bytes());
        self.run_start = self.run_end;
    }

    /// A start tag whose source is canonical, except perhaps for white space or a slash at its end.
    #[inline]
    pub(super) fn canonical_start_tag(&mut self, record: &NodeRecord) {
        if record.has(flags::CANONICAL_TAIL) {
            self.copy(record.start, record.tag_end);
            return;
        }
        let tail = if record.has(flags::EMPTY_TAG) { 2 } else { 1 };
        let source = self.texts.source.as_bytes();
        let mut end = record.tag_end.saturating_sub(tail);
        while end > record.start && source.get(end as usize - 1).is_some_and(|&b| is_white(b)) {
            end -= 1;
        }
        self.copy(record.start, end);
        self.flush();
        self.out.push(b'>');
    }

    /// A start tag with these declarations, and with these attributes besides its own.
    pub(super) fn rebuilt_start_tag(
        &mut self,
        element: Element<'d>,
        due: &mut [DeclarationRecord],
        inherited: &mut Vec<AttributeRecord>,
    ) {
        self.flush();
        let record = element.record();
        self.out.extend_from_slice(self.texts.source(record.start, record.name_end()).as_bytes());
        let tables = self.document.tables();
        let prefix_of = |declaration: &DeclarationRecord| tables.prefixes.text(self.texts, declaration.prefix);
        due.sort_unstable_by(|a, b| prefix_of(a).cmp(prefix_of(b)));
        for declaration in due.iter() {
            self.out.extend_from_slice(b" xmlns");
            if declaration.prefix != NO_PREFIX {
                self.out.push(b':');
                self.out.extend_from_slice(prefix_of(declaration).as_bytes());
            }
            self.out.extend_from_slice(b"=\"");
            push_attribute_value(self.out, tables.namespaces.text(self.texts, declaration.namespace));
            self.out.push(b'"');
        }
        if record.has(flags::SORTED) && inherited.is_empty() {
            for attribute in element.attribute_records() {
                self.attribute(attribute);
            }
        } else {
            let all = inherited;
            all.extend_from_slice(element.attribute_records());
            let texts = self.texts;
            let key =
                |a: &AttributeRecord| (tables.namespaces.text(texts, a.namespace), texts.source(a.local, a.name_end()));
            all.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
            for attribute in all.iter() {
                self.attribute(attribute);
            }
        }
        self.out.push(b'>');
    }

    #[inline]
    pub(super) fn end_tag(&mut self, record: &NodeRecord) {
        if record.has(flags::CANONICAL_END) {
            self.copy(record.close, record.end);
            return;
        }
        self.flush();
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(self.texts.source(record.start + 1, record.name_end()).as_bytes());
        self.out.push(b'>');
    }

    /// What follows the start tag of an element whose content is [`flags::PLAIN`].
    #[inline]
    pub(super) fn plain_rest(&mut self, record: &NodeRecord) {
        self.copy(record.tag_end, record.end);
    }

    /// Any node but an element.
    #[inline]
    pub(super) fn leaf(&mut self, record: &NodeRecord, comments: bool) {
        match record.kind {
            Kind::Comment if !comments => {}
            Kind::Text | Kind::Comment | Kind::ProcessingInstruction if record.has(flags::CANONICAL) => {
                self.copy(record.start, record.end);
            }
            Kind::Text | Kind::CData => {
                self.flush();
                push_text(self.out, self.texts.get(record.value()));
            }
            Kind::Comment => {
                self.flush();
                self.out.extend_from_slice(b"<!--");
                self.out.extend_from_slice(self.texts.get(record.value()).as_bytes());
                self.out.extend_from_slice(b"-->");
            }
            Kind::ProcessingInstruction => {
                self.flush();
                self.out.extend_from_slice(b"<?");
                self.out.extend_from_slice(self.texts.source(record.local, record.name_end()).as_bytes());
                let data = self.texts.get(record.value());
                if !data.is_empty() {
                    self.out.push(b' ');
                    self.out.extend_from_slice(data.as_bytes());
                }
                self.out.extend_from_slice(b"?>");
            }
            Kind::Document | Kind::Element | Kind::Replaced => {}
        }
    }

    fn attribute(&mut self, attribute: &AttributeRecord) {
        self.out.push(b' ');
        self.out.extend_from_slice(self.texts.source(attribute.name, attribute.name_end()).as_bytes());
        self.out.extend_from_slice(b"=\"");
        push_attribute_value(self.out, self.texts.get(attribute.value));
        self.out.push(b'"');
    }

    #[inline]
    fn copy(&mut self, start: u32, end: u32) {
        if start != self.run_end {
            self.flush();
            self.run_start = start;
        }
        self.run_end = end;
    }
}

//! Reading elements in the order in which a format wants them.

use crate::wif::Error;
use handstamp_xml::binary::{ElementStart, Limits, Node, Reader, StaticDictionary, Value};
use std::borrow::Cow;

/// A reader that looks one element ahead.
///
/// Comments and white space between elements are skipped, as the original does where it asks "does this element start
/// here?".
#[derive(Debug)]
pub(crate) struct Cursor<'i> {
    reader: Reader<'i>,
    ahead: Option<Ahead<'i>>,
}

#[derive(Debug)]
enum Ahead<'i> {
    Start(ElementStart<'i>),
    End,
    DocumentEnd,
}

impl<'i> Cursor<'i> {
    pub(crate) fn new(input: &'i [u8], dictionary: &'static StaticDictionary, max_depth: usize) -> Self {
        let mut limits = Limits::default();
        limits.max_depth = max_depth;
        Self { reader: Reader::new(input, Some(dictionary)).with_limits(limits), ahead: None }
    }

    /// The element that starts here, if one does.
    pub(crate) fn peek(&mut self) -> Result<Option<ElementStart<'i>>, Error> {
        match self.look()? {
            Ahead::Start(element) => Ok(Some(*element)),
            Ahead::End | Ahead::DocumentEnd => Ok(None),
        }
    }

    /// Whether an element of this name, in no namespace, starts here.
    pub(crate) fn is_at(&mut self, name: &str) -> Result<bool, Error> {
        Ok(self.peek()?.is_some_and(|element| element.name == name && element.namespace.is_empty()))
    }

    /// Enters the element of this name, or does nothing when another thing comes.
    pub(crate) fn enter_if(&mut self, name: &str) -> Result<bool, Error> {
        let is_at = self.is_at(name)?;
        if is_at {
            self.ahead = None;
        }
        Ok(is_at)
    }

    /// Enters the element of this name, which must come.
    pub(crate) fn enter(&mut self, name: &'static str) -> Result<(), Error> {
        if self.enter_if(name)? { Ok(()) } else { Err(Error::MissingElement(name)) }
    }

    /// Enters whatever element starts here.
    pub(crate) fn enter_any(&mut self) -> Result<Option<ElementStart<'i>>, Error> {
        let element = self.peek()?;
        if element.is_some() {
            self.ahead = None;
        }
        Ok(element)
    }

    /// Leaves the element: nothing but its end may come.
    pub(crate) fn leave(&mut self) -> Result<(), Error> {
        match self.look()? {
            Ahead::End => {
                self.ahead = None;
                Ok(())
            }
            Ahead::Start(element) => Err(Error::unexpected(element.name)),
            Ahead::DocumentEnd => Err(Error::Structure("an end that belongs to nothing")),
        }
    }

    /// Nothing may follow the root.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        match self.look()? {
            Ahead::DocumentEnd => Ok(()),
            Ahead::Start(element) => Err(Error::unexpected(element.name)),
            Ahead::End => Err(Error::Structure("an end that belongs to nothing")),
        }
    }

    /// Takes the value of an attribute, in no namespace, of the element just entered.
    pub(crate) fn attribute(&mut self, name: &str) -> Option<Cow<'i, str>> {
        Some(self.reader.take_attribute(name)?.into_text())
    }

    /// Takes the attributes, in no namespace, of the element just entered.
    pub(crate) fn attributes(&mut self) -> impl Iterator<Item = (&'i str, Cow<'i, str>)> + '_ {
        let attributes = self.reader.take_attributes().filter(|attribute| attribute.namespace.is_empty());
        attributes.map(|attribute| (attribute.name, attribute.value.into_text()))
    }

    /// The value of an attribute in a namespace, of the element just entered.
    pub(crate) fn attribute_ns(&self, namespace: &str, name: &str) -> Option<Cow<'i, str>> {
        let mut attributes = self.reader.attributes().iter();
        let attribute = attributes.find(|attribute| attribute.namespace == namespace && attribute.name == name)?;
        Some(attribute.value.clone().into_text())
    }

    /// The namespace that a prefix stands for in the element just entered.
    pub(crate) fn namespace_of(&self, prefix: &str) -> Option<&str> {
        self.reader.namespace_of(prefix)
    }

    /// The text of the element just entered, up to and with its end.
    pub(crate) fn text(&mut self) -> Result<Cow<'i, str>, Error> {
        let mut text = Cow::Borrowed("");
        self.content(|value| {
            let piece = value.into_text();
            if text.is_empty() {
                text = piece;
            } else {
                text.to_mut().push_str(&piece);
            }
            Ok(())
        })?;
        Ok(text)
    }

    /// The number in the element just entered, whichever records hold it.
    pub(crate) fn integer(&mut self) -> Result<i64, Error> {
        let mut number = None;
        let mut text = String::new();
        self.content(|value| {
            // One number record, as the original writes it, needs no text in between.
            let first = number.is_none() && text.is_empty();
            match (first, value) {
                (true, Value::Int64(value)) => number = Some(value),
                (true, Value::Int32(value)) => number = Some(value.into()),
                (_, value) => {
                    if let Some(number) = number.take() {
                        text.push_str(&number.to_string());
                    }
                    text.push_str(&value.into_text());
                }
            }
            Ok(())
        })?;
        match number {
            Some(number) => Ok(number),
            None => text.trim_ascii().parse().map_err(|_| Error::Structure("a number is not one")),
        }
    }

    /// The bytes in the element just entered: as bytes or as base64 text, in any number of pieces.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut base64 = String::new();
        self.content(|value| {
            if let Value::Bytes(piece) = value {
                append_base64(&mut bytes, &mut base64)?;
                bytes.extend_from_slice(piece);
            } else {
                base64.push_str(&value.into_text());
            }
            Ok(())
        })?;
        append_base64(&mut bytes, &mut base64)?;
        Ok(bytes)
    }

    /// The text records of the element just entered, up to and with its end. Comments are skipped.
    pub(crate) fn content(&mut self, mut take: impl FnMut(Value<'i>) -> Result<(), Error>) -> Result<(), Error> {
        loop {
            match self.reader.read()?.ok_or(Error::Structure("the end is missing"))? {
                Node::Text(value) => take(value)?,
                Node::Comment(_) => {}
                Node::End => return Ok(()),
                Node::Start(element) => return Err(Error::unexpected(element.name)),
            }
        }
    }

    fn look(&mut self) -> Result<&mut Ahead<'i>, Error> {
        if self.ahead.is_none() {
            self.ahead = Some(loop {
                match self.reader.read()? {
                    None => break Ahead::DocumentEnd,
                    Some(Node::Start(element)) => break Ahead::Start(element),
                    Some(Node::End) => break Ahead::End,
                    Some(Node::Comment(_)) => {}
                    Some(Node::Text(value)) => {
                        if !value.into_text().bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
                            return Err(Error::Structure("text stands between elements"));
                        }
                    }
                }
            });
        }
        self.ahead.as_mut().ok_or(Error::Structure("the end is missing"))
    }
}

/// Decodes and empties `base64`. White space is allowed between characters.
fn append_base64(bytes: &mut Vec<u8>, base64: &mut String) -> Result<(), Error> {
    if base64.is_empty() {
        return Ok(());
    }
    base64.retain(|character| !character.is_ascii_whitespace());
    let decoded = base64_simd::STANDARD.decode_to_vec(base64.as_bytes());
    bytes.extend(decoded.map_err(|_| Error::NotBase64)?);
    base64.clear();
    Ok(())
}

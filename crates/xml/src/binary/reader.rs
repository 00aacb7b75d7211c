use super::namespaces::{Namespaces, XML_NAMESPACE, XMLNS_NAMESPACE, forbidden, is_nc_name};
use super::source::Source;
use super::value::{DateTime, Value};
use super::{Decimal, Error, Guid, SessionDictionary, StaticDictionary, record};
use std::borrow::Cow;

/// Reads binary XML as a sequence of [`Node`]s that borrow from the input and the dictionaries.
///
/// The reader takes exactly one root element, with comments before and after it; an array in the place of the root
/// yields one root for each item, as in .NET. When an error is returned the document is worthless as a whole.
///
/// ```
/// # use handstamp_xml::binary::{Node, Reader};
/// let mut reader = Reader::new(&[0x40, 0x01, b'e', 0x99, 0x02, b'h', b'i'], None);
/// let mut text = String::new();
/// while let Some(node) = reader.read()? {
///     if let Node::Text(value) = node {
///         text.push_str(&value.into_text());
///     }
/// }
/// assert_eq!(text, "hi");
/// # Ok::<(), handstamp_xml::binary::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<'i> {
    source: Source<'i>,
    dictionary: Option<&'i StaticDictionary>,
    /// Which strings of the dictionary are names.
    dictionary_names: &'i [bool],
    names: RecentNames<'i>,
    session: Option<&'i SessionDictionary>,
    limits: Limits,
    /// The open elements.
    depth: usize,
    namespaces: Namespaces<&'i str>,
    /// Those of the last element read.
    attributes: Vec<Attribute<'i>>,
    pending: Pending<'i>,
    root_seen: bool,
}

/// What a [`Reader`] accepts at most. The defaults are generous for messages and small for an attacker.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// Open elements. Default 128.
    pub max_depth: usize,
    /// Attributes and namespace declarations on one element. Default 256.
    pub max_attributes: usize,
    /// Namespace declarations in scope at one time. Default 256.
    pub max_namespaces: usize,
    /// Bytes of text that [`to_text`](super::to_text) makes; arrays can expand. Default 64 MiB.
    pub max_text: usize,
}

/// One step through a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'i> {
    /// An element begins. Its attributes are in [`Reader::attributes`] until the next call.
    Start(ElementStart<'i>),
    /// The innermost element ends.
    End,
    /// One text record. An element can hold several in a row.
    Text(Value<'i>),
    /// A comment.
    Comment(&'i str),
}

/// The name of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElementStart<'i> {
    /// The prefix, or empty.
    pub prefix: &'i str,
    /// The local name.
    pub name: &'i str,
    /// The namespace, or empty.
    pub namespace: &'i str,
}

/// An attribute, or a namespace declaration in the shape that .NET gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute<'i> {
    /// The prefix, or empty; `xmlns` for the declaration of a prefix, empty for that of the default namespace.
    pub prefix: &'i str,
    /// The local name; for a declaration the declared prefix, or `xmlns`.
    pub name: &'i str,
    /// The namespace, or empty; `http://www.w3.org/2000/xmlns/` for a declaration.
    pub namespace: &'i str,
    /// The value; for a declaration the namespace.
    pub value: Value<'i>,
}

/// What comes before the next record.
#[derive(Debug)]
enum Pending<'i> {
    Nothing,
    /// The last text record also ended its element.
    End,
    Array(Array<'i>),
}

/// An array being read: the element is given once, and each item is one more element of that name.
#[derive(Debug)]
struct Array<'i> {
    element: ElementStart<'i>,
    item_record: u8,
    items: Source<'i>,
    step: ArrayStep,
}

#[derive(Debug, Clone, Copy)]
enum ArrayStep {
    Start,
    Text,
    End,
}

impl<'i> Reader<'i> {
    /// Reads `input`, whose even string numbers are in `dictionary`.
    pub fn new(input: &'i [u8], dictionary: Option<&'i StaticDictionary>) -> Self {
        Self {
            source: Source::new(input),
            dictionary,
            dictionary_names: dictionary.map(StaticDictionary::names).unwrap_or_default(),
            names: RecentNames::default(),
            session: None,
            limits: Limits::default(),
            depth: 0,
            namespaces: Namespaces::new(),
            attributes: Vec::new(),
            pending: Pending::Nothing,
            root_seen: false,
        }
    }

    /// Looks odd string numbers up in `session`.
    pub fn with_session(mut self, session: &'i SessionDictionary) -> Self {
        self.session = Some(session);
        self
    }

    /// Reads with other limits.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The next node; none behind the last one.
    ///
    /// # Errors
    /// When the input is not legal binary XML or passes a limit.
    pub fn read(&mut self) -> Result<Option<Node<'i>>, Error> {
        match self.pending {
            Pending::Nothing => {}
            Pending::End => {
                self.pending = Pending::Nothing;
                return Ok(Some(self.end_element()));
            }
            Pending::Array(_) => return self.array_node(),
        }
        let offset = self.source.position();
        if self.depth == 0 && self.source.is_at_end() {
            return if self.root_seen { Ok(None) } else { Err(Error::Truncated { offset }) };
        }
        let record = self.source.byte()?;
        match record {
            record::SHORT_ELEMENT..=record::PREFIX_ELEMENT_Z => {
                self.check_root(offset)?;
                let element = self.start_element(record, offset)?;
                Ok(Some(Node::Start(element)))
            }
            record::TEXT_FIRST..=record::TEXT_LAST => {
                if self.depth == 0 {
                    return Err(Error::Misplaced { offset, reason: "text stands outside the root element" });
                }
                let value = self.text(record & !1, offset)?;
                if record & 1 == 1 {
                    self.pending = Pending::End;
                }
                Ok(Some(Node::Text(value)))
            }
            record::END_ELEMENT => {
                if self.depth == 0 {
                    return Err(Error::Misplaced { offset, reason: "no element is open" });
                }
                Ok(Some(self.end_element()))
            }
            record::COMMENT => Ok(Some(Node::Comment(self.source.string()?))),
            record::ARRAY => {
                self.check_root(offset)?;
                self.start_array()?;
                self.array_node()
            }
            record::SHORT_ATTRIBUTE..=record::PREFIX_ATTRIBUTE_Z => {
                Err(Error::Misplaced { offset, reason: "an attribute follows its element at once" })
            }
            record => Err(Error::UnknownRecord { offset, record }),
        }
    }

    /// The attributes and declarations of the last element read, in their order.
    pub fn attributes(&self) -> &[Attribute<'i>] {
        &self.attributes
    }

    /// Takes the attributes and declarations of the last element read, in their order.
    pub fn take_attributes(&mut self) -> impl Iterator<Item = Attribute<'i>> + '_ {
        self.attributes.drain(..)
    }

    /// Takes the value of an attribute in no namespace of the last element read.
    pub fn take_attribute(&mut self, name: &str) -> Option<Value<'i>> {
        let at =
            self.attributes.iter().position(|attribute| attribute.name == name && attribute.namespace.is_empty())?;
        Some(self.attributes.remove(at).value)
    }

    /// The namespace that a prefix stands for where the reader is.
    pub fn namespace_of(&self, prefix: &str) -> Option<&str> {
        self.namespaces.namespace_of(prefix)
    }

    /// Whether the last element read is an item of an array.
    pub fn is_in_array(&self) -> bool {
        matches!(self.pending, Pending::Array(_))
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.source.position()
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// How many bytes are left to read.
    pub(super) fn remaining(&self) -> usize {
        self.source.remaining()
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    fn check_root(&mut self, offset: usize) -> Result<(), Error> {
        if self.depth == 0 && self.root_seen {
            return Err(Error::Misplaced { offset, reason: "a document has one root element" });
        }
        self.root_seen = true;
        Ok(())
    }

    fn enter(&mut self, offset: usize) -> Result<(), Error> {
        if self.depth >= self.limits.max_depth {
            return Err(Error::Limit { offset, what: "open elements", limit: self.limits.max_depth });
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn end_element(&mut self) -> Node<'i> {
        self.namespaces.leave(self.depth);
        self.depth -= 1;
        self.attributes.clear();
        Node::End
    }

    /// Reads an element record, whose type byte has been read, and its attributes.
    // Always inlined: moving the name from one place in memory to the next costs more than reading it.
    #[inline(always)]
    fn start_element(&mut self, record: u8, offset: usize) -> Result<ElementStart<'i>, Error> {
        let (prefix, name) = match record {
            record::SHORT_ELEMENT => ("", self.name()?),
            record::ELEMENT => (self.name()?, self.name()?),
            record::SHORT_DICTIONARY_ELEMENT => ("", self.dictionary_name()?),
            record::DICTIONARY_ELEMENT => (self.name()?, self.dictionary_name()?),
            record::PREFIX_DICTIONARY_ELEMENT_A..=record::PREFIX_DICTIONARY_ELEMENT_Z => {
                (record::letter(record - record::PREFIX_DICTIONARY_ELEMENT_A), self.dictionary_name()?)
            }
            record::PREFIX_ELEMENT_A..=record::PREFIX_ELEMENT_Z => {
                (record::letter(record - record::PREFIX_ELEMENT_A), self.name()?)
            }
            record => return Err(Error::UnknownRecord { offset, record }),
        };
        self.enter(offset)?;
        self.attributes.clear();
        if let Some(record::SHORT_ATTRIBUTE..=record::PREFIX_ATTRIBUTE_Z) = self.source.peek() {
            self.read_attributes(offset)?;
        }
        let namespace = if self.namespaces.len() == 0 && prefix.is_empty() {
            ""
        } else {
            resolve(&self.namespaces, prefix, offset)?
        };
        Ok(ElementStart { prefix, name, namespace })
    }

    /// Reads the attributes of the element at `offset`.
    #[inline(never)]
    fn read_attributes(&mut self, element: usize) -> Result<(), Error> {
        let mut declarations = 0;
        while let Some(record @ record::SHORT_ATTRIBUTE..=record::PREFIX_ATTRIBUTE_Z) = self.source.peek() {
            let offset = self.source.position();
            if self.attributes.len() >= self.limits.max_attributes {
                return Err(Error::Limit { offset, what: "attributes", limit: self.limits.max_attributes });
            }
            let attribute = self.attribute(record)?;
            declarations += usize::from(matches!(record, record::SHORT_XMLNS..=record::DICTIONARY_XMLNS));
            self.attributes.push(attribute);
        }
        if declarations < self.attributes.len() { self.resolve_attributes(element) } else { Ok(()) }
    }

    fn attribute(&mut self, record: u8) -> Result<Attribute<'i>, Error> {
        let offset = self.source.position();
        self.source.byte()?;
        let (prefix, name) = match record {
            record::SHORT_ATTRIBUTE => ("", self.name()?),
            record::ATTRIBUTE => (self.name()?, self.name()?),
            record::SHORT_DICTIONARY_ATTRIBUTE => ("", self.dictionary_name()?),
            record::DICTIONARY_ATTRIBUTE => (self.name()?, self.dictionary_name()?),
            record::SHORT_XMLNS => return self.declaration("", false, offset),
            record::XMLNS => {
                let prefix = self.name()?;
                return self.declaration(prefix, false, offset);
            }
            record::SHORT_DICTIONARY_XMLNS => return self.declaration("", true, offset),
            record::DICTIONARY_XMLNS => {
                let prefix = self.name()?;
                return self.declaration(prefix, true, offset);
            }
            record::PREFIX_DICTIONARY_ATTRIBUTE_A..=record::PREFIX_DICTIONARY_ATTRIBUTE_Z => {
                (record::letter(record - record::PREFIX_DICTIONARY_ATTRIBUTE_A), self.dictionary_name()?)
            }
            _ => (record::letter(record - record::PREFIX_ATTRIBUTE_A), self.name()?),
        };
        if prefix == "xmlns" || (prefix.is_empty() && name == "xmlns") {
            return Err(Error::Declaration { offset, reason: "a declaration has a record of its own" });
        }
        let offset = self.source.position();
        let value = match self.source.byte()? {
            record @ record::TEXT_FIRST..=record::TEXT_LAST => self.text(record & !1, offset)?,
            _ => return Err(Error::Misplaced { offset, reason: "an attribute needs a text record as its value" }),
        };
        Ok(Attribute { prefix, name, namespace: "", value })
    }

    fn declaration(&mut self, prefix: &'i str, dictionary: bool, offset: usize) -> Result<Attribute<'i>, Error> {
        let namespace = if dictionary { self.dictionary_string()? } else { self.source.string()? };
        if let Some(reason) = forbidden(prefix, namespace) {
            return Err(Error::Declaration { offset, reason });
        }
        if self.namespaces.declaration(prefix).is_some_and(|outer| outer.depth == self.depth) {
            return Err(Error::DuplicateAttribute { offset, name: prefix.to_owned() });
        }
        if self.namespaces.len() >= self.limits.max_namespaces {
            return Err(Error::Limit { offset, what: "namespace declarations", limit: self.limits.max_namespaces });
        }
        self.namespaces.declare(prefix, namespace, self.depth);
        let (prefix, name) = if prefix.is_empty() { ("", "xmlns") } else { ("xmlns", prefix) };
        Ok(Attribute { prefix, name, namespace: XMLNS_NAMESPACE, value: Value::Text(Cow::Borrowed(namespace)) })
    }

    /// Finds the namespaces of the attributes just read and refuses duplicates.
    fn resolve_attributes(&mut self, offset: usize) -> Result<(), Error> {
        for at in 0..self.attributes.len() {
            let (before, rest) = self.attributes.split_at_mut(at);
            let Some(attribute) = rest.first_mut() else { break };
            if attribute.namespace == XMLNS_NAMESPACE {
                continue;
            }
            if !attribute.prefix.is_empty() {
                attribute.namespace = resolve(&self.namespaces, attribute.prefix, offset)?;
            }
            if before.iter().any(|other| other.name == attribute.name && other.namespace == attribute.namespace) {
                return Err(Error::DuplicateAttribute { offset, name: attribute.name.to_owned() });
            }
        }
        Ok(())
    }

    fn start_array(&mut self) -> Result<(), Error> {
        let offset = self.source.position();
        let record = self.source.byte()?;
        let element = match record {
            record::SHORT_ELEMENT..=record::PREFIX_ELEMENT_Z => self.start_element(record, offset)?,
            _ => return Err(Error::Misplaced { offset, reason: "an array begins with its element" }),
        };
        let offset = self.source.position();
        if self.source.byte()? != record::END_ELEMENT {
            return Err(Error::Misplaced { offset, reason: "the element of an array is empty" });
        }
        let offset = self.source.position();
        let record = self.source.byte()?;
        let size = if record & 1 == 1 { record::array_item_size(record & !1) } else { None };
        let size = size.ok_or(Error::Misplaced { offset, reason: "an array cannot hold this type" })?;
        let offset = self.source.position();
        let count = self.source.multi_byte_int31()? as usize;
        if count == 0 {
            return Err(Error::Value { offset, reason: "an array has items" });
        }
        let size = count.checked_mul(size).ok_or(Error::Length { offset })?;
        let items = Source::new(self.source.bytes(size)?);
        self.pending = Pending::Array(Array { element, item_record: record & !1, items, step: ArrayStep::Start });
        Ok(())
    }

    /// The next node of the array being read. Its element stays open, so that its declarations stay in scope.
    fn array_node(&mut self) -> Result<Option<Node<'i>>, Error> {
        let Pending::Array(array) = &mut self.pending else { return Ok(None) };
        match array.step {
            ArrayStep::Start => {
                array.step = ArrayStep::Text;
                Ok(Some(Node::Start(array.element)))
            }
            ArrayStep::Text => {
                array.step = ArrayStep::End;
                let value = plain_value(&mut array.items, array.item_record)?;
                Ok(Some(Node::Text(value)))
            }
            ArrayStep::End if array.items.is_at_end() => {
                self.pending = Pending::Nothing;
                Ok(Some(self.end_element()))
            }
            ArrayStep::End => {
                array.step = ArrayStep::Start;
                Ok(Some(Node::End))
            }
        }
    }

    /// Reads a text record, given in its even form, whose type byte has been read.
    #[inline]
    fn text(&mut self, record: u8, offset: usize) -> Result<Value<'i>, Error> {
        match record {
            // By far the most frequent one.
            record::CHARS8 => {
                let length = self.source.byte()?;
                Ok(Value::Text(Cow::Borrowed(self.source.utf8(length.into())?)))
            }
            record::START_LIST => self.list(),
            record::END_LIST => Err(Error::Misplaced { offset, reason: "no list is open" }),
            record => self.single_text(record),
        }
    }

    fn list(&mut self) -> Result<Value<'i>, Error> {
        let mut items = Vec::new();
        loop {
            let offset = self.source.position();
            match self.source.byte()? {
                record::END_LIST => return Ok(Value::List(items)),
                record @ record::TEXT_FIRST..=record::TEXT_LAST if record & 1 == 0 && record != record::START_LIST => {
                    items.push(self.single_text(record)?);
                }
                _ => return Err(Error::Misplaced { offset, reason: "a list holds plain text records only" }),
            }
        }
    }

    #[inline]
    fn single_text(&mut self, record: u8) -> Result<Value<'i>, Error> {
        match record {
            record::DICTIONARY_TEXT => Ok(Value::DictionaryText(self.dictionary_string()?)),
            record::QNAME_DICTIONARY => {
                let offset = self.source.position();
                let letter = self.source.byte()?;
                if letter > 25 {
                    return Err(Error::Value { offset, reason: "the prefix of a qualified name is a to z" });
                }
                Ok(Value::QName { prefix: record::letter(letter), name: self.dictionary_string()? })
            }
            record => plain_value(&mut self.source, record),
        }
    }

    #[inline]
    fn name(&mut self) -> Result<&'i str, Error> {
        let offset = self.source.position();
        let length = self.source.multi_byte_int31()? as usize;
        let bytes = self.source.bytes(length)?;
        match self.names.find(bytes) {
            Some(name) => Ok(name),
            None => self.new_name(bytes, offset),
        }
    }

    /// Checks a name that is none of the recent ones.
    #[cold]
    fn new_name(&mut self, bytes: &'i [u8], offset: usize) -> Result<&'i str, Error> {
        let name = str::from_utf8(bytes).map_err(|_| Error::Encoding { offset, encoding: "UTF-8" })?;
        if !is_nc_name(name) {
            return Err(Error::Name { offset, name: name.to_owned() });
        }
        self.names.keep(name);
        Ok(name)
    }

    #[inline]
    fn dictionary_name(&mut self) -> Result<&'i str, Error> {
        let offset = self.source.position();
        let id = self.source.multi_byte_int31()?;
        let string = self.string_of(id, offset)?;
        let is_known_name = id % 2 == 0 && self.dictionary_names.get(id as usize / 2) == Some(&true);
        if is_known_name || is_nc_name(string) {
            Ok(string)
        } else {
            Err(Error::Name { offset, name: string.to_owned() })
        }
    }

    #[inline]
    fn dictionary_string(&mut self) -> Result<&'i str, Error> {
        let offset = self.source.position();
        let id = self.source.multi_byte_int31()?;
        self.string_of(id, offset)
    }

    #[inline]
    fn string_of(&self, id: u32, offset: usize) -> Result<&'i str, Error> {
        let string = if id.is_multiple_of(2) {
            self.dictionary.and_then(|dictionary| dictionary.get(id / 2))
        } else {
            self.session.and_then(|session| session.get(id / 2))
        };
        string.ok_or(Error::UnknownString { offset, id })
    }
}

/// Names found good a moment ago: messages repeat few names, and comparing is less work than checking.
#[derive(Debug, Default)]
struct RecentNames<'i>([&'i str; 16]);

impl<'i> RecentNames<'i> {
    #[inline]
    fn find(&self, name: &[u8]) -> Option<&'i str> {
        self.0.get(Self::place(name)).copied().filter(|recent| !name.is_empty() && recent.as_bytes() == name)
    }

    #[inline]
    fn keep(&mut self, name: &'i str) {
        if let Some(place) = self.0.get_mut(Self::place(name.as_bytes())) {
            *place = name;
        }
    }

    /// Where a name is kept, if it is: by its length and its two ends.
    #[inline]
    fn place(name: &[u8]) -> usize {
        let (Some(first), Some(last)) = (name.first(), name.last()) else { return 0 };
        (name.len() ^ usize::from(*first) ^ usize::from(*last) << 1) % 16
    }
}

impl Attribute<'_> {
    /// Whether this is a namespace declaration.
    pub fn is_declaration(&self) -> bool {
        self.namespace == XMLNS_NAMESPACE
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_depth: 128, max_attributes: 256, max_namespaces: 256, max_text: 64 << 20 }
    }
}

#[inline]
fn resolve<'i>(namespaces: &Namespaces<&'i str>, prefix: &'i str, offset: usize) -> Result<&'i str, Error> {
    match namespaces.declaration(prefix) {
        Some(declaration) => Ok(declaration.namespace),
        None => resolve_undeclared(prefix, offset),
    }
}

#[cold]
fn resolve_undeclared(prefix: &str, offset: usize) -> Result<&'static str, Error> {
    match prefix {
        "" => Ok(""),
        "xml" => Ok(XML_NAMESPACE),
        _ => Err(Error::UndeclaredPrefix { offset, prefix: prefix.to_owned() }),
    }
}

/// Reads the value of a text record, given in its even form, that is no list and needs no dictionary.
#[inline]
pub(super) fn plain_value<'i>(source: &mut Source<'i>, record: u8) -> Result<Value<'i>, Error> {
    Ok(match record {
        record::CHARS8 => {
            let length = source.byte()?;
            Value::Text(Cow::Borrowed(source.utf8(length.into())?))
        }
        record::CHARS16 => {
            let length = u16::from_le_bytes(source.array()?);
            Value::Text(Cow::Borrowed(source.utf8(length.into())?))
        }
        record::CHARS32 => {
            let length = source.length32()?;
            Value::Text(Cow::Borrowed(source.utf8(length)?))
        }
        record::BYTES8 => {
            let length = source.byte()?;
            Value::Bytes(source.bytes(length.into())?)
        }
        record::BYTES16 => {
            let length = u16::from_le_bytes(source.array()?);
            Value::Bytes(source.bytes(length.into())?)
        }
        record::BYTES32 => {
            let length = source.length32()?;
            Value::Bytes(source.bytes(length)?)
        }
        record::UNICODE_CHARS8 => {
            let length = source.byte()?;
            Value::Text(Cow::Owned(source.utf16(length.into())?))
        }
        record::UNICODE_CHARS16 => {
            let length = u16::from_le_bytes(source.array()?);
            Value::Text(Cow::Owned(source.utf16(length.into())?))
        }
        record::UNICODE_CHARS32 => {
            let length = source.length32()?;
            Value::Text(Cow::Owned(source.utf16(length)?))
        }
        record::EMPTY => Value::Empty,
        record => fixed_size_value(source, record)?,
    })
}

/// Reads the value of a record whose size is in its type, given in its even form.
fn fixed_size_value<'i>(source: &mut Source<'i>, record: u8) -> Result<Value<'i>, Error> {
    let offset = source.position();
    Ok(match record {
        record::ZERO => Value::Int32(0),
        record::ONE => Value::Int32(1),
        record::FALSE => Value::Bool(false),
        record::TRUE => Value::Bool(true),
        record::INT8 => Value::Int32(i8::from_le_bytes(source.array()?).into()),
        record::INT16 => Value::Int32(i16::from_le_bytes(source.array()?).into()),
        record::INT32 => Value::Int32(i32::from_le_bytes(source.array()?)),
        record::INT64 => Value::Int64(i64::from_le_bytes(source.array()?)),
        record::UINT64 => Value::UInt64(u64::from_le_bytes(source.array()?)),
        record::FLOAT => Value::Float(f32::from_le_bytes(source.array()?)),
        record::DOUBLE => Value::Double(f64::from_le_bytes(source.array()?)),
        record::DECIMAL => Decimal::from_wire(source.array()?)
            .map(Value::Decimal)
            .ok_or(Error::Value { offset, reason: "a decimal has 0 to 28 places and 96 bits" })?,
        record::DATE_TIME => DateTime::from_wire(u64::from_le_bytes(source.array()?))
            .map(Value::DateTime)
            .ok_or(Error::Value { offset, reason: "a date lies in the years 1 to 9999" })?,
        record::TIME_SPAN => Value::TimeSpan(i64::from_le_bytes(source.array()?)),
        record::UNIQUE_ID => Value::UniqueId(Guid(source.array()?)),
        record::UUID => Value::Guid(Guid(source.array()?)),
        record::BOOL => match source.byte()? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            _ => return Err(Error::Value { offset, reason: "a boolean is 0 or 1" }),
        },
        record => return Err(Error::UnknownRecord { offset: offset.saturating_sub(1), record }),
    })
}

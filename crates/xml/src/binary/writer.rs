use super::attribute_value::AttributeValue;
use super::namespaces::{Namespaces, forbidden, is_nc_name};
use super::output::Output;
use super::{ArrayItems, Error, Guid, SessionDictionary, StaticDictionary, Value, record};

/// Writes binary XML, byte for byte as .NET's binary writer does.
///
/// Which record carries a value follows from the value: small numbers take short records, `"0"` and `"1"` the records
/// for zero and one, text that is shorter in UTF-16 goes as UTF-16, bytes split at a multiple of three. Namespace
/// declarations are made as they are needed and come after all attributes of their element.
///
/// ```
/// # use handstamp_xml::binary::{Name, Value, Writer};
/// let mut writer = Writer::new(None);
/// writer.start_element("s", Name::Inline("note"), Name::Inline("urn:n"))?;
/// writer.attribute("", Name::Inline("id"), Name::NONE, &Value::Int32(1))?;
/// writer.text("hi")?;
/// writer.end_element()?;
/// let bytes = writer.finish()?;
/// assert_eq!(bytes, b"\x70\x04note\x04\x02id\x82\x09\x01s\x05urn:n\x99\x02hi");
/// # Ok::<(), handstamp_xml::binary::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<'w> {
    output: Output,
    dictionary: Option<&'w StaticDictionary>,
    session: Option<&'w mut SessionDictionary>,
    depth: usize,
    namespaces: Namespaces<String>,
    /// Declarations of the open start tag, not written yet.
    declarations: Vec<Declaration>,
    start_tag_open: bool,
    root_seen: bool,
    attribute: Option<AttributeValue>,
    /// Bytes that wait for their multiple of three.
    left_over: Vec<u8>,
}

/// A local name, a namespace or a text, and how it may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// In full.
    Inline(&'a str),
    /// By number if a dictionary has it; a session dictionary takes it in.
    Dictionary(&'a str),
    /// The string of this number in the static dictionary: like `Dictionary`, without the search.
    Static(u32),
}

#[derive(Debug)]
struct Declaration {
    prefix: String,
    namespace: String,
    dictionary: bool,
}

impl<'w> Writer<'w> {
    /// A writer whose dictionary names go out as even numbers, if they are in `dictionary`.
    pub fn new(dictionary: Option<&'w StaticDictionary>) -> Self {
        Self {
            output: Output::default(),
            dictionary,
            session: None,
            depth: 0,
            namespaces: Namespaces::new(),
            declarations: Vec::new(),
            start_tag_open: false,
            root_seen: false,
            attribute: None,
            left_over: Vec::new(),
        }
    }

    /// Puts dictionary names that are not in the static dictionary into `session`, while it has room.
    pub fn with_session(mut self, session: &'w mut SessionDictionary) -> Self {
        self.session = Some(session);
        self
    }

    /// Begins an element. Without a prefix (`None`) it takes one in scope for its namespace, or makes the namespace the
    /// default one.
    ///
    /// # Errors
    /// When a document cannot have an element here, or not of this name.
    pub fn start_element<'p>(
        &mut self,
        prefix: impl Into<Option<&'p str>>,
        name: Name<'_>,
        namespace: Name<'_>,
    ) -> Result<(), Error> {
        if self.depth == 0 && self.root_seen {
            return Err(Error::Misuse { reason: "a document has one root element" });
        }
        self.close_start_tag()?;
        let namespace_text = self.string_of(namespace)?;
        let prefix = match prefix.into() {
            Some(prefix) => prefix.to_owned(),
            None => self.namespaces.prefix_of(&namespace_text, false).unwrap_or_default().to_owned(),
        };
        self.root_seen = true;
        self.depth += 1;
        self.start_tag_open = true;
        self.name_records(
            &prefix,
            name,
            [record::SHORT_ELEMENT, record::ELEMENT, record::PREFIX_ELEMENT_A, record::PREFIX_DICTIONARY_ELEMENT_A],
        )?;
        self.declare_if_needed(&prefix, namespace_text, namespace)
    }

    /// Ends the innermost element.
    ///
    /// # Errors
    /// When none is open, or an attribute is.
    pub fn end_element(&mut self) -> Result<(), Error> {
        if self.depth == 0 {
            return Err(Error::Misuse { reason: "no element is open" });
        }
        self.close_start_tag()?;
        self.output.end_element();
        self.namespaces.leave(self.depth);
        self.depth -= 1;
        Ok(())
    }

    /// A whole attribute with one value.
    ///
    /// # Errors
    /// As [`start_attribute`](Self::start_attribute) and [`value`](Self::value).
    pub fn attribute<'p>(
        &mut self,
        prefix: impl Into<Option<&'p str>>,
        name: Name<'_>,
        namespace: Name<'_>,
        value: &Value<'_>,
    ) -> Result<(), Error> {
        self.start_attribute(prefix, name, namespace)?;
        self.value(value)?;
        self.end_attribute()
    }

    /// Begins an attribute. Without a prefix (`None`, or empty with a namespace) it takes one in scope, or a new one:
    /// the first free letter, then `d{depth}p{number}`.
    ///
    /// # Errors
    /// When no start tag is open, or the name is not allowed.
    pub fn start_attribute<'p>(
        &mut self,
        prefix: impl Into<Option<&'p str>>,
        name: Name<'_>,
        namespace: Name<'_>,
    ) -> Result<(), Error> {
        if !self.start_tag_open || self.attribute.is_some() {
            return Err(Error::Misuse { reason: "an attribute follows its element at once" });
        }
        let namespace_text = self.string_of(namespace)?;
        let prefix = match prefix.into() {
            Some(prefix) if !prefix.is_empty() || namespace_text.is_empty() => prefix.to_owned(),
            _ if namespace_text.is_empty() => String::new(),
            _ => match self.namespaces.prefix_of(&namespace_text, true) {
                Some(prefix) => prefix.to_owned(),
                None => self.free_prefix(),
            },
        };
        self.name_records(
            &prefix,
            name,
            [
                record::SHORT_ATTRIBUTE,
                record::ATTRIBUTE,
                record::PREFIX_ATTRIBUTE_A,
                record::PREFIX_DICTIONARY_ATTRIBUTE_A,
            ],
        )?;
        if !prefix.is_empty() {
            self.declare_if_needed(&prefix, namespace_text, namespace)?;
        }
        self.attribute = Some(AttributeValue::None);
        Ok(())
    }

    /// Ends the attribute: the pieces of its value become one record.
    ///
    /// # Errors
    /// When no attribute is open.
    pub fn end_attribute(&mut self) -> Result<(), Error> {
        match self.attribute.take() {
            None => return Err(Error::Misuse { reason: "no attribute is open" }),
            Some(AttributeValue::None) => self.output.text(""),
            Some(AttributeValue::Written) => {}
            Some(AttributeValue::Text(text)) => self.output.text(&text),
            Some(AttributeValue::DictionaryText(text)) => self.dictionary_text(Name::Dictionary(&text))?,
            Some(AttributeValue::Bytes(bytes)) => self.output.bytes(&[], &bytes),
        }
        self.output.seal_text();
        Ok(())
    }

    /// Declares a prefix, or with an empty one the default namespace, on the open element.
    ///
    /// # Errors
    /// When no start tag is open, or XML forbids the declaration.
    pub fn declare(&mut self, prefix: &str, namespace: Name<'_>) -> Result<(), Error> {
        if !self.start_tag_open || self.attribute.is_some() {
            return Err(Error::Misuse { reason: "a namespace declaration follows its element at once" });
        }
        let text = self.string_of(namespace)?;
        if prefix == "xml" && forbidden(prefix, &text).is_none() {
            return Ok(());
        }
        self.add_declaration(prefix, text, namespace)
    }

    /// A value of any type, as content or as the value of the open attribute.
    ///
    /// # Errors
    /// When nothing is open, or an attribute already has a typed value.
    pub fn value(&mut self, value: &Value<'_>) -> Result<(), Error> {
        match value {
            Value::Empty => self.text(""),
            Value::Text(text) => self.text(text),
            Value::DictionaryText(text) => self.dictionary_string(Name::Dictionary(text)),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::List(items) => self.list(items),
            typed => {
                self.begin_typed_value()?;
                self.typed_value(typed)
            }
        }
    }

    /// Text. Several calls in a row give several records; an empty text gives none.
    ///
    /// # Errors
    /// When nothing is open, or an attribute already has a typed value.
    pub fn text(&mut self, text: &str) -> Result<(), Error> {
        if let Some(attribute) = &mut self.attribute {
            return attribute.append(text);
        }
        self.begin_content()?;
        if !text.is_empty() {
            self.output.text(text);
        }
        Ok(())
    }

    /// Text as a dictionary string, where the dictionaries have it or take it.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn dictionary_string(&mut self, text: Name<'_>) -> Result<(), Error> {
        if let Some(attribute @ AttributeValue::None) = &mut self.attribute {
            *attribute = AttributeValue::DictionaryText(string_of(self.dictionary, text)?);
            return Ok(());
        }
        if self.attribute.is_some() {
            return self.text(&self.string_of(text)?);
        }
        self.begin_content()?;
        self.dictionary_text(text)
    }

    /// Bytes. Content is cut at a multiple of three; the rest waits for the next call or the end.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(attribute) = &mut self.attribute {
            return attribute.append_bytes(bytes);
        }
        self.check_content()?;
        self.write_declarations()?;
        let needed = if self.left_over.is_empty() { 0 } else { bytes.len().min(3 - self.left_over.len()) };
        let (first, rest) = bytes.split_at(needed);
        self.left_over.extend_from_slice(first);
        let whole = self.left_over.len() + rest.len();
        let (rest, left) = rest.split_at(rest.len() / 3 * 3);
        if whole >= 3 {
            self.output.bytes(&self.left_over, rest);
            self.left_over.clear();
        }
        self.left_over.extend_from_slice(left);
        Ok(())
    }

    /// A UniqueId: as 16 bytes if it is a GUID (see [`Guid::parse_unique_id`]), else as text.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn unique_id(&mut self, text: &str) -> Result<(), Error> {
        match Guid::parse_unique_id(text) {
            Some(guid) => self.value(&Value::UniqueId(guid)),
            None => self.text(text),
        }
    }

    /// A qualified name as content or attribute value. In an attribute a namespace without prefix gets one.
    ///
    /// # Errors
    /// When `namespace` has no prefix in scope, in content.
    pub fn qualified_name(&mut self, name: Name<'_>, namespace: &str) -> Result<(), Error> {
        let prefix = match self.namespaces.prefix_of(namespace, false) {
            Some(prefix) => prefix.to_owned(),
            None if self.attribute.is_some() => {
                let prefix = self.free_prefix();
                self.add_declaration(&prefix, namespace.to_owned(), Name::Inline(namespace))?;
                prefix
            }
            None => return Err(Error::Misuse { reason: "the namespace of a qualified name has no prefix in scope" }),
        };
        if prefix.is_empty() {
            return self.name_text(name);
        }
        let id = if record::letter_index(&prefix).is_some() { self.id_of(name)? } else { None };
        if let (Some(letter), Some(id)) = (record::letter_index(&prefix), id) {
            self.begin_typed_value()?;
            self.output.fixed_text(record::QNAME_DICTIONARY, &[]);
            self.output.byte(letter);
            self.output.multi_byte_int31(id);
            return Ok(());
        }
        self.text(&prefix)?;
        self.text(":")?;
        self.name_text(name)
    }

    /// A comment.
    ///
    /// # Errors
    /// When an attribute is open, or the text is not allowed in a comment.
    pub fn comment(&mut self, text: &str) -> Result<(), Error> {
        if text.contains("--") || text.ends_with('-') {
            return Err(Error::Misuse { reason: "a comment contains no -- and does not end in -" });
        }
        self.close_start_tag()?;
        self.output.record(record::COMMENT);
        self.output.string(text);
        Ok(())
    }

    /// An array: as many elements as there are items. No items give nothing.
    ///
    /// # Errors
    /// As [`start_element`](Self::start_element).
    pub fn array<'p>(
        &mut self,
        prefix: impl Into<Option<&'p str>>,
        name: Name<'_>,
        namespace: Name<'_>,
        items: ArrayItems<'_>,
    ) -> Result<(), Error> {
        if items.len() == 0 {
            return Ok(());
        }
        self.close_start_tag()?;
        self.output.record(record::ARRAY);
        self.start_element(prefix, name, namespace)?;
        self.close_start_tag()?;
        self.output.record(record::END_ELEMENT);
        self.output.byte(items.record() + 1);
        self.output.multi_byte_int31(items.len());
        self.output.unbuffered(&items.to_wire());
        self.namespaces.leave(self.depth);
        self.depth -= 1;
        Ok(())
    }

    /// The document.
    ///
    /// # Errors
    /// When an element is still open, or there is none.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        if self.depth > 0 || !self.root_seen {
            return Err(Error::Misuse { reason: "a document is one element, ended" });
        }
        self.close_start_tag()?;
        Ok(self.output.into_bytes())
    }

    /// Everything that must be written before the next piece of content that is not bytes.
    fn close_start_tag(&mut self) -> Result<(), Error> {
        if self.attribute.is_some() {
            return Err(Error::Misuse { reason: "an attribute is open" });
        }
        self.write_declarations()?;
        if !self.left_over.is_empty() {
            self.output.bytes(&self.left_over, &[]);
            self.left_over.clear();
        }
        Ok(())
    }

    fn check_content(&self) -> Result<(), Error> {
        if self.depth > 0 { Ok(()) } else { Err(Error::Misuse { reason: "text stands inside an element" }) }
    }

    fn begin_content(&mut self) -> Result<(), Error> {
        self.check_content()?;
        self.close_start_tag()
    }

    fn begin_typed_value(&mut self) -> Result<(), Error> {
        match &mut self.attribute {
            None => self.begin_content(),
            Some(attribute @ AttributeValue::None) => {
                *attribute = AttributeValue::Written;
                Ok(())
            }
            Some(_) => Err(Error::Misuse { reason: "an attribute holds one typed value and nothing else" }),
        }
    }

    fn name_text(&mut self, name: Name<'_>) -> Result<(), Error> {
        match name {
            Name::Inline(text) => self.text(text),
            name => self.dictionary_string(name),
        }
    }

    fn list(&mut self, items: &[Value<'_>]) -> Result<(), Error> {
        self.begin_typed_value()?;
        self.output.record(record::START_LIST);
        for item in items {
            match item {
                Value::List(_) => return Err(Error::Misuse { reason: "a list holds no lists" }),
                Value::Text(text) => self.output.text(text),
                Value::Empty => self.output.text(""),
                Value::DictionaryText(text) => self.dictionary_text(Name::Dictionary(text))?,
                Value::Bytes(bytes) => self.output.bytes(&[], bytes),
                typed => self.typed_value(typed)?,
            }
        }
        self.output.record(record::END_LIST);
        Ok(())
    }

    /// A value of fixed size, in the shortest record that holds it.
    fn typed_value(&mut self, value: &Value<'_>) -> Result<(), Error> {
        let output = &mut self.output;
        match *value {
            Value::Bool(value) => output.fixed_text(if value { record::TRUE } else { record::FALSE }, &[]),
            Value::Int32(value) => output.integer(value.into()),
            Value::Int64(value) => output.integer(value),
            Value::UInt64(value) => match i64::try_from(value) {
                Ok(value) => output.integer(value),
                Err(_) => output.fixed_text(record::UINT64, &value.to_le_bytes()),
            },
            Value::Float(value) => output.float(value),
            Value::Double(value) => output.double(value),
            Value::Decimal(value) => output.fixed_text(record::DECIMAL, &value.to_wire()),
            Value::DateTime(value) => output.fixed_text(record::DATE_TIME, &value.to_wire().to_le_bytes()),
            Value::TimeSpan(value) => output.fixed_text(record::TIME_SPAN, &value.to_le_bytes()),
            Value::UniqueId(value) => output.fixed_text(record::UNIQUE_ID, &value.0),
            Value::Guid(value) => output.fixed_text(record::UUID, &value.0),
            Value::QName { prefix, name } => {
                let (Some(letter), Some(id)) = (record::letter_index(prefix), self.id_of(Name::Dictionary(name))?)
                else {
                    return Err(Error::Misuse { reason: "this qualified name has no record of its own" });
                };
                self.output.fixed_text(record::QNAME_DICTIONARY, &[]);
                self.output.byte(letter);
                self.output.multi_byte_int31(id);
            }
            Value::Empty | Value::Text(_) | Value::DictionaryText(_) | Value::Bytes(_) | Value::List(_) => {
                return Err(Error::Misuse { reason: "this value has no fixed size" });
            }
        }
        Ok(())
    }

    fn dictionary_text(&mut self, text: Name<'_>) -> Result<(), Error> {
        match self.id_of(text)? {
            Some(id) => {
                self.output.fixed_text(record::DICTIONARY_TEXT, &[]);
                self.output.multi_byte_int31(id);
            }
            None => self.output.text(&self.string_of(text)?),
        }
        Ok(())
    }

    /// Writes an element or attribute record. `records` are the types without prefix, with any prefix, with a letter,
    /// with a letter and a dictionary name; the dictionary forms of the first two follow two further on.
    fn name_records(&mut self, prefix: &str, name: Name<'_>, records: [u8; 4]) -> Result<(), Error> {
        let [short, any, letter_inline, letter_dictionary] = records;
        let id = self.id_of(name)?;
        let step = if id.is_some() { 2 } else { 0 };
        match (prefix, record::letter_index(prefix)) {
            ("", _) => self.output.record(short + step),
            (_, Some(letter)) if id.is_some() => self.output.record(letter_dictionary + letter),
            (_, Some(letter)) => self.output.record(letter_inline + letter),
            _ if is_nc_name(prefix) && prefix != "xmlns" => {
                self.output.record(any + step);
                self.output.string(prefix);
            }
            _ => return Err(Error::Misuse { reason: "the prefix is not an XML name" }),
        }
        match (id, name) {
            (Some(id), _) => self.output.multi_byte_int31(id),
            (None, Name::Inline(name) | Name::Dictionary(name)) if is_nc_name(name) => self.output.string(name),
            _ => return Err(Error::Misuse { reason: "the local name is not an XML name" }),
        }
        Ok(())
    }

    fn declare_if_needed(&mut self, prefix: &str, namespace: String, name: Name<'_>) -> Result<(), Error> {
        if self.namespaces.namespace_of(prefix) == Some(&namespace) {
            return Ok(());
        }
        self.add_declaration(prefix, namespace, name)
    }

    fn add_declaration(&mut self, prefix: &str, namespace: String, name: Name<'_>) -> Result<(), Error> {
        if let Some(reason) = forbidden(prefix, &namespace) {
            return Err(Error::Misuse { reason });
        }
        if let Some(same) = self.namespaces.at(self.depth).find(|declaration| declaration.prefix == prefix) {
            return if same.namespace == namespace {
                Ok(())
            } else {
                Err(Error::Misuse { reason: "an element declares a prefix once" })
            };
        }
        self.namespaces.declare(prefix.to_owned(), namespace.clone(), self.depth);
        let dictionary = !matches!(name, Name::Inline(_));
        self.declarations.push(Declaration { prefix: prefix.to_owned(), namespace, dictionary });
        Ok(())
    }

    fn write_declarations(&mut self) -> Result<(), Error> {
        self.start_tag_open = false;
        for Declaration { prefix, namespace, dictionary } in std::mem::take(&mut self.declarations) {
            let in_static = || self.dictionary.and_then(|dictionary| dictionary.index_of(&namespace)).is_some();
            let id = if dictionary && (!namespace.is_empty() || in_static()) {
                self.id_of(Name::Dictionary(&namespace))?
            } else {
                None
            };
            let step = if id.is_some() { 2 } else { 0 };
            if prefix.is_empty() {
                self.output.record(record::SHORT_XMLNS + step);
            } else if is_nc_name(&prefix) {
                self.output.record(record::XMLNS + step);
                self.output.string(&prefix);
            } else {
                return Err(Error::Misuse { reason: "the prefix is not an XML name" });
            }
            match id {
                Some(id) => self.output.multi_byte_int31(id),
                None => self.output.string(&namespace),
            }
        }
        Ok(())
    }

    fn free_prefix(&self) -> String {
        let is_free = |prefix: &str| self.namespaces.declaration(prefix).is_none();
        if let Some(letter) = (0..26).map(record::letter).find(|letter| is_free(letter)) {
            return letter.to_owned();
        }
        let mut number = 0;
        loop {
            let prefix = format!("d{}p{number}", self.depth);
            if is_free(&prefix) {
                return prefix;
            }
            number += 1;
        }
    }

    fn string_of(&self, name: Name<'_>) -> Result<String, Error> {
        string_of(self.dictionary, name)
    }

    /// The number of a name on the wire, if it has one.
    #[inline]
    fn id_of(&mut self, name: Name<'_>) -> Result<Option<usize>, Error> {
        let text = match name {
            Name::Inline(_) => return Ok(None),
            Name::Static(index) if self.dictionary.is_some_and(|dictionary| dictionary.get(index).is_some()) => {
                return Ok(Some(2 * index as usize));
            }
            Name::Static(_) => return Err(Error::Misuse { reason: "the static dictionary has no such string" }),
            Name::Dictionary(text) => text,
        };
        if let Some(index) = self.dictionary.and_then(|dictionary| dictionary.index_of(text)) {
            return Ok(Some(2 * index as usize));
        }
        let Some(session) = &mut self.session else { return Ok(None) };
        let index = session.index_of(text).or_else(|| session.add(text));
        Ok(index.map(|index| 2 * index as usize + 1))
    }
}

impl Name<'_> {
    /// No namespace.
    pub const NONE: Self = Name::Inline("");
}

fn string_of(dictionary: Option<&StaticDictionary>, name: Name<'_>) -> Result<String, Error> {
    match name {
        Name::Inline(text) | Name::Dictionary(text) => Ok(text.to_owned()),
        Name::Static(index) => dictionary
            .and_then(|dictionary| dictionary.get(index))
            .map(str::to_owned)
            .ok_or(Error::Misuse { reason: "the static dictionary has no such string" }),
    }
}

//! What can go wrong, and whose fault it is.

use std::fmt;

/// Why a document was refused, or a call could not be carried out.
///
/// The first group of variants means that the sender sent something unacceptable; the last group means that the caller
/// misused the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The sender sent something that is not well-formed XML 1.0.
    #[error("not well-formed XML, {at}: {what}")]
    NotWellFormed {
        /// The rule that is broken.
        what: Syntax,
        /// Where.
        at: Position,
    },
    /// The document breaks a rule of Namespaces in XML 1.0.
    #[error("wrong use of namespaces, {at}: {what}")]
    Namespaces {
        /// The rule that is broken.
        what: NamespaceRule,
        /// Where.
        at: Position,
    },
    /// The bytes are not text in an encoding that is accepted.
    #[error(transparent)]
    Encoding(#[from] EncodingFault),
    /// There is a document type declaration. These are refused always: they are the way to entity bombs and to reading
    /// files, and no message of this project's protocols has one.
    #[error("document type declarations (<!DOCTYPE) are refused, {at}: send the document without one")]
    DocumentType {
        /// Where.
        at: Position,
    },
    /// There is a processing instruction, and the options do not allow any.
    #[error("processing instructions are refused, {at}: remove it, or allow them in the parse options")]
    ProcessingInstruction {
        /// Where.
        at: Position,
    },
    /// Two identifiers (`Id`, `ID`, `AssertionID`, `wsu:Id`, `xml:id`) have the same value, so that a reference would not say
    /// which element it means.
    #[error("the identifier \"{id}\" is given twice, {at}: identifiers must be unique in a document")]
    DuplicateId {
        /// The value, shortened.
        id: String,
        /// The start of the second element.
        at: Position,
    },
    /// A limit of [`Limits`](crate::Limits) is exceeded.
    #[error("{kind} exceeds the limit of {maximum}{}", at.map(|at| format!(", {at}")).unwrap_or_default())]
    Limit {
        /// What there is too much of.
        kind: LimitKind,
        /// The limit.
        maximum: usize,
        /// Where it was found out; nothing for limits that are checked before reading.
        at: Option<Position>,
    },
    /// The caller gave a [`NodeId`](crate::NodeId) that does not name a fitting node of this document.
    #[error("node {0:?} is not an element that is part of this document: take the identifier from the same document")]
    NoSuchElement(crate::NodeId),
    /// The caller misused a [`Writer`](crate::Writer).
    #[error("XML was written wrongly: {0}")]
    Writer(#[from] WriterMisuse),
}

impl Error {
    /// A stable code to search for.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWellFormed { .. } => "HST-XML-SYNTAX",
            Self::Namespaces { .. } => "HST-XML-NAMESPACE",
            Self::Encoding(_) => "HST-XML-ENCODING",
            Self::DocumentType { .. } => "HST-XML-DTD",
            Self::ProcessingInstruction { .. } => "HST-XML-PI",
            Self::DuplicateId { .. } => "HST-XML-DUPLICATE-ID",
            Self::Limit { .. } => "HST-XML-LIMIT",
            Self::NoSuchElement(_) => "HST-XML-NODE",
            Self::Writer(_) => "HST-XML-WRITER",
        }
    }

    pub(crate) fn limit(kind: LimitKind, maximum: usize) -> Self {
        Self::Limit { kind, maximum, at: None }
    }
}

/// A place in a document. Lines and columns count from 1; a column is a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Bytes of UTF-8 from the start, after a byte order mark.
    pub offset: usize,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    pub(crate) fn of(source: &str, offset: usize) -> Self {
        let before = source.as_bytes().get(..offset).unwrap_or(source.as_bytes());
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
        Self {
            offset,
            line: 1 + memchr::memchr_iter(b'\n', before).count(),
            // Continuation bytes of UTF-8 do not start a character.
            column: 1 + before.iter().skip(line_start).filter(|&&b| b & 0xC0 != 0x80).count(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// Rules of XML 1.0 that a document can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Syntax {
    /// A character that XML does not allow, such as U+0000 or U+FFFF.
    #[error("this character is not allowed in XML")]
    Character,
    /// The document ends in the middle of something.
    #[error("the document ends too early")]
    UnexpectedEnd,
    /// There is no root element.
    #[error("there is no root element")]
    NoRoot,
    /// There is something other than comments and white space after the root element or before it.
    #[error("only comments and white space may stand outside the root element")]
    OutsideRoot,
    /// A name is missing or has a character that names cannot have.
    #[error("a name is expected here")]
    Name,
    /// A start tag is not written as it should be.
    #[error("the tag is malformed: white space, an attribute, '/>' or '>' is expected here")]
    Tag,
    /// An attribute lacks its `=` or its quotes.
    #[error("an attribute must be written as name=\"value\"")]
    Attribute,
    /// A `<` in an attribute value.
    #[error("'<' in an attribute value must be written as &lt;")]
    LessThanInAttribute,
    /// Two attributes of an element have the same name.
    #[error("the element has this attribute twice")]
    DuplicateAttribute,
    /// An end tag that does not match the start tag.
    #[error("the end tag does not match the open element")]
    EndTag,
    /// `&` without a known name or number and `;`.
    #[error("'&' must start &amp; &lt; &gt; &quot; &apos; or a character reference")]
    Reference,
    /// A character reference to something that is not an XML character.
    #[error("the character reference does not name an XML character")]
    CharacterReference,
    /// `]]>` in text.
    #[error("']]>' in text must be written as ]]&gt;")]
    CDataEnd,
    /// `--` in a comment, or a comment that ends with `--->`.
    #[error("'--' is not allowed in a comment")]
    Comment,
    /// A malformed processing instruction, or one named `xml`.
    #[error("the processing instruction is malformed")]
    ProcessingInstruction,
    /// A malformed XML declaration, or one that is not at the very start.
    #[error("the XML declaration is malformed or not at the start of the document")]
    Declaration,
    /// `<!` without a comment or a CDATA section.
    #[error("'<!' must start a comment or, in an element, a CDATA section")]
    Markup,
}

/// Rules of Namespaces in XML 1.0 that a document can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceRule {
    /// A prefix without a declaration.
    #[error("the prefix is not declared")]
    UndeclaredPrefix,
    /// A name with two colons, or with nothing before or after the colon.
    #[error("a name must have the form local or prefix:local")]
    QualifiedName,
    /// A declaration of the prefix `xmlns`, of `xml` with another name, or of a reserved name with another prefix.
    #[error("the prefixes xml and xmlns and their namespaces are reserved")]
    Reserved,
    /// `xmlns:p=""`.
    #[error("a prefix cannot be undeclared in Namespaces 1.0")]
    Undeclaring,
}

/// What is wrong with the bytes of a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodingFault {
    /// Not UTF-8, although nothing says otherwise. Overlong forms and surrogates count as such.
    #[error("the document is not valid UTF-8, first at byte {offset}")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        offset: usize,
    },
    /// An odd number of bytes or a lone surrogate.
    #[error("the document is not valid UTF-16, first at byte {offset}")]
    NotUtf16 {
        /// Offset of the first wrong unit.
        offset: usize,
    },
    /// The XML declaration names an encoding that is not accepted, or not the one that the bytes are in.
    #[error("the declared encoding \"{declared}\" is not what the document is in, or not UTF-8 or UTF-16")]
    Declared {
        /// The name, shortened.
        declared: String,
    },
}

/// The things that [`Limits`](crate::Limits) bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitKind {
    /// Bytes.
    #[error("the document's size in bytes")]
    Size,
    /// Nested elements.
    #[error("the depth of nested elements")]
    Depth,
    /// Nodes.
    #[error("the number of elements, texts and comments")]
    Nodes,
    /// Attributes of one element.
    #[error("the number of attributes of one element")]
    AttributesPerElement,
    /// Attributes in total.
    #[error("the number of attributes")]
    Attributes,
    /// Namespace declarations in total.
    #[error("the number of namespace declarations")]
    NamespaceDeclarations,
    /// Different prefixes or namespaces.
    #[error("the number of different prefixes or namespaces")]
    DistinctNamespaces,
    /// Bytes of a name or of a namespace name.
    #[error("the length of a name or namespace name")]
    NameLength,
    /// Identifiers.
    #[error("the number of identifiers")]
    Ids,
}

/// How a caller can misuse a [`Writer`](crate::Writer).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriterMisuse {
    /// Not a name without a colon.
    #[error("\"{0}\" is not a name; give prefix and local name apart")]
    Name(String),
    /// A character in a text or value that XML cannot carry.
    #[error("a text holds a character that XML does not allow; encode or refuse it before writing")]
    Character,
    /// A prefix that cannot stand for this namespace: it is reserved, stands for another one in the same tag, or the namespace is empty.
    #[error("the namespace \"{0}\" cannot have this prefix here")]
    Namespace(String),
    /// Two attributes of an element have the same name.
    #[error("the attribute \"{0}\" is written twice")]
    DuplicateAttribute(String),
    /// An attribute after content, an end without a start, text outside of elements, or a declaration that does not come first.
    #[error("calls come in the wrong order: start, attributes, content, end")]
    Order,
    /// Elements are open at the end, or there is not exactly one root element.
    #[error("the text does not consist of exactly one whole element")]
    Unbalanced,
}

/// Untrusted text, shortened and without control characters, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

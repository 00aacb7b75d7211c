use std::fmt::{Display, Formatter};

/// What is wrong with binary XML, or with a call to its writer.
///
/// `offset` is the position in the input, in bytes, of the record or field at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input ends inside a record or before the last end, or a length points past its end.
    #[error("the binary XML ends too early, or a length at byte {offset} is too large")]
    Truncated {
        /// Where.
        offset: usize,
    },
    /// A byte that is no record type.
    #[error("byte {offset} holds 0x{record:02x}, which is no record of binary XML")]
    UnknownRecord {
        /// Where.
        offset: usize,
        /// The byte.
        record: u8,
    },
    /// A record that exists but may not stand where it does.
    #[error("the record at byte {offset} may not stand there: {reason}")]
    Misplaced {
        /// Where.
        offset: usize,
        /// The rule that is broken.
        reason: &'static str,
    },
    /// A length that is negative, has more than five bytes, or is above 2³¹ − 1.
    #[error("the length at byte {offset} is not a 31-bit number")]
    Length {
        /// Where.
        offset: usize,
    },
    /// Bytes that are not UTF-8 or UTF-16.
    #[error("the text at byte {offset} is not valid {encoding}")]
    Encoding {
        /// Where.
        offset: usize,
        /// `UTF-8` or `UTF-16`.
        encoding: &'static str,
    },
    /// A typed value out of its range.
    #[error("the value at byte {offset} is out of range: {reason}")]
    Value {
        /// Where.
        offset: usize,
        /// The rule that is broken.
        reason: &'static str,
    },
    /// A name that XML does not allow.
    #[error("{} at byte {offset} is not an XML name", Quoted(.name))]
    Name {
        /// Where.
        offset: usize,
        /// The name.
        name: String,
    },
    /// A dictionary string that neither side agreed on. Typical cause: the wrong dictionary.
    #[error("the dictionary string {id} at byte {offset} is unknown: is this the right dictionary?")]
    UnknownString {
        /// Where.
        offset: usize,
        /// The number on the wire; even = static dictionary, odd = session dictionary.
        id: u32,
    },
    /// A prefix without a declaration in scope.
    #[error("the prefix {} at byte {offset} is not declared", Quoted(.prefix))]
    UndeclaredPrefix {
        /// Where.
        offset: usize,
        /// The prefix.
        prefix: String,
    },
    /// Two attributes of one name, or two declarations of one prefix, on one element.
    #[error("the element at byte {offset} has the attribute {} twice", Quoted(.name))]
    DuplicateAttribute {
        /// Where.
        offset: usize,
        /// The attribute's local name, or the prefix.
        name: String,
    },
    /// A declaration that XML forbids.
    #[error("the namespace declaration at byte {offset} is not allowed: {reason}")]
    Declaration {
        /// Where.
        offset: usize,
        /// The rule that is broken.
        reason: &'static str,
    },
    /// A limit of the reader is reached. Raise it if the sender is trusted.
    #[error("the input has more {what} than the limit of {limit} (at byte {offset})")]
    Limit {
        /// Where.
        offset: usize,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The content cannot be said in text XML: a control character, or `--` in a comment.
    #[error("text XML cannot hold {what}")]
    NotText {
        /// What it cannot hold.
        what: &'static str,
    },
    /// Text XML that is not well formed, given for conversion.
    #[error("the text XML cannot be converted: {reason}")]
    Text {
        /// Why.
        reason: String,
    },
    /// The writer was called in an order that gives no document, or with a name or value that has no binary form.
    #[error("the writer cannot do this: {reason}")]
    Misuse {
        /// The rule that is broken.
        reason: &'static str,
    },
}

impl Error {
    /// A stable code to search for.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "HST-NBFX-TRUNCATED",
            Self::UnknownRecord { .. } => "HST-NBFX-RECORD",
            Self::Misplaced { .. } => "HST-NBFX-MISPLACED",
            Self::Length { .. } => "HST-NBFX-LENGTH",
            Self::Encoding { .. } => "HST-NBFX-ENCODING",
            Self::Value { .. } => "HST-NBFX-VALUE",
            Self::Name { .. } => "HST-NBFX-NAME",
            Self::UnknownString { .. } => "HST-NBFX-DICTIONARY",
            Self::UndeclaredPrefix { .. } => "HST-NBFX-PREFIX",
            Self::DuplicateAttribute { .. } => "HST-NBFX-DUPLICATE",
            Self::Declaration { .. } => "HST-NBFX-DECLARATION",
            Self::Limit { .. } => "HST-NBFX-LIMIT",
            Self::NotText { .. } => "HST-NBFX-NOT-TEXT",
            Self::Text { .. } => "HST-NBFX-TEXT",
            Self::Misuse { .. } => "HST-NBFX-MISUSE",
        }
    }
}

/// Untrusted text: quoted, escaped, at most 60 characters.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let short: String = self.0.chars().take(60).collect();
        write!(f, "{short:?}{}", if short.len() < self.0.len() { "…" } else { "" })
    }
}

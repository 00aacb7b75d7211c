//! What a document may cost before it is refused.

use crate::Error;
use crate::error::LimitKind;

/// Upper bounds that the parser enforces before it does the work they bound.
///
/// The defaults suit security-bearing messages that come from strangers: far above what any real SOAP message
/// or federation document needs, far below what hurts. All counts are for a whole document, including what
/// [`Document::replace_with_fragment`](crate::Document::replace_with_fragment) adds later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the document in UTF-8, or as received if that is more. Default 8 MiB; never above 1 GiB.
    pub size: usize,
    /// Depth of nested elements. Default 128.
    pub depth: usize,
    /// Elements, texts, comments and processing instructions. Default 262,144.
    pub nodes: usize,
    /// Attributes of one element, namespace declarations included. Default 128.
    pub attributes_per_element: usize,
    /// Attributes of the whole document, without namespace declarations. Default 131,072.
    pub attributes: usize,
    /// Namespace declarations of the whole document. Default 4,096.
    pub namespace_declarations: usize,
    /// Different prefixes, and different namespace names. Default 512; never above 16,384.
    pub distinct_namespaces: usize,
    /// Bytes of one element or attribute name, with its prefix, and of one namespace name. Default 512; never above 60,000.
    ///
    /// Exclusive canonicalization may repeat a namespace name for every element that uses it, so this also bounds how much
    /// larger than the document its canonical form can be.
    pub name_length: usize,
    /// Identifiers (`Id`, `wsu:Id`, …). Default 4,096.
    pub ids: usize,
}

impl Limits {
    pub(crate) const MAX_SIZE: usize = 1 << 30;
    pub(crate) const MAX_DISTINCT: usize = 1 << 14;
    pub(crate) const MAX_NAME: usize = 60_000;

    /// The limits with each one cut to what the arena's integers can hold.
    pub(crate) fn effective(mut self) -> Self {
        self.size = self.size.min(Self::MAX_SIZE);
        self.nodes = self.nodes.min(Self::MAX_SIZE);
        self.attributes_per_element = self.attributes_per_element.min(usize::from(u16::MAX));
        self.attributes = self.attributes.min(Self::MAX_SIZE);
        self.namespace_declarations = self.namespace_declarations.min(Self::MAX_SIZE);
        self.distinct_namespaces = self.distinct_namespaces.min(Self::MAX_DISTINCT);
        self.name_length = self.name_length.min(Self::MAX_NAME);
        self
    }

    pub(crate) fn check_size(&self, bytes: usize) -> Result<(), Error> {
        let maximum = self.size.min(Self::MAX_SIZE);
        if bytes > maximum { Err(Error::limit(LimitKind::Size, maximum)) } else { Ok(()) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: 8 << 20,
            depth: 128,
            nodes: 1 << 18,
            attributes_per_element: 128,
            attributes: 1 << 17,
            namespace_declarations: 4096,
            distinct_namespaces: 512,
            name_length: 512,
            ids: 4096,
        }
    }
}

/// How to parse: limits and policy. `ParseOptions::default()` is the safe choice for messages from strangers.
///
/// ```
/// use handstamp_xml::{Document, ParseOptions};
///
/// let options = ParseOptions::default().allow_processing_instructions();
/// assert!(Document::parse("<?xml-stylesheet href='x'?><a/>", &options).is_ok());
/// assert!(Document::parse("<?xml-stylesheet href='x'?><a/>", &ParseOptions::default()).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParseOptions {
    limits: Limits,
    processing_instructions: bool,
    no_ids: bool,
}

impl ParseOptions {
    /// Uses these limits instead of the default ones.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Accepts processing instructions. Without this they are refused, as SOAP asks; documents made by people
    /// (federation metadata, for instance) may hold them. They are never acted upon, and are part of the canonical form.
    #[must_use]
    pub fn allow_processing_instructions(mut self) -> Self {
        self.processing_instructions = true;
        self
    }

    /// Takes no attribute for an identifier, so that `Id` may repeat and
    /// [`element_by_id`](crate::Document::element_by_id) finds nothing: for configuration files and other text that no
    /// signature refers to.
    #[must_use]
    pub fn without_ids(mut self) -> Self {
        self.no_ids = true;
        self
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether processing instructions are accepted.
    pub fn accepts_processing_instructions(&self) -> bool {
        self.processing_instructions
    }

    /// Whether some attributes are identifiers.
    pub fn has_ids(&self) -> bool {
        !self.no_ids
    }
}

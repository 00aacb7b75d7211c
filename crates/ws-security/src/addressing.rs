//! WS-Addressing headers, as far as message security needs them (SC 1.3).

use handstamp_xml::{Element, names};
use std::borrow::Cow;

/// Which WS-Addressing a message uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AddressingVersion {
    /// WS-Addressing 1.0.
    #[default]
    V10,
    /// The member submission of August 2004.
    August2004,
}

impl AddressingVersion {
    /// The version of this namespace.
    pub fn from_namespace(namespace: &str) -> Option<Self> {
        match namespace {
            names::WSA => Some(Self::V10),
            names::WSA_2004 => Some(Self::August2004),
            _ => None,
        }
    }

    /// The namespace.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::V10 => names::WSA,
            Self::August2004 => names::WSA_2004,
        }
    }

    /// The address that means "answer on the same connection".
    pub const fn anonymous(self) -> &'static str {
        match self {
            Self::V10 => "http://www.w3.org/2005/08/addressing/anonymous",
            Self::August2004 => "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous",
        }
    }

    /// The action of faults that the security layer makes.
    pub const fn fault_action(self) -> &'static str {
        match self {
            Self::V10 => "http://www.w3.org/2005/08/addressing/soap/fault",
            Self::August2004 => "http://schemas.xmlsoap.org/ws/2004/08/addressing/fault",
        }
    }

    /// The version that the `Action` header of these blocks is in; of any addressing header when there is no `Action`.
    pub fn of_header(header: Element<'_>) -> Option<Self> {
        let action = header.children().find(|block| is_addressing_header(*block) && block.local_name() == "Action");
        action
            .or_else(|| header.children().find(|block| is_addressing_header(*block)))
            .and_then(|block| Self::from_namespace(block.namespace()))
    }
}

/// The headers that a signature must cover when they are present (SC 8.5).
pub const SIGNED_HEADERS: [&str; 7] = ["To", "From", "FaultTo", "ReplyTo", "MessageID", "RelatesTo", "Action"];

/// Whether this header block is an addressing header of either version that a signature must cover.
pub fn is_addressing_header(block: Element<'_>) -> bool {
    AddressingVersion::from_namespace(block.namespace()).is_some() && SIGNED_HEADERS.contains(&block.local_name())
}

/// The text of an addressing header, trimmed: for routing *before* a message is verified. What the application acts on comes
/// from the verified message ([`Unprotected::header`](crate::Unprotected::header)).
pub fn unverified_header<'d>(header: Element<'d>, local_name: &str) -> Option<Cow<'d, str>> {
    let block = header.children().find(|block| is_addressing_header(*block) && block.local_name() == local_name)?;
    Some(trimmed(block.text()))
}

pub(crate) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_xml::{Document, ParseOptions};

    #[test]
    fn sc_1_3_versions_are_told_apart_by_the_action() {
        let header = format!(
            "<h><a:MessageID xmlns:a='{}'/><b:Action xmlns:b='{}'> urn:x </b:Action></h>",
            names::WSA,
            names::WSA_2004
        );
        let document = Document::parse(header, &ParseOptions::default()).unwrap();
        assert_eq!(AddressingVersion::of_header(document.root()), Some(AddressingVersion::August2004));
        assert_eq!(unverified_header(document.root(), "Action").as_deref(), Some("urn:x"));
        assert_eq!(unverified_header(document.root(), "To"), None);
    }
}

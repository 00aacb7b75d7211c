//! Which parts of a message are signed and encrypted.

use crate::error::Error;
use crate::policy::{Alternative, Assertion, Sources};
use handstamp_ws_security::{AddressingVersion, HeaderName, MessageParts, ProtectionLevel, addressing::SIGNED_HEADERS};
use handstamp_xml::Element;

/// The parts that the assertions of one subject name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) signed: MessageParts,
    pub(crate) encrypted: MessageParts,
    pub(crate) required: Vec<HeaderName>,
}

impl Parts {
    /// Whether this assertion is about parts.
    pub(crate) fn is_about(assertion: &Assertion<'_>) -> bool {
        const NAMES: [&str; 7] = [
            "SignedParts",
            "EncryptedParts",
            "RequiredParts",
            "SignedElements",
            "EncryptedElements",
            "ContentEncryptedElements",
            "RequiredElements",
        ];
        NAMES.iter().any(|name| assertion.is_security(name))
    }

    /// The parts that an alternative names; other assertions in it are not looked at.
    pub(crate) fn read<'d>(sources: &Sources<'d>, alternative: &Alternative<'d>) -> Result<Self, Error> {
        let mut parts = Self::default();
        for assertion in alternative.iter().filter(|assertion| Self::is_about(assertion)) {
            parts.add(sources, assertion)?;
        }
        Ok(parts)
    }

    pub(crate) fn add<'d>(&mut self, sources: &Sources<'d>, assertion: &Assertion<'d>) -> Result<(), Error> {
        let element = assertion.element;
        match assertion.name() {
            "SignedParts" => read_parts(sources, element, &mut self.signed),
            "EncryptedParts" => read_parts(sources, element, &mut self.encrypted),
            "RequiredParts" => {
                let mut parts = MessageParts::default();
                read_parts(sources, element, &mut parts)?;
                self.required.extend(parts.headers);
                Ok(())
            }
            name => Err(sources.error(
                element,
                format!(
                    "<{name}> selects by XPath, which is not available: name the body and whole headers in SignedParts and \
                     EncryptedParts"
                ),
            )),
        }
    }

    /// These and those.
    pub(crate) fn merge(&self, other: &Self) -> Self {
        let mut merged = self.clone();
        for (into, from) in [(&mut merged.signed, &other.signed), (&mut merged.encrypted, &other.encrypted)] {
            into.body |= from.body;
            add_headers(&mut into.headers, &from.headers);
        }
        add_headers(&mut merged.required, &other.required);
        merged
    }

    /// The protection of the body.
    pub(crate) fn body_level(&self) -> Option<ProtectionLevel> {
        match (self.signed.body, self.encrypted.body) {
            (true, true) => Some(ProtectionLevel::EncryptAndSign),
            (true, false) => Some(ProtectionLevel::Sign),
            (false, false) => Some(ProtectionLevel::None),
            (false, true) => None,
        }
    }

    /// The version of the addressing headers among the signed ones.
    pub(crate) fn addressing(&self) -> Option<AddressingVersion> {
        self.signed.headers.iter().find_map(|header| AddressingVersion::from_namespace(&header.namespace))
    }
}

/// Whether it is a header of WS-Addressing, which every signature covers in any case.
pub(crate) fn is_addressing(header: &HeaderName) -> bool {
    AddressingVersion::from_namespace(&header.namespace).is_some()
        && header.local_name.as_deref().is_none_or(|name| SIGNED_HEADERS.contains(&name))
}

fn read_parts<'d>(sources: &Sources<'d>, element: Element<'d>, parts: &mut MessageParts) -> Result<(), Error> {
    let mut empty = true;
    for child in element.children() {
        empty = false;
        match child.local_name() {
            "Body" => parts.body = true,
            "Header" => {
                let namespace = child.attribute("Namespace");
                let namespace = namespace.ok_or_else(|| sources.error(child, "<Header> has no Namespace: write it"))?;
                let local_name = child.attribute("Name").filter(|name| !name.is_empty()).map(str::to_owned);
                add_headers(&mut parts.headers, &[HeaderName { namespace: namespace.to_owned(), local_name }]);
            }
            other => {
                return Err(sources.error(
                    child,
                    format!("<{other}> in <{}> is not available: name Body and Header", element.local_name()),
                ));
            }
        }
    }
    // Without children it means the body, and for signatures every header that the binding signs anyway.
    parts.body |= empty;
    Ok(())
}

fn add_headers(into: &mut Vec<HeaderName>, from: &[HeaderName]) {
    for header in from {
        if !into.contains(header) {
            into.push(header.clone());
        }
    }
}

//! Attributes and their values, alike in both versions.

use super::{simple_text, text_attribute};
use crate::{Attribute, AttributeFault, AttributeValue, Error, Version};
use handstamp_xml::{c14n, names};
use handstamp_xml_security::signature::VerifiedElement;

/// Namespaces that WIF's `OriginalIssuer` attribute comes in.
pub(crate) const ORIGINAL_ISSUER_NAMESPACES: [&str; 2] =
    ["http://schemas.xmlsoap.org/ws/2009/09/identity/claims", "http://schemas.microsoft.com/ws/2008/06/identity"];

/// Reads an attribute's XML attributes and values. Also used for the attributes nested in an actor.
pub(crate) fn attribute_content(element: VerifiedElement<'_>, version: Version) -> Result<Attribute, Error> {
    let text = |name| text_attribute(element, name);
    let mut attribute = match version {
        Version::Saml11 => Attribute {
            name: text("AttributeName").unwrap_or_default(),
            namespace: text("AttributeNamespace"),
            ..Attribute::default()
        },
        Version::Saml20 => Attribute {
            name: text("Name").unwrap_or_default(),
            name_format: text("NameFormat"),
            friendly_name: text("FriendlyName"),
            ..Attribute::default()
        },
    };
    let fault = |fault| Error::Attribute { name: attribute.name.as_str().into(), fault };
    if attribute.name.is_empty() {
        return Err(fault(AttributeFault::NoName));
    }
    if version == Version::Saml11 && attribute.namespace.is_none() {
        return Err(fault(AttributeFault::NoNamespace));
    }
    let original_issuer =
        ORIGINAL_ISSUER_NAMESPACES.iter().find_map(|namespace| element.attribute_ns(namespace, "OriginalIssuer"));
    if original_issuer.as_ref().is_some_and(|issuer| issuer.is_empty()) {
        return Err(fault(AttributeFault::EmptyOriginalIssuer));
    }
    let values = element
        .children()
        .map(|child| match child.is(version.namespace(), "AttributeValue") {
            true => value(child).map_err(|error| match error {
                ValueError::Fault(problem) => fault(problem),
                ValueError::Other(error) => error,
            }),
            false => super::unexpected(child, "Attribute"),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if version == Version::Saml11 && values.is_empty() {
        return Err(fault(AttributeFault::NoValues));
    }
    attribute.values = values;
    attribute.original_issuer = original_issuer.map(String::from);
    Ok(attribute)
}

enum ValueError {
    Fault(AttributeFault),
    Other(Error),
}

fn value(element: VerifiedElement<'_>) -> Result<Option<AttributeValue>, ValueError> {
    if element.attribute_ns(names::XSI, "nil").is_some_and(|nil| matches!(nil.trim(), "true" | "1")) {
        return Ok(None);
    }
    let value_type = match element.attribute_ns(names::XSI, "type") {
        None => None,
        Some(name) => {
            let (prefix, local) = name.trim().split_once(':').unwrap_or(("", name.trim()));
            let namespace =
                element.namespace_of_prefix(prefix).ok_or(ValueError::Fault(AttributeFault::UnknownValueType))?;
            Some(format!("{namespace}#{local}"))
        }
    };
    let text = match element.children().next() {
        None => simple_text(element, "AttributeValue").map_err(ValueError::Other)?,
        Some(_) => markup(element).map_err(ValueError::Other)?,
    };
    Ok(Some(AttributeValue { text, value_type }))
}

/// Element content as text: each element in canonical form, with the declarations it needs.
fn markup(element: VerifiedElement<'_>) -> Result<String, Error> {
    let mut out = Vec::new();
    for child in element.children() {
        c14n::canonicalize(child.element(), &c14n::Method::exclusive(), None, &mut out);
    }
    String::from_utf8(out).map_err(|_| Error::malformed("AttributeValue", "its text is not UTF-8"))
}

//! Attributes and their values, alike in both versions.

use super::{simple_text, text_attribute};
use crate::{Attribute, AttributeFault, AttributeValue, Error, Version};
use handstamp_claims::{ArcStr, arcstr, value_types};
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
    let value_type = element.attribute_ns(names::XSI, "type").map(|name| value_type(element, name)).transpose();
    let value_type = value_type.map_err(ValueError::Fault)?;
    let text = match element.children().next() {
        None => simple_text(element, "AttributeValue").map_err(ValueError::Other)?,
        Some(_) => markup(element).map_err(ValueError::Other)?,
    };
    Ok(Some(AttributeValue { text, value_type }))
}

/// A value type: namespace, `#`, local name.
///
/// Canonicalization as WIF uses it leaves the declaration of the prefix out, so that anybody could turn one type into
/// another. A namespace that the signature does not cover is accepted only if it makes a well-known type: those
/// have different local names, and the local name is covered.
fn value_type(element: VerifiedElement<'_>, name: &str) -> Result<String, AttributeFault> {
    let (prefix, local) = name.trim().split_once(':').unwrap_or(("", name.trim()));
    // There are no types in the namespace of `xml:lang`, which could not be declared when the value is written.
    let namespace = element.namespace_of_prefix(prefix).filter(|namespace| *namespace != names::XML);
    let namespace = namespace.ok_or(AttributeFault::UnknownValueType)?;
    let uri = format!("{namespace}#{local}");
    match element.covers_prefix(prefix) || WELL_KNOWN_TYPES.iter().any(|known| *known == uri) {
        true => Ok(uri),
        false => Err(AttributeFault::UnsignedValueType),
    }
}

/// The value types of WIF that have the form of a qualified name (ST §1.4). No two have the same local name.
static WELL_KNOWN_TYPES: [ArcStr; 23] = [
    value_types::BASE64_BINARY,
    value_types::BASE64_OCTET,
    value_types::BOOLEAN,
    value_types::DATE,
    value_types::DATE_TIME,
    value_types::DOUBLE,
    value_types::FQBN,
    value_types::HEX_BINARY,
    value_types::INTEGER,
    value_types::INTEGER32,
    value_types::INTEGER64,
    value_types::SID,
    value_types::STRING,
    value_types::TIME,
    value_types::UINTEGER32,
    value_types::UINTEGER64,
    value_types::DSA_KEY_VALUE,
    value_types::KEY_INFO,
    value_types::RSA_KEY_VALUE,
    value_types::DAY_TIME_DURATION,
    value_types::YEAR_MONTH_DURATION,
    ANY_URI,
    ANY_TYPE,
];

/// Types of XML Schema that other issuers name.
const ANY_URI: ArcStr = arcstr::literal!("http://www.w3.org/2001/XMLSchema#anyURI");
const ANY_TYPE: ArcStr = arcstr::literal!("http://www.w3.org/2001/XMLSchema#anyType");

/// Element content as text: each element in canonical form, with the declarations it needs.
fn markup(element: VerifiedElement<'_>) -> Result<String, Error> {
    let mut out = Vec::new();
    for child in element.children() {
        c14n::canonicalize(child.element(), &c14n::Method::exclusive(), None, &mut out);
    }
    String::from_utf8(out).map_err(|_| Error::malformed("AttributeValue", "its text is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::WELL_KNOWN_TYPES;
    use std::collections::HashSet;

    #[test]
    fn a_local_name_stands_for_one_well_known_type() {
        let locals: HashSet<_> = WELL_KNOWN_TYPES.iter().map(|uri| uri.split_once('#').unwrap().1).collect();
        assert_eq!(locals.len(), WELL_KNOWN_TYPES.len());
    }
}

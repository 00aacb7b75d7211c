//! From verified XML to the data model.

mod attribute;
mod saml11;
mod saml20;

pub(crate) use attribute::{ORIGINAL_ISSUER_NAMESPACES, attribute_content};

use crate::{Assertion, Error, Version};
use handstamp_time::Timestamp;
use handstamp_xml::c14n;
use handstamp_xml_security::signature::VerifiedElement;

impl Assertion {
    /// Reads an assertion from an element whose content a signature covers.
    ///
    /// The argument's type is the defense against signature wrapping: there is no way to read an assertion from
    /// anything that was not verified. Most callers want [`SamlTokenHandler`](crate::SamlTokenHandler), which also verifies.
    ///
    /// # Errors
    /// [`Error::NotAnAssertion`], [`Error::Malformed`], [`Error::Encrypted`], [`Error::Attribute`], and
    /// [`Rejection::UnknownCondition`](crate::Rejection::UnknownCondition).
    pub fn read(element: VerifiedElement<'_>) -> Result<Self, Error> {
        match version_of(element.namespace(), element.local_name()) {
            Some(Version::Saml11) => saml11::read(element),
            Some(Version::Saml20) => saml20::read(element),
            None => Err(Error::NotAnAssertion(element.local_name().into())),
        }
    }
}

/// The version of an element that claims to be an assertion.
pub(crate) fn version_of(namespace: &str, local_name: &str) -> Option<Version> {
    [Version::Saml11, Version::Saml20]
        .into_iter()
        .find(|version| local_name == "Assertion" && namespace == version.namespace())
}

fn text_attribute(element: VerifiedElement<'_>, name: &str) -> Option<String> {
    element.attribute(name).map(String::from)
}

fn required(element: VerifiedElement<'_>, of: &'static str, name: &str) -> Result<String, Error> {
    text_attribute(element, name).ok_or_else(|| Error::malformed(of, format!("the attribute {name} is missing")))
}

fn time(element: VerifiedElement<'_>, of: &'static str, name: &str) -> Result<Option<Timestamp>, Error> {
    element
        .attribute(name)
        .map(|text| text.parse().map_err(|error| Error::malformed(of, format!("the attribute {name}: {error}"))))
        .transpose()
}

fn required_time(element: VerifiedElement<'_>, of: &'static str, name: &str) -> Result<Timestamp, Error> {
    time(element, of, name)?.ok_or_else(|| Error::malformed(of, format!("the attribute {name} is missing")))
}

/// An element as canonical XML that stands on its own.
fn canonical(element: VerifiedElement<'_>) -> String {
    let mut out = Vec::new();
    c14n::canonicalize(element.element(), &c14n::Method::exclusive(), None, &mut out);
    // The source is text, and canonicalization cuts no characters.
    String::from_utf8(out).unwrap_or_default()
}

/// Sets what may occur once.
fn once<T>(slot: &mut Option<T>, value: T, of: &'static str, name: &'static str) -> Result<(), Error> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::malformed(of, format!("{name} occurs twice"))),
    }
}

fn unexpected<T>(element: VerifiedElement<'_>, of: &'static str) -> Result<T, Error> {
    let name: crate::Untrusted = element.local_name().into();
    Err(Error::malformed(of, format!("the element {name} does not belong here")))
}

/// The text of an element that has no element children.
fn simple_text(element: VerifiedElement<'_>, of: &'static str) -> Result<String, Error> {
    match element.children().next() {
        None => Ok(element.text().into_owned()),
        Some(child) => unexpected(child, of),
    }
}

fn audiences(element: VerifiedElement<'_>, version: Version, of: &'static str) -> Result<Vec<String>, Error> {
    element
        .children()
        .map(|child| match child.is(version.namespace(), "Audience") {
            true => Ok(simple_text(child, "Audience")?.trim_matches(WHITE_SPACE).to_owned()),
            false => unexpected(child, of),
        })
        .collect()
}

/// White space of XML, which schemas collapse in URIs.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

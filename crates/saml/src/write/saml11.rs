//! SAML 1.1 assertions.

use super::{optional, start, text_element, write_attribute, write_conditions};
use crate::{Assertion, AuthenticationStatement, Subject, Version};
use handstamp_xml::Writer;

const V: Version = Version::Saml11;

pub(super) fn write(assertion: &Assertion) -> Writer {
    let mut out = Writer::new();
    start("Assertion", V, &mut out);
    out.attribute("MajorVersion", "1");
    out.attribute("MinorVersion", "1");
    out.attribute("AssertionID", &assertion.id);
    out.attribute("Issuer", &assertion.issuer.value);
    out.attribute("IssueInstant", &assertion.issue_instant.milliseconds().to_string());
    if let Some(conditions) = &assertion.conditions {
        write_conditions(conditions, V, &mut out);
    }
    if !assertion.attributes.is_empty() {
        start("AttributeStatement", V, &mut out);
        subject(assertion.subject.as_ref(), &mut out);
        for attribute in &assertion.attributes {
            write_attribute(attribute, V, &mut out);
        }
        out.end();
    }
    for statement in &assertion.authentications {
        authentication_statement(statement, assertion.subject.as_ref(), &mut out);
    }
    out.end();
    out
}

fn subject(subject: Option<&Subject>, out: &mut Writer) {
    start("Subject", V, out);
    if let Some(subject) = subject {
        if let Some(name) = &subject.name_id {
            start("NameIdentifier", V, out);
            optional("Format", &name.format, out);
            optional("NameQualifier", &name.name_qualifier, out);
            out.text(&name.value);
            out.end();
        }
        if !subject.confirmations.is_empty() {
            start("SubjectConfirmation", V, out);
            for confirmation in &subject.confirmations {
                text_element("ConfirmationMethod", &confirmation.method, V, out);
            }
            if let Some(key_info) = subject.confirmations.iter().find_map(|confirmation| confirmation.key_info.as_ref())
            {
                out.canonical_fragment(key_info);
            }
            out.end();
        }
    }
    out.end();
}

fn authentication_statement(statement: &AuthenticationStatement, about: Option<&Subject>, out: &mut Writer) {
    start("AuthenticationStatement", V, out);
    out.attribute("AuthenticationMethod", statement.method.as_deref().unwrap_or(UNSPECIFIED));
    out.attribute("AuthenticationInstant", &statement.instant.milliseconds().to_string());
    subject(about, out);
    if statement.address.is_some() || statement.dns_name.is_some() {
        start("SubjectLocality", V, out);
        optional("IPAddress", &statement.address, out);
        optional("DNSAddress", &statement.dns_name, out);
        out.end();
    }
    out.end();
}

const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.0:am:unspecified";

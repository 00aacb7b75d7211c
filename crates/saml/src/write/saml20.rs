//! SAML 2.0 assertions.

use super::{optional, optional_time, start, text_element, write_attribute, write_conditions};
use crate::{
    Assertion, AuthenticationStatement, NameId, Subject, SubjectConfirmation, SubjectConfirmationData, Version,
};
use handstamp_xml::Writer;

const V: Version = Version::Saml20;

pub(super) fn write(assertion: &Assertion) -> Writer {
    let mut out = Writer::new();
    start("Assertion", V, &mut out);
    out.attribute("ID", &assertion.id);
    out.attribute("IssueInstant", &assertion.issue_instant.milliseconds().to_string());
    out.attribute("Version", "2.0");
    name_id("Issuer", &assertion.issuer, &mut out);
    if let Some(about) = &assertion.subject {
        subject(about, &mut out);
    }
    if let Some(conditions) = &assertion.conditions {
        write_conditions(conditions, V, &mut out);
    }
    if !assertion.attributes.is_empty() {
        start("AttributeStatement", V, &mut out);
        for attribute in &assertion.attributes {
            write_attribute(attribute, V, &mut out);
        }
        out.end();
    }
    for statement in &assertion.authentications {
        authn_statement(statement, &mut out);
    }
    out.end();
    out
}

fn name_id(element: &str, name: &NameId, out: &mut Writer) {
    start(element, V, out);
    optional("Format", &name.format, out);
    optional("NameQualifier", &name.name_qualifier, out);
    optional("SPNameQualifier", &name.sp_name_qualifier, out);
    optional("SPProvidedID", &name.sp_provided_id, out);
    out.text(&name.value);
    out.end();
}

fn subject(subject: &Subject, out: &mut Writer) {
    start("Subject", V, out);
    if let Some(name) = &subject.name_id {
        name_id("NameID", name, out);
    }
    for SubjectConfirmation { method, name_id: name, data, key_info } in &subject.confirmations {
        start("SubjectConfirmation", V, out);
        out.attribute("Method", method);
        if let Some(name) = name {
            name_id("NameID", name, out);
        }
        if *data != SubjectConfirmationData::default() || key_info.is_some() {
            start("SubjectConfirmationData", V, out);
            optional("Address", &data.address, out);
            optional("InResponseTo", &data.in_response_to, out);
            optional_time("NotBefore", data.not_before, out);
            optional_time("NotOnOrAfter", data.not_on_or_after, out);
            optional("Recipient", &data.recipient, out);
            if let Some(key_info) = key_info {
                out.canonical_fragment(key_info);
            }
            out.end();
        }
        out.end();
    }
    out.end();
}

fn authn_statement(statement: &AuthenticationStatement, out: &mut Writer) {
    start("AuthnStatement", V, out);
    out.attribute("AuthnInstant", &statement.instant.milliseconds().to_string());
    optional("SessionIndex", &statement.session_index, out);
    optional_time("SessionNotOnOrAfter", statement.session_not_on_or_after, out);
    if statement.address.is_some() || statement.dns_name.is_some() {
        start("SubjectLocality", V, out);
        optional("Address", &statement.address, out);
        optional("DNSName", &statement.dns_name, out);
        out.end();
    }
    start("AuthnContext", V, out);
    text_element("AuthnContextClassRef", statement.method.as_deref().unwrap_or(UNSPECIFIED), V, out);
    out.end();
    out.end();
}

const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";

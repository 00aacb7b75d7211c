//! SAML 1.1 assertions.

use super::{audiences, canonical, once, required, required_time, simple_text, text_attribute, time, unexpected};
use crate::{
    Assertion, AuthenticationStatement, Conditions, Error, NameId, Rejection, Subject, SubjectConfirmation,
    SubjectConfirmationData, Version,
};
use handstamp_xml::names::{DSIG, SAML11};
use handstamp_xml_security::signature::VerifiedElement;

pub(super) fn read(element: VerifiedElement<'_>) -> Result<Assertion, Error> {
    let version = [required(element, "Assertion", "MajorVersion")?, required(element, "Assertion", "MinorVersion")?];
    if version != ["1", "1"] {
        return Err(Error::malformed("Assertion", "the version is not 1.1"));
    }
    let mut assertion = Assertion {
        version: Version::Saml11,
        id: required(element, "Assertion", "AssertionID")?,
        issuer: NameId::new(required(element, "Assertion", "Issuer")?),
        issue_instant: required_time(element, "Assertion", "IssueInstant")?,
        subject: None,
        conditions: None,
        attributes: Vec::new(),
        authentications: Vec::new(),
    };
    let mut has_statement = false;
    for child in element.children() {
        if child.namespace() != SAML11 {
            return unexpected(child, "Assertion");
        }
        match child.local_name() {
            "Conditions" => once(&mut assertion.conditions, conditions(child)?, "Assertion", "Conditions")?,
            "Advice" => {}
            "AttributeStatement" => {
                has_statement = true;
                attribute_statement(child, &mut assertion)?;
            }
            "AuthenticationStatement" => {
                has_statement = true;
                authentication_statement(child, &mut assertion)?;
            }
            // Says what the subject may do at a resource; nobody here asks (SM §3.7.1).
            "AuthorizationDecisionStatement" => has_statement = true,
            _ => return unexpected(child, "Assertion"),
        }
    }
    if !has_statement {
        return Err(Error::malformed("Assertion", "it has no statement"));
    }
    Ok(assertion)
}

fn conditions(element: VerifiedElement<'_>) -> Result<Conditions, Error> {
    let mut conditions = Conditions {
        not_before: time(element, "Conditions", "NotBefore")?,
        not_on_or_after: time(element, "Conditions", "NotOnOrAfter")?,
        ..Conditions::default()
    };
    for child in element.children() {
        match child.local_name() {
            "AudienceRestrictionCondition" if child.namespace() == SAML11 => {
                let audiences = audiences(child, Version::Saml11, "AudienceRestrictionCondition")?;
                conditions.audience_restrictions.push(audiences);
            }
            "DoNotCacheCondition" if child.namespace() == SAML11 => conditions.do_not_cache = true,
            unknown => return Err(Rejection::UnknownCondition(unknown.into()).into()),
        }
    }
    Ok(conditions)
}

fn attribute_statement(element: VerifiedElement<'_>, assertion: &mut Assertion) -> Result<(), Error> {
    let mut subject_seen = None;
    for child in element.children() {
        if child.is(SAML11, "Subject") {
            once(&mut subject_seen, (), "AttributeStatement", "Subject")?;
            merge_subject(subject(child)?, assertion)?;
        } else if child.is(SAML11, "Attribute") {
            assertion.attributes.push(super::attribute_content(child, Version::Saml11)?);
        } else {
            return unexpected(child, "AttributeStatement");
        }
    }
    subject_seen.ok_or_else(|| Error::malformed("AttributeStatement", "it has no Subject"))
}

fn authentication_statement(element: VerifiedElement<'_>, assertion: &mut Assertion) -> Result<(), Error> {
    let mut statement = AuthenticationStatement {
        method: Some(required(element, "AuthenticationStatement", "AuthenticationMethod")?),
        instant: required_time(element, "AuthenticationStatement", "AuthenticationInstant")?,
        session_index: None,
        session_not_on_or_after: None,
        address: None,
        dns_name: None,
    };
    let mut subject_seen = None;
    for child in element.children() {
        if child.is(SAML11, "Subject") {
            once(&mut subject_seen, (), "AuthenticationStatement", "Subject")?;
            merge_subject(subject(child)?, assertion)?;
        } else if child.is(SAML11, "SubjectLocality") {
            statement.address = text_attribute(child, "IPAddress");
            statement.dns_name = text_attribute(child, "DNSAddress");
        } else if !child.is(SAML11, "AuthorityBinding") {
            return unexpected(child, "AuthenticationStatement");
        }
    }
    assertion.authentications.push(statement);
    subject_seen.ok_or_else(|| Error::malformed("AuthenticationStatement", "it has no Subject"))
}

/// Every statement of 1.1 carries the subject anew. All must mean the same one, or the claims of two people would
/// become one identity.
fn merge_subject(new: Subject, assertion: &mut Assertion) -> Result<(), Error> {
    let Some(subject) = &mut assertion.subject else {
        assertion.subject = Some(new);
        return Ok(());
    };
    match (&subject.name_id, new.name_id) {
        (Some(old), Some(name_id)) if *old != name_id => {
            return Err(Error::malformed("Assertion", "its statements are about different subjects"));
        }
        (None, Some(name_id)) => subject.name_id = Some(name_id),
        _ => {}
    }
    for confirmation in new.confirmations {
        if !subject.confirmations.contains(&confirmation) {
            subject.confirmations.push(confirmation);
        }
    }
    Ok(())
}

fn subject(element: VerifiedElement<'_>) -> Result<Subject, Error> {
    let (mut name_id, mut confirmation) = (None, None);
    for child in element.children() {
        if child.is(SAML11, "NameIdentifier") {
            let name = NameId {
                value: simple_text(child, "NameIdentifier")?,
                format: text_attribute(child, "Format"),
                name_qualifier: text_attribute(child, "NameQualifier"),
                ..NameId::default()
            };
            once(&mut name_id, name, "Subject", "NameIdentifier")?;
        } else if child.is(SAML11, "SubjectConfirmation") {
            once(&mut confirmation, confirmations(child)?, "Subject", "SubjectConfirmation")?;
        } else {
            return unexpected(child, "Subject");
        }
    }
    Ok(Subject { name_id, confirmations: confirmation.unwrap_or_default() })
}

/// One element of 1.1 may name several methods.
fn confirmations(element: VerifiedElement<'_>) -> Result<Vec<SubjectConfirmation>, Error> {
    let mut methods = Vec::new();
    let mut key_info = None;
    for child in element.children() {
        if child.is(SAML11, "ConfirmationMethod") {
            methods.push(simple_text(child, "ConfirmationMethod")?.trim_matches(super::WHITE_SPACE).to_owned());
        } else if child.is(DSIG, "KeyInfo") {
            once(&mut key_info, canonical(child), "SubjectConfirmation", "KeyInfo")?;
        } else if !child.is(SAML11, "SubjectConfirmationData") {
            return unexpected(child, "SubjectConfirmation");
        }
    }
    if methods.is_empty() {
        return Err(Error::malformed("SubjectConfirmation", "it has no ConfirmationMethod"));
    }
    let data = SubjectConfirmationData::default();
    Ok(methods
        .into_iter()
        .map(|method| SubjectConfirmation { method, name_id: None, data: data.clone(), key_info: key_info.clone() })
        .collect())
}

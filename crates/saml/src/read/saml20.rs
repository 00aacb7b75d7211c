//! SAML 2.0 assertions.

use super::{audiences, canonical, once, required, required_time, simple_text, text_attribute, time, unexpected};
use crate::{
    Assertion, AuthenticationStatement, Conditions, Error, NameId, ProxyRestriction, Rejection, Subject,
    SubjectConfirmation, SubjectConfirmationData, Version,
};
use handstamp_xml::names::{DSIG, SAML20};
use handstamp_xml_security::signature::VerifiedElement;

pub(super) fn read(element: VerifiedElement<'_>) -> Result<Assertion, Error> {
    if required(element, "Assertion", "Version")? != "2.0" {
        return Err(Error::malformed("Assertion", "the version is not 2.0"));
    }
    let mut issuer = None;
    let mut assertion = Assertion {
        version: Version::Saml20,
        id: required(element, "Assertion", "ID")?,
        issuer: NameId::default(),
        issue_instant: required_time(element, "Assertion", "IssueInstant")?,
        subject: None,
        conditions: None,
        attributes: Vec::new(),
        authentications: Vec::new(),
    };
    for child in element.children() {
        if child.namespace() != SAML20 {
            return unexpected(child, "Assertion");
        }
        match child.local_name() {
            "Issuer" => once(&mut issuer, name_id(child, "Issuer")?, "Assertion", "Issuer")?,
            "Subject" => once(&mut assertion.subject, subject(child)?, "Assertion", "Subject")?,
            "Conditions" => once(&mut assertion.conditions, conditions(child)?, "Assertion", "Conditions")?,
            "Advice" => {}
            "AttributeStatement" => attribute_statement(child, &mut assertion)?,
            "AuthnStatement" => assertion.authentications.push(authn_statement(child)?),
            // Says what the subject may do at a resource; nobody here asks (SM §3.7.1).
            "AuthzDecisionStatement" => {}
            _ => return unexpected(child, "Assertion"),
        }
    }
    assertion.issuer = issuer.ok_or_else(|| Error::malformed("Assertion", "it has no Issuer"))?;
    Ok(assertion)
}

fn name_id(element: VerifiedElement<'_>, of: &'static str) -> Result<NameId, Error> {
    Ok(NameId {
        value: simple_text(element, of)?,
        format: text_attribute(element, "Format"),
        name_qualifier: text_attribute(element, "NameQualifier"),
        sp_name_qualifier: text_attribute(element, "SPNameQualifier"),
        sp_provided_id: text_attribute(element, "SPProvidedID"),
    })
}

fn subject(element: VerifiedElement<'_>) -> Result<Subject, Error> {
    let mut name = None;
    let mut confirmations = Vec::new();
    for child in element.children() {
        if child.namespace() != SAML20 {
            return unexpected(child, "Subject");
        }
        match child.local_name() {
            "NameID" => once(&mut name, name_id(child, "NameID")?, "Subject", "NameID")?,
            "EncryptedID" => return Err(Error::Encrypted("EncryptedID")),
            "SubjectConfirmation" => confirmations.push(confirmation(child)?),
            _ => return unexpected(child, "Subject"),
        }
    }
    Ok(Subject { name_id: name, confirmations })
}

fn confirmation(element: VerifiedElement<'_>) -> Result<SubjectConfirmation, Error> {
    let mut confirmation = SubjectConfirmation {
        method: required(element, "SubjectConfirmation", "Method")?,
        ..SubjectConfirmation::default()
    };
    let mut data = None;
    for child in element.children() {
        if child.is(SAML20, "NameID") {
            once(&mut confirmation.name_id, name_id(child, "NameID")?, "SubjectConfirmation", "NameID")?;
        } else if child.is(SAML20, "EncryptedID") {
            return Err(Error::Encrypted("EncryptedID"));
        } else if child.is(SAML20, "SubjectConfirmationData") {
            once(&mut data, confirmation_data(child)?, "SubjectConfirmation", "SubjectConfirmationData")?;
            // The schema leaves the content open; a key is the only content that means something.
            for key_info in child.children().filter(|content| content.is(DSIG, "KeyInfo")) {
                once(&mut confirmation.key_info, canonical(key_info), "SubjectConfirmationData", "KeyInfo")?;
            }
        } else {
            return unexpected(child, "SubjectConfirmation");
        }
    }
    confirmation.data = data.unwrap_or_default();
    Ok(confirmation)
}

fn confirmation_data(element: VerifiedElement<'_>) -> Result<SubjectConfirmationData, Error> {
    Ok(SubjectConfirmationData {
        not_before: time(element, "SubjectConfirmationData", "NotBefore")?,
        not_on_or_after: time(element, "SubjectConfirmationData", "NotOnOrAfter")?,
        recipient: text_attribute(element, "Recipient"),
        in_response_to: text_attribute(element, "InResponseTo"),
        address: text_attribute(element, "Address"),
    })
}

fn conditions(element: VerifiedElement<'_>) -> Result<Conditions, Error> {
    let mut conditions = Conditions {
        not_before: time(element, "Conditions", "NotBefore")?,
        not_on_or_after: time(element, "Conditions", "NotOnOrAfter")?,
        ..Conditions::default()
    };
    for child in element.children() {
        match child.local_name() {
            "AudienceRestriction" if child.namespace() == SAML20 => {
                let audiences = audiences(child, Version::Saml20, "AudienceRestriction")?;
                conditions.audience_restrictions.push(audiences);
            }
            "OneTimeUse" if child.namespace() == SAML20 => conditions.one_time_use = true,
            "ProxyRestriction" if child.namespace() == SAML20 => {
                let restriction = proxy_restriction(child)?;
                once(&mut conditions.proxy_restriction, restriction, "Conditions", "ProxyRestriction")?;
            }
            unknown => return Err(Rejection::UnknownCondition(unknown.into()).into()),
        }
    }
    Ok(conditions)
}

fn proxy_restriction(element: VerifiedElement<'_>) -> Result<ProxyRestriction, Error> {
    let count = text_attribute(element, "Count")
        .map(|count| count.parse().map_err(|_| Error::malformed("ProxyRestriction", "Count is not a number")))
        .transpose()?;
    Ok(ProxyRestriction { count, audiences: audiences(element, Version::Saml20, "ProxyRestriction")? })
}

fn attribute_statement(element: VerifiedElement<'_>, assertion: &mut Assertion) -> Result<(), Error> {
    for child in element.children() {
        if child.is(SAML20, "Attribute") {
            assertion.attributes.push(super::attribute_content(child, Version::Saml20)?);
        } else if child.is(SAML20, "EncryptedAttribute") {
            return Err(Error::Encrypted("EncryptedAttribute"));
        } else {
            return unexpected(child, "AttributeStatement");
        }
    }
    Ok(())
}

fn authn_statement(element: VerifiedElement<'_>) -> Result<AuthenticationStatement, Error> {
    let mut statement = AuthenticationStatement {
        method: None,
        instant: required_time(element, "AuthnStatement", "AuthnInstant")?,
        session_index: text_attribute(element, "SessionIndex"),
        session_not_on_or_after: time(element, "AuthnStatement", "SessionNotOnOrAfter")?,
        address: None,
        dns_name: None,
    };
    let mut context_seen = None;
    for child in element.children() {
        if child.is(SAML20, "SubjectLocality") {
            statement.address = text_attribute(child, "Address");
            statement.dns_name = text_attribute(child, "DNSName");
        } else if child.is(SAML20, "AuthnContext") {
            once(&mut context_seen, (), "AuthnStatement", "AuthnContext")?;
            statement.method = authn_context(child)?;
        } else {
            return unexpected(child, "AuthnStatement");
        }
    }
    match context_seen {
        Some(()) => Ok(statement),
        None => Err(Error::malformed("AuthnStatement", "it has no AuthnContext")),
    }
}

fn authn_context(element: VerifiedElement<'_>) -> Result<Option<String>, Error> {
    let mut class = None;
    for child in element.children() {
        if child.namespace() != SAML20 {
            return unexpected(child, "AuthnContext");
        }
        match child.local_name() {
            "AuthnContextClassRef" => {
                let uri = simple_text(child, "AuthnContextClassRef")?.trim_matches(super::WHITE_SPACE).to_owned();
                once(&mut class, uri, "AuthnContext", "AuthnContextClassRef")?;
            }
            "AuthnContextDeclRef" => return Err(Error::DeclarationReference),
            "AuthnContextDecl" | "AuthenticatingAuthority" => {}
            _ => return unexpected(child, "AuthnContext"),
        }
    }
    Ok(class)
}

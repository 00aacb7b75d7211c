//! `<securityTokenHandlers>`: what WIF reads tokens and its own sessions with.

use handstamp_claims::claim_types;
use handstamp_xml::Element;

use super::draft::{Draft, SessionHandler, quote};
use super::identity::{CODE, read_certificate_setting};
use super::protection::CookieProtection;
use super::report::Outcome;
use super::settings::{attribute, line, named, settings, type_of};
use crate::config::{RsaOrder, format_duration};

/// The session handler that WIF has without being told.
const DEFAULT: &str = "SessionSecurityTokenHandler";
/// The session handler that protects cookies with the machine key.
const MACHINE_KEY: &str = "MachineKeySessionSecurityTokenHandler";

pub(super) fn read(collection: Element<'_>, draft: &mut Draft) {
    let name = attribute(collection, "name").unwrap_or("");
    if !name.is_empty() {
        return draft
            .unsupported(collection, "a named collection is for services that act for others; there is none here");
    }
    let mut session = Some((DEFAULT, None));
    for item in collection.children() {
        let kind = type_of(item);
        match item.local_name() {
            "securityTokenHandlerConfiguration" => {}
            "clear" => {
                session = None;
                fixed(item, draft);
            }
            "remove" => {
                session = session.filter(|(present, _)| *present != kind);
                fixed(item, draft);
            }
            "add" if is_session_handler(item) => {
                match session {
                    // Adding the default once more is a way to give it settings.
                    Some((DEFAULT, None)) if kind == DEFAULT => {}
                    Some((present, at)) => refuse_second(item, present, at, draft),
                    None => {}
                }
                session = Some((kind, Some(line(item))));
                read_session_handler(item, kind, draft);
            }
            "add" => read_handler(item, kind, draft),
            _ => draft.unknown_element(item),
        }
    }
    if session.is_none() {
        let why = "has no session handler: WIF cannot keep anybody signed in. The gateway can";
        draft.unsupported(collection, why);
    }
}

fn fixed(item: Element<'_>, draft: &mut Draft) {
    let why = "the list of handlers is fixed: SAML 1.1, SAML 2.0 and the session";
    draft.element(item, Outcome::Ignored(why.to_owned()));
}

/// WIF's own session handlers, and those that name a setting or a transform of sessions.
fn is_session_handler(handler: Element<'_>) -> bool {
    let kind = type_of(handler);
    kind.ends_with(DEFAULT)
        || handler.children().any(|child| named(child, "sessionTokenRequirement"))
        || handler.descendants().any(|inner| transform(inner).is_some())
}

/// A collection holds one handler for a kind of token.
fn refuse_second(handler: Element<'_>, present: &str, at: Option<usize>, draft: &mut Draft) {
    let message = match at {
        Some(at) => format!("a second session handler beside that of line {at}: WIF refuses both; remove one"),
        None => format!(
            "a session handler beside WIF's own: WIF refuses both; put <remove type=\"System.IdentityModel.Tokens.{present}, \
             System.IdentityModel, Version=4.0.0.0, Culture=neutral, PublicKeyToken=B77A5C561934E089\"/> before it"
        ),
    };
    draft.problem(Some(line(handler)), message);
}

fn read_session_handler(handler: Element<'_>, kind: &str, draft: &mut Draft) {
    draft.protection = match kind {
        DEFAULT => CookieProtection::DataProtection,
        MACHINE_KEY => CookieProtection::MachineKey,
        _ => {
            let (protection, deflate) = chain(handler).unwrap_or((CookieProtection::Unknown, true));
            draft.uncompressed = !deflate;
            protection
        }
    };
    draft.session_handler = SessionHandler::of(handler);
    let mut requirement = None;
    for child in handler.children() {
        if named(child, "sessionTokenRequirement") {
            if let Some(first) = requirement.replace(line(child)) {
                let message =
                    format!("<sessionTokenRequirement> stands here a second time, as in line {first} (ID7026)");
                draft.problem(Some(line(child)), message);
            }
            read_session_requirement(child, draft);
        } else if child.descendants().all(|inner| transform(inner).is_none()) {
            draft.unsupported(child, CODE);
        }
    }
}

/// What protects cookies behind the transforms of WIF below a handler that is code, wherever it keeps them, and whether they
/// are compressed first. None for a chain that the gateway has no settings for.
fn chain(handler: Element<'_>) -> Option<(CookieProtection, bool)> {
    let transforms: Vec<_> = handler.descendants().filter_map(transform).collect();
    let (deflate, protecting) = match transforms.as_slice() {
        [Transform::Deflate, protecting @ ..] => (true, protecting),
        protecting => (false, protecting),
    };
    let protection = match protecting {
        [Transform::Signature, Transform::Encryption] => CookieProtection::Rsa(RsaOrder::SignFirst),
        [Transform::Encryption, Transform::Signature] => CookieProtection::Rsa(RsaOrder::EncryptFirst),
        [Transform::MachineKey] => CookieProtection::MachineKey,
        [Transform::DataProtection] => CookieProtection::DataProtection,
        _ => return None,
    };
    Some((protection, deflate))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transform {
    Deflate,
    Signature,
    Encryption,
    MachineKey,
    DataProtection,
}

/// The cookie transform of WIF that an element names.
fn transform(element: Element<'_>) -> Option<Transform> {
    match type_of(element) {
        "DeflateCookieTransform" => Some(Transform::Deflate),
        "RsaSignatureCookieTransform" => Some(Transform::Signature),
        "RsaEncryptionCookieTransform" => Some(Transform::Encryption),
        "MachineKeyTransform" => Some(Transform::MachineKey),
        "ProtectedDataCookieTransform" => Some(Transform::DataProtection),
        _ => None,
    }
}

fn read_session_requirement(requirement: Element<'_>, draft: &mut Draft) {
    for setting in settings(requirement) {
        match setting.name.as_str() {
            "lifetime" => {
                let literal = match setting.duration() {
                    Ok(lifetime) if lifetime.is_zero() => Err("must be longer than zero".to_owned()),
                    Ok(lifetime) => Ok(quote(&format_duration(lifetime))),
                    Err(why) if setting.value.trim().starts_with('-') => Err(format!("{why} (ID7018)")),
                    Err(why) => Err(format!("{why} (ID7017)")),
                };
                draft.carry_checked(&setting, "federation.app.session.absolute_timeout", literal);
            }
            // WIF 3.5 has three more.
            "securitytokencachetype" | "securitytokencachesize" => {
                draft.refuse(&setting, "sessions in reference mode are kept in [store]; its size needs no setting");
            }
            "usewindowstokenservice" => refuse_unless_off(&setting, draft),
            _ => draft.wrong(&setting, "is refused by WIF, too (ID7004): only lifetime may stand here"),
        }
    }
}

fn refuse_unless_off(setting: &super::settings::Setting, draft: &mut Draft) {
    match setting.boolean() {
        Ok(false) => draft.ignore(setting, "there are no Windows accounts here"),
        Ok(true) => draft.refuse(setting, "there are no Windows accounts here: map users in the application"),
        Err(why) => draft.wrong(setting, &why),
    }
}

fn read_handler(handler: Element<'_>, kind: &str, draft: &mut Draft) {
    match kind {
        "SamlSecurityTokenHandler" | "Saml2SecurityTokenHandler" | "Saml11SecurityTokenHandler" => {
            draft.element(handler, Outcome::Ignored("is built in".to_owned()));
        }
        "EncryptedSecurityTokenHandler" => {
            let why = "is built in; the keys are in federation.app.decryption_keys";
            draft.element(handler, Outcome::Ignored(why.to_owned()));
        }
        "KerberosSecurityTokenHandler"
        | "RsaSecurityTokenHandler"
        | "WindowsUserNameSecurityTokenHandler"
        | "MembershipUserNameSecurityTokenHandler"
        | "X509SecurityTokenHandler" => {
            let why = "is for services; a browser brings no such token";
            draft.element(handler, Outcome::Ignored(why.to_owned()));
            return;
        }
        "" => draft.problem(Some(line(handler)), "<add> has no type, which is required"),
        _ => draft.unsupported(handler, CODE),
    }
    draft.refuse_repeated(handler, &["samlSecurityTokenRequirement"]);
    for child in handler.children() {
        match child.local_name() {
            "samlSecurityTokenRequirement" => read_saml_requirement(child, draft),
            _ => draft.unsupported(child, CODE),
        }
    }
}

fn read_saml_requirement(requirement: Element<'_>, draft: &mut Draft) {
    draft.refuse_repeated(requirement, &["nameClaimType", "roleClaimType"]);
    for setting in settings(requirement) {
        match setting.name.as_str() {
            "maptowindows" | "usewindowstokenservice" => refuse_unless_off(&setting, draft),
            "issuercertificatevalidationmode"
            | "issuercertificaterevocationmode"
            | "issuercertificatetrustedstorelocation" => read_certificate_setting(&setting, draft),
            "issuercertificatevalidator" => draft.refuse(&setting, CODE),
            _ => draft.unknown(&setting),
        }
    }
    for claim_type in requirement.children() {
        let value = attribute(claim_type, "value");
        match claim_type.local_name() {
            "nameClaimType" if value == Some(claim_types::NAME.as_str()) => same_default(claim_type, draft),
            "roleClaimType" if value == Some(claim_types::ROLE.as_str()) => same_default(claim_type, draft),
            "nameClaimType" => draft.unsupported(
                claim_type,
                "the name is always the name claim: name this claim in web.NAME.claims_to_headers",
            ),
            "roleClaimType" => draft.unsupported(
                claim_type,
                "web.NAME.required_roles looks at the role claim only: have the issuer send roles under it, or name this \
                 claim in web.NAME.claims_to_headers",
            ),
            _ => draft.unknown_element(claim_type),
        }
    }
}

fn same_default(claim_type: Element<'_>, draft: &mut Draft) {
    draft.element(claim_type, Outcome::Ignored("is the default here, too".to_owned()));
}

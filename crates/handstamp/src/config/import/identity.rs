//! `<system.identityModel>`: trust, audiences and token handlers.

use handstamp_xml::Element;

use super::draft::{Draft, quote, quote_list};
use super::report::Outcome;
use super::selection::Named;
use super::settings::{Setting, attribute, line, named, settings, type_of};
use super::{handlers, issuers};
use crate::config::format_duration;

/// Why code of the application cannot be taken over.
pub(super) const CODE: &str = "names code of yours, which cannot run here";

/// What may stand once in an `identityConfiguration`, a handler configuration, or a service of WIF 3.5.
const ONCE: [&str; 16] = [
    "applicationService",
    "audienceUris",
    "caches",
    "certificateValidation",
    "claimTypeRequired",
    "claimsAuthenticationManager",
    "claimsAuthorizationManager",
    "federatedAuthentication",
    "issuerNameRegistry",
    "issuerTokenResolver",
    "maximumClockSkew",
    "securityTokenHandlerConfiguration",
    "serviceCertificate",
    "serviceTokenResolver",
    "tokenReplayDetection",
    "sessionSecurityTokenCache",
];

/// The `identityConfiguration` that holds: the one that the federation names, the unnamed one, or the only one (SM-45).
pub(super) fn select<'d>(
    section: Option<Element<'d>>,
    federation: Option<Element<'_>>,
    draft: &mut Draft,
) -> Option<Element<'d>> {
    let all = Named::of(section?, "identityConfiguration", draft);
    let asked = federation.and_then(|federation| attribute(federation, "identityConfigurationName"));
    let how = "say which with identityConfigurationName of the <federationConfiguration>";
    let chosen = all.choose(asked, federation.map(line), how, draft)?;
    for other in all.others(chosen) {
        let why = format!("the relying party uses the one of line {}", line(chosen));
        draft.element(other, Outcome::Ignored(why));
    }
    Some(chosen)
}

/// Reads an `identityConfiguration`, or the `service` of WIF 3.5, whose other children are the caller's.
pub(super) fn read(identity: Element<'_>, draft: &mut Draft, mut other: impl FnMut(Element<'_>, &mut Draft)) {
    // A handler collection's own settings hold before those of the service.
    let mut holders = vec![identity];
    let mut names: Vec<&str> = Vec::new();
    for collection in identity.children().filter(|child| named(*child, "securityTokenHandlers")) {
        let name = attribute(collection, "name").unwrap_or("");
        if names.contains(&name) {
            draft.problem(Some(line(collection)), format!("a second <securityTokenHandlers> named {name:?}"));
        }
        names.push(name);
        if name.is_empty() {
            draft.refuse_repeated(collection, &["securityTokenHandlerConfiguration"]);
            holders.extend(collection.children().filter(|child| named(*child, "securityTokenHandlerConfiguration")));
        }
    }
    holders.extend(identity.children().filter(|child| named(*child, "securityTokenHandlerConfiguration")));
    for holder in holders {
        draft.refuse_repeated(holder, &ONCE);
        read_attributes(holder, draft);
        for child in holder.children() {
            if !read_child(child, draft) {
                other(child, draft);
            }
        }
    }
}

fn read_attributes(holder: Element<'_>, draft: &mut Draft) {
    for setting in settings(holder) {
        match setting.name.as_str() {
            "name" => draft.ignore(&setting, "there is one relying party"),
            "savebootstrapcontext" | "savebootstraptokens" => match setting.boolean() {
                Ok(false) => draft.ignore(&setting, "the issuer's token is never kept"),
                Ok(true) => draft.refuse(&setting, "the issuer's token is never kept: applications cannot act with it"),
                Err(why) => draft.wrong(&setting, &why),
            },
            "maximumclockskew" => read_clock_skew(&setting, draft),
            _ => draft.unknown(&setting),
        }
    }
}

/// The skew of both clocks: the issuer's, and that of whoever made a session.
pub(super) fn read_clock_skew(setting: &Setting, draft: &mut Draft) {
    let literal = match setting.duration() {
        Err(why) if setting.value.trim().starts_with('-') => Err(format!("{why} (ID2070)")),
        skew => skew.map(|skew| quote(&format_duration(skew))),
    };
    draft.carry_checked(setting, "federation.app.clock_skew", literal);
}

/// Reads a child that both versions of WIF have; says whether it was one.
fn read_child(child: Element<'_>, draft: &mut Draft) -> bool {
    match child.local_name() {
        "audienceUris" => read_audiences(child, draft),
        "issuerNameRegistry" => issuers::read(child, draft),
        "securityTokenHandlers" => handlers::read(child, draft),
        "securityTokenHandlerConfiguration" => {}
        "tokenReplayDetection" => read_replay_detection(child, draft),
        "certificateValidation" => read_certificate_validation(child, draft),
        "caches" => read_caches(child, draft),
        "claimTypeRequired" => {
            let why = "is for metadata and tools; WIF does not enforce it either";
            draft.element(child, Outcome::Ignored(why.to_owned()));
        }
        "claimsAuthenticationManager" | "claimsAuthorizationManager" => {
            let base = ["ClaimsAuthenticationManager", "ClaimsAuthorizationManager"].contains(&type_of(child));
            if base {
                draft.element(child, Outcome::Ignored("is WIF's own, which changes and refuses nothing".to_owned()));
            } else {
                draft.unsupported(
                    child,
                    "names code of yours, which cannot run here: use web.NAME.required_roles and claims_to_headers, or do \
                     it in the application",
                );
            }
        }
        "issuerTokenResolver" | "serviceTokenResolver" => draft.unsupported(child, CODE),
        _ => return false,
    }
    true
}

fn read_audiences(element: Element<'_>, draft: &mut Draft) {
    for setting in settings(element) {
        match (setting.name.as_str(), setting.value.to_ascii_lowercase().as_str()) {
            ("mode", "always") => draft.ignore(&setting, "the audience is always checked"),
            ("mode", "bearerkeyonly" | "never") => {
                draft.refuse(
                    &setting,
                    "the audience is always checked: list every audience in federation.app.audiences",
                );
            }
            ("mode", _) => draft.wrong(&setting, "must be Always, BearerKeyOnly or Never"),
            _ => draft.unknown(&setting),
        }
    }
    let audiences = audiences(element, draft);
    if !audiences.is_empty() {
        draft.set("federation.app.audiences", quote_list(&audiences), line(element));
        draft.element(element, Outcome::Carried("federation.app.audiences".to_owned()));
    }
}

/// The audiences of an `audienceUris`.
pub(super) fn audiences(element: Element<'_>, draft: &mut Draft) -> Vec<String> {
    let mut audiences: Vec<String> = Vec::new();
    for item in element.children() {
        if let Some(Edit::Add(setting)) = Edit::of(item, "value", draft) {
            if audiences.contains(&setting.value) {
                draft.ignore(&setting, "is in the list already");
            } else {
                audiences.push(setting.value);
            }
        } else if named(item, "remove") {
            audiences.retain(|audience| attribute(item, "value") != Some(audience));
        } else if named(item, "clear") {
            audiences.clear();
        }
    }
    audiences
}

/// An entry of a list that may also be taken from.
pub(super) enum Edit {
    /// `<add>`, with the attribute that is its key.
    Add(Setting),
    /// `<remove>` or `<clear>`.
    Remove,
}

impl Edit {
    /// Reads an entry whose key is the attribute `key`; what is none, or has no key, is reported.
    pub(super) fn of(item: Element<'_>, key: &str, draft: &mut Draft) -> Option<Self> {
        let setting = settings(item).into_iter().find(|setting| setting.name == key);
        match (item.local_name(), setting) {
            ("clear", _) | ("remove", Some(_)) => return Some(Self::Remove),
            ("add", Some(setting)) => return Some(Self::Add(setting)),
            ("add" | "remove", None) => {
                draft.problem(Some(line(item)), format!("<{}> has no {key}, which is required", item.local_name()));
            }
            _ => draft.unknown_element(item),
        }
        None
    }
}

fn read_replay_detection(element: Element<'_>, draft: &mut Draft) {
    for setting in settings(element) {
        match setting.name.as_str() {
            "enabled" => {
                let literal = setting.boolean().map(|value| value.to_string());
                draft.carry_checked(&setting, "federation.app.detect_replay", literal);
            }
            "expirationperiod" => match setting.duration() {
                Ok(_) => draft.ignore(&setting, "a token is remembered until it ends, and refused after that anyway"),
                Err(why) => draft.wrong(&setting, &why),
            },
            "capacity" | "purgeinterval" => {
                draft.ignore(&setting, "what is remembered is in [store], and purged once a minute");
            }
            _ => draft.unknown(&setting),
        }
    }
    for cache in element.children() {
        draft.unsupported(cache, "names a cache of your own: uses of a token are remembered in [store]");
    }
}

/// Settings of certificates, wherever they stand.
pub(super) fn read_certificate_setting(setting: &Setting, draft: &mut Draft) {
    let known: &[&str] = match setting.name.as_str() {
        name if name.ends_with("validationmode") => &["none", "peertrust", "chaintrust", "peerorchaintrust", "custom"],
        name if name.ends_with("revocationmode") => &["nocheck", "online", "offline"],
        _ => &["localmachine", "currentuser"],
    };
    if known.contains(&setting.value.to_ascii_lowercase().as_str()) {
        draft.ignore(setting, "the issuer's certificate is pinned: exactly those named in issuer.sts sign");
    } else {
        draft.wrong(setting, &format!("must be one of {}", known.join(", ")));
    }
}

fn read_certificate_validation(element: Element<'_>, draft: &mut Draft) {
    let mut custom = None;
    for setting in settings(element) {
        match setting.name.as_str() {
            "certificatevalidationmode" | "revocationmode" | "trustedstorelocation" => {
                read_certificate_setting(&setting, draft);
                if setting.value.eq_ignore_ascii_case("custom") {
                    custom = Some(setting.line);
                }
            }
            _ => draft.unknown(&setting),
        }
    }
    if let Some(line) = custom
        && element.children().next().is_none()
    {
        draft.problem(Some(line), "certificateValidationMode is Custom, but there is no certificateValidator (ID4280)");
    }
    for validator in element.children() {
        draft.unsupported(validator, CODE);
    }
}

fn read_caches(element: Element<'_>, draft: &mut Draft) {
    draft.refuse_repeated(element, &["tokenReplayCache", "sessionSecurityTokenCache"]);
    for cache in element.children() {
        match (cache.local_name(), type_of(cache)) {
            ("sessionSecurityTokenCache", "MruSessionSecurityTokenCache") => {
                draft.element(cache, Outcome::Ignored("is WIF's own, which forgets at every restart".to_owned()));
            }
            ("sessionSecurityTokenCache", _) => draft.unsupported(
                cache,
                "names a cache of your own: to keep sessions here, set session.mode = \"reference\" and [store] kind = \
                 \"sqlite\"",
            ),
            ("tokenReplayCache", _) => {
                draft.unsupported(cache, "names a cache of your own: uses of a token are remembered in [store]");
            }
            _ => draft.unknown_element(cache),
        }
    }
}

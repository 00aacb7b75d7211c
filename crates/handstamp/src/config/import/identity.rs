//! `<system.identityModel>`: trust, audiences and token handlers.

use handstamp_xml::Element;

use super::draft::{Draft, quote, quote_list};
use super::report::Outcome;
use super::services::refuse_equal_names;
use super::settings::{Setting, attribute, line, named, settings};
use crate::config::format_duration;

const SLIP: &str = "is not a setting of this element: is it a slip?";
const CODE: &str = "names code of yours, which cannot run here";

/// The `identityConfiguration` that holds: the wanted one, the unnamed one, or the only one (SM-45).
pub(super) fn select<'d>(
    section: Option<Element<'d>>,
    wanted: Option<&str>,
    federation: Option<Element<'_>>,
    draft: &mut Draft,
) -> Option<Element<'d>> {
    let (all, others): (Vec<_>, Vec<_>) =
        section.into_iter().flat_map(Element::children).partition(|child| named(*child, "identityConfiguration"));
    for other in others {
        draft.unsupported(other, "is not a setting of this section: is it a slip?");
    }
    refuse_equal_names(&all, draft);
    let by_name = |name: &str| all.iter().copied().find(|element| attribute(*element, "name").unwrap_or("") == name);
    let chosen = match (wanted.filter(|name| !name.is_empty()), all.as_slice()) {
        (Some(name), _) => {
            let found = by_name(name);
            if found.is_none() {
                let message = format!("identityConfigurationName: there is no <identityConfiguration> named {name:?}");
                draft.problem(federation.map(line), message);
            }
            found?
        }
        (None, []) => return None,
        (None, [only]) => *only,
        (None, [first, ..]) => match by_name("") {
            Some(unnamed) => unnamed,
            None => {
                let message = "several named <identityConfiguration> and none without a name: say which with identityConfigurationName";
                draft.problem(Some(line(*first)), message);
                return None;
            }
        },
    };
    for other in all.iter().filter(|element| element.id() != chosen.id()) {
        let why = format!("the relying party uses the one of line {}", line(chosen));
        draft.element(*other, Outcome::Ignored(why));
    }
    Some(chosen)
}

pub(super) fn read(identity: Option<Element<'_>>, draft: &mut Draft) {
    let Some(identity) = identity else { return };
    // A handler collection's own settings hold before those of the service.
    let mut holders = vec![identity];
    for collection in identity.children().filter(|child| named(*child, "securityTokenHandlers")) {
        if attribute(collection, "name").unwrap_or("").is_empty() {
            holders.extend(collection.children().filter(|child| named(*child, "securityTokenHandlerConfiguration")));
        }
    }
    holders.extend(identity.children().filter(|child| named(*child, "securityTokenHandlerConfiguration")));
    for holder in holders {
        read_attributes(holder, draft);
        for child in holder.children() {
            read_child(child, draft);
        }
    }
}

fn read_attributes(holder: Element<'_>, draft: &mut Draft) {
    for setting in settings(holder) {
        match setting.name.as_str() {
            "name" => draft.ignore(&setting, "there is one relying party"),
            "savebootstrapcontext" => match setting.boolean() {
                Ok(false) => draft.ignore(&setting, "the issuer's token is never kept"),
                Ok(true) => draft.refuse(&setting, "the issuer's token is never kept: applications cannot act with it"),
                Err(why) => draft.wrong(&setting, &why),
            },
            "maximumclockskew" => {
                let literal = setting.duration().map(|skew| quote(&format_duration(skew)));
                draft.carry_checked(&setting, "federation.app.clock_skew", literal);
            }
            _ => draft.refuse(&setting, SLIP),
        }
    }
}

fn read_child(child: Element<'_>, draft: &mut Draft) {
    match child.local_name() {
        "audienceUris" => read_audiences(child, draft),
        "issuerNameRegistry" => read_issuer_names(child, draft),
        "securityTokenHandlers" => read_handlers(child, draft),
        "securityTokenHandlerConfiguration" => {}
        "tokenReplayDetection" => {
            for setting in settings(child) {
                match setting.name.as_str() {
                    "enabled" => {
                        let literal = setting.boolean().map(|value| value.to_string());
                        draft.carry_checked(&setting, "federation.app.detect_replay", literal);
                    }
                    "expirationperiod" => {
                        draft.ignore(&setting, "a token is remembered until it ends, and refused after that anyway");
                    }
                    _ => draft.refuse(&setting, SLIP),
                }
            }
        }
        "certificateValidation" => {
            for setting in settings(child) {
                draft.ignore(&setting, "the issuer's certificate is pinned: exactly those named in issuer.sts sign");
            }
            for validator in child.children() {
                draft.unsupported(validator, CODE);
            }
        }
        "caches" => {
            for cache in child.children() {
                draft.unsupported(
                    cache,
                    "names a cache of your own: to keep sessions here, set session.mode = \"reference\" and [store] kind = \
                     \"sqlite\"",
                );
            }
        }
        "claimTypeRequired" => {
            draft.element(
                child,
                Outcome::Ignored("is for metadata and tools; WIF does not enforce it either".to_owned()),
            );
        }
        "claimsAuthenticationManager" | "claimsAuthorizationManager" => {
            draft.unsupported(
                child,
                "names code of yours, which cannot run here: use web.NAME.required_roles and claims_to_headers, or do it in \
                 the application",
            );
        }
        "issuerTokenResolver" | "serviceTokenResolver" => draft.unsupported(child, CODE),
        _ => draft.unsupported(child, SLIP),
    }
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
            _ => draft.refuse(&setting, SLIP),
        }
    }
    let mut audiences: Vec<String> = Vec::new();
    for item in element.children() {
        edit(&mut audiences, item, "value", draft, |audiences, setting| audiences.push(setting.value.clone()));
    }
    if !audiences.is_empty() {
        draft.set("federation.app.audiences", quote_list(&audiences), line(element));
        draft.element(element, Outcome::Carried("federation.app.audiences".to_owned()));
    }
}

/// Applies `add`, `remove` and `clear` to a list of texts.
fn edit(
    list: &mut Vec<String>,
    item: Element<'_>,
    key: &str,
    draft: &mut Draft,
    add: impl FnOnce(&mut Vec<String>, &Setting),
) {
    let setting = settings(item).into_iter().find(|setting| setting.name == key);
    match (item.local_name(), setting) {
        ("clear", _) => list.clear(),
        ("remove", Some(setting)) => list.retain(|entry| *entry != setting.value),
        ("add", Some(setting)) => add(list, &setting),
        ("add" | "remove", None) => {
            draft.problem(Some(line(item)), format!("<{}> has no {key}, which is required", item.local_name()));
        }
        _ => draft.unsupported(item, SLIP),
    }
}

fn read_issuer_names(registry: Element<'_>, draft: &mut Draft) {
    let kind = attribute(registry, "type").map(simple_type_name).unwrap_or_default();
    let mut thumbprints: Vec<(String, String, usize)> = Vec::new();
    let mut take = |item: Element<'_>, name: Option<&str>, draft: &mut Draft| {
        let mut values: Vec<String> = thumbprints.iter().map(|(value, ..)| value.clone()).collect();
        let mut added = None;
        edit(&mut values, item, "thumbprint", draft, |_, setting| added = Some(visible(&setting.value)));
        thumbprints.retain(|(value, ..)| values.contains(value));
        if let Some(thumbprint) = added {
            thumbprints.push((thumbprint, name.unwrap_or("").to_owned(), line(item)));
        }
    };
    match kind {
        "ConfigurationBasedIssuerNameRegistry" => {
            for list in registry.children() {
                if !named(list, "trustedIssuers") {
                    draft.unsupported(list, SLIP);
                    continue;
                }
                for item in list.children() {
                    take(item, attribute(item, "name"), draft);
                }
            }
        }
        "ValidatingIssuerNameRegistry" => {
            for authority in registry.children() {
                for list in authority.children() {
                    match list.local_name() {
                        "keys" => {
                            for item in list.children() {
                                if named(item, "add") && attribute(item, "thumbprint").is_none() {
                                    draft.unsupported(
                                        item,
                                        "a symmetric key cannot sign here: use the issuer's certificate",
                                    );
                                    continue;
                                }
                                take(item, attribute(authority, "name"), draft);
                            }
                        }
                        "validIssuers" => {
                            let why = "issuers are told apart by their certificates, which are pinned";
                            draft.element(list, Outcome::Ignored(why.to_owned()));
                        }
                        _ => draft.unsupported(list, SLIP),
                    }
                }
            }
        }
        _ => {
            return draft
                .unsupported(registry, "names code of yours: pin the issuer's certificate in issuer.sts.certificates");
        }
    }
    let Some((_, name, first_line)) = thumbprints.first().cloned() else {
        return draft.unsupported(registry, "trusts no certificate");
    };
    let (kept, others): (Vec<_>, Vec<_>) = thumbprints.into_iter().partition(|(_, other, _)| *other == name);
    for (thumbprint, other, line) in others {
        let why = format!(
            "is named {other:?}, but line {first_line} {name:?}: a relying party here has one issuer. For a second one add \
             [issuer.NAME] and a [federation.NAME] of its own"
        );
        draft.report.push(Some(line), "issuerNameRegistry/add/@thumbprint", &thumbprint, Outcome::Unsupported(why));
    }
    let values: Vec<String> = kept.iter().map(|(thumbprint, ..)| thumbprint.clone()).collect();
    draft.set("issuer.sts.thumbprints", quote_list(&values), first_line);
    for (thumbprint, _, line) in &kept {
        let key = Outcome::Carried("issuer.sts.thumbprints".to_owned());
        draft.report.push(Some(*line), "issuerNameRegistry/add/@thumbprint", thumbprint, key);
    }
    if name.is_empty() {
        draft.unset("issuer.sts.name", first_line);
    } else {
        draft.set("issuer.sts.name", quote(&name), first_line);
        let key = Outcome::Carried("issuer.sts.name".to_owned());
        draft.report.push(Some(first_line), "issuerNameRegistry/add/@name", &name, key);
    }
}

fn read_handlers(collection: Element<'_>, draft: &mut Draft) {
    let name = attribute(collection, "name").unwrap_or("");
    if !name.is_empty() {
        return draft
            .unsupported(collection, "a named collection is for services that act for others; there is none here");
    }
    for item in collection.children() {
        let kind = attribute(item, "type").map(simple_type_name).unwrap_or_default();
        match item.local_name() {
            "securityTokenHandlerConfiguration" => {}
            "clear" | "remove" => {
                let why = "the list of handlers is fixed: SAML 1.1, SAML 2.0 and the session";
                draft.element(item, Outcome::Ignored(why.to_owned()));
            }
            "add" => read_handler(item, kind, draft),
            _ => draft.unsupported(item, SLIP),
        }
    }
}

fn read_handler(handler: Element<'_>, kind: &str, draft: &mut Draft) {
    const OWN_COOKIE: &str = "the gateway writes its own cookie, sealed with its key ring, and does not read WIF's: users \
                              sign in once more";
    match kind {
        "SessionSecurityTokenHandler" => draft.unsupported(
            handler,
            &format!("protects cookies with DPAPI, whose keys never leave Windows; {OWN_COOKIE}"),
        ),
        "MachineKeySessionSecurityTokenHandler" => draft
            .unsupported(handler, &format!("{OWN_COOKIE}. `handstamp token decode --machine-key` reads the old ones")),
        "SamlSecurityTokenHandler" | "Saml2SecurityTokenHandler" => {
            draft.element(handler, Outcome::Ignored("is built in".to_owned()));
        }
        _ => draft.unsupported(handler, CODE),
    }
    for child in handler.children() {
        match child.local_name().to_ascii_lowercase().as_str() {
            "sessiontokenrequirement" => read_session_requirement(child, draft),
            "samlsecuritytokenrequirement" => {
                for setting in settings(child) {
                    draft.refuse(
                        &setting,
                        "cannot be set: certificates are pinned, and there are no Windows accounts here",
                    );
                }
                for claim_type in child.children() {
                    draft.unsupported(claim_type, "name the claim in web.NAME.claims_to_headers");
                }
            }
            _ => read_other(child, draft),
        }
    }
}

/// Custom content: the cookie transforms of WIF are known by name.
fn read_other(child: Element<'_>, draft: &mut Draft) {
    let kind = attribute(child, "type").map(simple_type_name).unwrap_or_default();
    match kind {
        "RsaSignatureCookieTransform" | "RsaEncryptionCookieTransform" => draft.unsupported(
            child,
            "the gateway does not write WIF's cookies. `handstamp token decode --transforms deflate,rsa-sign,rsa-encrypt \
             --rsa-key` reads the old ones",
        ),
        _ => draft.unsupported(child, CODE),
    }
}

fn read_session_requirement(requirement: Element<'_>, draft: &mut Draft) {
    for setting in settings(requirement) {
        if setting.name != "lifetime" {
            draft.wrong(&setting, "is refused by WIF, too (ID7004): only lifetime may stand here");
            continue;
        }
        let literal = match setting.duration() {
            Ok(lifetime) if lifetime.is_zero() => Err("must be longer than zero".to_owned()),
            Ok(lifetime) => Ok(quote(&format_duration(lifetime))),
            Err(why) => Err(why),
        };
        draft.carry_checked(&setting, "federation.app.session.absolute_timeout", literal);
    }
}

/// `Handler` of `Some.Namespace.Handler, Assembly, Version=…`.
fn simple_type_name(full: &str) -> &str {
    let class = full.split(',').next().unwrap_or(full).trim();
    class.rsplit('.').next().unwrap_or(class)
}

/// Thumbprints copied from the Windows certificate dialog start with an invisible mark.
fn visible(thumbprint: &str) -> String {
    thumbprint
        .chars()
        .filter(|c| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{feff}'))
        .collect::<String>()
        .trim()
        .to_owned()
}

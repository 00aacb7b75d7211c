//! `<system.identityModel.services>`: sign-in and cookie of the relying party.

use handstamp_xml::Element;

use super::draft::{Draft, quote, quote_list};
use super::protection::{CookieTable, RSA_KEY_FILE};
use super::report::Outcome;
use super::selection::Named;
use super::settings::{Setting, attribute, line, named, settings};
use crate::config::{HttpUrl, PathPrefix, format_duration};

/// The `federationConfiguration` that holds: the one asked for, the unnamed one, or the only one (SM-45).
pub(super) fn select<'d>(section: Option<Element<'d>>, asked: Option<&str>, draft: &mut Draft) -> Option<Element<'d>> {
    let all = Named::of(section?, "federationConfiguration", draft);
    let chosen = all.choose(asked, None, "say which with --federation NAME", draft)?;
    for other in all.others(chosen) {
        let why = format!("only line {} is imported; for another say --federation NAME", line(chosen));
        draft.unsupported(other, &why);
    }
    Some(chosen)
}

/// Reads a `federationConfiguration`, or the `federatedAuthentication` of WIF 3.5.
pub(super) fn read(federation: Option<Element<'_>>, draft: &mut Draft) {
    let mut ws_federation = None;
    let mut persistent_lifetime = None;
    if let Some(federation) = federation {
        draft.refuse_repeated(federation, &["wsFederation", "cookieHandler", "serviceCertificate"]);
    }
    for child in federation.into_iter().flat_map(Element::children) {
        match child.local_name() {
            "wsFederation" => ws_federation = Some(child),
            "cookieHandler" => persistent_lifetime = read_cookie_handler(child, draft),
            "serviceCertificate" => read_service_certificate(child, draft),
            _ => draft.unknown_element(child),
        }
    }
    for setting in federation.into_iter().flat_map(settings) {
        match setting.name.as_str() {
            "name" => draft.ignore(&setting, "there is one relying party; it is federation.app"),
            "identityconfigurationname" => draft.ignore(&setting, "that identityConfiguration was read"),
            _ => draft.unknown(&setting),
        }
    }
    let Some(ws_federation) = ws_federation else {
        draft.missing.push(
            "there is no <wsFederation> in the federationConfiguration that holds: set issuer.sts.sign_in_url and \
             federation.app.realm"
                .to_owned(),
        );
        if let Some(setting) = persistent_lifetime {
            draft.ignore(&setting, "nothing makes cookies persistent without <wsFederation>");
        }
        return;
    };
    let persistent = read_ws_federation(ws_federation, draft);
    read_persistence(persistent, persistent_lifetime, draft);
}

/// The certificate of the site, which decrypts the issuer's tokens, and how Windows finds it.
pub(super) fn read_service_certificate(certificate: Element<'_>, draft: &mut Draft) {
    draft.refuse_repeated(certificate, &["certificateReference"]);
    let mut found = false;
    for reference in certificate.children() {
        if named(reference, "certificateReference") {
            for setting in settings(reference) {
                match setting.name.as_str() {
                    "findvalue" => {
                        found = true;
                        draft.carry(&setting, DECRYPTION_KEYS, quote_list(&[RSA_KEY_FILE.to_owned()]));
                    }
                    "storelocation" | "storename" | "x509findtype" | "ischainincluded" => {
                        draft.ignore(&setting, "says where Windows keeps the certificate");
                    }
                    _ => draft.unknown(&setting),
                }
            }
        } else {
            draft.unknown_element(reference);
        }
    }
    if found {
        draft.step(format!(
            "export the service certificate with its private key, and put both as PEM into {RSA_KEY_FILE}, readable by its owner \
             only; if the issuer encrypts no tokens, remove decryption_keys instead"
        ));
    } else {
        draft.unsupported(
            certificate,
            "names no certificate: set federation.app.decryption_keys if the issuer encrypts tokens",
        );
    }
}

const DECRYPTION_KEYS: &str = "federation.app.decryption_keys";

/// Reads the cookie's settings; gives the one that only holds for persistent cookies.
fn read_cookie_handler(handler: Element<'_>, draft: &mut Draft) -> Option<Setting> {
    let mut persistent_lifetime = None;
    for setting in settings(handler) {
        match setting.name.as_str() {
            "name" | "path" => draft.carry(&setting, &draft.cookie_table.key(&setting.name), quote(&setting.value)),
            "domain" if setting.value.is_empty() => draft.ignore(&setting, "empty: only the host that set the cookie"),
            "domain" => draft.carry(&setting, &draft.cookie_table.key("domain"), quote(&setting.value)),
            "requiressl" => {
                let literal = setting.boolean().map(|value| value.to_string());
                draft.carry_checked(&setting, "federation.app.cookie.secure", literal);
            }
            "hidefromscript" => match setting.boolean() {
                Ok(true) => draft.ignore(&setting, "the cookie is always HttpOnly"),
                Ok(false) => draft.refuse(&setting, "the cookie is always HttpOnly: scripts cannot read it"),
                Err(why) => draft.wrong(&setting, &why),
            },
            "mode" => match setting.value.to_ascii_lowercase().as_str() {
                "default" | "chunked" => {
                    draft.ignore(&setting, "cookies are always cut into pieces where they must be");
                }
                "custom" => draft.refuse(&setting, "a cookie handler of your own is code: chunked cookies are used"),
                _ => draft.wrong(&setting, "must be Default, Chunked or Custom"),
            },
            "persistentsessionlifetime" => match setting.duration() {
                Ok(lifetime) if lifetime.as_secs() > 365 * 86_400 => draft.wrong(&setting, "must be at most 365 days"),
                Ok(_) => persistent_lifetime = Some(setting),
                Err(why) => draft.wrong(&setting, &why),
            },
            _ => draft.unknown(&setting),
        }
    }
    draft.refuse_repeated(handler, &["chunkedCookieHandler", "customCookieHandler"]);
    let custom = handler.children().any(|child| named(child, "customCookieHandler"));
    let wants_custom = attribute(handler, "mode").is_some_and(|mode| mode.eq_ignore_ascii_case("custom"));
    if custom != wants_custom {
        let message = "<cookieHandler> has mode=\"Custom\" exactly when it holds a <customCookieHandler>";
        draft.problem(Some(line(handler)), message);
    }
    for child in handler.children() {
        if !named(child, "chunkedCookieHandler") {
            if named(child, "customCookieHandler") {
                draft.unsupported(child, "a cookie handler of your own is code: chunked cookies are used");
            } else {
                draft.unknown_element(child);
            }
            continue;
        }
        for setting in settings(child) {
            match setting.name.as_str() {
                "chunksize" | "size" => {
                    let literal = setting.value.trim().parse::<u32>().map(|size| size.to_string());
                    let literal = literal.map_err(|_| "must be a number of characters".to_owned());
                    draft.carry_checked(&setting, "federation.app.cookie.chunk_size", literal);
                }
                _ => draft.unknown(&setting),
            }
        }
    }
    persistent_lifetime
}

/// Reads the sign-in; gives the setting that makes cookies persistent when it is on.
fn read_ws_federation(element: Element<'_>, draft: &mut Draft) -> Option<Setting> {
    const QUERY: &str = "cannot be added to requests: configure it at the issuer, or do without";
    let all = settings(element);
    let mut persistent = None;
    for setting in &all {
        match setting.name.as_str() {
            "issuer" => draft.carry(setting, "issuer.sts.sign_in_url", quote(&setting.value)),
            "realm" => draft.carry(setting, "federation.app.realm", quote(&setting.value)),
            "reply" => read_reply(setting, draft),
            _ if setting.value.is_empty() => draft.ignore(setting, "empty, which is as if it were absent"),
            "homerealm" => draft.carry(setting, "federation.app.home_realm", quote(&setting.value)),
            "authenticationtype" => draft.carry(setting, "federation.app.authentication_type", quote(&setting.value)),
            "freshness" => {
                let literal = match setting.value.trim().parse::<u32>() {
                    Ok(0) => Ok(quote("0s")),
                    Ok(minutes) => Ok(quote(&format!("{minutes}m"))),
                    Err(_) => Err("must be a whole number of minutes".to_owned()),
                };
                draft.carry_checked(setting, "federation.app.freshness", literal);
            }
            "requirehttps" => {
                let literal = setting.boolean().map(|value| value.to_string());
                draft.carry_checked(setting, "federation.app.require_https", literal);
            }
            "passiveredirectenabled" => {
                let literal = setting.boolean().map(|redirect| quote(if redirect { "auto" } else { "never" }));
                draft.carry_checked(setting, "federation.app.challenge.mode", literal);
            }
            "persistentcookiesonpassiveredirects" => match setting.boolean() {
                Ok(true) => persistent = Some(setting.clone()),
                Ok(false) => {
                    draft.ignore(setting, "the cookie ends with the browser, as here when cookie.persistent is absent");
                }
                Err(why) => draft.wrong(setting, &why),
            },
            "policy" | "request" | "requestptr" | "resource" | "signinquerystring" | "signoutquerystring" => {
                draft.refuse(setting, QUERY);
            }
            "signoutreply" => {
                draft.refuse(
                    setting,
                    "after sign-out people come to federation.app.signed_out_path, a page of the gateway",
                );
            }
            _ => draft.unknown(setting),
        }
    }
    for (name, wanted) in [("issuer", "the address of the token service"), ("realm", "the identifier of the site")] {
        if !all.iter().any(|setting| setting.name == name) {
            draft.problem(Some(line(element)), format!("<wsFederation> has no {name}, which is required: {wanted}"));
        }
    }
    let realm = all.iter().find(|setting| setting.name == "realm");
    if let Some(realm) = realm
        && draft.literal("federation.app.public_url").is_none()
        && HttpUrl::parse(&realm.value).is_none()
    {
        draft.missing.push(
            "the realm is no address and there is no reply: set federation.app.public_url to the address of the site"
                .to_owned(),
        );
    }
    if draft.literal("federation.app.reply_path").is_none() {
        let outcome =
            "the issuer answers to /signin-wsfed here: register that address for the relying party at the issuer";
        draft.report.push(Some(line(element)), "wsFederation", "reply path", Outcome::Unsupported(outcome.to_owned()));
    }
    persistent
}

/// The reply address becomes the site's address and the path that answers.
fn read_reply(setting: &Setting, draft: &mut Draft) {
    if setting.value.is_empty() {
        return draft.ignore(setting, "empty, which is as if it were absent");
    }
    let Some(url) = HttpUrl::parse(&setting.value) else {
        return draft.wrong(setting, "must be an absolute http or https address");
    };
    let scheme = if url.is_https() { "https" } else { "http" };
    if let Some(authority) = url.authority() {
        draft.carry(setting, "federation.app.public_url", quote(&format!("{scheme}://{authority}")));
    }
    match PathPrefix::parse(url.path()) {
        Some(_) if draft.cookie_table == CookieTable::Wif => {
            draft.ignore(setting, "as a path it stays the old site's, which goes on signing people in");
        }
        Some(path) if path.as_str() != "/" && url.query().is_none() => {
            draft.carry(setting, "federation.app.reply_path", quote(path.as_str()));
        }
        _ => draft.refuse(setting, "as a path: answers need a path of their own, without a query"),
    }
}

/// A persistent cookie needs both settings of the original: that it is persistent, and for how long.
fn read_persistence(persistent: Option<Setting>, lifetime: Option<Setting>, draft: &mut Draft) {
    const KEY: &str = "federation.app.cookie.persistent";
    let given = lifetime.as_ref().and_then(|setting| setting.duration().ok()).filter(|lifetime| !lifetime.is_zero());
    match (persistent, lifetime, given) {
        (Some(persistent), Some(lifetime), Some(duration)) => {
            draft.ignore(&persistent, "said by cookie.persistent");
            draft.carry(&lifetime, KEY, quote(&format_duration(duration)));
        }
        (Some(persistent), lifetime, _) => {
            if let Some(lifetime) = lifetime {
                draft.ignore(&lifetime, "zero, which is as if it were absent");
            }
            draft.refuse(
                &persistent,
                "without persistentSessionLifetime the cookie lived as long as its session: set cookie.persistent to \
                 session.absolute_timeout if you want that",
            );
        }
        (None, Some(lifetime), _) => {
            draft.ignore(&lifetime, "has no effect while persistentCookiesOnPassiveRedirects is false");
        }
        (None, None, _) => {}
    }
}

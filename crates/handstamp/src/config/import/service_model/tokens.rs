//! Tokens of a token service: whom services believe, and where clients obtain theirs.

use handstamp_xml::Element;

use super::certificates;
use super::endpoint::Route;
use crate::config::HttpUrl;
use crate::config::import::draft::{Draft, quote, quote_list};
use crate::config::import::identity::{self, CODE};
use crate::config::import::issuers;
use crate::config::import::report::Outcome;
use crate::config::import::settings::{Setting, line, named, settings};

const CERTIFICATES: &str = "issuer.sts.certificates";

/// Reads `<issuedTokenAuthentication>` of a service's credentials.
pub(super) fn read_issuers(element: Element<'_>, routes: &[&Route], draft: &mut Draft) {
    let routes: Vec<&Route> = routes.iter().copied().filter(|route| route.needs.issued_token).collect();
    if routes.is_empty() {
        let why = "is for issued tokens, which no route of this file takes";
        return draft.element(element, Outcome::Ignored(why.to_owned()));
    }
    settings(element).iter().for_each(|setting| read_setting(setting, draft));
    for child in element.children() {
        match child.local_name() {
            "knownCertificates" => {
                for add in child.children() {
                    certificates::read_into_list(add, CERTIFICATES, draft);
                }
            }
            "allowedAudienceUris" => {
                for setting in child.children().flat_map(settings) {
                    let keys: Vec<String> =
                        routes.iter().map(|route| format!("soap.{}.audiences", route.name)).collect();
                    keys.iter().for_each(|key| draft.extend(key, setting.value.trim(), setting.line));
                    let outcome = Outcome::Carried(keys.join(", "));
                    draft.report.push(Some(setting.line), &setting.path, &setting.value, outcome);
                }
            }
            _ => draft.unknown_element(child),
        }
    }
}

fn read_setting(setting: &Setting, draft: &mut Draft) {
    const PINNED: &str = "exactly the certificates of issuer.sts sign tokens";
    match (setting.name.as_str(), setting.value.as_str()) {
        ("certificatevalidationmode" | "revocationmode" | "trustedstorelocation", _)
        | ("allowuntrustedrsaissuers", "false") => draft.ignore(setting, PINNED),
        ("allowuntrustedrsaissuers", _) => draft.refuse(setting, "a token has to come from issuer.sts"),
        ("audienceurimode", "Always") => draft.ignore(setting, "the audience is always checked"),
        ("audienceurimode", _) => {
            draft.refuse(setting, "the audience is always checked: list every audience in audiences of the route");
        }
        ("maptowindows", "false") => draft.ignore(setting, "there are no Windows accounts here"),
        ("maptowindows", _) => draft.refuse(setting, "there are no Windows accounts here: the claims are the token's"),
        ("customcertificatevalidatortype" | "samlserializertype", _) => draft.refuse(setting, CODE),
        _ => draft.unknown(setting),
    }
}

/// Reads a `<system.identityModel>` that is for services: whom they believe, and for whom tokens are.
pub(in crate::config::import) fn read_identity(section: Element<'_>, draft: &mut Draft) {
    let Some(identity) = identity::select(Some(section), None, draft) else { return };
    let nested = identity.children().filter(|child| named(*child, "securityTokenHandlers")).flat_map(Element::children);
    let nested = nested.filter(|child| named(*child, "securityTokenHandlerConfiguration"));
    for child in identity.children().chain(nested.flat_map(Element::children)) {
        match child.local_name() {
            "issuerNameRegistry" => issuers::read(child, draft),
            "audienceUris" => {
                let audiences = identity::audiences(child, draft);
                let keys: Vec<String> =
                    draft.token_routes.iter().map(|route| format!("soap.{route}.audiences")).collect();
                for audience in &audiences {
                    keys.iter().for_each(|key| draft.extend(key, audience, line(child)));
                }
                draft.element(child, Outcome::Carried(keys.join(", ")));
            }
            "claimsAuthenticationManager"
            | "claimsAuthorizationManager"
            | "issuerTokenResolver"
            | "serviceTokenResolver" => draft.unsupported(child, CODE),
            "certificateValidation" => {
                draft.element(child, Outcome::Ignored("exactly the certificates of issuer.sts sign tokens".to_owned()));
            }
            _ => draft.element(child, Outcome::Ignored("says nothing that a SOAP route needs".to_owned())),
        }
    }
}

/// Says whom routes believe whose clients show tokens, as far as the file does not.
pub(in crate::config::import) fn complete_issuer(draft: &mut Draft) {
    if draft.token_routes.is_empty() {
        return;
    }
    let issuers = if draft.issuers.is_empty() { vec!["sts".to_owned()] } else { draft.issuers.clone() };
    for route in draft.token_routes.clone() {
        draft.add(&format!("soap.{route}.issuers"), quote_list(&issuers), "");
        let (audiences, address) = (format!("soap.{route}.audiences"), format!("soap.{route}.address"));
        if draft.literal(&audiences).is_none() && draft.literal(&address).is_none() {
            let path = draft.literal(&format!("soap.{route}.path")).unwrap_or_default().trim_matches('"').to_owned();
            let audience = quote_list(&[format!("http://localhost{path}")]);
            draft.add(&audiences, audience, "for whom the token service says tokens are");
            draft.step(format!("say in soap.{route}.audiences for whom the token service says tokens are (AppliesTo)"));
        }
    }
    let service = draft.token_service.clone();
    let is_pinned =
        ["thumbprints", "certificates"].iter().any(|key| draft.literal(&format!("issuer.sts.{key}")).is_some());
    let is_tls = |text: &String| HttpUrl::parse(text).is_some_and(|url| url.is_https());
    if is_pinned {
        if draft.literal("issuer.sts.sign_in_url").is_none() {
            let url = service.filter(is_tls).unwrap_or_else(|| "https://sts.example/".to_owned());
            draft.add("issuer.sts.sign_in_url", quote(&url), "programs bring their tokens: nobody is sent there");
        }
    } else if let Some(url) = service.filter(is_tls).and_then(|text| HttpUrl::parse(&text)) {
        let host = url.authority().map(ToString::to_string).unwrap_or_default();
        let metadata = format!("https://{host}/FederationMetadata/2007-06/FederationMetadata.xml");
        draft.add("issuer.sts.metadata", quote(&metadata), "where AD FS has it");
        draft.step("see that issuer.sts.metadata is where the token service publishes its metadata");
    } else {
        let file = "token-service.crt".to_owned();
        draft.add(CERTIFICATES, quote_list(std::slice::from_ref(&file)), "the file names no certificate");
        draft.add(
            "issuer.sts.sign_in_url",
            "\"https://sts.example/\"",
            "programs bring their tokens: nobody is sent there",
        );
        draft.step(format!("save the certificate that the token service signs with as {file}, PEM"));
    }
}

/// Where a client's route obtains its tokens: a token service that takes names and passwords over TLS. None when the file says none.
pub(super) fn token_service(issuer: Option<&str>) -> Option<TokenService> {
    let url = HttpUrl::parse(issuer?.trim()).filter(HttpUrl::is_https)?;
    let (before, last) = url.as_str().rsplit_once('/')?;
    // The endpoints of AD FS, by what they take.
    let other = ["windows", "kerberos", "certificate", "issuedtoken"].iter().any(|kind| last.starts_with(kind));
    let address = if other { format!("{before}/usernamemixed") } else { url.as_str().to_owned() };
    Some(TokenService { address, is_guess: other })
}

/// A token service.
pub(super) struct TokenService {
    pub(super) address: String,
    /// The file names another address, which takes no names and passwords.
    pub(super) is_guess: bool,
}

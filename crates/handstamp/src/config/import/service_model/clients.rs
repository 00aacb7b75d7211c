//! `<client>`: each endpoint with secure sessions becomes a route that begins them, for programs that cannot.

use base64_simd::STANDARD;
use handstamp_keys::Certificate;
use handstamp_xml::Element;

use super::behaviors::Behaviors;
use super::bindings::Bindings;
use super::certificates::{self, Kind};
use super::endpoint::{self, LOCAL, Route, Routes};
use super::tokens;
use crate::config::HttpUrl;
use crate::config::import::draft::{Draft, quote, quote_list};
use crate::config::import::report::Outcome;
use crate::config::import::settings::{attribute, line, named, settings};

/// Reads an `<endpoint>` of `<client>`.
pub(super) fn read(
    element: Element<'_>,
    bindings: &mut Bindings<'_>,
    behaviors: &mut Behaviors<'_>,
    routes: &mut Routes,
    draft: &mut Draft,
) {
    if named(element, "metadata") {
        return draft.element(element, Outcome::Ignored("is for tools".to_owned()));
    }
    if !named(element, "endpoint") {
        return draft.unknown_element(element);
    }
    let Some(session) = endpoint::session(element, bindings, draft) else { return };
    let at = line(element);
    let address = attribute(element, "address").unwrap_or_default().trim();
    if HttpUrl::parse(address).is_none() {
        let why = "has no address of HTTP: write it, or add a [soap.NAME] with upstream where the program sets it";
        return draft.unsupported(element, why);
    }
    let tokens = tokens::token_service(session.issuer());
    if session.needs.issued_token && tokens.is_none() {
        let why = "needs a token, and its binding names no <issuer> with an https address: write it there, or add a [soap.NAME] with \
                   token_service";
        return draft.unsupported(element, why);
    }
    let contract = attribute(element, "contract").unwrap_or_default();
    let contract = contract.rsplit('.').next().unwrap_or(contract);
    let is_interface = contract.starts_with('I') && contract.chars().nth(1).is_some_and(char::is_uppercase);
    let contract = contract.get(usize::from(is_interface)..).unwrap_or(contract);
    let wanted = attribute(element, "name").filter(|name| !name.is_empty()).unwrap_or(contract);
    let route = routes.add(wanted, session.needs, LOCAL);
    let key = |key: &str| format!("soap.{}.{key}", route.name);
    draft.add(&key("mode"), "\"initiate\"", "");
    draft.add(&key("path"), quote(&format!("/{}", route.name)), "where programs of this machine call");
    if let Some(service) = tokens.filter(|_| session.needs.issued_token) {
        let url = quote(&service.address);
        draft.set(&key("token_service"), format!("{{ url = {url} }}"), at);
        let outcome = match service.is_guess {
            false => Outcome::Carried(key("token_service")),
            true => Outcome::Unsupported(format!(
                "takes no names and passwords: {url} is asked now; see that the token service has it switched on"
            )),
        };
        draft.report.push(Some(at), "issuer/@address", session.issuer().unwrap_or_default(), outcome);
    }
    endpoint::carry_binding(&route, &session, at, draft);
    bindings.used_by(&session, &route.name);
    for setting in settings(element) {
        match setting.name.as_str() {
            "address" => draft.carry(&setting, &key("upstream"), quote(address)),
            "behaviorconfiguration" => {}
            _ => endpoint::read_setting(&setting, &route, draft),
        }
    }
    for child in element.children() {
        match child.local_name() {
            "identity" => read_identity(child, &route, draft),
            "headers" => {
                draft.unsupported(child, "headers for every request are not added: have the programs send them");
            }
            _ => draft.unknown_element(child),
        }
    }
    behaviors.used_by(element, std::slice::from_ref(&route), draft);
}

/// Who the service is: its certificate counts, and other names of it do not.
fn read_identity(identity: Element<'_>, route: &Route, draft: &mut Draft) {
    let key = format!("soap.{}.peer_certificates", route.name);
    for child in identity.children() {
        match child.local_name() {
            "certificate" if route.needs.service_certificate => read_certificate(child, route, &key, draft),
            "certificateReference" if route.needs.service_certificate => {
                certificates::read(child, Kind::Alone, std::slice::from_ref(&key), draft);
            }
            "certificate" | "certificateReference" => {
                let why = "TLS shows who the service is: see soap.NAME.upstream_tls".replace("NAME", &route.name);
                draft.element(child, Outcome::Ignored(why));
            }
            "dns" | "rsa" if route.needs.service_certificate => {
                let why = "exactly the certificates in soap.NAME.peer_certificates are the service's";
                draft.element(child, Outcome::Ignored(why.replace("NAME", &route.name)));
            }
            "dns" | "rsa" => {
                draft.element(child, Outcome::Ignored("the host of upstream is what TLS checks".to_owned()));
            }
            "userPrincipalName" | "servicePrincipalName" => {
                draft.element(
                    child,
                    Outcome::Ignored("is for Windows credentials, which this binding has not".to_owned()),
                );
            }
            _ => draft.unknown_element(child),
        }
    }
}

/// A certificate that stands in the file is written beside the configuration.
fn read_certificate(element: Element<'_>, route: &Route, key: &str, draft: &mut Draft) {
    let setting = settings(element).into_iter().find(|setting| setting.name == "encodedvalue");
    let Some(setting) = setting else { return draft.unknown_element(element) };
    let compact: String = setting.value.split_whitespace().collect();
    let content = STANDARD.decode_to_vec(compact).unwrap_or_default();
    let certificate = Certificate::from_der(serialized(&content).unwrap_or(&content)).ok();
    let Some(certificate) = certificate else {
        return draft.refuse(
            &setting,
            "is no single certificate: save that of the service as a file, and name it in peer_certificates",
        );
    };
    let file = format!("{}-service.crt", route.name);
    draft.files.push((file.clone(), certificate.to_pem()));
    draft.carry(&setting, key, quote_list(&[file]));
}

/// The certificate in what Windows calls a serialized certificate, which is what its tools write: properties, each with its number,
/// a 1, the length of its value, and the value. The certificate is number 32.
fn serialized(mut content: &[u8]) -> Option<&[u8]> {
    loop {
        let (head, rest) = content.split_at_checked(12)?;
        let number = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let (value, behind) = rest.split_at_checked(usize::try_from(number(8)?).ok()?)?;
        if number(0)? == 32 {
            return Some(value);
        }
        content = behind;
    }
}

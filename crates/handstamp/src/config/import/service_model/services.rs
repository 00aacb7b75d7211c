//! `<services>`: each endpoint whose clients open secure sessions becomes a route that ends them.

use std::collections::BTreeMap;

use handstamp_security_policy::Transport;
use handstamp_xml::Element;

use super::behaviors::Behaviors;
use super::bindings::{Bindings, Session};
use super::endpoint::{self, Neighbour, PUBLIC, Route, Routes, TLS, slug};
use crate::config::import::draft::{Draft, quote};
use crate::config::import::report::Outcome;
use crate::config::import::settings::{Setting, attribute, line, named, settings};
use crate::config::{HttpUrl, PathPrefix};

/// Paths of services that are hosted without a file, by the service's name.
pub(super) type Activations = BTreeMap<String, String>;

/// Reads `<serviceHostingEnvironment>`.
pub(super) fn activations(hosting: Option<Element<'_>>, draft: &mut Draft) -> Activations {
    let mut found = Activations::new();
    for setting in hosting.into_iter().flat_map(settings) {
        draft.ignore(&setting, "is about IIS");
    }
    for child in hosting.into_iter().flat_map(Element::children) {
        for add in child.children().filter(|add| named(child, "serviceActivations") && named(*add, "add")) {
            if let (Some(service), Some(path)) = (attribute(add, "service"), attribute(add, "relativeAddress")) {
                let path = path.trim_start_matches(['~', '.']).trim_start_matches('/');
                found.insert(service.trim().to_owned(), format!("/{path}"));
                draft.element(add, Outcome::Ignored(format!("the path of {service}, if it has a route")));
            }
        }
        if !named(child, "serviceActivations") {
            draft.element(child, Outcome::Ignored("is about IIS".to_owned()));
        }
    }
    found
}

/// Reads a `<service>`.
pub(super) fn read(
    service: Element<'_>,
    activations: &Activations,
    bindings: &mut Bindings<'_>,
    behaviors: &mut Behaviors<'_>,
    routes: &mut Routes,
    draft: &mut Draft,
) {
    if !named(service, "service") {
        return draft.unknown_element(service);
    }
    draft.refuse_repeated(service, &["host"]);
    let name = attribute(service, "name").unwrap_or_default().trim();
    let mut place = Place { name, hosted_at: activations.get(name), bases: Vec::new() };
    let mut own: Vec<Route> = Vec::new();
    for host in service.children().filter(|child| named(*child, "host")) {
        place.bases = base_addresses(host, draft);
    }
    for child in service.children() {
        if named(child, "endpoint") {
            if let Some(session) = endpoint::session(child, bindings, draft) {
                own.extend(read_endpoint(child, &place, &session, bindings, routes, draft));
            }
        } else if !named(child, "host") {
            draft.unknown_element(child);
        }
    }
    for base in &place.bases {
        base.report(&own, draft);
    }
    for setting in settings(service) {
        match setting.name.as_str() {
            "name" if own.is_empty() => draft.ignore(&setting, "none of its endpoints becomes a route"),
            "name" => {
                let names: Vec<String> = own.iter().map(|route| format!("soap.{}", route.name)).collect();
                let outcome = Outcome::Carried(names.join(", "));
                draft.report.push(Some(setting.line), &setting.path, &setting.value, outcome);
            }
            "behaviorconfiguration" => {}
            _ => draft.unknown(&setting),
        }
    }
    if !service.children().any(|child| named(child, "endpoint")) {
        let why = "has no <endpoint>, so WCF gives it one with basicHttpBinding, which has no secure sessions";
        draft.element(service, Outcome::Unsupported(why.to_owned()));
    }
    behaviors.used_by(service, &own, draft);
}

/// Routes for the bindings of a file that has no endpoints.
pub(super) fn read_bindings_alone(bindings: &mut Bindings<'_>, routes: &mut Routes, draft: &mut Draft) {
    for (name, at, session) in bindings.sessions() {
        let route = routes.add(&name, session.needs, listener(&session));
        let path = format!("/{}", route.name);
        let note = "no endpoint of the file has the binding: say where clients call";
        draft.add(&format!("soap.{}.path", route.name), quote(&path), note);
        write(&route, &path, &session, at, draft);
        bindings.used_by(&session, &route.name);
    }
}

/// Where a service is.
struct Place<'p> {
    name: &'p str,
    hosted_at: Option<&'p String>,
    bases: Vec<Base>,
}

/// A base address.
struct Base {
    setting: Setting,
    /// None for what is not HTTP.
    url: Option<HttpUrl>,
}

impl Base {
    fn report(&self, own: &[Route], draft: &mut Draft) {
        if self.url.is_none() {
            draft.ignore(&self.setting, "is not HTTP");
        } else if own.is_empty() {
            draft.ignore(&self.setting, "none of the service's endpoints becomes a route");
        } else {
            let keys: Vec<String> = own.iter().map(|route| format!("soap.{}.path", route.name)).collect();
            let outcome = Outcome::Carried(keys.join(", "));
            draft.report.push(Some(self.setting.line), &self.setting.path, &self.setting.value, outcome);
        }
    }
}

fn base_addresses(host: Element<'_>, draft: &mut Draft) -> Vec<Base> {
    let mut bases = Vec::new();
    for child in host.children() {
        match child.local_name() {
            "baseAddresses" => {
                for add in child.children() {
                    let setting = settings(add).into_iter().find(|setting| setting.name == "baseaddress");
                    match setting.filter(|_| named(add, "add")) {
                        Some(setting) => bases.push(Base { url: url(&setting.value), setting }),
                        None => draft.unknown_element(add),
                    }
                }
            }
            "timeouts" => draft.element(child, Outcome::Ignored("is about starting and stopping".to_owned())),
            _ => draft.unknown_element(child),
        }
    }
    bases
}

/// An address of HTTP; hosts that stand for all hosts are this machine's.
fn url(text: &str) -> Option<HttpUrl> {
    HttpUrl::parse(&text.trim().replacen("://+", "://localhost", 1).replacen("://*", "://localhost", 1))
}

fn read_endpoint(
    element: Element<'_>,
    place: &Place<'_>,
    session: &Session,
    bindings: &mut Bindings<'_>,
    routes: &mut Routes,
    draft: &mut Draft,
) -> Option<Route> {
    let at = line(element);
    let address = place.address(attribute(element, "address").unwrap_or_default(), session);
    let Some(path) = PathPrefix::parse(&address.path) else {
        let why = format!("its address has the path {:?}, which no route can have", address.path);
        draft.unsupported(element, &why);
        return None;
    };
    let (route, is_new) = match routes.neighbour(listener(session), path.as_str(), session.index) {
        Neighbour::Nobody => {
            let own = attribute(element, "name").filter(|name| !name.is_empty());
            let is_first = routes.get(&slug(place.name)).is_none();
            let wanted = own.filter(|_| !is_first).unwrap_or(place.name);
            (routes.add(wanted, session.needs, listener(session)), true)
        }
        Neighbour::Same(name) => (routes.get(&name)?.clone(), false),
        Neighbour::Other(other, there) => {
            let why = format!(
                "has the path of soap.{other} (line {there}), and another binding: a route has one. Give this one a [soap.NAME] \
                 on a listener of its own"
            );
            draft.unsupported(element, &why);
            return None;
        }
    };
    if is_new {
        let key = |key: &str| format!("soap.{}.{key}", route.name);
        if address.is_known {
            draft.set(&key("path"), quote(path.as_str()), at);
        } else {
            draft.add(&key("path"), quote(path.as_str()), "the address of the .svc file: a web.config does not say");
            draft.step(format!("say in soap.{}.path at which path clients call {}", route.name, place.name));
        }
        if let Some(public) = &address.public {
            draft.set(&key("address"), quote(public), at);
        }
        routes.take_path(path.as_str(), session.index, &route, at);
        bindings.used_by(session, &route.name);
        write(&route, path.as_str(), session, at, draft);
    }
    for setting in settings(element) {
        if setting.name == "address" {
            let outcome = Outcome::Carried(format!("soap.{}.path", route.name));
            draft.report.push(Some(setting.line), &setting.path, &setting.value, outcome);
        } else {
            endpoint::read_setting(&setting, &route, draft);
        }
    }
    for child in element.children() {
        match child.local_name() {
            "identity" => {
                let why = format!("tells clients who the service is: soap.{}.identity does", route.name);
                draft.element(child, Outcome::Ignored(why));
            }
            "headers" => {
                draft.unsupported(child, "headers that clients have to send are not checked: do it in the service");
            }
            _ => draft.unknown_element(child),
        }
    }
    Some(route)
}

/// What every route that ends sessions has.
fn write(route: &Route, path: &str, session: &Session, at: usize, draft: &mut Draft) {
    let key = |key: &str| format!("soap.{}.{key}", route.name);
    draft.add(&key("mode"), "\"terminate\"", "");
    let upstream = format!("http://127.0.0.1:9000{path}");
    draft.add(&key("upstream"), quote(&upstream), "where the plain service listens: a web.config does not say");
    endpoint::carry_binding(route, session, at, draft);
    if route.needs.issued_token {
        draft.token_routes.push(route.name.clone());
        draft.token_service = draft.token_service.take().or(session.issuer().map(str::to_owned));
    }
    draft.step(
        "say in upstream of each [soap.NAME] with mode = \"terminate\" where the plain service listens that takes over, and how it \
         learns who calls: claims_to_headers, jwt_header or caller_header",
    );
    if route.listener == TLS {
        draft.step(
            "give the listener for clients that come over TLS a certificate ([listener.tls.tls.certificate.NAME]), or put the proxy \
             that ends TLS into listener.tls.trusted_proxies",
        );
    }
}

/// Where its clients come in.
fn listener(session: &Session) -> &'static str {
    match session.binding.transport() {
        Transport::Http => PUBLIC,
        Transport::Https { .. } => TLS,
    }
}

/// Where clients find an endpoint.
struct Address {
    path: String,
    /// The whole address, when the host is one that clients use.
    public: Option<String>,
    /// Whether the file says it.
    is_known: bool,
}

impl Place<'_> {
    fn address(&self, relative: &str, session: &Session) -> Address {
        let relative = relative.trim();
        let is_https = matches!(session.binding.transport(), Transport::Https { .. });
        let bases = || self.bases.iter().filter_map(|base| base.url.as_ref());
        let base = bases().find(|url| url.is_https() == is_https).or_else(|| bases().next());
        let absolute = url(relative).or_else(|| base.and_then(|base| url(&join(base.as_str(), relative))));
        if let Some(url) = absolute {
            let public = (!url.is_loopback() && url.is_https() == is_https).then(|| url.as_str().to_owned());
            return Address { path: url.path().to_owned(), public, is_known: true };
        }
        let last = self.name.rsplit('.').next().unwrap_or(self.name);
        let file = self.hosted_at.cloned().unwrap_or_else(|| format!("/{last}.svc"));
        Address { path: join(&file, relative), public: None, is_known: self.hosted_at.is_some() }
    }
}

fn join(base: &str, relative: &str) -> String {
    if relative.is_empty() {
        return base.to_owned();
    }
    format!("{}/{}", base.trim_end_matches('/'), relative.trim_start_matches('/'))
}

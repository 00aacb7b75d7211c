//! `<system.serviceModel>`: services become SOAP routes that end secure sessions, clients such that begin them.
//!
//! A binding is carried over whole, as a file beside the configuration; what the standard bindings leave unsaid is written out
//! (docs/spec/secure-conversation.md §14, §15). Behaviours say which certificates, names and passwords there are, and those have
//! to be fetched from Windows by a person, so each is a step.

mod behaviors;
mod bindings;
mod certificates;
mod clients;
mod endpoint;
mod needs;
mod services;
mod tokens;

use handstamp_xml::Element;

use self::behaviors::Behaviors;
use self::bindings::Bindings;
use self::endpoint::{PUBLIC, Routes};
pub(super) use self::tokens::{complete_issuer, read_identity};
use super::draft::{Draft, quote_list};
use super::report::Outcome;
use super::sections::report_elsewhere;
use super::settings::named;

/// Reads the section.
pub(super) fn read(section: Element<'_>, draft: &mut Draft) {
    draft.refuse_repeated(section, &["bindings", "behaviors", "services", "client", "serviceHostingEnvironment"]);
    let part = |name: &str| section.children().find(|child| named(*child, name));
    for child in section.children() {
        match child.local_name() {
            "bindings" | "behaviors" | "services" | "client" => report_elsewhere(child, draft),
            "serviceHostingEnvironment" => {}
            other => draft.element(child, other_part(other)),
        }
    }
    let mut bindings = Bindings::of(part("bindings"), draft);
    let mut routes = Routes::default();
    let mut service_behaviors = Behaviors::of(part("behaviors"), "serviceBehaviors", draft);
    let mut endpoint_behaviors = Behaviors::of(part("behaviors"), "endpointBehaviors", draft);
    let activations = services::activations(part("serviceHostingEnvironment"), draft);
    let mut endpoints = 0;
    for service in part("services").into_iter().flat_map(Element::children) {
        endpoints += 1;
        services::read(service, &activations, &mut bindings, &mut service_behaviors, &mut routes, draft);
    }
    for endpoint in part("client").into_iter().flat_map(Element::children) {
        endpoints += 1;
        clients::read(endpoint, &mut bindings, &mut endpoint_behaviors, &mut routes, draft);
    }
    if endpoints == 0 {
        services::read_bindings_alone(&mut bindings, &mut routes, draft);
    }
    behaviors::carry_services(&service_behaviors, &routes, draft);
    behaviors::carry_clients(&endpoint_behaviors, &routes, draft);
    behaviors::complete(&routes, draft);
    bindings.report(draft);
    let listeners = routes.listeners();
    // Without it, each would answer at the addresses of all.
    let several = listeners.len() > 1 || draft.federated;
    for route in routes.iter().filter(|route| several || route.listener != PUBLIC) {
        draft.add(&format!("soap.{}.listeners", route.name), quote_list(&[route.listener.to_owned()]), "");
    }
    draft.soap_listeners = listeners.into_iter().collect();
    draft.soap = routes.into_names();
}

/// What becomes of a part that is about neither endpoints nor what they need.
fn other_part(name: &str) -> Outcome {
    match name {
        "diagnostics" => Outcome::Ignored("is about logs: see [log], [audit] and the metrics of [admin]".to_owned()),
        "extensions" => Outcome::Ignored("declares code of yours; where an endpoint has it, that is listed".to_owned()),
        "commonBehaviors" | "standardEndpoints" | "protocolMapping" | "tracking" | "machineSettings" => {
            Outcome::Ignored("says nothing about the security of endpoints that are written out".to_owned())
        }
        "comContracts" => Outcome::Unsupported("is about COM+, which there is not".to_owned()),
        "routing" => Outcome::Unsupported(
            "routes messages by their content: give each service a [soap.NAME] of its own".to_owned(),
        ),
        _ => Outcome::Unsupported("is not an element of this section: is it a slip?".to_owned()),
    }
}

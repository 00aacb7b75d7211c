//! What services' and clients' endpoints have in common: routes with names, and the binding of each.

use std::collections::{BTreeMap, BTreeSet};

use handstamp_xml::Element;

use super::bindings::{Bindings, METADATA, Meaning, Session};
use super::needs::Needs;
use crate::config::import::draft::{Draft, quote};
use crate::config::import::report::Outcome;
use crate::config::import::settings::{Setting, attribute, line};

/// A SOAP route that is being made.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) name: String,
    pub(super) needs: Needs,
    /// Sessions of clients end here; otherwise such with a service begin.
    pub(super) terminates: bool,
    pub(super) listener: &'static str,
}

/// For clients.
pub(super) const PUBLIC: &str = "public";
/// For clients that come over TLS.
pub(super) const TLS: &str = "tls";
/// For programs of this machine.
pub(super) const LOCAL: &str = "local";

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Routes {
    routes: Vec<Route>,
    /// The paths of those that end sessions, by listener: the binding there, and the line.
    paths: BTreeMap<(&'static str, String), (Option<usize>, String, usize)>,
}

/// Who else answers at a path.
pub(super) enum Neighbour {
    /// Nobody.
    Nobody,
    /// A route with the same binding.
    Same(String),
    /// A route with another binding, and its line.
    Other(String, usize),
}

impl Routes {
    /// A new route, whose name begins with that of a service or an endpoint.
    pub(super) fn add(&mut self, wanted: &str, needs: Needs, listener: &'static str) -> Route {
        let stem = slug(wanted);
        let is_free = |name: &String| self.routes.iter().all(|route| route.name != *name);
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        let name = std::iter::once(stem.clone()).chain(numbered).find(is_free).unwrap_or_default();
        let route = Route { name, needs, terminates: listener != LOCAL, listener };
        self.routes.push(route.clone());
        route
    }

    pub(super) fn neighbour(&self, listener: &'static str, path: &str, binding: Option<usize>) -> Neighbour {
        match self.paths.get(&(listener, path.to_owned())) {
            None => Neighbour::Nobody,
            Some((other, name, _)) if *other == binding => Neighbour::Same(name.clone()),
            Some((_, name, line)) => Neighbour::Other(name.clone(), *line),
        }
    }

    pub(super) fn take_path(&mut self, path: &str, binding: Option<usize>, route: &Route, line: usize) {
        self.paths.insert((route.listener, path.to_owned()), (binding, route.name.clone(), line));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// Those of the route of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// The listeners that they need.
    pub(super) fn listeners(&self) -> BTreeSet<&'static str> {
        self.routes.iter().map(|route| route.listener).collect()
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.routes.into_iter().map(|route| route.name).collect()
    }
}

/// What the attributes `binding` and `bindingConfiguration` of an endpoint come to; none when that is no session, which the report
/// says then.
pub(super) fn session(endpoint: Element<'_>, bindings: &mut Bindings<'_>, draft: &mut Draft) -> Option<Session> {
    let said = |name: &str| attribute(endpoint, name).unwrap_or_default();
    let (kind, configuration) = (said("binding"), said("bindingConfiguration"));
    let outcome = if said("kind") == "mexEndpoint" || said("contract") == "IMetadataExchange" || kind.starts_with("mex")
    {
        Outcome::Ignored(METADATA.to_owned())
    } else if !said("kind").is_empty() {
        Outcome::Unsupported(format!("is a standard endpoint, {:?}: write the endpoint out", said("kind")))
    } else if kind.is_empty() {
        draft.problem(Some(line(endpoint)), "<endpoint> has no binding, which is required");
        return None;
    } else {
        match bindings.meaning(kind, configuration) {
            Some(Meaning::Session(session)) => return Some(*session),
            Some(Meaning::Refused(Some(at), _)) => {
                Outcome::Unsupported(format!("cannot become a route: line {at}, of its binding, says why"))
            }
            Some(Meaning::Refused(None, why)) if why.starts_with('<') => Outcome::Unsupported(why),
            Some(Meaning::Refused(None, why)) => Outcome::Unsupported(format!("{kind} {why}")),
            None => {
                let message = format!("there is no <binding name={configuration:?}> in a <{kind}> of this file");
                draft.problem(Some(line(endpoint)), message);
                return None;
            }
        }
    };
    let name = [said("name"), said("address"), said("contract")].into_iter().find(|text| !text.is_empty());
    let setting = format!("{}/endpoint", endpoint.parent().map_or("client", |parent| parent.local_name()));
    draft.report.push(Some(line(endpoint)), &setting, name.unwrap_or_default(), outcome);
    None
}

/// Writes the binding of a route into a file beside the configuration, and its largest message where ours is smaller.
pub(super) fn carry_binding(route: &Route, session: &Session, at: usize, draft: &mut Draft) {
    const OURS: u64 = 4 << 20;
    const MOST: u64 = 64 << 20;
    let key = |key: &str| format!("soap.{}.{key}", route.name);
    let file = format!("{}.binding.xml", route.name);
    match session.binding.to_xml() {
        Ok(text) => draft.files.push((file.clone(), text)),
        Err(error) => draft.problem(Some(at), error.to_string()),
    }
    draft.set(&key("binding"), quote(&file), at);
    let size = session.binding.http().max_received_message_size;
    if size > OURS {
        draft.set(&key("max_message_size"), size.min(MOST).to_string(), at);
    }
    if size > MOST {
        let why =
            "messages are held in memory: 64 MiB are allowed now; set soap.NAME.max_message_size to what is needed";
        let outcome = Outcome::Unsupported(why.replace("NAME", &route.name));
        draft.report.push(Some(at), "binding/@maxReceivedMessageSize", &size.to_string(), outcome);
    }
}

/// What an endpoint says besides its address.
pub(super) fn read_setting(setting: &Setting, route: &Route, draft: &mut Draft) {
    let Route { name, terminates, .. } = route;
    let outcome = match setting.name.as_str() {
        "binding" | "bindingconfiguration" => Outcome::Carried(format!("soap.{name}.binding")),
        "name" if !terminates => Outcome::Carried(format!("soap.{name}")),
        "contract" if *terminates => Outcome::Ignored(format!(
            "all operations are passed on; with the service's WSDL in soap.{name}.wsdl only those in it"
        )),
        "contract" => {
            Outcome::Ignored(format!("programs name the action of each request, unless soap.{name}.wsdl does"))
        }
        "bindingname" | "bindingnamespace" => {
            Outcome::Ignored("names the binding in the WSDL, which has its own".to_owned())
        }
        "listenuri" | "listenurimode" => Outcome::Unsupported(format!(
            "is where the service listens behind a router: set soap.{name}.path to what comes through"
        )),
        "name" | "behaviorconfiguration" | "endpointconfiguration" | "kind" | "issystemendpoint" => {
            Outcome::Ignored("says nothing that a route needs".to_owned())
        }
        _ => return draft.unknown(setting),
    };
    draft.report.push(Some(setting.line), &setting.path, &setting.value, outcome);
}

/// A name for a table or a file: the last part of a type's name or an address, in small letters.
pub(super) fn slug(text: &str) -> String {
    let text = text.trim_end_matches('/');
    let last = text.rsplit(['.', '/', '+']).next().unwrap_or(text);
    let mut slug = String::new();
    let mut was_small = false;
    for letter in last.chars().take(60) {
        if letter.is_ascii_alphanumeric() {
            if letter.is_ascii_uppercase() && was_small {
                slug.push('-');
            }
            was_small = !letter.is_ascii_uppercase();
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
            was_small = false;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "service".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_routes_come_from_types_and_addresses() {
        for (text, name) in [
            ("Contoso.Ledger.LedgerService", "ledger-service"),
            ("ILedger", "iledger"),
            ("http://ledger.example/a/Secure_2", "secure-2"),
            ("WSHttpBinding_ILedger", "wshttp-binding-iledger"),
            ("é", "service"),
        ] {
            assert_eq!(slug(text), name);
        }
        let mut routes = Routes::default();
        let names = [(); 3].map(|()| routes.add("Ledger", Needs::default(), PUBLIC).name);
        assert_eq!(names, ["ledger", "ledger-2", "ledger-3"]);
    }
}

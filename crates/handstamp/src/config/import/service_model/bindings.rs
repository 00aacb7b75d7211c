//! `<bindings>`: what an endpoint's `binding` and `bindingConfiguration` mean.

use handstamp_security_policy::{CustomBinding, Error, StandardBinding};
use handstamp_xml::Element;

use super::needs::Needs;
use crate::config::import::draft::Draft;
use crate::config::import::report::Outcome;
use crate::config::import::settings::{attribute, line, named};

/// All bindings of the file.
pub(super) struct Bindings<'d> {
    bindings: Vec<Binding<'d>>,
}

struct Binding<'d> {
    kind: &'d str,
    element: Element<'d>,
    meaning: Option<Meaning>,
    routes: Vec<String>,
}

/// What a binding comes to.
#[derive(Clone)]
pub(super) enum Meaning {
    /// Secure sessions.
    Session(Box<Session>),
    /// It cannot be: the line, unless the binding is all defaults, and why.
    Refused(Option<usize>, String),
}

/// A binding with secure sessions.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) binding: CustomBinding,
    pub(super) needs: Needs,
    /// Which of the file's bindings it is; none for one that is all defaults.
    pub(super) index: Option<usize>,
}

impl Session {
    /// The token service that vouches for clients, where the binding says it.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.binding.security().issued_token_parameters()?.issuer.as_deref()
    }
}

impl<'d> Bindings<'d> {
    pub(super) fn of(section: Option<Element<'d>>, draft: &mut Draft) -> Self {
        let mut bindings = Vec::new();
        for kind in section.into_iter().flat_map(Element::children) {
            for element in kind.children() {
                if named(element, "binding") {
                    bindings.push(Binding { kind: kind.local_name(), element, meaning: None, routes: Vec::new() });
                } else {
                    draft.unknown_element(element);
                }
            }
        }
        Self { bindings }
    }

    /// What this `binding` with this `bindingConfiguration` means; none when the file has no binding of that name. Without a name it
    /// is the one without a name, or one that is all defaults.
    pub(super) fn meaning(&mut self, kind: &str, configuration: &str) -> Option<Meaning> {
        if let Some(why) = unavailable(kind) {
            return Some(Meaning::Refused(None, why.to_owned()));
        }
        let name_of = |binding: &Binding<'_>| attribute(binding.element, "name").unwrap_or_default().to_owned();
        let index = self.bindings.iter().position(|binding| binding.kind == kind && name_of(binding) == configuration);
        match index {
            Some(index) => self.meaning_of(index),
            None if configuration.is_empty() => Some(read(kind, None, None)),
            None => None,
        }
    }

    /// Every binding with secure sessions, with its name and its line.
    pub(super) fn sessions(&mut self) -> Vec<(String, usize, Session)> {
        let mut all = Vec::new();
        for index in 0..self.bindings.len() {
            let Some(Binding { kind, element, .. }) = self.bindings.get(index) else { continue };
            let (name, at) = (attribute(*element, "name").unwrap_or(kind).to_owned(), line(*element));
            if unavailable(kind).is_none()
                && let Some(Meaning::Session(session)) = self.meaning_of(index)
            {
                all.push((name, at, *session));
            }
        }
        all
    }

    /// A route has it.
    pub(super) fn used_by(&mut self, session: &Session, route: &str) {
        if let Some(binding) = session.index.and_then(|index| self.bindings.get_mut(index)) {
            binding.routes.push(route.to_owned());
        }
    }

    /// Says what became of each.
    pub(super) fn report(self, draft: &mut Draft) {
        for Binding { kind, element, meaning, routes } in self.bindings {
            let name = attribute(element, "name").unwrap_or_default();
            let setting = format!("{kind}/{}", element.local_name());
            let (at, outcome) = match meaning {
                Some(Meaning::Refused(at, why)) => (at.unwrap_or(line(element)), Outcome::Unsupported(why)),
                Some(Meaning::Session(_)) if !routes.is_empty() => {
                    let keys: Vec<String> = routes.iter().map(|route| format!("soap.{route}.binding")).collect();
                    (line(element), Outcome::Carried(keys.join(", ")))
                }
                _ => (line(element), Outcome::Ignored("no endpoint of this file has it".to_owned())),
            };
            draft.report.push(Some(at), &setting, name, outcome);
        }
    }

    fn meaning_of(&mut self, index: usize) -> Option<Meaning> {
        let binding = self.bindings.get_mut(index)?;
        let (kind, element) = (binding.kind, binding.element);
        Some(binding.meaning.get_or_insert_with(|| read(kind, Some(element), Some(index))).clone())
    }
}

fn read(kind: &str, element: Option<Element<'_>>, index: Option<usize>) -> Meaning {
    let at = element.map(line);
    let found = match (StandardBinding::from_name(kind), element) {
        (Some(standard), element) => standard.expand(element),
        (None, Some(element)) => CustomBinding::read(element),
        (None, None) => {
            let why = "a customBinding has no defaults: name one in bindingConfiguration";
            return Meaning::Refused(None, why.to_owned());
        }
    };
    let binding = match found {
        Ok(binding) => binding,
        Err(Error::Configuration { line, problem }) => return Meaning::Refused(Some(line), problem),
        Err(error) => return Meaning::Refused(at, error.to_string()),
    };
    if let Err(error) = binding.check_http() {
        return Meaning::Refused(at, error.to_string());
    }
    let Some(session) = binding.security().session() else {
        return Meaning::Refused(at, NO_SESSION.to_owned());
    };
    let needs = Needs::of(&session.bootstrap);
    Meaning::Session(Box::new(Session { binding, needs, index }))
}

const NO_SESSION: &str = "protects each message for itself, and SOAP routes speak secure sessions: set \
    establishSecurityContext=\"true\" (or authenticationMode=\"SecureConversation\" with this mode in \
    <secureConversationBootstrap>) on both sides";
/// Kinds of bindings that cannot become a SOAP route, and why.
fn unavailable(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "customBinding"
        | "wsHttpBinding"
        | "ws2007HttpBinding"
        | "wsFederationHttpBinding"
        | "ws2007FederationHttpBinding" => return None,
        "mexHttpBinding" | "mexHttpsBinding" | "mexTcpBinding" | "mexNamedPipeBinding" => METADATA,
        "basicHttpBinding" | "basicHttpsBinding" | "basicHttpContextBinding" => {
            "has no secure sessions, so there is nothing to end or begin: pass it on with a [web.NAME] and sign_in = \"off\""
        }
        "webHttpBinding" => "is no SOAP: pass it on with a [web.NAME]",
        "wsDualHttpBinding" => "is duplex: the service calls back, which is not available over HTTP",
        "wsHttpContextBinding" => {
            "sends a context along, which is not available: write wsHttpBinding on both sides, or custom headers"
        }
        "netHttpBinding" | "netHttpsBinding" => {
            "has no secure sessions of its own: write a customBinding with <binaryMessageEncoding/> and <security>"
        }
        "netTcpBinding"
        | "netTcpContextBinding"
        | "netNamedPipeBinding"
        | "netPeerTcpBinding"
        | "netMsmqBinding"
        | "msmqIntegrationBinding"
        | "udpBinding" => "is not HTTP: give the service an endpoint with ws2007HttpBinding or a customBinding",
        _ => "is an extension: write the customBinding that it stands for",
    })
}

/// Why endpoints for metadata need no route.
pub(super) const METADATA: &str = "is metadata: name the service's WSDL in soap.NAME.wsdl, and ?wsdl serves it";

//! `<behaviors>`: whom services and clients believe, and who they are.

use handstamp_xml::Element;

use super::certificates::{self, Kind};
use super::endpoint::{Route, Routes};
use super::tokens;
use crate::config::import::draft::{Draft, quote, quote_list};
use crate::config::import::identity::CODE;
use crate::config::import::report::Outcome;
use crate::config::import::settings::{Setting, attribute, named, settings};

/// The behaviours of services, or those of endpoints.
pub(super) struct Behaviors<'d> {
    behaviors: Vec<Behavior<'d>>,
}

struct Behavior<'d> {
    element: Element<'d>,
    routes: Vec<String>,
}

impl<'d> Behaviors<'d> {
    /// Those of this kind. What is of no kind is said with the first.
    pub(super) fn of(section: Option<Element<'d>>, kind: &str, draft: &mut Draft) -> Self {
        let mut behaviors = Vec::new();
        for child in section.into_iter().flat_map(Element::children) {
            if named(child, kind) {
                for element in child.children() {
                    if named(element, "behavior") {
                        behaviors.push(Behavior { element, routes: Vec::new() });
                    } else {
                        draft.unknown_element(element);
                    }
                }
            } else if kind == "serviceBehaviors" && !named(child, "endpointBehaviors") {
                draft.unknown_element(child);
            }
        }
        Self { behaviors }
    }

    /// The routes of an element have the behaviour that its `behaviorConfiguration` names, or the one without a name.
    pub(super) fn used_by(&mut self, element: Element<'_>, routes: &[Route], draft: &mut Draft) {
        let setting = settings(element).into_iter().find(|setting| setting.name == "behaviorconfiguration");
        let wanted = setting.as_ref().map_or("", |setting| setting.value.as_str());
        let mut found = false;
        for behavior in &mut self.behaviors {
            if attribute(behavior.element, "name").unwrap_or_default() == wanted {
                found = true;
                behavior.routes.extend(routes.iter().map(|route| route.name.clone()));
            }
        }
        let Some(setting) = setting.filter(|setting| !setting.value.is_empty()) else { return };
        if !found {
            draft.wrong(&setting, "is no behaviour of this file");
        } else if routes.is_empty() {
            draft.ignore(&setting, "none of its endpoints becomes a route");
        } else {
            let names: Vec<String> = routes.iter().map(|route| format!("soap.{}", route.name)).collect();
            let outcome = Outcome::Carried(names.join(", "));
            draft.report.push(Some(setting.line), &setting.path, &setting.value, outcome);
        }
    }

    /// Each with its routes; those without are reported.
    fn with_routes<'r>(&self, routes: &'r Routes, draft: &mut Draft) -> Vec<(Element<'d>, Vec<&'r Route>)> {
        let mut found = Vec::new();
        for Behavior { element, routes: names } in &self.behaviors {
            let own: Vec<&Route> = names.iter().filter_map(|name| routes.get(name)).collect();
            if own.is_empty() {
                draft.element(*element, Outcome::Ignored("no route of this file has it".to_owned()));
            } else {
                found.push((*element, own));
            }
        }
        found
    }
}

/// Carries the behaviours of services over to their routes.
pub(super) fn carry_services(behaviors: &Behaviors<'_>, routes: &Routes, draft: &mut Draft) {
    for (behavior, routes) in behaviors.with_routes(routes, draft) {
        draft.refuse_repeated(behavior, &["serviceCredentials", "serviceAuthorization", "serviceMetadata"]);
        for child in behavior.children() {
            match child.local_name() {
                "serviceCredentials" => read_service_credentials(child, &routes, draft),
                "serviceAuthorization" => read_service_authorization(child, draft),
                "serviceMetadata" => {
                    let why = "with the service's WSDL in wsdl of a route, ?wsdl serves it";
                    draft.element(child, Outcome::Ignored(why.to_owned()));
                }
                "serviceThrottling" => read_throttling(child, &routes, draft),
                "serviceSecurityAudit" => {
                    draft.element(
                        child,
                        Outcome::Unsupported("wrote to the event log of Windows: see [audit]".to_owned()),
                    );
                }
                "serviceDebug"
                | "serviceTimeouts"
                | "dataContractSerializer"
                | "useRequestHeadersForMetadataAddress"
                | "serviceDiscovery"
                | "bufferedReceive"
                | "sendMessageChannelCache"
                | "persistenceProvider"
                | "workflowRuntime"
                | "workflowIdle"
                | "workflowUnhandledException"
                | "workflowInstanceManagement"
                | "sqlWorkflowInstanceStore"
                | "etwTracking" => {
                    draft.element(child, Outcome::Ignored("is the business of the service that takes over".to_owned()));
                }
                "routing" => draft.unsupported(child, "routes messages: give each service a [soap.NAME] of its own"),
                _ => draft.unsupported(child, EXTENSION),
            }
        }
    }
}

/// Carries the behaviours of clients' endpoints over to their routes.
pub(super) fn carry_clients(behaviors: &Behaviors<'_>, routes: &Routes, draft: &mut Draft) {
    for (behavior, routes) in behaviors.with_routes(routes, draft) {
        draft.refuse_repeated(behavior, &["clientCredentials", "clientVia"]);
        for child in behavior.children() {
            match child.local_name() {
                "clientCredentials" => read_client_credentials(child, &routes, draft),
                "clientVia" => draft.unsupported(
                    child,
                    "sends messages to another address than they say: put it into upstream, and the endpoint's own into address",
                ),
                "dataContractSerializer" | "callbackDebug" | "callbackTimeouts" | "synchronousReceive"
                | "dispatcherSynchronization" | "transactedBatching" => {
                    draft.element(child, Outcome::Ignored("is the business of the program".to_owned()));
                }
                _ => draft.unsupported(child, EXTENSION),
            }
        }
    }
}

const EXTENSION: &str = "is an extension, code of yours, which cannot run here: do it in the service or the program";

/// Names files for what routes need and no behaviour says.
pub(super) fn complete(routes: &Routes, draft: &mut Draft) {
    for Route { name, needs, terminates, .. } in routes.iter() {
        let key = |key: &str| format!("soap.{name}.{key}");
        let missing = |draft: &Draft, of: &str| draft.literal(&key(of)).is_none();
        let own_certificate = if *terminates { needs.service_certificate } else { needs.client_certificate };
        if own_certificate && missing(draft, "identity") {
            let file = format!("{name}.pem");
            draft.add(&key("identity"), quote(&file), "the file names no certificate");
            let whose = if *terminates { "that clients of" } else { "that is shown by" };
            draft.step(format!(
                "put the certificate {whose} soap.{name} {}and its private key as PEM into {file}, readable by its owner only",
                if *terminates { "encrypt for " } else { "" }
            ));
        }
        if !*terminates && needs.service_certificate && missing(draft, "peer_certificates") {
            let file = format!("{name}-service.crt");
            draft.add(
                &key("peer_certificates"),
                quote_list(std::slice::from_ref(&file)),
                "the file holds no certificate",
            );
            draft.step(format!("save the certificate of the service behind soap.{name} as {file}, PEM"));
        }
        if *terminates && needs.client_certificate && missing(draft, "peer_certificates") {
            trust_authorities(name, None, draft);
        }
        if needs.user_name && *terminates && missing(draft, "accounts") {
            draft.add(&key("accounts"), quote(ACCOUNTS), "WCF's default is Windows accounts");
            draft.step(ADD_ACCOUNTS);
        }
        if (needs.user_name || needs.issued_token) && !*terminates {
            let note = "each program brings its own name and password; or set user and password_file";
            draft.add(&key("callers"), "\"basic\"", note);
        }
    }
}

const ACCOUNTS: &str = "accounts.db";
const ADD_ACCOUNTS: &str = "add each user of the services: handstamp account add NAME --accounts accounts.db";

/// Clients' certificates come from authorities, which a person names.
fn trust_authorities(route: &str, line: Option<usize>, draft: &mut Draft) {
    let (key, file) = (format!("soap.{route}.peer_authorities"), format!("{route}-client-authorities.pem"));
    if draft.literal(&key).is_some() {
        return;
    }
    let literal = quote_list(std::slice::from_ref(&file));
    match line {
        Some(line) => draft.set(&key, literal, line),
        None => draft.add(&key, literal, "WCF's default is every authority that Windows trusts"),
    }
    draft.step(format!("put the authorities that certificates of clients of soap.{route} come from into {file}, PEM"));
}

/// Which routes need something, as keys.
fn keys(routes: &[&Route], key: &str, needs: impl Fn(&Route) -> bool) -> Vec<String> {
    routes.iter().filter(|route| needs(route)).map(|route| format!("soap.{}.{key}", route.name)).collect()
}

fn read_service_credentials(element: Element<'_>, routes: &[&Route], draft: &mut Draft) {
    const NAMES: [&str; 3] = ["serviceCertificate", "clientCertificate", "userNameAuthentication"];
    draft.refuse_repeated(element, &NAMES);
    for setting in settings(element) {
        match (setting.name.as_str(), setting.boolean()) {
            ("type", _) => draft.refuse(&setting, CODE),
            ("useidentityconfiguration", Ok(false)) => draft.ignore(&setting, "is the default"),
            ("useidentityconfiguration", Ok(true)) if routes.iter().any(|route| route.needs.issued_token) => {
                draft.ignore(&setting, "what <system.identityModel> says of issuers and audiences is read");
            }
            ("useidentityconfiguration", Ok(true)) => {
                draft.refuse(&setting, "lets WIF make the claims: add them to the accounts (handstamp account claims)");
            }
            ("useidentityconfiguration", Err(why)) => draft.wrong(&setting, &why),
            _ => draft.unknown(&setting),
        }
    }
    for child in element.children() {
        match child.local_name() {
            "serviceCertificate" => {
                let keys = keys(routes, "identity", |route| route.needs.service_certificate);
                certificates::read(child, Kind::WithKey, &keys, draft);
            }
            "clientCertificate" => read_client_certificates(child, routes, draft),
            "userNameAuthentication" => read_user_names(child, routes, draft),
            "windowsAuthentication" | "peer" => {
                draft.element(child, Outcome::Ignored("is for Windows credentials and peer channels".to_owned()));
            }
            "issuedTokenAuthentication" => tokens::read_issuers(child, routes, draft),
            "secureConversationAuthentication" => {
                for setting in settings(child) {
                    let why = "seals sessions with code of yours: here the key ring does";
                    draft.report.push(
                        Some(setting.line),
                        &setting.path,
                        &setting.value,
                        if setting.name == "securitystateencodertype" {
                            Outcome::Ignored(why.to_owned())
                        } else {
                            Outcome::Unsupported("is not a setting of this element: is it a slip?".to_owned())
                        },
                    );
                }
            }
            _ => draft.unknown_element(child),
        }
    }
}

/// Which certificates of clients are believed.
fn read_client_certificates(element: Element<'_>, routes: &[&Route], draft: &mut Draft) {
    let routes: Vec<&Route> = routes.iter().copied().filter(|route| route.needs.client_certificate).collect();
    for child in element.children() {
        match child.local_name() {
            "certificate" => draft.element(child, Outcome::Ignored("is for duplex contracts".to_owned())),
            "authentication" => {
                for setting in settings(child) {
                    read_client_validation(&setting, &routes, draft);
                }
            }
            _ => draft.unknown_element(child),
        }
    }
}

fn read_client_validation(setting: &Setting, routes: &[&Route], draft: &mut Draft) {
    if routes.is_empty() {
        return draft.ignore(setting, "no route of this file takes certificates of clients");
    }
    match (setting.name.as_str(), setting.value.as_str()) {
        ("certificatevalidationmode", mode @ ("ChainTrust" | "PeerTrust" | "PeerOrChainTrust" | "None" | "Custom")) => {
            let (by_chain, by_itself) = match mode {
                "ChainTrust" => (true, false),
                "PeerOrChainTrust" => (true, true),
                _ => (false, true),
            };
            for route in routes {
                if by_itself {
                    trust_certificates(&route.name, setting.line, draft);
                }
                if by_chain {
                    trust_authorities(&route.name, Some(setting.line), draft);
                }
            }
            let authorities = by_chain.then(|| keys(routes, "peer_authorities", |_| true));
            let certificates = by_itself.then(|| keys(routes, "peer_certificates", |_| true));
            let all = authorities.into_iter().chain(certificates).flatten().collect::<Vec<_>>().join(", ");
            let outcome = match mode {
                "None" => Outcome::Unsupported(format!("let everybody in: {all} name those who may come")),
                "Custom" => Outcome::Unsupported(format!("{CODE}: {all} name those who may come")),
                _ => Outcome::Carried(all),
            };
            draft.report.push(Some(setting.line), &setting.path, &setting.value, outcome);
        }
        ("certificatevalidationmode", _) => {
            draft.wrong(setting, "must be ChainTrust, PeerTrust, PeerOrChainTrust, Custom or None");
        }
        ("revocationmode", "NoCheck") => draft.ignore(setting, "lists of revoked certificates are not looked at"),
        ("revocationmode", _) => draft.refuse(
            setting,
            "lists of revoked certificates are not looked at: name certificates in peer_certificates where that matters",
        ),
        ("customcertificatevalidatortype", _) => draft.refuse(setting, CODE),
        ("mapclientcertificatetowindowsaccount", "true") => {
            draft.refuse(setting, "there are no Windows accounts here: the claims are those of the certificate");
        }
        ("mapclientcertificatetowindowsaccount" | "includewindowsgroups", _) => {
            draft.ignore(setting, "there are no Windows accounts here");
        }
        ("trustedstorelocation", _) => draft.ignore(setting, "says where Windows keeps certificates"),
        _ => draft.unknown(setting),
    }
}

/// Clients' certificates are believed one by one.
fn trust_certificates(route: &str, line: usize, draft: &mut Draft) {
    let file = format!("{route}-clients.pem");
    draft.set(&format!("soap.{route}.peer_certificates"), quote_list(std::slice::from_ref(&file)), line);
    draft.step(format!(
        "put the certificates of clients that soap.{route} lets in into {file}, PEM, one behind the other (in Windows: Trusted \
         People)"
    ));
}

/// Who may sign in with a name and a password.
fn read_user_names(element: Element<'_>, routes: &[&Route], draft: &mut Draft) {
    let keys = keys(routes, "accounts", |route| route.needs.user_name);
    if keys.is_empty() {
        let why = "no route of this file takes names and passwords";
        return settings(element).iter().for_each(|setting| draft.ignore(setting, why));
    }
    for setting in settings(element) {
        match (setting.name.as_str(), setting.value.as_str()) {
            ("usernamepasswordvalidationmode", "Windows" | "MembershipProvider" | "Custom") => {
                keys.iter().for_each(|key| draft.set(key, quote(ACCOUNTS), setting.line));
                draft.step(ADD_ACCOUNTS);
                let why = format!("names and passwords are now those in {ACCOUNTS} ({})", keys.join(", "));
                draft.refuse(&setting, &why);
            }
            ("usernamepasswordvalidationmode", _) => {
                draft.wrong(&setting, "must be Windows, MembershipProvider or Custom");
            }
            ("customusernamepasswordvalidatortype", _) => draft.refuse(&setting, CODE),
            ("membershipprovidername", _) => {
                draft.refuse(&setting, "its users are in a database of ASP.NET: add them as accounts");
            }
            ("includewindowsgroups" | "cachelogontokens" | "maxcachedlogontokens" | "cachedlogontokenlifetime", _) => {
                draft.ignore(&setting, "there are no Windows accounts here");
            }
            _ => draft.unknown(&setting),
        }
    }
    element.children().for_each(|child| draft.unknown_element(child));
}

fn read_service_authorization(element: Element<'_>, draft: &mut Draft) {
    for setting in settings(element) {
        match (setting.name.as_str(), setting.value.to_ascii_lowercase().as_str()) {
            ("impersonatecallerforalloperations" | "impersonateonserializingreply", "true") => draft.refuse(
                &setting,
                "impersonation needs Windows accounts: have the service decide from claims_to_headers",
            ),
            ("impersonatecallerforalloperations" | "impersonateonserializingreply", _) => {
                draft.ignore(&setting, "is the default");
            }
            ("principalpermissionmode", "custom" | "useaspnetroles") | ("roleprovidername", _) => draft.refuse(
                &setting,
                "roles come from code or a database of yours: add them to the accounts, and hand them on with claims_to_headers",
            ),
            ("principalpermissionmode", _) => {
                draft.ignore(&setting, "the service decides from what claims_to_headers hands on");
            }
            ("serviceauthorizationmanagertype", _) => draft.refuse(&setting, CODE),
            _ => draft.unknown(&setting),
        }
    }
    for child in element.children() {
        if named(child, "authorizationPolicies") {
            child.children().for_each(|policy| draft.element(policy, Outcome::Unsupported(CODE.to_owned())));
        } else {
            draft.unknown_element(child);
        }
    }
}

fn read_throttling(element: Element<'_>, routes: &[&Route], draft: &mut Draft) {
    let name = routes.first().map_or("NAME", |route| route.name.as_str());
    for setting in settings(element) {
        match setting.name.as_str() {
            "maxconcurrentcalls" => draft.refuse(
                &setting,
                &format!("say in soap.{name}.balance.max_requests how many requests the service takes at a time"),
            ),
            "maxconcurrentsessions" | "maxconcurrentinstances" => {
                draft.ignore(&setting, "sessions end at the gateway, which has limits of its own");
            }
            _ => draft.unknown(&setting),
        }
    }
}

fn read_client_credentials(element: Element<'_>, routes: &[&Route], draft: &mut Draft) {
    draft.refuse_repeated(element, &["clientCertificate", "serviceCertificate"]);
    for setting in settings(element) {
        match setting.name.as_str() {
            "type" => draft.refuse(&setting, CODE),
            "supportinteractive" | "useidentityconfiguration" => draft.ignore(&setting, "is about issued tokens"),
            _ => draft.unknown(&setting),
        }
    }
    for child in element.children() {
        match child.local_name() {
            "clientCertificate" => {
                let keys = keys(routes, "identity", |route| route.needs.client_certificate);
                certificates::read(child, Kind::WithKey, &keys, draft);
            }
            "serviceCertificate" => read_service_certificates(child, routes, draft),
            "windows" | "httpDigest" | "peer" | "issuedToken" => {
                let why = "is for credentials that no route of this file has";
                draft.element(child, Outcome::Ignored(why.to_owned()));
            }
            _ => draft.unknown_element(child),
        }
    }
}

/// Which certificate the service has, where the endpoint does not say it.
fn read_service_certificates(element: Element<'_>, routes: &[&Route], draft: &mut Draft) {
    for child in element.children() {
        match child.local_name() {
            "defaultCertificate" => read_service_certificate(child, routes, draft),
            "scopedCertificates" => {
                for add in child.children() {
                    let target = attribute(add, "targetUri").map(|target| quote(target.trim()));
                    let is_meant =
                        |route: &&&Route| draft.literal(&format!("soap.{}.upstream", route.name)) == target.as_deref();
                    let meant: Vec<&Route> = routes.iter().filter(is_meant).copied().collect();
                    read_service_certificate(add, &meant, draft);
                }
            }
            "authentication" => {
                for setting in settings(child) {
                    if setting.name == "customcertificatevalidatortype" {
                        draft.refuse(&setting, CODE);
                    } else {
                        draft.ignore(&setting, "exactly the certificates in peer_certificates are the service's");
                    }
                }
            }
            _ => draft.unknown_element(child),
        }
    }
}

fn read_service_certificate(element: Element<'_>, routes: &[&Route], draft: &mut Draft) {
    let free = |route: &Route| {
        route.needs.service_certificate && draft.literal(&format!("soap.{}.peer_certificates", route.name)).is_none()
    };
    let keys = keys(routes, "peer_certificates", free);
    certificates::read(element, Kind::Alone, &keys, draft);
}

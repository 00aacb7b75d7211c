//! A SOAP route in words, for `handstamp config check`: what the other side must do, and what becomes of sessions.

use std::fmt::Write as _;
use std::sync::Arc;

use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_security_policy::{Encoding, Explanation};
use handstamp_session_token::RevocationList;
use handstamp_time::{Clock as _, SystemClock, Timestamp};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{AddressingVersion, UserNameError, UserNameValidator};

use super::caller_tokens::CallerTokens;
use super::sessions::InitiateSessions;
use super::terminate::{Seals, TerminateSessions};
use super::terms::Terms;
use crate::Error;
use crate::config::{
    Config, LostSession, RateLimit, ReplayMemory, SoapCallers, SoapDialect, SoapMode, SoapRoute, format_duration,
};

/// Reads the files of all SOAP routes, sees whether they go together, and says what they come to.
///
/// # Errors
/// A file that cannot be used, settings that do not go together.
pub(crate) fn explain(config: &Config) -> Result<String, Error> {
    let mut text = String::new();
    for (name, route) in &config.soap {
        let terms = Arc::new(Terms::read(route)?);
        terms.check_streaming(name, route)?;
        try_out(config, name, route, &terms)?;
        // Writing into a string cannot fail.
        let _ = one(&mut text, name, route, &terms);
    }
    Ok(text)
}

/// Puts the sessions of a route together as the gateway does, with keys that are thrown away.
fn try_out(config: &Config, name: &str, route: &SoapRoute, terms: &Arc<Terms>) -> Result<(), Error> {
    match route.mode {
        SoapMode::Initiate => InitiateSessions::open(name, route, terms, None).map(drop),
        SoapMode::Terminate => {
            let ring = KeyRing::in_memory(RotationPolicy::default(), SystemClock.now(), &SystemRandom)?;
            let seals = Seals { keys: Arc::new(ring), revocations: Arc::new(RevocationList::new()) };
            let builder = TerminateSessions::builder(name, route, terms, &seals)?;
            let builder = if route.accounts.is_some() { builder.user_names(Arc::new(Nobody)) } else { builder };
            let builder = match CallerTokens::open(name, route, terms, config, |_, _| Ok(None))? {
                Some(tokens) => builder.issued_tokens(Arc::new(tokens)),
                None => builder,
            };
            TerminateSessions::build(name, builder).map(drop)
        }
    }
}

/// Lets nobody in: there is no need to open the accounts to see that there are some.
struct Nobody;

impl UserNameValidator for Nobody {
    fn validate(&self, _: &str, _: &str, _: Timestamp) -> Result<(), UserNameError> {
        Err(UserNameError::Refused("nobody signs in here".to_owned()))
    }
}

fn one(text: &mut String, name: &str, route: &SoapRoute, terms: &Terms) -> std::fmt::Result {
    let hosts: Vec<String> = route.hosts.iter().map(ToString::to_string).collect();
    let hosts = if hosts.is_empty() { "any host".to_owned() } else { hosts.join(", ") };
    let path = route.path.as_str();
    match route.mode {
        SoapMode::Terminate => {
            writeln!(
                text,
                "SOAP {name}: clients speak secure sessions at {hosts}, path {path}; plain SOAP → {}.",
                route.upstream
            )?;
        }
        SoapMode::Initiate => {
            writeln!(text, "SOAP {name}: plain SOAP at {hosts}, path {path}; secure sessions → {}.", route.upstream)?;
        }
    }
    let explanation = Explanation::of(&terms.security);
    writeln!(
        text,
        "  Secured messages: {}, {}, {}.",
        soap(terms.soap()),
        addressing(terms.addressing()),
        encoding(terms.encoding)
    )?;
    writeln!(
        text,
        "  {} sends: {}",
        if route.mode == SoapMode::Terminate { "A client" } else { "The gateway" },
        explanation.client
    )?;
    writeln!(text, "  Signed: {}", explanation.signed)?;
    writeln!(text, "  Encrypted: {}", explanation.encrypted)?;
    writeln!(text, "  Algorithms: {}", explanation.algorithms)?;
    match route.max_streamed_size {
        Some(size) => writeln!(
            text,
            "  Messages: up to {}; above 64KiB text passes as it comes, up to {size}.",
            route.max_message_size
        )?,
        None => writeln!(text, "  Messages: up to {}, each held as a whole.", route.max_message_size)?,
    }
    match route.mode {
        SoapMode::Terminate => terminated(text, route, terms, &explanation),
        SoapMode::Initiate => initiated(text, route, terms),
    }
}

fn terminated(text: &mut String, route: &SoapRoute, terms: &Terms, explanation: &Explanation) -> std::fmt::Result {
    writeln!(text, "  Restart of the gateway: {}", explanation.restart)?;
    let accounts = route.accounts.as_ref().map(|file| format!("the accounts in {}", file.display()));
    writeln!(text, "  Names and passwords: {}.", accounts.as_deref().unwrap_or("none"))?;
    if !route.issuers.is_empty() {
        let address = route.address.as_ref().map(ToString::to_string);
        let audiences =
            if route.audiences.is_empty() { address.into_iter().collect() } else { route.audiences.clone() };
        writeln!(text, "  Tokens: SAML of {}, for {}.", route.issuers.join(", "), audiences.join(" or "))?;
    }
    let memory = match route.replay_memory {
        _ if terms.security.is_transport() => "left to TLS",
        ReplayMemory::Node => "each node for itself, until it restarts",
        ReplayMemory::Store => "all nodes, in the store; none is accepted while it does not answer",
    };
    writeln!(text, "  Messages that come twice are refused by: {memory}.")?;
    let limits = AddressLimits::of(route);
    writeln!(
        text,
        "  One address gets: requests for sessions, {}; refused messages, {}.",
        limits.session_requests, limits.refusals
    )?;
    encrypted_headers(text, route, "the service's replies")?;
    let operations = match terms.operations().len() {
        0 => "every action is passed on; there is no WSDL.".to_owned(),
        count => format!("the {count} of the WSDL; it is published with this policy at ?wsdl."),
    };
    writeln!(text, "  Operations: {operations}")?;
    let inside = match route.upstream_soap {
        SoapDialect::Same => "SOAP as the WSDL's port or the client has it",
        SoapDialect::Soap11 => "SOAP 1.1",
        SoapDialect::Soap12 => "SOAP 1.2",
    };
    write!(text, "  The service gets {inside}")?;
    let headers: Vec<String> =
        route.claims_to_headers.iter().map(|(header, claim_type)| format!("{claim_type} as {header}")).collect();
    if !headers.is_empty() {
        write!(text, ", {}", headers.join(", "))?;
    }
    if let Some(header) = &route.jwt_header {
        write!(text, ", a signed token as {header}")?;
    }
    if route.caller_header {
        write!(text, ", and the caller in a SOAP header that is not signed")?;
    }
    writeln!(text, ".")
}

/// What one address gets, in words.
struct AddressLimits {
    session_requests: String,
    refusals: String,
}

impl AddressLimits {
    fn of(route: &SoapRoute) -> Self {
        let words = |limit: &Option<RateLimit>, otherwise: &str| match limit {
            Some(limit) => {
                let burst = limit.burst.unwrap_or(limit.requests);
                format!("{} in {}, {burst} at once", limit.requests, format_duration(limit.per))
            }
            None => otherwise.to_owned(),
        };
        Self {
            session_requests: words(&route.session_requests, "100 in 1s, 1000 at once"),
            refusals: words(&route.refusals, "1 in 1s, 1000 at once"),
        }
    }
}

fn encrypted_headers(text: &mut String, route: &SoapRoute, of: &str) -> std::fmt::Result {
    if route.encrypted_headers.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = route.encrypted_headers.iter().map(ToString::to_string).collect();
    writeln!(text, "  Encrypted headers of {of}, besides those of the WSDL: {}.", names.join(", "))
}

fn initiated(text: &mut String, route: &SoapRoute, terms: &Terms) -> std::fmt::Result {
    let who = match (route.callers, &route.user) {
        (SoapCallers::Basic, _) => "Each caller signs in with its own name and password (HTTP Basic).".to_owned(),
        (_, Some(user)) => format!("All callers share one session, of {user}: keep the address private."),
        _ => "All callers share one session: keep the address private.".to_owned(),
    };
    writeln!(text, "  {who}")?;
    if let Some(service) = &route.token_service {
        let applies_to = service.applies_to.clone().or_else(|| route.address.as_ref().map(ToString::to_string));
        let applies_to = applies_to.unwrap_or_else(|| route.upstream.to_string());
        let url = &service.url;
        writeln!(text, "  The name and the password go to {url}; the service gets its token for {applies_to}.")?;
    }
    encrypted_headers(text, route, "requests")?;
    let lost = match route.lost_session {
        LostSession::RepeatOverTls if route.upstream.servers().iter().all(|server| server.url.is_https()) => {
            "a new session is obtained and the request sent once more"
        }
        LostSession::RepeatOverTls => {
            "the caller is told, and the next request gets a new one: there is no TLS to believe it"
        }
        LostSession::Repeat => "a new session is obtained and the request sent once more, whoever says so",
        LostSession::Fail => "the caller is told, and the next request gets a new one",
    };
    writeln!(text, "  When the service does not know the session: {lost}.")?;
    writeln!(text, "  Restart of the gateway: sessions are obtained anew.")?;
    match terms.operations().len() {
        0 => writeln!(text, "  There is no WSDL: callers name the action themselves."),
        count => writeln!(text, "  The WSDL's {count} operation(s) are published without security at ?wsdl."),
    }
}

fn soap(version: SoapVersion) -> &'static str {
    match version {
        SoapVersion::Soap11 => "SOAP 1.1",
        SoapVersion::Soap12 => "SOAP 1.2",
    }
}

fn addressing(version: AddressingVersion) -> &'static str {
    match version {
        AddressingVersion::V10 => "WS-Addressing 1.0",
        AddressingVersion::August2004 => "WS-Addressing of August 2004",
    }
}

fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Text => "text",
        Encoding::Mtom => "MTOM",
        Encoding::Binary => ".NET binary XML",
    }
}

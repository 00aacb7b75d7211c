//! A configuration in words, for `handstamp config check`.

use std::fmt::{self, Display};
use std::time::Duration;

use super::federation::Federation;
use super::values::format_duration;
use super::web::{SignIn, WebRoute};
use super::{
    AuthenticatedCache, Config, ForwardingHeaders, HostHeader, Network, SessionFormat, SessionMode, SoapMode, StoreKind,
};

impl Config {
    /// What the configuration means, in sentences.
    pub fn explain(&self) -> impl Display + '_ {
        Explanation(self)
    }
}

struct Explanation<'c>(&'c Config);

impl Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        for (name, listener) in &config.listener {
            let protocol = match &listener.tls {
                None => "HTTP",
                Some(tls) if tls.http2 => "HTTP/1.1 and HTTP/2 over TLS",
                Some(_) => "HTTP/1.1 over TLS",
            };
            write!(f, "Listener {name}: accepts {protocol} on {}", listener.address)?;
            writeln!(
                f,
                "; request heads up to {}, within {}.",
                listener.max_header_size,
                format_duration(listener.header_timeout)
            )?;
            if listener.redirect_to_https {
                writeln!(f, "  Every request is sent to https, port {}.", listener.https_port)?;
            }
            let told = match listener.forwarding_headers {
                None if listener.proxy_protocol => "The PROXY protocol, and no header, is",
                headers => forwarding(headers.unwrap_or(ForwardingHeaders::XForwarded)),
            };
            write_proxies(f, told, &listener.trusted_proxies)?;
            if listener.proxy_protocol {
                writeln!(f, "  Connections begin with the PROXY protocol.")?;
            }
        }
        if let Some(admin) = &config.admin {
            writeln!(f, "Admin: health and metrics on http://{}.", admin.address)?;
            if let Some(federation) = &admin.federation {
                let roles = admin.required_roles.join(" or ");
                writeln!(f, "  A page for operators, who sign in by {federation} and are {roles}.")?;
                write_proxies(f, forwarding(admin.forwarding_headers), &admin.trusted_proxies)?;
            }
        }
        if let Some(audit) = &config.audit {
            writeln!(f, "Audit log: {}.", audit.path.display())?;
        }
        if let Some(telemetry) = &config.telemetry {
            writeln!(f, "Traces of {} % of the requests go to {}.", telemetry.sample, telemetry.collector)?;
        }
        match (config.store.kind, &config.store.path) {
            (StoreKind::Sqlite, Some(path)) => writeln!(f, "Store: SQLite in {}.", path.display())?,
            (StoreKind::Redis | StoreKind::Postgresql, _) => {
                let url = config.store.url.as_deref().unwrap_or_default();
                writeln!(
                    f,
                    "Store: {} at {url}, for every node that has the same key ring.",
                    config.store.kind.word()
                )?;
            }
            _ => writeln!(f, "Store: in memory; revocations and replay records are lost when the program ends.")?,
        }
        let seals_sessions = config.soap.values().any(|route| route.mode == SoapMode::Terminate);
        if !config.federation.is_empty() || seals_sessions {
            writeln!(
                f,
                "Keys: {}; a fresh key every {}.",
                config.keys.path.display(),
                format_duration(config.keys.rotate_after)
            )?;
        }
        for (name, federation) in &config.federation {
            self.federation(f, name, federation)?;
        }
        for (name, route) in &config.web {
            self.route(f, name, route)?;
        }
        for (name, settings) in &config.forward_auth {
            let federation = config.federation_named(settings.federation.as_deref()).map_or("", |(name, _)| name);
            let path = settings.path.as_str();
            writeln!(f, "Forward-auth {name}: decides for other proxies at {path}/check and {path}/challenge.")?;
            writeln!(f, "  People sign in at {federation}.")?;
        }
        if let Some(jwt) = &config.jwt {
            let lifetime = format_duration(jwt.lifetime);
            writeln!(f, "JWT: signed by {} for at most {lifetime}.", jwt.issuer)?;
        }
        Ok(())
    }
}

impl Explanation<'_> {
    fn federation(&self, f: &mut fmt::Formatter<'_>, name: &str, federation: &Federation) -> fmt::Result {
        write!(f, "Federation {name}: is {} to its issuer", federation.realm)?;
        let issuers = self.0.issuers_of(federation);
        for (index, (issuer, settings)) in issuers.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; or" };
            match (&settings.sign_in_url, &settings.metadata) {
                (Some(url), _) => write!(f, "{separator} {issuer}, where people sign in at {url}")?,
                (None, Some(url)) => write!(f, "{separator} {issuer}, which says at {url} where people sign in")?,
                (None, None) => write!(f, "{separator} {issuer}")?,
            }
        }
        writeln!(f, ".")?;
        if issuers.len() > 1 {
            let path = federation.reply_path.as_str();
            match federation.remember_issuer {
                Duration::ZERO => writeln!(f, "  People choose one of them at {path}, each time.")?,
                time => writeln!(
                    f,
                    "  People choose one of them at {path}; it is remembered for {}.",
                    format_duration(time)
                )?,
            }
        }
        let session = &federation.session;
        write!(f, "  A session lasts {}", format_duration(session.absolute_timeout))?;
        if let Some(idle) = session.idle_timeout {
            write!(f, ", or until nothing was requested for {}", format_duration(idle))?;
        }
        if session.cap_to_issuer_lifetime {
            write!(f, ", and no longer than the issuer's token")?;
        }
        let cookie = |format: SessionFormat| match (format, &federation.wif) {
            (SessionFormat::Wif, Some(wif)) => &wif.cookie_name,
            _ => &federation.cookie.name,
        };
        match session.mode {
            SessionMode::SelfContained => writeln!(f, "; the cookie {} holds all of it.", cookie(session.format))?,
            SessionMode::Automatic => {
                let name = cookie(session.format);
                writeln!(f, "; the cookie {name} holds all of it while it fits, then a handle.")?;
            }
            SessionMode::Reference => {
                writeln!(f, "; the cookie {} holds a handle, the store the rest.", cookie(session.format))?;
            }
        }
        if session.format == SessionFormat::Wif {
            writeln!(f, "  It is written as WIF writes it.")?;
        }
        for format in &session.accept {
            let name = cookie(*format);
            writeln!(f, "  Sessions in the cookie {name} ({}) are taken over from it.", format.word())?;
        }
        writeln!(f, "  {} signs out, here and at the issuer.", federation.sign_out_path.as_str())
    }

    fn route(&self, f: &mut fmt::Formatter<'_>, name: &str, route: &WebRoute) -> fmt::Result {
        let hosts: Vec<String> = route.hosts.iter().map(ToString::to_string).collect();
        let hosts = if hosts.is_empty() { "any host".to_owned() } else { hosts.join(", ") };
        write!(f, "Web {name}: {hosts}, path {}", route.path.as_str())?;
        if !route.listeners.is_empty() {
            write!(f, ", on {}", route.listeners.join(", "))?;
        }
        write!(f, " → {}", route.upstream)?;
        match route.host_header {
            HostHeader::Client => writeln!(f, ", which sees the client's Host.")?,
            HostHeader::Upstream => writeln!(f, ", which sees its own Host.")?,
        }
        let federation = self.0.federation_of(route).map_or("", |(name, _)| name);
        match route.sign_in {
            SignIn::Off => writeln!(f, "  Nobody signs in.")?,
            SignIn::Optional => writeln!(f, "  Whoever is signed in at {federation} is known; nobody is asked.")?,
            SignIn::Required => {
                write!(f, "  People sign in at {federation}")?;
                if !route.public_paths.is_empty() {
                    let paths: Vec<&str> = route.public_paths.iter().map(super::PathPrefix::as_str).collect();
                    write!(f, ", except for {}", paths.join(", "))?;
                }
                if !route.required_roles.is_empty() {
                    write!(f, "; only with the role {}", route.required_roles.join(" or "))?;
                }
                writeln!(f, ".")?;
            }
        }
        for (header, claim_type) in route.claims_to_headers.iter() {
            writeln!(f, "  The application gets {claim_type} as {header}.")?;
        }
        if let Some(header) = &route.jwt_header {
            writeln!(f, "  The application gets a signed token as {header}.")?;
        }
        if route.sign_in != SignIn::Off && route.authenticated_cache == AuthenticatedCache::Application {
            writeln!(f, "  Answers may be kept by browsers: after sign-out the back button may show them.")?;
        }
        Ok(())
    }
}

fn write_proxies(f: &mut fmt::Formatter<'_>, told: &str, proxies: &[Network]) -> fmt::Result {
    match proxies.len() {
        0 => Ok(()),
        networks => writeln!(f, "  {told} believed from {networks} network(s)."),
    }
}

fn forwarding(headers: ForwardingHeaders) -> &'static str {
    match headers {
        ForwardingHeaders::XForwarded => "X-Forwarded headers are",
        ForwardingHeaders::Forwarded => "Forwarded is",
    }
}

//! What has to fit together across options.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cookie::NamedCookie;
use super::federation::{Federation, Issuer};
use super::findings::{FindingKind, Reader};
use super::forward_auth::ForwardAuth;
use super::schema::nearest;
use super::service::StoreKind;
use super::web::{SignIn, WebRoute};
use super::{Config, HostPattern, SameSite, SessionFormat, SessionMode};

impl Config {
    /// Reports everything that is well formed but does not fit together.
    pub(super) fn check(&self, reader: &mut Reader) {
        self.store.check(reader);
        self.check_listeners(reader);
        for (name, issuer) in &self.issuer {
            issuer.check(&format!("issuer.{name}"), reader);
        }
        for (name, federation) in &self.federation {
            self.check_federation(federation, &format!("federation.{name}"), reader);
        }
        for (name, route) in &self.web {
            self.check_route(route, &format!("web.{name}"), reader);
        }
        for (name, route) in &self.soap {
            self.check_soap(route, &format!("soap.{name}"), reader);
        }
        for (name, settings) in &self.forward_auth {
            self.check_forward_auth(settings, &format!("forward_auth.{name}"), reader);
        }
        self.check_ambiguous_routes(reader);
        self.check_own_paths(reader);
        self.check_admin(reader);
        if self.telemetry.as_ref().is_some_and(|telemetry| telemetry.sample > 100) {
            reader.report(FindingKind::Value, "telemetry.sample", "is in percent: from 0 to 100");
        }
        if self.keys.rotate_after < SHORTEST_ROTATION {
            let message = "must be at least 10m: a fresh key waits two minutes until every node has it, and none is forgotten while \
                 sessions may be under it";
            reader.report(FindingKind::Value, "keys.rotate_after", message);
        }
        if let Some(jwt) = &self.jwt {
            not_zero(jwt.lifetime, "jwt.lifetime", reader);
        }
        if let Some(sts) = &self.sts {
            sts.check(reader);
            for (index, listener) in sts.listeners.iter().enumerate() {
                check_name("listener", &self.listener, listener, &format!("sts.listeners[{index}]"), reader);
            }
        }
    }

    /// The relying party of a route: the named one, or the only one.
    pub fn federation_of(&self, route: &WebRoute) -> Option<(&str, &Federation)> {
        self.federation_named(route.federation.as_deref())
    }

    /// The relying party of this name, or the only one.
    pub fn federation_named(&self, name: Option<&str>) -> Option<(&str, &Federation)> {
        only_or_named(&self.federation, name)
    }

    /// The issuers of a relying party: the named ones, in that order, or the only one.
    pub fn issuers_of(&self, federation: &Federation) -> Vec<(&str, &Issuer)> {
        match &federation.issuer {
            Some(names) => names.iter().filter_map(|name| only_or_named(&self.issuer, Some(name))).collect(),
            None => only_or_named(&self.issuer, None).into_iter().collect(),
        }
    }

    fn check_listeners(&self, reader: &mut Reader) {
        if self.listener.is_empty() && !(self.web.is_empty() && self.soap.is_empty() && self.forward_auth.is_empty()) {
            reader.report(
                FindingKind::Missing,
                "listener",
                "no listener: add [listener.public] with address = \"127.0.0.1:8080\"",
            );
        }
        let mut seen = BTreeMap::new();
        for (name, listener) in &self.listener {
            let path = format!("listener.{name}");
            if !listener.address.is_any_port()
                && let Some(other) = seen.insert(&listener.address, name)
            {
                let message = format!("is also the address of listener.{other}; choose another port");
                reader.report(FindingKind::Conflict, &format!("{path}.address"), message);
            }
            if listener.max_header_size.0 < 8 << 10 {
                let message = "must be at least 8 KiB: less refuses ordinary browsers";
                reader.report(FindingKind::Value, &format!("{path}.max_header_size"), message);
            }
            // Room for all of them is made before any has come.
            if !(1..=10_000).contains(&listener.max_headers) {
                reader.report(FindingKind::Value, &format!("{path}.max_headers"), "must be from 1 to 10000");
            }
            if listener.max_connections == 0 {
                reader.report(FindingKind::Value, &format!("{path}.max_connections"), "must be at least 1");
            }
            not_zero(listener.header_timeout, &format!("{path}.header_timeout"), reader);
            not_zero(listener.write_timeout, &format!("{path}.write_timeout"), reader);
            listener.check_transport(&path, reader);
        }
    }

    fn check_federation(&self, federation: &Federation, path: &str, reader: &mut Reader) {
        let at = |key: &str| format!("{path}.{key}");
        self.check_issuers(federation, path, reader);
        let absolute = federation
            .realm
            .split_once(':')
            .is_some_and(|(scheme, rest)| !rest.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        if !absolute {
            let message = "must be an absolute URI such as \"https://shop.example/\" or \"urn:shop\"";
            reader.report(FindingKind::Value, &at("realm"), message);
        }
        if federation.require_https {
            let sign_in = self.issuers_of(federation).into_iter().filter_map(|(name, issuer)| {
                Some((format!("issuer.{name}.sign_in_url"), issuer.sign_in_url.as_ref()?))
            });
            let public = federation.public_url.as_ref().map(|url| (at("public_url"), url));
            for (key, url) in sign_in.chain(public) {
                if !url.is_https() && !url.is_loopback() {
                    let message = format!(
                        "{url} is not https: anybody on the way could take over the sign-in; \
                         use https, or set {path}.require_https = false"
                    );
                    reader.report(FindingKind::Conflict, &key, message);
                }
            }
        }
        if let Some(url) = &federation.public_url
            && (url.path() != "/" || url.query().is_some())
        {
            let message = "must be scheme, host and port only, such as \"https://shop.example\"";
            reader.report(FindingKind::Value, &at("public_url"), message);
        }
        if absolute && federation.public_origin().is_none() {
            let message =
                "is required because the realm is no address: set it to the site's, such as \"https://shop.example\"";
            reader.report(FindingKind::Missing, &at("public_url"), message);
        }
        let mut own = BTreeMap::new();
        for (key, value) in federation.own_paths() {
            if value.as_str() == "/" {
                reader.report(FindingKind::Conflict, &at(key), "must not be the whole site");
            }
            if let Some(other) = own.insert(value, key) {
                let message = format!("is the same as {other}; each needs a path of its own");
                reader.report(FindingKind::Conflict, &at(key), message);
            }
        }
        if let Some(freshness) = federation.freshness
            && freshness.as_secs() % 60 != 0
        {
            reader.report(FindingKind::Value, &at("freshness"), "must be whole minutes");
        }
        let says_goodbye = |(_, issuer): &(&str, &Issuer)| issuer.logout_tokens.is_some();
        if federation.back_channel.is_some() && !self.issuers_of(federation).iter().any(says_goodbye) {
            let message = "needs an issuer that signs logout tokens: add [issuer.NAME.logout_tokens]";
            reader.report(FindingKind::Missing, &at("back_channel"), message);
        }
        self.check_shared_sessions(federation, path, reader);
        federation.check_decryption(path, reader);
        self.check_session(federation, path, reader);
        federation.check_formats(path, reader);
        check_cookie(federation, path, reader);
    }

    fn check_issuers(&self, federation: &Federation, path: &str, reader: &mut Reader) {
        let Some(names) = &federation.issuer else {
            return check_reference("issuer", &self.issuer, None, path, reader);
        };
        for name in names.iter() {
            check_name("issuer", &self.issuer, name, &format!("{path}.issuer"), reader);
        }
        let issuers = self.issuers_of(federation);
        if issuers.len() < 2 {
            return;
        }
        if federation.home_realm.is_some() {
            let message = "means nothing with several issuers: set home_realm of the issuer that it is for";
            reader.report(FindingKind::Conflict, &format!("{path}.home_realm"), message);
        }
        let mut names = BTreeMap::new();
        for (issuer, settings) in issuers {
            let Some(name) = &settings.name else { continue };
            if let Some(other) = names.insert(name, issuer) {
                let message = format!("is the name of issuer.{other}, too: nobody could tell whose claims are whose");
                reader.report(FindingKind::Conflict, &format!("issuer.{issuer}.name"), message);
            }
        }
    }

    /// One cookie for several relying parties: each says whose sessions it accepts besides its own.
    fn check_shared_sessions(&self, federation: &Federation, path: &str, reader: &mut Reader) {
        let key = format!("{path}.session.accept_from");
        let origin = federation.public_origin();
        for name in &federation.session.accept_from {
            check_name("federation", &self.federation, name, &key, reader);
            let Some(other) = self.federation.get(name) else { continue };
            let message = if std::ptr::eq(other, federation) {
                "its own sessions are accepted anyway: remove it".to_owned()
            } else if other.cookie != federation.cookie {
                format!("{name} has another cookie: give both the same table cookie")
            } else if other.session.format != SessionFormat::Native
                || federation.session.format != SessionFormat::Native
            {
                "means something for native sessions only: for WIF's, name the scopes in wif.scopes".to_owned()
            } else {
                continue;
            };
            reader.report(FindingKind::Conflict, &key, message);
        }
        let twin = |(name, other): &(&String, &Federation)| {
            !std::ptr::eq(*other, federation)
                && origin.is_some()
                && other.public_origin() == origin
                && other.cookie.name == federation.cookie.name
                && !federation.session.accept_from.contains(name)
                && !other.session.accept_from.iter().any(|accepted| path == format!("federation.{accepted}"))
        };
        if let Some((name, _)) = self.federation.iter().find(twin) {
            let message = format!(
                "is the name of federation.{name}'s cookie, too, on the same site: each would delete the other's sessions. Choose \
                 another name, or share sessions with session.accept_from"
            );
            reader.report(FindingKind::Conflict, &format!("{path}.cookie.name"), message);
        }
    }

    fn check_session(&self, federation: &Federation, path: &str, reader: &mut Reader) {
        let session = &federation.session;
        let at = |key: &str| format!("{path}.session.{key}");
        not_zero(session.absolute_timeout, &at("absolute_timeout"), reader);
        if let Some(idle) = session.idle_timeout {
            not_zero(idle, &at("idle_timeout"), reader);
            if idle > session.absolute_timeout {
                let message = "is longer than absolute_timeout and would never take effect";
                reader.report(FindingKind::Conflict, &at("idle_timeout"), message);
            }
        }
        if session.slide_after == 0 || session.slide_after > 99 {
            reader.report(FindingKind::Value, &at("slide_after"), "must be from 1 to 99");
        }
        if session.clock_skew > Duration::from_secs(60) {
            let message = "must be at most \"60s\": our own nodes agree on the time; \
                           for the issuer's clock set clock_skew of the federation";
            reader.report(FindingKind::Value, &at("clock_skew"), message);
        }
        if session.mode != SessionMode::SelfContained && self.store.kind == StoreKind::Memory {
            let message =
                "needs a store that survives a restart: set [store] kind = \"sqlite\", \"redis\" or \"postgresql\"";
            reader.report(FindingKind::Conflict, &at("mode"), message);
        }
    }

    fn check_route(&self, route: &WebRoute, path: &str, reader: &mut Reader) {
        let at = |key: &str| format!("{path}.{key}");
        for (index, listener) in route.listeners.iter().enumerate() {
            let key = at(&format!("listeners[{index}]"));
            check_name("listener", &self.listener, listener, &key, reader);
        }
        route.check_upstream(path, reader);
        if route.sign_in == SignIn::Off {
            for (key, given) in [
                ("required_roles", !route.required_roles.is_empty()),
                ("public_paths", !route.public_paths.is_empty()),
                ("claims_to_headers", !route.claims_to_headers.is_empty()),
                ("session_header", route.session_header.is_some()),
                ("jwt_header", route.jwt_header.is_some()),
                ("session_path", route.session_path.is_some()),
                ("sign_in_path", route.sign_in_path.is_some()),
                ("public_preflight", route.public_preflight),
                ("federation", route.federation.is_some()),
            ] {
                if given {
                    let message = "means nothing without sign-in: set sign_in = \"required\" or \"optional\"";
                    reader.report(FindingKind::Conflict, &at(key), message);
                }
            }
        } else {
            if route.pass_session_cookie {
                let message = "is for applications that sign people in themselves: set sign_in = \"off\"";
                reader.report(FindingKind::Conflict, &at("pass_session_cookie"), message);
            }
            check_reference("federation", &self.federation, route.federation.as_deref(), path, reader);
        }
        self.check_jwt(route.jwt_header.is_some(), route.jwt_audience.is_some(), path, reader);
        if route.sign_in == SignIn::Optional {
            for (key, given) in
                [("required_roles", !route.required_roles.is_empty()), ("public_paths", !route.public_paths.is_empty())]
            {
                if given {
                    let message = "holds only where sign-in is required: set sign_in = \"required\"";
                    reader.report(FindingKind::Conflict, &at(key), message);
                }
            }
        }
        for (key, timeout) in [
            ("connect_timeout", route.connect_timeout),
            ("response_timeout", route.response_timeout),
            ("idle_timeout", route.idle_timeout),
            ("stream_idle_timeout", route.stream_idle_timeout),
        ] {
            not_zero(timeout, &at(key), reader);
        }
    }

    fn check_forward_auth(&self, settings: &ForwardAuth, path: &str, reader: &mut Reader) {
        for (index, listener) in settings.listeners.iter().enumerate() {
            let key = format!("{path}.listeners[{index}]");
            check_name("listener", &self.listener, listener, &key, reader);
        }
        check_reference("federation", &self.federation, settings.federation.as_deref(), path, reader);
        self.check_jwt(settings.jwt_header.is_some(), settings.jwt_audience.is_some(), path, reader);
        let mut listeners = self
            .listener
            .iter()
            .filter(|(name, _)| settings.listeners.is_empty() || settings.listeners.contains(name))
            .map(|(_, listener)| listener);
        if !listeners.any(|listener| !listener.trusted_proxies.is_empty()) {
            let message = "nobody may ask: name the proxy's address in trusted_proxies of the listener";
            reader.report(FindingKind::Conflict, path, message);
        }
    }

    fn check_admin(&self, reader: &mut Reader) {
        let Some(admin) = &self.admin else { return };
        let Some(federation) = &admin.federation else {
            for (key, given) in [
                ("required_roles", !admin.required_roles.is_empty()),
                ("trusted_proxies", !admin.trusted_proxies.is_empty()),
            ] {
                if given {
                    let message = "means nothing without federation: there is no page to sign in to";
                    reader.report(FindingKind::Conflict, &format!("admin.{key}"), message);
                }
            }
            return;
        };
        check_name("federation", &self.federation, federation, "admin.federation", reader);
        if admin.required_roles.is_empty() {
            let message = "is required with federation: name the role of those who may end other people's sessions";
            reader.report(FindingKind::Missing, "admin.required_roles", message);
        }
    }

    pub(super) fn check_jwt(&self, wanted: bool, audience: bool, path: &str, reader: &mut Reader) {
        if wanted && self.jwt.is_none() {
            let message = "needs a signer: add a table [jwt] with issuer = \"https://shop.example\"";
            reader.report(FindingKind::Missing, &format!("{path}.jwt_header"), message);
        }
        if audience && !wanted {
            let message = "means nothing without jwt_header";
            reader.report(FindingKind::Conflict, &format!("{path}.jwt_audience"), message);
        }
    }

    fn check_ambiguous_routes(&self, reader: &mut Reader) {
        let mut seen = BTreeMap::new();
        let web =
            self.web.iter().map(|(name, route)| (format!("web.{name}"), &route.hosts, &route.path, &route.listeners));
        let soap =
            self.soap.iter().map(|(name, route)| (format!("soap.{name}"), &route.hosts, &route.path, &route.listeners));
        for (name, hosts, path, named) in web.chain(soap) {
            let hosts: Vec<Option<&HostPattern>> = hosts.iter().map(Some).collect();
            let hosts = if hosts.is_empty() { vec![None] } else { hosts };
            let named: Vec<&String> = named.iter().collect();
            let listeners = if named.is_empty() { self.listener.keys().collect() } else { named };
            for host in hosts {
                for listener in &listeners {
                    let place = (host, path, *listener);
                    if let Some(other) = seen.insert(place, name.clone())
                        && other != name
                    {
                        let message = format!("answers for the same host and path as {other}");
                        reader.report(FindingKind::Conflict, &name, message);
                        return;
                    }
                }
            }
        }
    }
}

fn check_cookie(federation: &Federation, path: &str, reader: &mut Reader) {
    let cookie = &federation.cookie;
    let at = |key: &str| format!("{path}.cookie.{key}");
    let named = NamedCookie {
        name: (at("name"), &cookie.name),
        path: Some((at("path"), &cookie.path)),
        domain: cookie.domain.as_deref().map(|domain| (at("domain"), domain)),
        secure: (at("secure"), cookie.secure),
    };
    named.check(reader);
    if cookie.same_site == SameSite::None && !cookie.secure {
        let message = "\"none\" needs secure = true: browsers refuse the cookie otherwise";
        reader.report(FindingKind::Conflict, &at("same_site"), message);
    }
    if cookie.chunk_size < 1000 {
        reader.report(FindingKind::Value, &at("chunk_size"), "must be at least 1000 (SM-21)");
    }
    if !(1..=16).contains(&cookie.max_chunks) {
        reader.report(FindingKind::Value, &at("max_chunks"), "must be from 1 to 16");
    }
}

fn only_or_named<'m, T>(named: &'m BTreeMap<String, T>, name: Option<&str>) -> Option<(&'m str, &'m T)> {
    match name {
        Some(name) => named.get_key_value(name),
        None if named.len() == 1 => named.first_key_value(),
        None => None,
    }
    .map(|(name, value)| (name.as_str(), value))
}

/// A reference by name that may be left out when there is exactly one candidate.
fn check_reference<T>(kind: &str, named: &BTreeMap<String, T>, name: Option<&str>, path: &str, reader: &mut Reader) {
    let key = format!("{path}.{kind}");
    match name {
        Some(name) => check_name(kind, named, name, &key, reader),
        None if named.is_empty() => {
            let message = format!("there is none: add [{kind}.NAME]");
            reader.report(FindingKind::Missing, &key, message);
        }
        None if named.len() > 1 => {
            let names: Vec<&str> = named.keys().map(String::as_str).collect();
            let message = format!("is required because there are several: one of {}", names.join(", "));
            reader.report(FindingKind::Missing, &key, message);
        }
        None => {}
    }
}

pub(super) fn check_name<T>(kind: &str, named: &BTreeMap<String, T>, name: &str, key: &str, reader: &mut Reader) {
    if named.contains_key(name) {
        return;
    }
    let names: Vec<&str> = named.keys().map(String::as_str).collect();
    let message = match nearest(name, &names) {
        Some(nearest) => format!("there is no [{kind}.{name}]; did you mean \"{nearest}\"?"),
        None => format!("there is no [{kind}.{name}]"),
    };
    reader.report(FindingKind::Conflict, key, message);
}

/// Faster, and keys would pile up.
const SHORTEST_ROTATION: Duration = Duration::from_secs(600);

pub(super) fn not_zero(duration: Duration, key: &str, reader: &mut Reader) {
    if duration.is_zero() {
        reader.report(FindingKind::Value, key, "must be longer than 0s");
    }
}

//! What has to fit together about connections: of clients to listeners, and of the gateway to applications.

use super::check::{check_name, not_zero};
use super::findings::{FindingKind, Reader};
use super::listener::{ClientCertificates, Listener, ListenerTls};
use super::upstream::{Balance, HealthCheck, RateLimit, UpstreamTls};
use super::web::{SignIn, WebRoute};
use super::{Config, HttpUrl};

impl Config {
    /// What is no mistake by itself, and surely not meant: each begins with the key that it is about.
    ///
    /// Relying parties whose cookies no browser would take: what is secure is not set over plain HTTP (SM-23), and nothing tells that
    /// it is not.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (name, federation) in self.federation.iter().filter(|(_, federation)| federation.cookie.secure) {
            let site = federation.public_origin().and_then(|origin| HttpUrl::parse(&origin));
            // Browsers count the machine itself as secure.
            if site.is_none_or(|site| site.is_loopback()) {
                continue;
            }
            let web = self.web.values().filter(|route| route.sign_in != SignIn::Off);
            let web = web.map(|route| (self.federation_of(route), &route.listeners));
            let asked = self.forward_auth.values();
            let asked = asked.map(|asked| (self.federation_named(asked.federation.as_deref()), &asked.listeners));
            let own = web.chain(asked).filter(|(of, _)| of.is_some_and(|(of, _)| of == name));
            let wanted: Vec<&Vec<String>> = own.map(|(_, listeners)| listeners).collect();
            let is_wanted = |name: &String| wanted.iter().any(|names| names.is_empty() || names.contains(name));
            let listeners = self.listener.iter().filter(|(listener, _)| is_wanted(listener));
            let listeners = listeners.map(|(name, listener)| (format!("listener.{name}"), listener.may_be_https()));
            let admin = self.admin.iter().filter(|admin| admin.federation.as_ref() == Some(name));
            let admin = admin.map(|admin| ("admin".to_owned(), !admin.trusted_proxies.is_empty()));
            let (https, plain): (Vec<_>, Vec<_>) = listeners.chain(admin).partition(|(_, https)| *https);
            if https.is_empty() && !plain.is_empty() {
                let plain: Vec<String> = plain.into_iter().map(|(place, _)| place).collect();
                warnings.push(format!(
                    "federation.{name}.cookie.secure: needs https, and all that arrives at {} counts as plain HTTP: nobody could sign in. Name the proxy that ends \
                     TLS in trusted_proxies there, or add TLS to the listener",
                    plain.join(", ")
                ));
            }
        }
        warnings
    }
}

impl Listener {
    /// Whether something can tell that a request came over TLS.
    fn may_be_https(&self) -> bool {
        self.tls.is_some() || !self.trusted_proxies.is_empty()
    }

    pub(super) fn check_transport(&self, path: &str, reader: &mut Reader) {
        let at = |key: &str| format!("{path}.{key}");
        if let Some(tls) = &self.tls {
            tls.check(&at("tls"), reader);
            if self.redirect_to_https {
                let message = "means nothing on a listener with TLS: put it on one without";
                reader.report(FindingKind::Conflict, &at("redirect_to_https"), message);
            }
        }
        if self.https_port == 0 || self.https_port > 65535 {
            reader.report(FindingKind::Value, &at("https_port"), "must be a port, from 1 to 65535");
        }
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            let message = "needs trusted_proxies: anybody else could claim to be anybody";
            reader.report(FindingKind::Conflict, &at("proxy_protocol"), message);
        }
    }
}

impl ListenerTls {
    fn check(&self, path: &str, reader: &mut Reader) {
        let at = |key: &str| format!("{path}.{key}");
        match &self.default {
            _ if self.certificate.is_empty() => {
                let message = "there is none: add [listener.NAME.tls.certificate.NAME] with chain and key";
                reader.report(FindingKind::Missing, &at("certificate"), message);
            }
            Some(name) => check_name("certificate", &self.certificate, name, &at("default"), reader),
            None if self.certificate.len() > 1 => {
                let names: Vec<&str> = self.certificate.keys().map(String::as_str).collect();
                let message = format!("is required because there are several: one of {}", names.join(", "));
                reader.report(FindingKind::Missing, &at("default"), message);
            }
            None => {}
        }
        match (self.client_certificates, self.client_authorities.is_empty()) {
            (ClientCertificates::Off, false) => {
                let message = "means nothing unless client_certificates is \"optional\" or \"required\"";
                reader.report(FindingKind::Conflict, &at("client_authorities"), message);
            }
            (ClientCertificates::Optional | ClientCertificates::Required, true) => {
                let message = "is required: name the authorities that clients' certificates come from";
                reader.report(FindingKind::Missing, &at("client_authorities"), message);
            }
            _ => {}
        }
        if self.hsts_subdomains && self.hsts.is_none() {
            reader.report(FindingKind::Conflict, &at("hsts_subdomains"), "means nothing without hsts");
        }
    }
}

impl WebRoute {
    pub(super) fn check_upstream(&self, path: &str, reader: &mut Reader) {
        let at = |key: &str| format!("{path}.{key}");
        for server in self.upstream.servers() {
            if server.url.path() != "/" || server.url.query().is_some() {
                let message = "must be scheme, host and port only, such as \"http://127.0.0.1:3000\"";
                reader.report(FindingKind::Value, &at("upstream"), message);
            }
        }
        let https = self.upstream.servers().iter().any(|server| server.url.is_https());
        self.upstream_tls.check(https, &at("upstream_tls"), reader);
        self.balance.check(&at("balance"), reader);
        if let Some(health) = &self.health {
            health.check(&at("health"), reader);
        }
        if let Some(limit) = &self.rate_limit {
            limit.check(&at("rate_limit"), reader);
        }
    }
}

impl UpstreamTls {
    pub(super) fn check(&self, https: bool, path: &str, reader: &mut Reader) {
        let at = |key: &str| format!("{path}.{key}");
        for (key, given) in [
            ("authorities", !self.authorities.is_empty()),
            ("server_name", self.server_name.is_some()),
            ("certificate", self.certificate.is_some()),
            ("key", self.key.is_some()),
        ] {
            if given && !https {
                reader.report(FindingKind::Conflict, &at(key), "means nothing unless upstream is https");
            }
        }
        for (key, other, missing) in [
            ("key", "certificate", self.certificate.is_some() && self.key.is_none()),
            ("certificate", "key", self.key.is_some() && self.certificate.is_none()),
        ] {
            if missing {
                reader.report(FindingKind::Missing, &at(key), format!("is required with {other}"));
            }
        }
    }
}

impl Balance {
    pub(super) fn check(&self, path: &str, reader: &mut Reader) {
        for (key, value) in [("max_requests", self.max_requests), ("eject_after", self.eject_after)] {
            if value == 0 {
                reader.report(FindingKind::Value, &format!("{path}.{key}"), "must be at least 1");
            }
        }
        if self.retries > 5 {
            reader.report(FindingKind::Value, &format!("{path}.retries"), "must be from 0 to 5");
        }
        if self.retry_budget > 100 {
            reader.report(FindingKind::Value, &format!("{path}.retry_budget"), "must be from 0 to 100");
        }
        not_zero(self.eject_for, &format!("{path}.eject_for"), reader);
    }
}

impl HealthCheck {
    pub(super) fn check(&self, path: &str, reader: &mut Reader) {
        for (key, value) in [("healthy_after", self.healthy_after), ("unhealthy_after", self.unhealthy_after)] {
            if value == 0 {
                reader.report(FindingKind::Value, &format!("{path}.{key}"), "must be at least 1");
            }
        }
        not_zero(self.interval, &format!("{path}.interval"), reader);
        not_zero(self.timeout, &format!("{path}.timeout"), reader);
    }
}

impl RateLimit {
    pub(super) fn check(&self, path: &str, reader: &mut Reader) {
        for (key, value) in [("requests", Some(self.requests)), ("burst", self.burst)] {
            if value == Some(0) {
                reader.report(FindingKind::Value, &format!("{path}.{key}"), "must be at least 1");
            }
        }
        not_zero(self.per, &format!("{path}.per"), reader);
    }
}

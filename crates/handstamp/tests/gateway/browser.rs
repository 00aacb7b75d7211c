//! A site with sign-in, its issuer, and a browser that keeps cookies.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{Curve, DeterministicRandom, KeyKind, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_time::{Clock, SystemClock, Timestamp};
use handstamp_ws_federation::{Issuer, IssuerSettings, Limits, Parameters, RelyingPartyTrust};
use tempfile::TempDir;

use super::support::Running;

pub(crate) const REALM: &str = "https://shop.example/";
pub(crate) const STS: &str = "https://sts.example/wsfed";

/// A folder with keys and certificate, and the issuer whose certificate it is.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) issuer: Issuer,
}

/// What differs between tests; all empty by default.
#[derive(Default, Clone, Copy)]
pub(crate) struct Options<'o> {
    pub(crate) route: &'o str,
    pub(crate) federation: &'o str,
    pub(crate) session: &'o str,
    pub(crate) rest: &'o str,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with_key(1)
    }

    /// A site whose issuer signs with the key of this number.
    pub(crate) fn with_key(number: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemClock.now();
        let year = std::time::Duration::from_secs(365 * 24 * 3600);
        KeyRing::init(&folder.path().join("keys.json"), RotationPolicy::default(), now, &SystemRandom)
            .expect("a key ring");
        let identity = SigningIdentity::self_signed(
            "sts",
            KeyKind::Ec(Curve::P256),
            now.saturating_sub(year),
            now.saturating_add(year),
            &DeterministicRandom::new(number),
        )
        .expect("an identity");
        std::fs::write(folder.path().join("sts.pem"), identity.certificate().to_pem()).expect("written");
        let trust = RelyingPartyTrust::new(REALM, ["https://shop.example/signin-wsfed"]);
        let issuer =
            Issuer::new(IssuerSettings::new("urn:sts", STS), Arc::new(identity), vec![trust]).expect("an issuer");
        Self { folder, issuer }
    }

    /// The configuration of a gateway in front of `application`.
    pub(crate) fn toml(&self, application: SocketAddr, options: Options<'_>) -> String {
        let folder = self.folder.path().display();
        let Options { route, federation, session, rest } = options;
        format!(
            r#"
            [listener.public]
            address = "127.0.0.1:0"
            trusted_proxies = ["127.0.0.1"]
            [keys]
            path = "{folder}/keys.json"
            [issuer.sts]
            name = "urn:sts"
            sign_in_url = "{STS}"
            certificates = ["{folder}/sts.pem"]
            [federation.shop]
            realm = "{REALM}"
            {federation}
            [federation.shop.session]
            {session}
            [web.app]
            upstream = "http://{application}"
            sign_in = "required"
            claims_to_headers = {{ X-User = "name", X-Roles = "role" }}
            {route}
            {rest}
            "#
        )
    }

    pub(crate) async fn gateway(&self, application: SocketAddr, options: Options<'_>) -> Running {
        Running::from_toml(&self.toml(application, options)).await
    }

    /// What the issuer posts back for a sign-in request: the fields of the form.
    pub(crate) fn answer(&self, location: &str, name: &str, roles: &[&str]) -> Parameters {
        self.answer_at(location, name, roles, SystemClock.now())
    }

    /// The same, made when the issuer's clock says `now`.
    pub(crate) fn answer_at(&self, location: &str, name: &str, roles: &[&str], now: Timestamp) -> Parameters {
        let (address, query) = location.split_once('?').expect("a query");
        assert_eq!(address, STS);
        let request = Parameters::parse(query, &Limits::default()).expect("parameters");
        let task = self.issuer.receive_sign_in_request(&request).expect("a sign-in request");
        let identity = roles
            .iter()
            .fold(ClaimsIdentity::new("Password").with_claim(Claim::new(claim_types::NAME, name)), |identity, role| {
                identity.with_claim(Claim::new(claim_types::ROLE, *role))
            });
        self.issuer.respond(&task, &identity, now, &SystemRandom).expect("an answer").parameters
    }
}

/// A browser: it keeps cookies and follows nothing by itself.
#[derive(Default, Clone)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { status: status.expect("a status"), headers, body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no redirect: {self:?}"))
    }
}

impl Browser {
    pub(crate) fn cookie_header(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Navigates, as a person does.
    pub(crate) async fn open(&mut self, gateway: &Running, path: &str) -> Answer {
        self.send(gateway, "GET", path, "Accept: text/html\r\n", "").await
    }

    pub(crate) async fn send(
        &mut self,
        gateway: &Running,
        method: &str,
        path: &str,
        lines: &str,
        body: &str,
    ) -> Answer {
        let text = gateway.exchange(self.request(method, path, lines, body)).await;
        self.receive(&text)
    }

    /// A request with the cookies there are.
    pub(crate) fn request(&self, method: &str, path: &str, lines: &str, body: &str) -> String {
        let cookies = match self.cookies.is_empty() {
            true => String::new(),
            false => format!("Cookie: {}\r\n", self.cookie_header()),
        };
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        format!(
            "{method} {path} HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n{cookies}{length}{lines}\r\n{body}"
        )
    }

    /// Takes an answer in, with its cookies.
    pub(crate) fn receive(&mut self, text: &str) -> Answer {
        let answer = Answer::parse(text);
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').expect("a cookie");
            let over = attributes.contains("Max-Age=0") || attributes.contains("Expires=Thu, 01 Jan 1970");
            if over || value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Brings what the issuer answered.
    pub(crate) async fn post(&mut self, gateway: &Running, path: &str, form: &Parameters) -> Answer {
        let lines =
            "Accept: text/html\r\nContent-Type: application/x-www-form-urlencoded\r\nOrigin: https://sts.example\r\n";
        self.send(gateway, "POST", path, lines, &form.to_query_string()).await
    }

    /// Signs in, and returns the answer that ends it.
    pub(crate) async fn sign_in(
        &mut self,
        site: &Site,
        gateway: &Running,
        path: &str,
        name: &str,
        roles: &[&str],
    ) -> Answer {
        let challenge = self.open(gateway, path).await;
        assert_eq!(challenge.status, 302, "{challenge:?}");
        let form = site.answer(challenge.location(), name, roles);
        self.post(gateway, "/signin-wsfed", &form).await
    }

    /// The session's cookie.
    pub(crate) fn session(&self) -> Option<&str> {
        self.cookies.get("__Host-session").map(String::as_str)
    }
}

//! Options of SOAP routes.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderName;
use toml::Spanned;
use toml::de::DeValue;

use super::Config;
use super::check::{check_name, not_zero};
use super::findings::{FindingKind, Reader};
use super::schema::{Value, choice, section, wrong_type};
use super::service::StoreKind;
use super::upstream::{Balance, HealthCheck, RateLimit, UpstreamProtocol, UpstreamTls, Upstreams};
use super::values::{ByteSize, HostPattern, HttpUrl, PathPrefix};
use super::web::ClaimHeaders;

section! {
    /// A SOAP service, secured on one side and plain on the other.
    pub struct SoapRoute {
        /// Which side is the secured one.
        mode: SoapMode,
        /// Listeners that serve the route, by name; all when empty.
        listeners: Vec<String> = [],
        /// Hosts it answers for: `shop.example`, or `*.shop.example` for every name below it; any host when empty.
        hosts: Vec<HostPattern> = [],
        /// Path it answers for, with everything below.
        path: PathPrefix = "/",
        /// The service behind the route, with its path: the plain one (`terminate`), or the one that demands secure sessions
        /// (`initiate`). Several servers of one service have the same path.
        upstream: Upstreams,
        /// Which HTTP the service speaks.
        upstream_protocol: UpstreamProtocol = "auto",
        /// File with the `<customBinding>` or `<binding>` of WCF that clients (`terminate`) or the service (`initiate`) have. May
        /// be left out when `wsdl` has policies.
        binding: Option<PathBuf>,
        /// Name of the `<binding>` in that file; may be left out when there is one.
        binding_name: Option<String>,
        /// File with the WSDL of the service behind the route. From it come operations, their actions and protection, the WSDL
        /// that is served at `?wsdl`, and without `binding` what secures messages.
        wsdl: Option<PathBuf>,
        /// Name of the port in the WSDL; the first that speaks SOAP when absent.
        port: Option<String>,
        /// The address by which clients know the route (`terminate`: in the WSDL; that of the request when absent), or by which the
        /// service knows itself (`initiate`: in `To`; the first of `upstream` when absent).
        address: Option<HttpUrl>,
        /// Our certificate and its private key, PEM or PKCS #12 without password, readable by its owner only: what clients encrypt
        /// for (`terminate`), or what we show to the service (`initiate`).
        identity: Option<PathBuf>,
        /// Certificates (PEM) of the other side: clients that are let in (`terminate`), or the service that we encrypt for
        /// (`initiate`).
        peer_certificates: Vec<PathBuf> = [],
        /// Authorities (PEM) whose certificates the other side may have.
        peer_authorities: Vec<PathBuf> = [],
        /// File of the accounts that may sign in with name and password, as `handstamp account` keeps it (`terminate`).
        accounts: Option<PathBuf>,
        /// Issuers, by name, whose SAML tokens let callers in (`terminate`, with a binding whose bootstrap is one of `IssuedToken…`).
        /// They may be encrypted for `identity`.
        issuers: Vec<String> = [],
        /// Audiences that such a token may be for; `address` when empty.
        audiences: Vec<String> = [],
        /// How long a session lasts at most (`terminate`); a binding may say less.
        session_timeout: Duration = "10h",
        /// Headers that tell the service who calls (`terminate`): header name → claim type (a URI, or the short names `name`,
        /// `email`, `upn`, `role`, `name_identifier`).
        claims_to_headers: ClaimHeaders = {},
        /// Name of a header that brings the service a signed token about who calls, a JWT made as `[jwt]` says (`terminate`).
        jwt_header: Option<HeaderName>,
        /// Audience of that token (`aud`); the path of the route when absent.
        jwt_audience: Option<String>,
        /// Tell the service who calls in a SOAP header, `Caller` in the namespace `urn:handstamp:caller`, with each claim as an
        /// element (`terminate`). It is not signed: the way to the service has to be trusted.
        caller_header: bool = false,
        /// Which SOAP the plain service speaks (`terminate`).
        upstream_soap: SoapDialect = "same",
        /// The name by which we sign in at the service (`initiate`).
        user: Option<String>,
        /// File with the password (`initiate`), readable by its owner only; a line end behind it is left out.
        password_file: Option<PathBuf>,
        /// The token service that vouches for us (`initiate`, with a binding whose bootstrap is one of `IssuedToken…`): names and
        /// passwords go there, and the service gets its token.
        token_service: Option<TokenService>,
        /// Who signs in at the service (`initiate`).
        callers: SoapCallers = "configured",
        /// What becomes of a request when the service says that it does not know the session (`initiate`).
        lost_session: LostSession = "repeat-over-tls",
        /// Most sessions that are kept: one for each caller (`initiate`), or those that the gateway remembers because the binding says
        /// `requireSecurityContextCancellation="true"` (`terminate`).
        max_sessions: u32 = 10000,
        /// How many sessions one address may ask for (`terminate`): each costs a private-key operation before anybody is known. A
        /// hundred in a second and a thousand at once when absent.
        session_requests: Option<RateLimit>,
        /// How many messages of one address may be refused for their protection (`terminate`) before nothing from it is looked at
        /// for a while. One in a second and a thousand at once when absent.
        refusals: Option<RateLimit>,
        /// Who remembers messages that must not come twice (`terminate`).
        replay_memory: ReplayMemory = "node",
        /// Headers of the application that are encrypted on the secured side, besides those that the WSDL's policies name:
        /// `{namespace}name`, or `{namespace}*`. Others are signed.
        encrypted_headers: Vec<HeaderPattern> = [],
        /// Largest message, either way, before and after compression.
        max_message_size: ByteSize = "4MiB",
        /// Largest message whose body passes as it comes, either way, and is not held. For bindings with `…OverTransport`, where TLS
        /// protects bodies, and for text without compression; `max_message_size` holds for all others. No body passes so when
        /// absent.
        max_streamed_size: Option<ByteSize>,
        /// How long connecting to the service may take.
        connect_timeout: Duration = "5s",
        /// How long the service may take until its answer begins.
        response_timeout: Duration = "60s",
        /// How long a message may stand still on its way in.
        idle_timeout: Duration = "60s",
        /// TLS to the service.
        upstream_tls: UpstreamTls,
        /// How several servers share the requests.
        balance: Balance,
        /// Asking each server whether it is well; nobody asks when absent.
        health: Option<HealthCheck>,
        /// How many requests one client may make; no limit when absent.
        rate_limit: Option<RateLimit>,
    }
}

section! {
    /// A token service that gives tokens to programs (WS-Trust).
    pub struct TokenService {
        /// Its address for names and passwords, with its path: over TLS, such as `https://sts.example/trust/13/usernamemixed`.
        url: Upstreams,
        /// Its certificate (PEM): requests are then secured by it in the message, and the address is such as
        /// `http://sts.example/trust/13/username`.
        certificate: Option<PathBuf>,
        /// TLS to it.
        tls: UpstreamTls,
        /// Whom the token is for (`AppliesTo`); `address` of the route when absent.
        applies_to: Option<String>,
    }
}

/// Names of header blocks: one, or all of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderPattern {
    namespace: String,
    local_name: Option<String>,
}

impl HeaderPattern {
    /// Reads `{namespace}name` or `{namespace}*`.
    pub fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = text.strip_prefix('{')?.rsplit_once('}')?;
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "<>:{}*".contains(c));
        let local_name = if name == "*" { None } else { Some(name.to_owned()).filter(|_| is_name) };
        (name == "*" || is_name).then(|| Self { namespace: namespace.to_owned(), local_name })
    }

    /// Whether a header block is meant.
    pub fn matches(&self, namespace: &str, local_name: &str) -> bool {
        self.namespace == namespace && self.local_name.as_deref().is_none_or(|name| name == local_name)
    }
}

impl fmt::Display for HeaderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", self.namespace, self.local_name.as_deref().unwrap_or("*"))
    }
}

impl Value for HeaderPattern {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("{namespace}name")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let DeValue::String(text) = value.get_ref() else {
            wrong_type("a name such as \"{urn:orders}Customer\"", value.get_ref(), path, reader);
            return None;
        };
        let read = Self::parse(text);
        if read.is_none() {
            reader.report(
                FindingKind::Value,
                path,
                "must be a name such as \"{urn:orders}Customer\", or \"{urn:orders}*\"",
            );
        }
        read
    }
}

choice! {
    /// Who remembers messages that must not come twice.
    pub enum ReplayMemory {
        /// Each node for itself, in memory: another node, or this one after a restart, could be made to accept a recorded message
        /// until its timestamp is stale.
        Node = "node",
        /// All nodes together, in `[store]`: one question to it for each message, and none is accepted while it does not answer.
        Store = "store",
    }
}

choice! {
    /// Which side of a SOAP route is the secured one.
    pub enum SoapMode {
        /// Clients speak secure sessions, the service behind is plain.
        Terminate = "terminate",
        /// Local programs are plain, the service demands secure sessions.
        Initiate = "initiate",
    }
}

choice! {
    /// Which SOAP the plain service speaks.
    pub enum SoapDialect {
        /// That of the WSDL's port, or else that of the client.
        Same = "same",
        /// SOAP 1.1.
        Soap11 = "1.1",
        /// SOAP 1.2.
        Soap12 = "1.2",
    }
}

choice! {
    /// Who signs in at a service that demands secure sessions.
    pub enum SoapCallers {
        /// The route itself, for all: with `user` or `identity`, or as nobody where the service allows it.
        Configured = "configured",
        /// Each caller, with the name and the password of HTTP Basic authentication.
        Basic = "basic",
    }
}

choice! {
    /// What becomes of a request when the service does not know its session.
    pub enum LostSession {
        /// A new session is obtained and the request is sent once more, if the answer came over TLS: otherwise anybody on the way
        /// could have given it, and so make a request be done twice.
        RepeatOverTls = "repeat-over-tls",
        /// The same, also without TLS: for operations that may be done twice, and networks that are trusted.
        Repeat = "repeat",
        /// The caller is told; the next request gets a new session.
        Fail = "fail",
    }
}

impl Config {
    pub(super) fn check_soap(&self, route: &SoapRoute, path: &str, reader: &mut Reader) {
        for (index, listener) in route.listeners.iter().enumerate() {
            check_name("listener", &self.listener, listener, &format!("{path}.listeners[{index}]"), reader);
        }
        for (index, issuer) in route.issuers.iter().enumerate() {
            check_name("issuer", &self.issuer, issuer, &format!("{path}.issuers[{index}]"), reader);
        }
        if route.replay_memory == ReplayMemory::Store && self.store.kind == StoreKind::Memory {
            let message =
                "needs a store that others can see: set store.kind to \"sqlite\", \"redis\" or \"postgresql\"";
            reader.report(FindingKind::Conflict, &format!("{path}.replay_memory"), message);
        }
        route.check(path, reader);
        self.check_jwt(route.jwt_header.is_some(), route.jwt_audience.is_some(), path, reader);
    }
}

impl TokenService {
    fn check(&self, path: &str, reader: &mut Reader) {
        let servers = self.url.servers();
        let https = servers.iter().any(|server| server.url.is_https());
        if !servers.iter().all(|server| server.url.is_https()) && self.certificate.is_none() {
            let message = "is not https, so the password would be readable on the way: use https, or give the certificate that \
                           secures the messages";
            reader.report(FindingKind::Conflict, &format!("{path}.url"), message);
        }
        self.tls.check(https, &format!("{path}.tls"), reader);
    }
}

impl SoapRoute {
    /// The files that it is made of, besides accounts, which are looked at anew for each sign-in.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let lists = self.peer_certificates.iter().chain(&self.peer_authorities).chain(&self.upstream_tls.authorities);
        let single = [&self.binding, &self.wsdl, &self.identity, &self.password_file];
        let tls = [&self.upstream_tls.certificate, &self.upstream_tls.key];
        let of_tokens =
            self.token_service.iter().flat_map(|service| service.certificate.iter().chain(&service.tls.authorities));
        lists.chain(single.into_iter().chain(tls).flatten()).chain(of_tokens).map(PathBuf::as_path)
    }

    fn check(&self, path: &str, reader: &mut Reader) {
        let at = |key: &str| format!("{path}.{key}");
        if self.binding.is_none() && self.wsdl.is_none() {
            let message = "is required: name the file with the <customBinding>, or a WSDL with policies in wsdl";
            reader.report(FindingKind::Missing, &at("binding"), message);
        }
        for (key, other, given) in [
            ("binding_name", "binding", self.binding_name.is_some() && self.binding.is_none()),
            ("port", "wsdl", self.port.is_some() && self.wsdl.is_none()),
        ] {
            if given {
                reader.report(FindingKind::Conflict, &at(key), format!("means nothing without {other}"));
            }
        }
        let paths = self.upstream.servers().iter().map(|server| (server.url.path(), server.url.query()));
        let mut paths = paths.collect::<Vec<_>>();
        paths.dedup();
        if paths.len() > 1 {
            reader.report(FindingKind::Value, &at("upstream"), "must have the same path for all servers");
        }
        self.check_mode(path, reader);
        for (key, timeout) in [
            ("session_timeout", self.session_timeout),
            ("connect_timeout", self.connect_timeout),
            ("response_timeout", self.response_timeout),
            ("idle_timeout", self.idle_timeout),
        ] {
            not_zero(timeout, &at(key), reader);
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

    /// What means something in one mode only.
    fn check_mode(&self, path: &str, reader: &mut Reader) {
        let at = |key: &str| format!("{path}.{key}");
        let of_terminate = [
            ("accounts", self.accounts.is_some()),
            ("claims_to_headers", !self.claims_to_headers.is_empty()),
            ("jwt_header", self.jwt_header.is_some()),
            ("caller_header", self.caller_header),
            ("upstream_soap", self.upstream_soap != SoapDialect::Same),
            ("issuers", !self.issuers.is_empty()),
            ("audiences", !self.audiences.is_empty()),
            ("session_requests", self.session_requests.is_some()),
            ("refusals", self.refusals.is_some()),
            ("replay_memory", self.replay_memory != ReplayMemory::Node),
        ];
        let of_initiate = [
            ("user", self.user.is_some()),
            ("password_file", self.password_file.is_some()),
            ("callers", self.callers != SoapCallers::Configured),
            ("lost_session", self.lost_session != LostSession::RepeatOverTls),
            ("token_service", self.token_service.is_some()),
        ];
        let (others, mode): (&[_], _) = match self.mode {
            SoapMode::Terminate => (&of_initiate, SoapMode::Initiate),
            SoapMode::Initiate => (&of_terminate, SoapMode::Terminate),
        };
        for (key, _) in others.iter().filter(|(_, given)| *given) {
            let message = format!("means something only with mode = {:?}", mode.word());
            reader.report(FindingKind::Conflict, &at(key), message);
        }
        if !self.issuers.is_empty() && self.audiences.is_empty() && self.address.is_none() {
            let message = "is required with issuers, or else address: tokens are for somebody";
            reader.report(FindingKind::Missing, &at("audiences"), message);
        }
        if self.audiences.iter().any(String::is_empty) {
            reader.report(FindingKind::Value, &at("audiences"), "must not be empty");
        }
        for (key, limit) in [("session_requests", &self.session_requests), ("refusals", &self.refusals)] {
            if let Some(limit) = limit {
                limit.check(&at(key), reader);
            }
        }
        if let Some(service) = &self.token_service {
            service.check(&at("token_service"), reader);
        }
        if self.max_streamed_size.is_some() && self.caller_header {
            let message = "does not go with max_streamed_size: who calls must not stand in a message that is not read to its end; use \
                           claims_to_headers or jwt_header";
            reader.report(FindingKind::Conflict, &at("caller_header"), message);
        }
        if self.max_streamed_size.is_some_and(|size| size.0 < self.max_message_size.0) {
            let message = "must not be smaller than max_message_size";
            reader.report(FindingKind::Conflict, &at("max_streamed_size"), message);
        }
        if self.max_sessions == 0 {
            reader.report(FindingKind::Value, &at("max_sessions"), "must be at least 1");
        }
        if self.callers == SoapCallers::Basic && self.user.is_some() {
            let message = "does not go with callers = \"basic\": callers bring their own names";
            reader.report(FindingKind::Conflict, &at("user"), message);
        }
        for (key, other, missing) in [
            ("password_file", "user", self.user.is_some() && self.password_file.is_none()),
            ("user", "password_file", self.password_file.is_some() && self.user.is_none()),
        ] {
            if missing {
                reader.report(FindingKind::Missing, &at(key), format!("is required with {other}"));
            }
        }
    }
}

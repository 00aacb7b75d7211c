//! Options of an application behind the gateway.

use std::borrow::Cow;
use std::time::Duration;

use handstamp_claims::{ArcStr, claim_types};
use http::{HeaderName, header};
use toml::Spanned;
use toml::de::DeValue;

use super::findings::{FindingKind, Reader, child_path};
use super::schema::{Value, choice, nearest, section, wrong_type};
use super::upstream::{Balance, HealthCheck, RateLimit, UpstreamProtocol, UpstreamTls, Upstreams};
use super::values::{ByteSize, HostPattern, PathPrefix};

section! {
    /// An application behind the gateway. The route with the most specific host, then the longest
    /// path, takes a request.
    pub struct WebRoute {
        /// Listeners that serve the route, by name; all when empty.
        listeners: Vec<String> = [],
        /// Hosts it answers for: `shop.example`, or `*.shop.example` for every name below it; any
        /// host when empty.
        hosts: Vec<HostPattern> = [],
        /// Path it answers for, with everything below, to the letter unless `ignore_case` is set. A request whose path the
        /// application could read as one of another route (encoded letters and slashes, several slashes, parameters after `;`) is
        /// refused; otherwise the application gets it as it was sent.
        path: PathPrefix = "/",
        /// Upper and lower case of `path` are one: for applications that do not tell them apart, such as those on IIS. Without it
        /// `/Admin` is not below `/admin`, and goes where what is around it goes.
        ignore_case: bool = false,
        /// The application: scheme, host and port, or `unix:` and the path of its Unix domain socket, or a list of several servers. The request's path and query are
        /// kept.
        upstream: Upstreams,
        /// Which HTTP the application speaks.
        upstream_protocol: UpstreamProtocol = "auto",
        /// Whether people must sign in.
        sign_in: SignIn = "off",
        /// The relying party whose sign-in and session the route uses; may be left out when there is
        /// exactly one.
        federation: Option<String>,
        /// Paths for which `sign_in = "required"` does not hold, with everything below.
        public_paths: Vec<PathPrefix> = [],
        /// Let browsers ask, without a session, whether a page of another site may make a request (CORS preflights): the
        /// application answers them. What it then gets has the session, or is refused.
        public_preflight: bool = false,
        /// Roles of which the user must have at least one; anybody signed in when empty.
        required_roles: Vec<String> = [],
        /// Headers that tell the application who is there: header name → claim type (a URI, or
        /// the short names `name`, `email`, `upn`, `role`, `name_identifier`). Several values are joined with `,`;
        /// bytes outside printable ASCII, `%` and `,` are percent-encoded. What a client sends under
        /// such a name, in any spelling, is removed on every route.
        claims_to_headers: ClaimHeaders = {},
        /// Name of a header that tells the application everything about the session: claims, mode, size, start and end, as
        /// JSON in base64url. What a client sends under this name is removed on every route. No such header when absent.
        session_header: Option<HeaderName>,
        /// Name of a header that brings the application a signed token about who is there, a JWT made as `[jwt]` says. With the
        /// name `Authorization` it is a `Bearer` token. What a client sends under this name is removed, on every route unless it is
        /// `Authorization`. No such header when absent.
        jwt_header: Option<HeaderName>,
        /// Audience of that token (`aud`); the realm of the relying party when absent.
        jwt_audience: Option<String>,
        /// Path that tells the scripts of a page who is signed in, as JSON: name, roles, claims, when the session began and when it
        /// ends; 401 without a session. Asking does not make the session last longer. No such path when absent.
        session_path: Option<PathPrefix>,
        /// Path for links that sign in: it goes to the issuer, and then to the page in its parameter `return`, a path of this host.
        /// No such path when absent.
        sign_in_path: Option<PathPrefix>,
        /// Pass the gateway's own cookies on to the application, and let it set them: for one that signs people in itself and shares
        /// the session's cookie, such as an old site with WIF. Without that no application gets them.
        pass_session_cookie: bool = false,
        /// What becomes of `Cache-Control` on answers to signed-in users.
        authenticated_cache: AuthenticatedCache = "no-store",
        /// Take `path` off the path that the application sees, and tell it in `X-Forwarded-Prefix`. Links, redirects and cookies of
        /// the application are not rewritten.
        strip_path: bool = false,
        /// Which host name the application sees.
        host_header: HostHeader = "client",
        /// Largest body of a request; larger is answered with 413.
        max_body_size: ByteSize = "64MiB",
        /// How long connecting to the application may take; longer is answered with 504.
        connect_timeout: Duration = "5s",
        /// How long the application may take until its answer begins; longer is answered with 504.
        response_timeout: Duration = "60s",
        /// How long a body may stand still, either way, before the connection is closed.
        idle_timeout: Duration = "60s",
        /// How long a WebSocket, or a stream of server-sent events, may stand still. Either ends with the session it was opened in,
        /// which lasts longer with each request that makes it slide: one to the same node, or to any where sessions are in the store.
        stream_idle_timeout: Duration = "1h",
        /// Pass the certificate that the client showed on to the application, in `Client-Cert` (RFC 9440). What clients send
        /// under that name is removed on every route.
        pass_client_certificate: bool = false,
        /// TLS to the application.
        upstream_tls: UpstreamTls,
        /// How several servers share the requests.
        balance: Balance,
        /// Asking each server whether it is well; nobody asks when absent.
        health: Option<HealthCheck>,
        /// How many requests one client may make; no limit when absent.
        rate_limit: Option<RateLimit>,
    }
}

choice! {
    /// Whether people must sign in.
    pub enum SignIn {
        /// Nobody is asked; no session is read.
        Off = "off",
        /// A session is used where there is one; nobody is asked.
        Optional = "optional",
        /// Without a session there is a sign-in, or 401 for programs.
        Required = "required",
    }
}

choice! {
    /// What becomes of `Cache-Control` on answers to signed-in users.
    pub enum AuthenticatedCache {
        /// Answers are not kept, so that the back button shows nothing after sign-out. An answer the
        /// application itself marks `public` or `immutable` stays as it is.
        NoStore = "no-store",
        /// The application knows best.
        Application = "application",
    }
}

choice! {
    /// Which host name the application sees.
    pub enum HostHeader {
        /// The one the client used.
        Client = "client",
        /// That of `upstream`; the client's is in `X-Forwarded-Host`.
        Upstream = "upstream",
    }
}

/// Which header tells the application which claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimHeaders(Vec<(HeaderName, ArcStr)>);

impl ClaimHeaders {
    /// Headers and claim types (URIs), in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &ArcStr)> {
        self.0.iter().map(|(header, claim_type)| (header, claim_type))
    }

    /// Whether no claim becomes a header.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Headers that mean something to HTTP or to the gateway itself.
    const RESERVED: &[HeaderName] = &[
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::COOKIE,
        header::SET_COOKIE,
        header::FORWARDED,
    ];

    /// The claim types that have a short name.
    const SHORT_NAMES: &[(&str, ArcStr)] = &[
        ("name", claim_types::NAME),
        ("email", claim_types::EMAIL),
        ("upn", claim_types::UPN),
        ("role", claim_types::ROLE),
        ("name_identifier", claim_types::NAME_IDENTIFIER),
    ];

    /// The claim type (a URI) that a short name stands for; URIs stand for themselves.
    pub(crate) fn claim_type(word: &str) -> Result<ArcStr, String> {
        if let Some((_, uri)) = Self::SHORT_NAMES.iter().find(|(short, _)| *short == word) {
            return Ok(uri.clone());
        }
        if word.contains(':') {
            return Ok(ArcStr::from(word));
        }
        let known: Vec<&str> = Self::SHORT_NAMES.iter().map(|(short, _)| *short).collect();
        Err(match nearest(word, &known) {
            Some(nearest) => format!("unknown claim; did you mean `{nearest}`?"),
            None => format!("unknown claim: give its full URI or one of {}", known.join(", ")),
        })
    }
}

impl Value for ClaimHeaders {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("table of header name = claim")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            wrong_type("a table of header name = claim", value.get_ref(), path, reader);
            return None;
        };
        let mut headers = Vec::with_capacity(table.len());
        for (name, claim) in table {
            let path = child_path(path, name.get_ref());
            let claim = String::read(claim, &path, reader);
            let header = match name.get_ref().parse::<HeaderName>() {
                Ok(header) if !Self::RESERVED.contains(&header) => Some(header),
                Ok(_) => {
                    reader.report(
                        FindingKind::Value,
                        &path,
                        "has a meaning of its own in HTTP; use a name such as \"X-User\"",
                    );
                    None
                }
                Err(_) => {
                    reader.report(FindingKind::Value, &path, "is no header name; use letters, digits and -");
                    None
                }
            };
            let claim_type = claim.and_then(|word| {
                Self::claim_type(&word).map_err(|message| reader.report(FindingKind::Value, &path, message)).ok()
            });
            if let (Some(header), Some(claim_type)) = (header, claim_type) {
                headers.push((header, claim_type));
            }
        }
        (headers.len() == table.len()).then_some(Self(headers))
    }
}

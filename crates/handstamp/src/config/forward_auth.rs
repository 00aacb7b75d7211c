//! Options of the answers that another proxy asks for.

use http::HeaderName;

use super::schema::section;
use super::values::{HostPattern, PathPrefix};
use super::web::ClaimHeaders;

section! {
    /// Sign-in for applications behind another proxy, which asks here before it passes a request on: nginx (`auth_request`),
    /// Traefik (`forwardAuth`), Caddy (`forward_auth`). That proxy must be one of the listener's `trusted_proxies`.
    pub struct ForwardAuth {
        /// Listeners that answer, by name; all when empty.
        listeners: Vec<String> = [],
        /// Hosts of the applications: `shop.example`, or `*.shop.example` for every name below it; any host when empty.
        hosts: Vec<HostPattern> = [],
        /// Where to ask: `check` below it answers 200, 401 or 403 and never redirects (for nginx); `challenge` below it sends
        /// people to sign in (for Traefik and Caddy, and for nginx after a 401).
        path: PathPrefix = "/.handstamp/auth",
        /// The relying party whose sign-in and session is asked for; may be left out when there is exactly one.
        federation: Option<String>,
        /// Paths of the application for which nobody has to sign in, with everything below.
        public_paths: Vec<PathPrefix> = [],
        /// Let CORS preflights pass without a session, as `public_preflight` of a web route.
        public_preflight: bool = false,
        /// Roles of which the user must have at least one; anybody signed in when empty.
        required_roles: Vec<String> = [],
        /// Headers of the answer that say who is there, as `claims_to_headers` of a web route. The proxy hands them on, and must
        /// remove what clients send under these names.
        claims_to_headers: ClaimHeaders = {},
        /// Name of a header of the answer with the whole session, as `session_header` of a web route.
        session_header: Option<HeaderName>,
        /// Name of a header of the answer with a signed token, as `jwt_header` of a web route.
        jwt_header: Option<HeaderName>,
        /// Audience of that token (`aud`); the realm of the relying party when absent.
        jwt_audience: Option<String>,
    }
}

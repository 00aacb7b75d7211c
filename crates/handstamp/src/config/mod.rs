//! `handstamp.toml`: what the program serves, and how.
//!
//! A configuration is a tree of tables. Each table is declared once with [`schema`]'s `section!`: its
//! keys, their types, defaults and documentation. Reading reports *every* mistake with file, line and
//! key; a key that is not known is a mistake, and the nearest known one is named.
//!
//! ```
//! let config = handstamp::config::Config::parse(
//!     r#"
//!     [listener.public]
//!     address = "127.0.0.1:8080"
//!
//!     [web.shop]
//!     upstream = "http://127.0.0.1:3000"
//!     "#,
//!     std::path::Path::new("handstamp.toml"),
//! )?;
//! assert_eq!(config.web["shop"].path.as_str(), "/");
//! # Ok::<(), handstamp::config::Findings>(())
//! ```

mod address;
mod check;
mod cookie;
mod explain;
mod federation;
mod findings;
mod forward_auth;
pub mod import;
mod jwt;
mod listener;
mod own_paths;
mod reference;
pub mod schema;
mod service;
mod soap;
mod store;
mod sts;
mod telemetry;
mod transport;
mod upstream;
mod values;
mod web;
mod wif;

use std::collections::BTreeMap;
use std::path::Path;

pub use address::{ListenAddress, SocketMode};
pub use federation::{
    BackChannel, Challenge, ChallengeMode, ClaimTypeName, Cookie, Federation, Issuer, IssuerNames, LogoutScope,
    LogoutTokens, OnUnreadable, PublishedMetadata, SameSite, Session, SessionFormat, SessionMode, TokenAlgorithm,
};
pub use findings::{Finding, FindingKind, Findings, Reader};
pub use forward_auth::ForwardAuth;
pub use jwt::Jwt;
pub use listener::{ClientCertificates, ForwardingHeaders, Listener, ListenerCertificate, ListenerTls};
pub use reference::reference;
pub use service::{Admin, Audit, Keys, Log, LogFormat, LogLevel, Pages, Shutdown, Store, StoreKind};
pub use soap::{HeaderPattern, LostSession, ReplayMemory, SoapCallers, SoapDialect, SoapMode, SoapRoute, TokenService};
pub use sts::{ClaimRules, EncryptionForm, Sts, StsRelyingParty, TokenForm};
pub use telemetry::Telemetry;
pub use upstream::{
    Balance, BalanceStrategy, HealthCheck, RateLimit, UpstreamProtocol, UpstreamServer, UpstreamTls, Upstreams,
};
pub(crate) use values::parse_duration;
pub use values::{ByteSize, HostPattern, HttpUrl, Network, PathPrefix, format_duration};
pub use web::{AuthenticatedCache, ClaimHeaders, HostHeader, SignIn, WebRoute};
pub use wif::{RsaHash, RsaOrder, Wif};

use handstamp_keys::RotationPolicy;

use schema::{Section, section};

section! {
    /// The whole file.
    pub struct Config {
        /// What is logged, and in which form.
        log: Log,
        /// The key ring that protects sessions.
        keys: Keys,
        /// Where reference-mode sessions, revocations and replay records are kept.
        store: Store,
        /// Health, readiness and metrics, on an address of their own.
        admin: Option<Admin>,
        /// Who signed in, what became of sessions, what was refused; not written when absent.
        audit: Option<Audit>,
        /// Traces for a collector; none when absent.
        telemetry: Option<Telemetry>,
        /// What the gateway's own pages look like.
        pages: Pages,
        /// How the program ends.
        shutdown: Shutdown,
        /// Addresses on which requests are accepted.
        listener: BTreeMap<String, Listener>,
        /// Security token services whose tokens are accepted.
        issuer: BTreeMap<String, Issuer>,
        /// Relying parties: one sign-in and one session, shared by any number of web routes.
        federation: BTreeMap<String, Federation>,
        /// Applications behind the gateway.
        web: BTreeMap<String, WebRoute>,
        /// SOAP services, secured on one side and plain on the other.
        soap: BTreeMap<String, SoapRoute>,
        /// Sign-in for applications behind another proxy.
        forward_auth: BTreeMap<String, ForwardAuth>,
        /// Signed tokens for applications; off when absent.
        jwt: Option<Jwt>,
        /// The built-in security token service; off when absent.
        sts: Option<Sts>,
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(file: &Path) -> Result<Self, Findings> {
        let text = std::fs::read_to_string(file).map_err(|error| Findings::unreadable(file, &error))?;
        Self::parse(&text, file)
    }

    /// Reads and checks `text`; `file` names it in findings, and relative paths start in its folder.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Findings> {
        let mut reader = Reader::new(file);
        let config = reader.parse(text).and_then(|table| Self::read_table(&table, "", &mut reader));
        if let Some(config) = &config {
            config.check(&mut reader);
        }
        reader.finish(config)
    }

    /// How keys rotate: each opens tokens for as long as the longest session may last.
    pub fn rotation_policy(&self) -> RotationPolicy {
        let lifetimes = self.federation.values().map(|federation| federation.session.absolute_timeout);
        let terminated = self.soap.values().filter(|route| route.mode == SoapMode::Terminate);
        let lifetimes = lifetimes.chain(terminated.map(|route| route.session_timeout));
        let mut policy = match lifetimes.max() {
            Some(longest) => RotationPolicy::for_lifetime(longest),
            None => RotationPolicy::default(),
        };
        policy.rotate_after = self.keys.rotate_after;
        policy
    }
}

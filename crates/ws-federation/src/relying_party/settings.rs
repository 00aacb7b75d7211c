//! How an application takes part in a federation.

use crate::{Error, Limits, Parameters, ReturnUrl};
use std::time::Duration;
use url::Url;

/// Settings of a relying party, in the vocabulary of SM §3.1.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelyingPartySettings {
    /// What tells it apart from relying parties that share its cookies, such as those of one application with several issuers: each
    /// receives only the responses to what it asked itself. At most 128 bytes. Default empty.
    pub name: String,
    /// URL of the issuer's passive endpoint.
    pub issuer: String,
    /// `wtrealm`: the URI that identifies this application.
    pub realm: String,
    /// `wreply`: where the issuer posts back. Default none: the issuer knows.
    pub reply: Option<String>,
    /// `whr`: the preferred identity provider. Default none.
    pub home_realm: Option<String>,
    /// `wfresh`: greatest age of the authentication in minutes; 0 prompts always. A response that tells of an older one, or of none,
    /// is refused. Default none.
    pub freshness: Option<u32>,
    /// `wauth`: URI of the authentication method to ask for. Default none.
    pub authentication_type: Option<String>,
    /// `wp`: URL of a policy. Default none.
    pub policy: Option<String>,
    /// `wres`: legacy resource URL. Default none.
    pub resource: Option<String>,
    /// `wreq`: an inline `RequestSecurityToken`. Default none.
    pub request: Option<String>,
    /// `wreqptr`: URL of a `RequestSecurityToken`; excludes `request`. Default none.
    pub request_ptr: Option<String>,
    /// More parameters of the sign-in request. Default none.
    pub sign_in_query: Parameters,
    /// More parameters of the sign-out request. Default none.
    pub sign_out_query: Parameters,
    /// Where the issuer sends the browser after sign-out. Default none.
    pub sign_out_reply: Option<String>,
    /// Whether issuer and reply must be https. Default yes.
    pub require_https: bool,
    /// What `wctx` looks like. Default [`ContextMode::Opaque`].
    pub context_mode: ContextMode,
    /// What happens to a response that nobody asked for. Default [`Unsolicited::Refuse`].
    pub unsolicited: Unsolicited,
    /// How long a user may take to sign in. Default 15 min.
    pub state_lifetime: Duration,
    /// Name of the state cookies, before the prefix and the part that tells sign-ins apart. Default `signin`.
    pub state_cookie: String,
    /// Whether state cookies are `__Host-`, `Secure` and `SameSite=None`. Default yes. Turn it off only for plain http,
    /// where sign-in works only with an issuer of the same site, such as on localhost.
    pub secure_cookies: bool,
    /// Bounds on messages.
    pub limits: Limits,
}

impl RelyingPartySettings {
    /// Settings with all defaults for an issuer and a realm.
    pub fn new(issuer: impl Into<String>, realm: impl Into<String>) -> Self {
        Self {
            name: String::new(),
            issuer: issuer.into(),
            realm: realm.into(),
            reply: None,
            home_realm: None,
            freshness: None,
            authentication_type: None,
            policy: None,
            resource: None,
            request: None,
            request_ptr: None,
            sign_in_query: Parameters::new(),
            sign_out_query: Parameters::new(),
            sign_out_reply: None,
            require_https: true,
            context_mode: ContextMode::Opaque,
            unsolicited: Unsolicited::Refuse,
            state_lifetime: Duration::from_secs(15 * 60),
            state_cookie: "signin".into(),
            secure_cookies: true,
            limits: Limits::default(),
        }
    }

    /// The checks of the original's `VerifyProperties` (SM-25). Returns the issuer's URL.
    pub(super) fn verify(&self) -> Result<Url, Error> {
        let issuer = self.url("issuer", &self.issuer)?;
        if Url::parse(&self.realm).is_err() {
            return Err(configuration("realm", "it must be an absolute URI, such as https://app.example/ or urn:app"));
        }
        for (setting, url) in [("reply", &self.reply), ("sign_out_reply", &self.sign_out_reply)] {
            if let Some(url) = url {
                self.url(setting, url)?;
            }
        }
        if self.name.len() > MAX_NAME_LEN {
            return Err(configuration("name", "it must be at most 128 bytes long"));
        }
        if self.request.is_some() && self.request_ptr.is_some() {
            return Err(Error::ExclusiveParameters("wreq", "wreqptr"));
        }
        let name_is_token = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if self.state_cookie.is_empty() || !self.state_cookie.bytes().all(name_is_token) {
            return Err(configuration("state_cookie", "it must consist of letters, digits, '-' and '_'"));
        }
        Ok(issuer)
    }

    fn url(&self, setting: &'static str, text: &str) -> Result<Url, Error> {
        let url = Url::parse(text).ok().filter(Url::has_host);
        match url {
            Some(url) if url.scheme() == "https" => Ok(url),
            Some(url) if url.scheme() == "http" && !self.require_https => Ok(url),
            Some(url) if url.scheme() == "http" => {
                Err(configuration(setting, "it must be https; set require_https = false only for tests"))
            }
            _ => Err(configuration(setting, "it must be an absolute URL, such as https://sts.example/wsfed")),
        }
    }
}

/// What `wctx` looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextMode {
    /// The random state alone: the issuer learns nothing.
    Opaque,
    /// `rm=…&id=…&ru=…` as the original writes it, with the random state as `id`. Protected alike.
    Wif,
}

/// What happens to a response without a state that this browser holds (SM-35).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsolicited {
    /// It is refused. Without this, anybody could sign a victim's browser in as somebody else (login CSRF).
    Refuse,
    /// It is accepted: sign-in may start at the issuer. The browser goes to one of these URLs if `wctx` names it in the
    /// original's form, else to `/`.
    Accept {
        /// The URLs that `wctx` may name.
        return_urls: Vec<ReturnUrl>,
    },
}

/// What fits a state cookie beside the longest return URL and context.
pub(super) const MAX_NAME_LEN: usize = 128;

fn configuration(setting: &'static str, problem: &str) -> Error {
    Error::Configuration { setting, problem: problem.to_owned() }
}

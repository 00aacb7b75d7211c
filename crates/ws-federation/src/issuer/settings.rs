//! Who the issuer is, and whom it serves.

use crate::{Error, TrustVersion};
use handstamp_saml::{TokenEncryption, Version};
use std::time::Duration;
use url::Url;

/// Settings of an issuer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuerSettings {
    /// The text of `Issuer` in assertions: a URI, usually `https://sts.example/trust`.
    pub name: String,
    /// URL of the passive endpoint, as it stands in metadata.
    pub endpoint: String,
    /// How long an assertion is valid. Default 1 h.
    pub token_lifetime: Duration,
    /// Bounds on messages. Default: a request is at most 32 KiB.
    pub limits: crate::Limits,
}

impl IssuerSettings {
    /// Settings with all defaults.
    pub fn new(name: impl Into<String>, endpoint: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            endpoint: endpoint.into(),
            token_lifetime: Duration::from_secs(3600),
            limits: crate::Limits { bytes: 32 << 10, ..crate::Limits::default() },
        }
    }
}

/// A relying party that an issuer serves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelyingPartyTrust {
    /// Its `wtrealm`, compared to the letter; also the audience of its assertions.
    pub realm: String,
    /// Where responses may be posted; the first is the default. Compared to the letter. Without any, no browser gets one.
    pub replies: Vec<String>,
    /// The version of its assertions. Default SAML 2.0.
    pub token_version: Version,
    /// The version of WS-Trust around them. Default February 2005.
    pub trust_version: TrustVersion,
    /// How long its assertions are valid. Default: as the issuer says.
    pub token_lifetime: Option<Duration>,
    /// For whom its assertions are encrypted. Default: they are not, and travel under TLS only.
    pub encryption: Option<TokenEncryption>,
    /// Where clean-up requests go. Default: the first reply.
    pub cleanup_url: Option<String>,
}

impl RelyingPartyTrust {
    /// A relying party with all defaults.
    pub fn new(realm: impl Into<String>, replies: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            realm: realm.into(),
            replies: replies.into_iter().map(Into::into).collect(),
            token_version: Version::Saml20,
            trust_version: TrustVersion::Feb2005,
            token_lifetime: None,
            encryption: None,
            cleanup_url: None,
        }
    }

    pub(super) fn verify(&self) -> Result<(), Error> {
        if self.realm.is_empty() {
            return Err(configuration("realm", "a relying party needs one".into()));
        }
        for url in self.replies.iter().chain(&self.cleanup_url) {
            let usable = Url::parse(url).is_ok_and(|url| url.has_host() && matches!(url.scheme(), "https" | "http"));
            if !usable {
                return Err(configuration("replies", format!("{} of {} is no http or https URL", url, self.realm)));
            }
        }
        Ok(())
    }

    pub(super) fn cleanup_url(&self) -> Option<&str> {
        self.cleanup_url.as_deref().or(self.replies.first().map(String::as_str))
    }

    /// Whether a URL is on an origin that responses are posted to.
    pub(super) fn owns(&self, url: &Url) -> bool {
        self.replies.iter().filter_map(|reply| Url::parse(reply).ok()).any(|reply| reply.origin() == url.origin())
    }
}

pub(super) fn configuration(setting: &'static str, problem: String) -> Error {
    Error::Configuration { setting, problem }
}

//! Sign-out that starts here, and clean-up that the issuer asks for.

use super::RelyingParty;
use crate::{Action, Error, Parameters, SignOutRequest};
use url::{Host, Url};

/// What to answer to `wsignoutcleanup1.0`, once the session is gone (SM-40, SM-41).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CleanupResponse {
    /// [`SIGN_OUT_IMAGE`] as `image/gif` with `Cache-Control: no-store`.
    Image,
    /// A redirect to this URL.
    Redirect(String),
}

/// A transparent picture of one pixel: what the issuer's sign-out page shows for us.
pub const SIGN_OUT_IMAGE: &[u8; 43] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\
\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

impl RelyingParty {
    /// The URL that ends the session at the issuer, for a redirect after the local session is gone (SM-39).
    ///
    /// `reply` is where the issuer sends the browser afterwards: a path of this application or a URL on one of its origins
    /// (those of realm, `reply` and `sign_out_reply`). None takes the setting `sign_out_reply`.
    ///
    /// # Errors
    /// [`Error::ForeignReply`] for a URL on another origin.
    pub fn sign_out_url(&self, reply: Option<&str>) -> Result<String, Error> {
        let reply = match reply {
            None => self.settings.sign_out_reply.clone(),
            Some(reply) => Some(self.own_url(reply).ok_or_else(|| Error::ForeignReply(reply.into()))?),
        };
        let request =
            SignOutRequest { reply, other: self.settings.sign_out_query.clone(), ..SignOutRequest::default() };
        Ok(request.to_parameters(Action::SignOut).append_to(&self.settings.issuer))
    }

    /// Answers `wsignoutcleanup1.0`. The caller ends the session first, if there is one; the answer is the same without.
    ///
    /// # Errors
    /// The parameters are not a cleanup message.
    pub fn receive_sign_out_cleanup(&self, parameters: &Parameters) -> Result<CleanupResponse, Error> {
        let wa = parameters.get("wa").unwrap_or_default();
        if Action::from_wa(wa) != Some(Action::SignOutCleanup) {
            return Err(Error::UnknownAction(wa.into()));
        }
        Ok(match SignOutRequest::from_parameters(parameters).reply {
            None => CleanupResponse::Image,
            Some(reply) => CleanupResponse::Redirect(self.sign_out_redirect_url(&reply)),
        })
    }

    /// The given URL when it is the issuer's: absolute, its scheme and port, its host or a subdomain. Else the issuer.
    fn sign_out_redirect_url(&self, reply: &str) -> String {
        let issuer = &self.issuer_url;
        let belongs = |url: &Url| {
            let same_host = match (url.host(), issuer.host()) {
                (Some(Host::Domain(host)), Some(Host::Domain(parent))) => {
                    host == parent || host.strip_suffix(parent).is_some_and(|prefix| prefix.ends_with('.'))
                }
                (host, parent) => host == parent,
            };
            same_host
                && url.scheme() == issuer.scheme()
                && url.port_or_known_default() == issuer.port_or_known_default()
                && url.username().is_empty()
                && url.password().is_none()
        };
        match Url::parse(reply) {
            // The parsed form is what goes out, so that the browser reads what was checked.
            Ok(url) if belongs(&url) => url.into(),
            _ => self.settings.issuer.clone(),
        }
    }

    /// `reply` as an absolute URL on an origin of this application.
    fn own_url(&self, reply: &str) -> Option<String> {
        let settings = &self.settings;
        let own = [settings.sign_out_reply.as_ref(), settings.reply.as_ref(), Some(&settings.realm)];
        let own: Vec<Url> =
            own.into_iter().flatten().filter_map(|url| Url::parse(url).ok()).filter(Url::has_host).collect();
        let url = match reply.starts_with('/') {
            true => own.first()?.join(crate::ReturnUrl::new(reply).ok()?.as_str()).ok()?,
            false => Url::parse(reply).ok()?,
        };
        own.iter().any(|own| own.origin() == url.origin()).then(|| url.into())
    }
}

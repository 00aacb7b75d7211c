//! Signing out: here, and at every relying party that got a token.

use super::pages::SignedOutPage;
use super::service::Desk;
use super::sign_in::origin_of;
use crate::pages::{ContentPolicy, respond};
use handstamp_web_session::Session;
use handstamp_ws_federation::Parameters;
use http::header::SET_COOKIE;
use http::{HeaderMap, Response, StatusCode};

impl Desk {
    /// Ends the session, tells the relying parties that want to be told, and shows a page whose images end the sessions at the
    /// others. Once they are loaded it goes on to
    /// the relying party that asked, whose page says that the user is signed out; without one, this page does.
    ///
    /// Browsers that keep third-party cookies to themselves load the images without the session of a relying party on
    /// another site; there its session lives on until it ends by itself.
    pub(super) async fn sign_out(
        &self,
        headers: &HeaderMap,
        parameters: &Parameters,
        session: &Session,
    ) -> Response<String> {
        let realms = self.visited.realms(headers, &self.parties);
        let task = match self.issuer.receive_sign_out_request(parameters, realms.iter().copied()) {
            Ok(task) => task,
            Err(error) => return self.refuse(&error),
        };
        let logout_tokens = match session.active() {
            Some(active) => self.logout_tokens(&realms, &active).await,
            None => Vec::new(),
        };
        if let Err(error) = session.sign_out().await {
            // The cookie is deleted all the same; what could not be ended everywhere is for the operator.
            tracing::error!(code = error.code(), %error, "a session of the token service could not be revoked");
        }
        self.deliver(logout_tokens);
        let page = SignedOutPage {
            service: &self.display_name,
            cleanups: &task.cleanup_urls,
            return_url: task.reply.as_deref(),
        };
        let mut policy =
            task.cleanup_urls.iter().fold(ContentPolicy::default(), |policy, url| policy.allow_image(origin_of(url)));
        if page.return_url.is_some() {
            policy = policy.allow_script(SignedOutPage::SCRIPT);
        }
        let mut response = respond(StatusCode::OK, &page, &policy);
        response.headers_mut().extend(self.visited.forget().map(|cookie| (SET_COOKIE, cookie)));
        response
    }
}

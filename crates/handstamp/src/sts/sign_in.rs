//! Signing in: a request comes, a token goes.

use super::back_channel::session_index;
use super::pages::{FormPostPage, SignInPage};
use super::service::Desk;
use super::{Account, ClientKey, Error, PasswordText, TooManyAttempts, UserName};
use crate::claim_rules::release_claims;
use crate::pages::{ContentPolicy, respond};
use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, authentication_methods, claim_types, value_types};
use handstamp_time::Timestamp;
use handstamp_web_session::{ActiveSession, Session, SignIn};
use handstamp_ws_federation::{FormPost, Parameters, SignInTask};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use std::net::IpAddr;
use zeroize::Zeroizing;

/// What the sign-in page says besides its form.
#[derive(Debug, Clone, Copy)]
pub(super) enum Alert {
    /// The same words whether name or password are wrong.
    Refused,
    TooMany(TooManyAttempts),
    Busy,
    /// The form is not the one this browser was given.
    Stale,
}

impl Desk {
    /// A sign-in request that came by link or redirect: answered at once for somebody who is signed in here, else with the
    /// sign-in page.
    pub(super) async fn sign_in(
        &self,
        request: &Parts,
        parameters: &Parameters,
        session: &Session,
    ) -> Response<String> {
        let task = match self.issuer.receive_sign_in_request(parameters) {
            Ok(task) => task,
            Err(error) => return self.refuse(&error),
        };
        if let Some(active) = session.active()
            && !task.needs_credentials(active.signed_in_at(), self.clock.now())
        {
            match self.account_of(&active).await {
                Ok(Some(account)) => return self.send_token(request, &task, &account, &active),
                // The account is gone, disabled, or has a new password: ask again.
                Ok(None) => {}
                Err(error) => return self.failed(&error),
            }
        }
        self.ask(request, &task, "", None)
    }

    /// The posted sign-in form. The request it answers is still in the address.
    pub(super) async fn credentials<B>(
        &self,
        request: &Parts,
        body: B,
        session: &Session,
        client: IpAddr,
    ) -> Response<String>
    where
        B: http_body::Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let query = request.uri.query().unwrap_or_default();
        let parameters = Parameters::parse(query, &self.issuer.settings().limits);
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(error) => return self.refuse(&error),
        };
        let task = match self.issuer.receive_sign_in_request(&parameters) {
            Ok(task) => task,
            Err(error) => return self.refuse(&error),
        };
        let form = match Limited::new(body, MAX_FORM_BYTES).collect().await {
            Ok(body) => Credentials::parse(&Zeroizing::new(body.to_bytes().to_vec())),
            Err(_) => return self.ask(request, &task, "", Some(Alert::Refused)),
        };
        if !self.form.admits(&request.headers, form.csrf.as_deref()) {
            return self.ask(request, &task, &form.user_name, Some(Alert::Stale));
        }
        match self.check(&form, client.into()).await {
            Ok(Ok(account)) => {
                let principal = ClaimsPrincipal::from(session_identity(&account));
                match session.sign_in(SignIn::new(principal)).await {
                    Ok(active) => {
                        tracing::info!(subject = %account.subject, realm = task.relying_party().realm, "signed in");
                        self.send_token(request, &task, &account, &active)
                    }
                    Err(error) => self.failed(&error.into()),
                }
            }
            Ok(Err(alert)) => self.ask(request, &task, &form.user_name, Some(alert)),
            Err(error) => self.failed(&error),
        }
    }

    /// Whether name and password belong together; if not, what to tell.
    pub(super) async fn check(&self, form: &Credentials, client: ClientKey) -> Result<Result<Account, Alert>, Error> {
        let Ok(name) = UserName::parse(&form.user_name) else { return Ok(Err(Alert::Refused)) };
        if let Err(refused) = self.limiter.attempt(&name, client, self.clock.now()) {
            tracing::warn!("sign-in attempts were turned away: the allowance is used up");
            return Ok(Err(Alert::TooMany(refused)));
        }
        let accounts = self.accounts.clone();
        let wanted = name.clone();
        let found = blocking(move || accounts.find(&wanted)).await?;
        let stored = found.as_ref().map(|(_, hash)| hash.clone());
        let matches = match self.passwords.verify(form.password.clone(), stored).await {
            Ok(matches) => matches,
            Err(Error::Busy) => return Ok(Err(Alert::Busy)),
            Err(error) => return Err(error),
        };
        match found {
            Some((account, hash)) if matches && account.enabled => {
                self.limiter.succeeded(&name, client);
                self.upgrade_hash(&name, form.password.clone(), &hash).await;
                Ok(Ok(account))
            }
            found => {
                let subject = found.as_ref().map(|(account, _)| account.subject.as_str());
                tracing::info!(subject, "a sign-in was refused");
                Ok(Err(Alert::Refused))
            }
        }
    }

    /// Follows a change of the password cost. Should it fail, the old hash still works.
    async fn upgrade_hash(&self, name: &UserName, password: PasswordText, stored: &str) {
        if !self.passwords.is_outdated(stored) {
            return;
        }
        let upgraded = async {
            let hash = self.passwords.hash(password, &*self.random).await?;
            let (accounts, name) = (self.accounts.clone(), name.clone());
            blocking(move || accounts.upgrade_hash(&name, &hash)).await
        };
        if let Err(error) = upgraded.await {
            tracing::warn!(code = error.code(), %error, "a password hash could not be upgraded");
        }
    }

    /// The account of a session, when it may still be used.
    pub(super) async fn account_of(&self, active: &ActiveSession) -> Result<Option<Account>, Error> {
        let claim = |claim_type: &str| active.principal().find_first(claim_type).map(|claim| claim.value().clone());
        let (Some(subject), Some(epoch)) = (claim(&claim_types::NAME_IDENTIFIER), claim(EPOCH)) else {
            return Ok(None);
        };
        let accounts = self.accounts.clone();
        let account = blocking(move || accounts.find_subject(&subject)).await?;
        Ok(account.filter(|account| account.enabled && account.epoch.to_string() == *epoch))
    }

    /// The page that posts the token to the relying party.
    fn send_token(
        &self,
        request: &Parts,
        task: &SignInTask<'_>,
        account: &Account,
        active: &ActiveSession,
    ) -> Response<String> {
        let Some(party) = self.party(&task.relying_party().realm) else {
            // The issuer serves the parties of the same configuration.
            return self
                .refuse(&handstamp_ws_federation::Error::UnknownRealm(task.relying_party().realm.as_str().into()));
        };
        let claims: Vec<_> = account.all_claims(&self.issuer_name).collect();
        let identity = ClaimsIdentity::new("Federation")
            .with_claims(release_claims(&party.rules, &claims, &self.issuer_name))
            .with_claims(authentication_claims(active.signed_in_at()));
        let session_index = session_index(active, &party.realm);
        let now = self.clock.now();
        let post = match self.issuer.respond_in_session(task, &identity, &session_index, now, &*self.random) {
            Ok(post) => post,
            Err(error) => return self.failed(&error.into()),
        };
        let page = FormPostPage {
            service: &self.display_name,
            application: &party.display_name,
            action: &post.action,
            fields: post.parameters.iter().collect(),
        };
        let policy = ContentPolicy::default().allow_form(origin_of(&post.action)).allow_script(FormPost::SCRIPT);
        let mut response = respond(StatusCode::OK, &page, &policy);
        if let Some(cookie) = self.visited.add(&request.headers, party, &self.parties) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// The sign-in page.
    fn ask(&self, request: &Parts, task: &SignInTask<'_>, user_name: &str, alert: Option<Alert>) -> Response<String> {
        let token = match self.form.issue(&request.headers, &*self.random) {
            Ok(token) => token,
            Err(error) => return self.failed(&error),
        };
        let text = alert.map(Alert::text);
        let page = SignInPage {
            service: &self.display_name,
            application: self.party(&task.relying_party().realm).map(|party| party.display_name.as_str()),
            alert: text.as_deref(),
            action: &format!("{}?{}", request.uri.path(), request.uri.query().unwrap_or_default()),
            csrf: &token.text,
            username: user_name,
        };
        let status = alert.map_or(StatusCode::OK, Alert::status);
        let mut response = respond(status, &page, &ContentPolicy::default().allow_form("'self'"));
        let headers = response.headers_mut();
        headers.extend(token.set_cookie.map(|cookie| (SET_COOKIE, cookie)));
        headers.extend(alert.and_then(Alert::retry_after).map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
        response
    }
}

impl Alert {
    fn text(self) -> String {
        match self {
            Self::Refused => "User name or password is wrong.".to_owned(),
            Self::TooMany(TooManyAttempts { retry_after }) => {
                let minutes = retry_after.as_secs().div_ceil(60);
                format!(
                    "Too many attempts. Please try again in {minutes} {}.",
                    if minutes == 1 { "minute" } else { "minutes" }
                )
            }
            Self::Busy => "Many people are signing in right now. Please try again in a few seconds.".to_owned(),
            Self::Stale => "This page was open for too long, or cookies are turned off. Please try again.".to_owned(),
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Refused | Self::Stale => StatusCode::FORBIDDEN,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooMany(refused) => Some(refused.retry_after.as_secs().max(1)),
            Self::Busy => Some(5),
            Self::Refused | Self::Stale => None,
        }
    }
}

/// The fields of the form; a field that is missing is empty.
pub(super) struct Credentials {
    pub(super) user_name: String,
    pub(super) password: PasswordText,
    pub(super) csrf: Option<String>,
}

impl Credentials {
    fn parse(body: &[u8]) -> Self {
        let mut form = Self { user_name: String::new(), password: PasswordText::new(""), csrf: None };
        for (name, value) in form_urlencoded::parse(body) {
            match name.as_ref() {
                "username" => form.user_name = value.into_owned(),
                "password" => form.password = PasswordText::new(value),
                "csrf" => form.csrf = Some(value.into_owned()),
                _ => {}
            }
        }
        form
    }
}

/// What the service's own session says: who, and as of which epoch of the account.
fn session_identity(account: &Account) -> ClaimsIdentity {
    ClaimsIdentity::new("Password")
        .with_claim(Claim::new(claim_types::NAME_IDENTIFIER, account.subject.clone()))
        .with_claim(Claim::new(claim_types::NAME, account.user_name.as_str()))
        .with_claim(Claim::new(EPOCH, account.epoch.to_string()))
}

pub(super) fn authentication_claims(signed_in_at: Timestamp) -> [Claim; 2] {
    [
        Claim::new(claim_types::AUTHENTICATION_METHOD, authentication_methods::PASSWORD),
        Claim::new(claim_types::AUTHENTICATION_INSTANT, signed_in_at.milliseconds().to_string())
            .with_value_type(value_types::DATE_TIME),
    ]
}

/// The scheme, host and port of a URL, for a `Content-Security-Policy`.
pub(super) fn origin_of(url: &str) -> String {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |at| after_scheme + at);
    url[..end].to_owned()
}

/// Runs a call of the account store on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Ending)?
}

/// The claim type under which the session keeps the account's epoch. It never leaves the service.
const EPOCH: &str = "urn:handstamp:sts:epoch";

/// The greatest size of the posted form: name, password and token, percent-encoded.
const MAX_FORM_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn fields_are_read_and_what_is_missing_is_empty() {
        let form = Credentials::parse(b"username=Ada+L&password=p%26%3D&csrf=x&other=1");
        assert_eq!((form.user_name.as_str(), form.csrf.as_deref()), ("Ada L", Some("x")));
        let form = Credentials::parse(b"\xff\xfe&&=&username");
        assert_eq!((form.user_name.as_str(), form.csrf), ("", None));
    }

    #[test]
    fn the_origin_of_a_url_ends_before_its_path() {
        assert_eq!(origin_of("https://shop.example:8443/a/b?c#d"), "https://shop.example:8443");
        assert_eq!(origin_of("https://shop.example?c"), "https://shop.example");
        assert_eq!(origin_of("http://localhost:7420"), "http://localhost:7420");
    }

    #[test]
    fn waiting_times_are_told_in_words() {
        let text = |seconds| Alert::TooMany(TooManyAttempts { retry_after: Duration::from_secs(seconds) }).text();
        assert!(text(1).ends_with("in 1 minute."), "{}", text(1));
        assert!(text(61).ends_with("in 2 minutes."), "{}", text(61));
    }
}

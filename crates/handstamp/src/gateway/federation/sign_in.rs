//! To the issuer and back.

use std::time::Duration;

use handstamp_claims::ClaimsPrincipal;
use handstamp_keys::sha256;
use handstamp_saml::{Error as TokenError, Rejection};
use handstamp_session_token::IssuerSession;
use handstamp_time::Timestamp;
use handstamp_web_session::cookie::RequestCookies;
use handstamp_web_session::{Session, SignIn};
use handstamp_ws_federation::{
    Error, HomeRealms, Limits, Parameters, RelyingParty, RequestKind, ReturnUrl, SignInOptions, SignOutContext,
    StateCookie, UnconfirmedSignIn,
};
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};

use super::{Federation, LivingParty, redirect};
use crate::audit::{Entry, Event};
use crate::config::ChallengeMode;
use crate::gateway::Visit;
use crate::gateway::body::Body;
use crate::gateway::problem::{Form, Problem};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// What an issuer's answer may take to arrive.
pub(in crate::gateway) const FORM_TIMEOUT: Duration = Duration::from_secs(30);

impl Federation {
    /// Whether somebody waits who can sign in (SM-32).
    pub(in crate::gateway) fn is_worth_a_challenge(&self, method: &Method, headers: &HeaderMap) -> bool {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = RequestKind {
            method: method.as_str(),
            accept: text(&ACCEPT),
            sec_fetch_mode: text(&SEC_FETCH_MODE),
            sec_fetch_dest: text(&SEC_FETCH_DEST),
            x_requested_with: text(&X_REQUESTED_WITH),
        };
        self.challenge_mode == ChallengeMode::Auto && kind.is_navigation()
    }

    /// Asks who the user is: sends people to the issuer, and programs away.
    pub(in crate::gateway) fn challenge(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        session: &Session,
    ) -> Result<Response<Body>, Problem> {
        let wanted = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        self.challenge_for(method, ReturnUrl::or_root(wanted), headers, session)
    }

    /// The same for a page that a link names, which need not be as strict as a request.
    pub(in crate::gateway) fn challenge_for(
        &self,
        method: &Method,
        wanted: ReturnUrl,
        headers: &HeaderMap,
        session: &Session,
    ) -> Result<Response<Body>, Problem> {
        let page = wanted.as_str().split('#').next().unwrap_or_default();
        let (path, query) = page.split_once('?').map_or((page, None), |(path, query)| (path, Some(query)));
        if !self.is_worth_a_challenge(method, headers) {
            let mut problem = Problem::new(
                StatusCode::UNAUTHORIZED,
                "HST-GATEWAY-SIGN-IN",
                "Not signed in",
                "There is no session, or it is over. Open the site in a browser and sign in.",
            )
            .header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Session"));
            if Form::preferred(headers) == Form::Page {
                problem = problem.action("Sign in", path);
            }
            return Err(problem);
        }
        let whr = query.and_then(HomeRealms::whr_of);
        self.send_to_issuer(whr.as_deref(), wanted, headers, session.module().now())
    }

    /// Sends the browser to an issuer, and from there to an identity provider behind it if one is meant.
    pub(super) fn send_to(
        &self,
        party: &LivingParty,
        home_realm: Option<&str>,
        wanted: ReturnUrl,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Response<Body>, Problem> {
        let mut options = SignInOptions::new(wanted);
        options.remember = self.persistent;
        options.home_realm = home_realm.map(str::to_owned);
        let challenge = party
            .current()
            .map_err(|problem| self.offering_others(problem))?
            .begin_sign_in(options, text_cookies(headers), now, &self.random)
            .map_err(|error| self.sign_in_problem(&error))?;
        self.metrics.challenges.add();
        let mut response = redirect(StatusCode::FOUND, &challenge.location)?;
        set_cookies(&mut response, &challenge.cookies);
        Ok(response)
    }

    /// Receives what the browser brings back from the issuer.
    pub(super) async fn receive_sign_in(
        &self,
        request: Request<Body>,
        session: &Session,
        visit: Visit<'_>,
    ) -> Result<Response<Body>, Problem> {
        let answer = self.answer_sign_in(request, session, visit).await;
        if let Err(problem) = &answer {
            let entry = Entry::new(Event::SignInRejected).of_request(visit.origin.client, visit.id);
            self.audit.note(&Entry { federation: Some(&self.name), code: Some(problem.code()), ..entry });
        }
        answer
    }

    async fn answer_sign_in(
        &self,
        request: Request<Body>,
        session: &Session,
        visit: Visit<'_>,
    ) -> Result<Response<Body>, Problem> {
        if request.method() != Method::POST {
            return Err(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "HST-WSFED-METHOD",
                "Nothing to see here",
                "The sign-in service sends its answer to this address; there is nothing to look at.",
            )
            .header(ALLOW, HeaderValue::from_static("POST"))
            .action("To the site", "/"));
        }
        let (parts, body) = request.into_parts();
        let form = self.read_form(&parts.headers, body).await?;
        let now = session.module().now();
        let unconfirmed = match self.receive_response(&form, &parts.headers, now).await? {
            // Back button or a second click: the first one did sign in.
            Err(Error::UnknownState) if !session.is_anonymous() => return redirect(StatusCode::SEE_OTHER, "/"),
            other => other.map_err(|error| self.sign_in_problem(&error))?,
        };
        let mut first_use = true;
        for entry in unconfirmed.replay_entries() {
            let key = sha256(entry.key.as_bytes());
            let added = self.replays.add_if_absent(key, entry.expires_at, now).await;
            first_use &= added.map_err(|error| {
                tracing::error!(code = error.code(), %error, "the replay cache failed");
                Problem::unavailable(error.code())
            })?;
        }
        let signed_in = unconfirmed.confirm(first_use).map_err(|error| self.sign_in_problem(&error))?;

        let mut sign_out = signed_in.sign_out;
        sign_out.session_index = self.session_index(&signed_in.principal, &sign_out);
        let mut sign_in = SignIn::new(signed_in.principal).persistent(signed_in.remember).context(sign_out.encode());
        if let Some(session_index) = sign_out.session_index {
            let (issuer, session_index) = (signed_in.issuer.as_str().into(), Some(session_index.into()));
            sign_in = sign_in.issuer_session(IssuerSession { issuer, session_index, sign_out_url: None });
        }
        if let Some(end) = signed_in.expires_at {
            sign_in = sign_in.issuer_expiry(end);
        }
        let active = session.sign_in(sign_in).await.map_err(|error| {
            tracing::error!(federation = self.name, code = error.code(), %error, "a session could not begin");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                error.code(),
                "You could not be signed in",
                "The sign-in service knows you, but no session could begin here. The site's operators find the reason in the log.",
            )
        })?;
        self.metrics.sign_ins.add();
        self.metrics.bytes.observe(active.size() as f64);
        tracing::info!(
            request = %visit.id,
            client = %visit.origin.client,
            federation = self.name,
            issuer = signed_in.issuer,
            session = active.token().context_id().fingerprint(),
            "signed in"
        );
        let entry = Entry::new(Event::SignIn).of_session(active.token()).of_request(visit.origin.client, visit.id);
        self.audit.note(&Entry { federation: Some(&self.name), issuer: Some(&signed_in.issuer), ..entry });
        let mut response = redirect(StatusCode::SEE_OTHER, signed_in.return_url.as_str())?;
        set_cookies(&mut response, &signed_in.cookies);
        Ok(response)
    }

    /// What the issuer calls its session, by which it may end ours.
    fn session_index(&self, principal: &ClaimsPrincipal, sign_out: &SignOutContext) -> Option<String> {
        let party = self.issuers.that_asked(Some(&sign_out.relying_party)).next()?;
        match party.issuer.logout_tokens.as_ref().and_then(|tokens| tokens.session_claim.as_deref()) {
            Some(claim_type) => Some(principal.identity()?.find_first(claim_type)?.value().to_string()),
            None => sign_out.session_index.clone(),
        }
    }

    /// Has the response read by whoever asked for it. One that nobody asked for is its who trusts the issuer that signed it.
    async fn receive_response(
        &self,
        form: &Parameters,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Result<UnconfirmedSignIn, Error>, Problem> {
        let any = self.parties().next().ok_or_else(|| Problem::unavailable("HST-METADATA-NONE"))?.1;
        let asked_by = any.asked_by(form, text_cookies(headers), now);
        let mut received = Err(Error::UnknownState);
        for living in self.issuers.that_asked(asked_by.as_deref()) {
            let receive =
                |party: &RelyingParty| party.receive_sign_in_response("POST", form, text_cookies(headers), now);
            let Ok(party) = living.current() else { continue };
            received = match receive(&party) {
                // SM-43: the issuer may have a new key.
                Err(error) if is_unknown_key(&error) && living.look_for_new_keys(now).await => {
                    receive(living.current()?.as_ref())
                }
                other => other,
            };
            if !received.as_ref().is_err_and(is_unknown_key) {
                break;
            }
        }
        Ok(received)
    }

    pub(super) async fn read_form(&self, headers: &HeaderMap, body: Body) -> Result<Parameters, Problem> {
        let is_form = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        if !is_form {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "HST-WSFED-FORM",
                "Not a sign-in",
                "The sign-in service's answer must be a form.",
            )
            .closing());
        }
        let limits = Limits::default();
        let Limits { bytes, .. } = limits;
        let whole = Limited::new(body, bytes).collect();
        let whole = tokio::time::timeout(FORM_TIMEOUT, whole).await.map_err(|_| Problem::body_stalled())?;
        let whole = whole.map_err(|error| {
            let too_large = error.is::<http_body_util::LengthLimitError>();
            if too_large { Problem::body_too_large(bytes as u64) } else { Problem::body_cut_off() }
        })?;
        Parameters::parse(whole.to_bytes(), &limits).map_err(|error| self.sign_in_problem(&error))
    }

    /// The outside learns the code and what to do; the log learns why.
    fn sign_in_problem(&self, error: &Error) -> Problem {
        tracing::warn!(federation = self.name, code = error.code(), %error, "a sign-in was rejected");
        let (status, title, detail) = match error {
            Error::SignInLoop { .. } => (
                StatusCode::FORBIDDEN,
                "Signing in does not succeed",
                "This browser was sent to sign in several times within a minute and came back without a session each time. Most likely it \
                 does not keep this site's cookies, the site is reached by http instead of https, or a clock is wrong. Wait a \
                 minute, then try again.",
            ),
            Error::UnknownState => (
                StatusCode::BAD_REQUEST,
                "This sign-in is over",
                "This browser did not begin this sign-in, or began it too long ago. Start again; if that never helps, check that \
                 the browser keeps this site's cookies.",
            ),
            Error::Keys(_) | Error::Configuration { .. } => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "You could not be signed in",
                "Something is wrong here. The site's operators find the reason in the log.",
            ),
            Error::NotFresh { .. } => (
                StatusCode::FORBIDDEN,
                "Sign in anew",
                "The sign-in service let you in without asking who you are, and you told it longer ago than this site accepts. Sign \
                 out there, then try again.",
            ),
            Error::Token(_) => (
                StatusCode::FORBIDDEN,
                "You could not be signed in",
                "The sign-in service's answer was not accepted. The site's operators find the reason in the log.",
            ),
            _ => (
                StatusCode::BAD_REQUEST,
                "You could not be signed in",
                "What came back from the sign-in service was not understood. Try again.",
            ),
        };
        self.offering_others(Problem::new(status, error.code(), title, detail).action("Try again", "/"))
    }

    /// Where there are several issuers, what goes wrong with one need not go wrong with another.
    fn offering_others(&self, problem: Problem) -> Problem {
        match self.issuers.are_several() {
            true => problem.action("Sign in elsewhere", self.choice_url(&[])),
            false => problem,
        }
    }
}

/// Whether a token is signed by nobody who is trusted as the issuer.
pub(in crate::gateway) fn is_unknown_key(error: &Error) -> bool {
    matches!(
        error,
        Error::Token(TokenError::Rejected(Rejection::IssuerNotTrusted { .. } | Rejection::OtherIssuer { .. }))
    )
}

/// The cookies of a request that are text, as the relying party wants them.
fn text_cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    RequestCookies::new(headers)
        .iter()
        .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?)))
}

fn set_cookies(response: &mut Response<Body>, cookies: &[StateCookie]) {
    for cookie in cookies {
        // Names and values are base64url and digits, and so header values.
        if let Ok(line) = HeaderValue::try_from(cookie.to_string()) {
            response.headers_mut().append(SET_COOKIE, line);
        }
    }
}

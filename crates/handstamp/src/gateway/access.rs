//! Who may pass to an application: the session, the roles, and what becomes of those who have none.

use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, Entry, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode, Uri};

use super::Visit;
use super::application_headers::ApplicationHeaders;
use super::body::Body;
use super::claim_headers::ClaimHeaderWriter;
use super::federation::Federation;
use super::own_cookies::OwnCookies;
use super::problem::Problem;
use super::session_life::SessionLife;
use crate::config::{Admin, AuthenticatedCache, ForwardAuth, PathPrefix, SignIn, WebRoute};
use handstamp_session_token::ErrorKind;
use handstamp_web_session::module::Decision;
use handstamp_web_session::{ActiveSession, Error, Session};

/// The rules of one route.
#[derive(Debug)]
pub(super) struct Access {
    federation: Arc<Federation>,
    required: bool,
    public_paths: Vec<PathPrefix>,
    public_preflight: bool,
    required_roles: Vec<String>,
    headers: ApplicationHeaders,
    cookies: Arc<OwnCookies>,
    no_store: bool,
}

/// The rules of a route on which nobody signs in: what is the gateway's stays the gateway's here, too, because the same application
/// may be behind another route that says who is there.
#[derive(Debug)]
pub(super) struct OpenAccess {
    headers: ClaimHeaderWriter,
    /// None where the application shares them.
    cookies: Option<Arc<OwnCookies>>,
}

impl OpenAccess {
    /// Where clients cannot send `reserved` headers.
    pub(super) fn new(route: &WebRoute, reserved: &[HeaderName], cookies: &Arc<OwnCookies>) -> Self {
        Self {
            headers: ClaimHeaderWriter::new(&route.claims_to_headers, reserved),
            cookies: (!route.pass_session_cookie).then(|| Arc::clone(cookies)),
        }
    }

    /// Lets a request pass.
    pub(super) fn enter(&self, headers: &mut HeaderMap) {
        self.headers.write(headers, None);
        if let Some(cookies) = &self.cookies {
            cookies.take_out(headers, None);
        }
    }

    /// Lets the application's answer pass.
    pub(super) fn leave(&self, headers: &mut HeaderMap) {
        if let Some(cookies) = &self.cookies {
            cookies.keep(headers);
        }
    }
}

/// Whether a request may pass.
pub(super) enum Admission {
    /// It may, as this user, or as nobody where nobody has to sign in.
    Granted(Option<ActiveSession>),
    /// First there is a sign-in.
    Challenged(Response<Body>),
}

impl Access {
    pub(super) fn of_route(
        route: &WebRoute,
        federation: Arc<Federation>,
        headers: ApplicationHeaders,
        cookies: Arc<OwnCookies>,
    ) -> Self {
        Self {
            federation,
            required: route.sign_in == SignIn::Required,
            public_paths: route.public_paths.clone(),
            public_preflight: route.public_preflight,
            required_roles: route.required_roles.clone(),
            headers,
            cookies,
            no_store: route.authenticated_cache == AuthenticatedCache::NoStore,
        }
    }

    pub(super) fn of_forward_auth(
        settings: &ForwardAuth,
        federation: Arc<Federation>,
        headers: ApplicationHeaders,
    ) -> Self {
        Self {
            federation,
            required: true,
            public_paths: settings.public_paths.clone(),
            public_preflight: settings.public_preflight,
            required_roles: settings.required_roles.clone(),
            headers,
            cookies: Arc::default(),
            no_store: true,
        }
    }

    pub(super) fn of_admin_page(settings: &Admin, federation: Arc<Federation>) -> Self {
        Self {
            federation,
            required: true,
            public_paths: Vec::new(),
            public_preflight: false,
            required_roles: settings.required_roles.clone(),
            headers: ApplicationHeaders::default(),
            cookies: Arc::default(),
            no_store: true,
        }
    }

    /// Whose sessions these are.
    pub(super) fn federation(&self) -> &Arc<Federation> {
        &self.federation
    }

    /// Whether nobody has to sign in for this.
    pub(super) fn is_public(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
        !self.required
            || self.public_paths.iter().any(|public| public.matches(uri.path()))
            || (self.public_preflight && is_preflight(method, headers))
    }

    /// Decides about a request.
    ///
    /// # Errors
    /// The user has no role that may see this, or a program has no session.
    pub(super) fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        session: &Session,
    ) -> Result<Admission, Problem> {
        if let Some(active) = session.active() {
            self.admit_known(method, uri, headers, &active)?;
            return Ok(Admission::Granted(Some(active)));
        }
        if self.is_public(method, uri, headers) {
            return Ok(Admission::Granted(None));
        }
        if session.rejection().is_some_and(is_undecided) {
            return Err(Problem::unavailable("HST-GATEWAY-STORE"));
        }
        self.federation.challenge(method, uri, headers, session).map(Admission::Challenged)
    }

    fn admit_known(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        active: &ActiveSession,
    ) -> Result<(), Problem> {
        self.federation.note_seen(active);
        if self.is_public(method, uri, headers) { Ok(()) } else { self.check_roles(active, uri.path()) }
    }

    /// Writes who is there into headers.
    pub(super) fn tell(&self, headers: &mut HeaderMap, active: Option<&ActiveSession>) {
        self.headers.write(headers, active, || self.federation.sessions().now());
    }

    /// Lets a request pass, or answers it. A request that may pass tells the application who is there, and has no cookies left
    /// that are none of the application's.
    pub(super) async fn enter<'a>(&'a self, request: &mut Request<Body>, visit: Visit<'_>) -> Entrance<'a> {
        let (sessions, now) = (self.federation.sessions(), self.federation.sessions().now());
        let is_cleanup = self.federation.is_sign_out_cleanup(request);
        let session = match sessions.decide(visit.head(&*request), now) {
            // As with nearly every request of those who are signed in, nothing changes about the session.
            Decision::Active(active) if !is_cleanup => {
                return match self.admit_known(request.method(), request.uri(), request.headers(), &active) {
                    Ok(()) => Entrance::Open(self.receive(request, Some(active), None)),
                    Err(problem) => {
                        self.federation.note_denied(&active, problem.code(), visit);
                        Entrance::Answered(visit.refuse(&problem))
                    }
                };
            }
            decision => Session::after(sessions, decision, visit.head(&*request), now).await,
        };
        let answer = match self.federation.refuse_unreadable(&session) {
            Ok(()) if is_cleanup => {
                let parts = std::mem::take(request).into_parts().0;
                Box::pin(self.federation.clean_up(&parts, &session)).await
            }
            Ok(()) => match self.admit(request.method(), request.uri(), request.headers(), &session) {
                Ok(Admission::Granted(active)) => return Entrance::Open(self.receive(request, active, Some(session))),
                Ok(Admission::Challenged(response)) => Ok(response),
                Err(problem) => {
                    if let Some(active) = session.active() {
                        self.federation.note_denied(&active, problem.code(), visit);
                    }
                    Err(problem)
                }
            },
            Err(problem) => Err(problem),
        };
        Entrance::Answered(visit.conclude(answer, &session))
    }

    fn receive(
        &self,
        request: &mut Request<Body>,
        active: Option<ActiveSession>,
        session: Option<Session>,
    ) -> Guest<'_> {
        // An application that asks for sign-in itself, with 401, gets it as WIF's did (SM §3.10).
        let asked = (active.is_none() && !self.required).then(|| Box::new(Asked::of(request)));
        self.tell(request.headers_mut(), active.as_ref());
        self.cookies.take_out(request.headers_mut(), active.as_ref());
        Guest { access: self, active, session, asked }
    }

    /// SM-37: no redirect, because signing in again would change nothing.
    fn check_roles(&self, active: &ActiveSession, path: &str) -> Result<(), Problem> {
        let principal = active.principal();
        if self.required_roles.is_empty() || self.required_roles.iter().any(|role| principal.is_in_role(role)) {
            return Ok(());
        }
        let name = principal.identity().and_then(|identity| identity.name()).unwrap_or("somebody without a name");
        let detail = format!(
            "You are signed in as {name}, but without a role that may see this. Use another account, or ask for the role and \
             then sign out and in again."
        );
        let mut problem = Problem::new(StatusCode::FORBIDDEN, "HST-GATEWAY-ROLE", "You may not see this", detail);
        if path != "/" {
            problem = problem.action("To the start page", "/");
        }
        Err(problem.action("Sign out and use another account", self.federation.sign_out_path()))
    }
}

/// Where a request goes that wants to an application.
pub(super) enum Entrance<'a> {
    /// On to the application, whose answer goes through [`Guest::leave`].
    Open(Guest<'a>),
    /// No further.
    Answered(Response<Body>),
}

/// Who is at an application.
pub(super) struct Guest<'a> {
    access: &'a Access,
    active: Option<ActiveSession>,
    /// The handle of a session that may have changed.
    session: Option<Session>,
    asked: Option<Box<Asked>>,
}

/// What was asked for, as it came, where the application may say that it wants a sign-in.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Asked {
    fn of(request: &Request<Body>) -> Self {
        Self { method: request.method().clone(), uri: request.uri().clone(), headers: request.headers().clone() }
    }
}

impl Guest<'_> {
    /// How long what is begun now may last; none when nobody is signed in.
    pub(super) fn life(&self) -> Option<SessionLife> {
        self.active.as_ref().map(|session| self.access.federation.life_of(session))
    }

    /// What becomes of the application's answer.
    pub(super) fn leave(&self, answer: Result<Response<Body>, Problem>, visit: Visit<'_>) -> Response<Body> {
        let federation = &self.access.federation;
        let answer = match (answer, &self.asked, &self.session) {
            (Ok(response), Some(asked), Some(session))
                if response.status() == StatusCode::UNAUTHORIZED
                    && federation.is_worth_a_challenge(&asked.method, &asked.headers) =>
            {
                federation.challenge(&asked.method, &asked.uri, &asked.headers, session)
            }
            (Ok(mut response), ..) => {
                self.access.cookies.keep(response.headers_mut());
                if self.access.no_store && self.active.is_some() {
                    forbid_storing(response.headers_mut());
                }
                Ok(response)
            }
            (refused, ..) => refused,
        };
        match &self.session {
            Some(session) => visit.conclude(answer, session),
            None => answer.unwrap_or_else(|problem| visit.refuse(&problem)),
        }
    }
}

/// Whether a browser asks on behalf of another site's page what that page may do (Fetch, 4.8); it sends no cookies then.
fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// SM-48: whether nobody knows if this is a session, because the store does not answer. Signing in would not help.
pub(super) fn is_undecided(rejection: &Error) -> bool {
    matches!(rejection, Error::Token(token) if token.kind() == ErrorKind::StoreUnavailable)
}

/// Keeps an answer out of every cache, also out of the one behind the back button, unless the application itself says that
/// anybody may have it.
fn forbid_storing(headers: &mut HeaderMap) {
    let for_anybody = |line: &HeaderValue| {
        let mut directives = line.to_str().unwrap_or_default().split(',');
        directives.any(|directive| matches!(directive.trim(), "public" | "immutable"))
    };
    match headers.entry(CACHE_CONTROL) {
        Entry::Occupied(lines) if lines.iter().any(for_anybody) => {}
        Entry::Occupied(mut lines) => drop(lines.insert(HeaderValue::from_static("no-store"))),
        Entry::Vacant(none) => drop(none.insert(HeaderValue::from_static("no-store"))),
    }
}

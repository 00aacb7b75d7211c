//! The service: requests in, pages out.

use super::active::ActiveEndpoints;
use super::back_channel::BackChannel;
use super::form_guard::FormGuard;
use super::pages::HomePage;
use super::visited::VisitedParties;
use super::{AccountStore, PasswordHasher, SignInLimiter};
use crate::claim_rules::ClaimRule;
use crate::pages::{ContentPolicy, MessagePage, respond};
use handstamp_claims::ArcStr;
use handstamp_keys::SecureRandom;
use handstamp_time::Clock;
use handstamp_web_session::{RequestHead, Session, SessionModule};
use handstamp_ws_federation::{Action, Issuer, METADATA_PATH, Parameters};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The built-in security token service, with sessions of its own. Cloning shares everything.
///
/// | Path below the configured one | Answers with |
/// |---|---|
/// | `/` | who is signed in here |
/// | `/wsfed` | the WS-Federation passive endpoint: sign-in and sign-out |
/// | `/trust/2005/…`, `/trust/13/…` | WS-Trust, when `active` is set: `usernamemixed` under TLS, `username` with message security |
/// | `/jwks` | the key that signs logout tokens |
/// | `/FederationMetadata/2007-06/FederationMetadata.xml` | what relying parties need to know, signed |
#[derive(Clone)]
pub struct SecurityTokenService {
    sessions: Arc<SessionModule>,
    desk: Arc<Desk>,
}

impl SecurityTokenService {
    pub(super) fn new(sessions: SessionModule, desk: Desk) -> Self {
        Self { sessions: Arc::new(sessions), desk: Arc::new(desk) }
    }

    /// Answers a request from `client`, the address of the browser.
    ///
    /// Whether it came over TLS should be in its extensions, as [`Transport`](handstamp_web_session::Transport).
    pub async fn answer<B>(&self, request: Request<B>, client: IpAddr) -> Response<String>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let session = Session::of(&self.sessions, RequestHead::from(&request)).await;
        let mut response = self.desk.answer(request, &session, client).await;
        session.write_cookies(response.headers_mut());
        response
    }

    /// Whether a cookie is one of its own, so that no application gets it.
    pub fn owns_cookie(&self, name: &[u8]) -> bool {
        let others = [self.desk.form.cookie_name(), self.desk.visited.cookie_name()];
        self.sessions.owns_cookie(name) || others.iter().any(|other| other.as_bytes() == name)
    }

    /// The accounts that may sign in.
    pub fn accounts(&self) -> &AccountStore {
        &self.desk.accounts
    }
}

impl fmt::Debug for SecurityTokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityTokenService").field("name", &self.desk.display_name).finish_non_exhaustive()
    }
}

/// What the service works with: everything but the session.
pub(super) struct Desk {
    pub(super) display_name: String,
    /// The path of the service without a slash at its end; empty for the root.
    pub(super) base: String,
    pub(super) issuer: Issuer,
    pub(super) issuer_name: ArcStr,
    /// The federation metadata document.
    pub(super) metadata: String,
    pub(super) parties: Vec<Party>,
    pub(super) accounts: AccountStore,
    pub(super) passwords: PasswordHasher,
    pub(super) limiter: Arc<SignInLimiter>,
    /// WS-Trust, when it is wanted.
    pub(super) active: Option<ActiveEndpoints>,
    pub(super) back_channel: BackChannel,
    pub(super) form: FormGuard,
    pub(super) visited: VisitedParties,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn SecureRandom>,
}

/// What is known about a relying party beyond the protocol.
#[derive(Debug, Clone)]
pub(super) struct Party {
    /// Its name in the configuration.
    pub(super) name: String,
    pub(super) realm: String,
    /// Its name on pages.
    pub(super) display_name: String,
    pub(super) rules: Vec<ClaimRule>,
    /// Whether it gets logout tokens.
    pub(super) is_told: bool,
}

impl Desk {
    /// Where the passive endpoint is, below the service's path.
    pub(super) const ENDPOINT: &'static str = "/wsfed";

    async fn answer<B>(&self, request: Request<B>, session: &Session, client: IpAddr) -> Response<String>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let path = head.uri.path().strip_prefix(self.base.as_str()).unwrap_or_default();
        if let Some(service) = self.active.as_ref().and_then(|active| active.at(path)) {
            return match head.method {
                Method::POST => self.issue_token(service, &head, body, client).await,
                _ => method_not_allowed("POST", &self.display_name),
            };
        }
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        let posts = head.method == Method::POST;
        match path {
            "" | "/" if reads => self.home(session),
            Self::ENDPOINT if reads => self.passive(&head, session).await,
            Self::ENDPOINT if posts => self.credentials(&head, body, session, client).await,
            METADATA_PATH if reads => self.metadata(),
            KEY_SET_PATH if reads => self.back_channel.key_set(),
            "" | "/" | METADATA_PATH | KEY_SET_PATH => method_not_allowed("GET, HEAD", &self.display_name),
            Self::ENDPOINT => method_not_allowed("GET, HEAD, POST", &self.display_name),
            _ => self.message(StatusCode::NOT_FOUND, "Nothing here", "There is no such page at this service."),
        }
    }

    /// A message of the protocol that came as a link or a redirect.
    async fn passive(&self, request: &Parts, session: &Session) -> Response<String> {
        let query = request.uri.query().unwrap_or_default();
        let parameters = match Parameters::parse(query, &self.issuer.settings().limits) {
            Ok(parameters) => parameters,
            Err(error) => return self.refuse(&error),
        };
        match parameters.get("wa").and_then(Action::from_wa) {
            Some(Action::SignIn) => self.sign_in(request, &parameters, session).await,
            Some(Action::SignOut | Action::SignOutCleanup) => {
                self.sign_out(&request.headers, &parameters, session).await
            }
            _ => self.message(
                StatusCode::BAD_REQUEST,
                "No such request",
                "This address is for applications that send people here to sign in or out.",
            ),
        }
    }

    fn home(&self, session: &Session) -> Response<String> {
        let active = session.active();
        let sign_out = format!("{}{}?wa={}", self.base, Self::ENDPOINT, Action::SignOut.as_str());
        let page = HomePage {
            service: &self.display_name,
            username: active.as_ref().and_then(|active| active.principal().name()),
            sign_out: &sign_out,
        };
        respond(StatusCode::OK, &page, &ContentPolicy::default())
    }

    fn metadata(&self) -> Response<String> {
        let mut response = Response::new(self.metadata.clone());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/samlmetadata+xml"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        response
    }

    pub(super) fn party(&self, realm: &str) -> Option<&Party> {
        self.parties.iter().find(|party| party.realm == realm)
    }

    /// A protocol message that is wrong. The browser stays here: nothing says where else it could safely go.
    pub(super) fn refuse(&self, error: &handstamp_ws_federation::Error) -> Response<String> {
        tracing::info!(code = error.code(), %error, "a request to the token service was refused");
        let page = MessagePage::new("This request cannot be answered")
            .brand(&*self.display_name)
            .status(StatusCode::BAD_REQUEST)
            .paragraph("The application that sent you here asked for something this service does not give it. Its operator can tell why from the text below.")
            .detail("Reason", error.to_string())
            .detail("Code", error.code());
        respond(StatusCode::BAD_REQUEST, &page, &ContentPolicy::default())
    }

    /// A failure on this side. The browser learns its code, the log the rest.
    pub(super) fn failed(&self, error: &super::Error) -> Response<String> {
        tracing::error!(code = error.code(), %error, "the token service failed");
        let page = MessagePage::new("Something went wrong")
            .brand(&*self.display_name)
            .status(StatusCode::INTERNAL_SERVER_ERROR)
            .paragraph("It is not your fault. Please try again in a moment.")
            .detail("Code", error.code());
        respond(StatusCode::INTERNAL_SERVER_ERROR, &page, &ContentPolicy::default())
    }

    fn message(&self, status: StatusCode, heading: &str, text: &str) -> Response<String> {
        let page = MessagePage::new(heading).brand(&*self.display_name).status(status).paragraph(text);
        respond(status, &page, &ContentPolicy::default())
    }
}

/// Where the key set is, below the service's path.
const KEY_SET_PATH: &str = "/jwks";

fn method_not_allowed(allowed: &'static str, brand: &str) -> Response<String> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let page = MessagePage::new("Not like this").brand(brand).status(status).paragraph("Open this address as a page.");
    let mut response = respond(status, &page, &ContentPolicy::default());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

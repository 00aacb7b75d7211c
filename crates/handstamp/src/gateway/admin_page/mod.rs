//! The page for operators: what sessions there are and were, keys, issuers, what was refused lately; and the way to end sessions.
//!
//! It works without a script. Whoever may see it may also end other people's sessions, so it asks for a role of its own; what changes
//! something must be posted by this very page.

mod plot;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use form_urlencoded::parse;
use handstamp_keys::KeyRing;
use handstamp_secure_conversation::SessionInfo;
use handstamp_session_store::{SessionFilter, StoredSession};
use handstamp_session_token::{ContextId, Error as TokenError};
use handstamp_time::{Clock, SystemClock, Timestamp};
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};

use super::Visit;
use super::access::{Access, Admission};
use super::body::Body;
use super::foundation::Foundation;
use super::problem::Problem;
use super::soap::TerminateSessions;
use crate::admin::Metrics;
use crate::config::{self, Config};
use crate::pages::{self, ContentPolicy, MessagePage};
use crate::session_desk::{SessionDesk, fingerprint, subject, user_of};
use views::{Confirmation, Overview};

/// The page, and what it shows.
pub(super) struct AdminPage {
    access: Access,
    /// Of the page, as browsers write it.
    origin: String,
    config: Config,
    keys: Arc<KeyRing>,
    desk: SessionDesk,
    /// Secure sessions of SOAP routes.
    soap: BTreeMap<String, Arc<TerminateSessions>>,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for AdminPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminPage").field("access", &self.access).finish_non_exhaustive()
    }
}

const END_SESSION: &str = "/end-session";
const END_USER: &str = "/end-user";
const END_SECURE_SESSION: &str = "/end-secure-session";

/// Sessions that are listed.
const LISTED: usize = 50;
/// What a form of ours takes at most.
const FORM_LIMIT: usize = 16 << 10;
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

impl AdminPage {
    /// Where it answers.
    pub(super) const PATHS: [&'static str; 4] = ["/", END_SESSION, END_USER, END_SECURE_SESSION];

    pub(super) fn new(
        access: Access,
        config: &Config,
        foundation: &Foundation,
        soap: BTreeMap<String, Arc<TerminateSessions>>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let federation = config.federation.get(access.federation().name());
        Self {
            access,
            origin: federation.and_then(config::Federation::public_origin).unwrap_or_default(),
            config: config.clone(),
            keys: Arc::clone(foundation.keys()),
            desk: foundation.session_desk(config),
            soap,
            metrics: Arc::clone(metrics),
        }
    }

    /// Answers operators; others are sent to sign in, or away.
    pub(super) async fn answer(&self, request: Request<Body>, visit: Visit<'_>) -> Response<Body> {
        self.access
            .federation()
            .with_session(request, visit, |request, session| async move {
                match self.access.admit(request.method(), request.uri(), request.headers(), &session)? {
                    Admission::Challenged(response) => Ok(response),
                    Admission::Granted(active) => {
                        let operator = active.as_ref().and_then(|active| active.principal().identity()?.name());
                        self.serve(request, operator.unwrap_or("somebody without a name")).await
                    }
                }
            })
            .await
    }

    async fn serve(&self, request: Request<Body>, operator: &str) -> Result<Response<Body>, Problem> {
        let now = SystemClock.now();
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/") => self.overview(operator, now).await,
            (&Method::GET | &Method::HEAD, END_SESSION) => {
                let wanted = Fields::of(request.uri().query().unwrap_or_default().as_bytes());
                self.confirm_session(&self.session(&wanted, now).await?)
            }
            (&Method::GET | &Method::HEAD, END_USER) => {
                let wanted = Fields::of(request.uri().query().unwrap_or_default().as_bytes());
                self.confirm_user(&wanted)
            }
            (&Method::GET | &Method::HEAD, END_SECURE_SESSION) => {
                let wanted = Fields::of(request.uri().query().unwrap_or_default().as_bytes());
                self.confirm_secure_session(&self.secure_session(&wanted, now)?)
            }
            (&Method::POST, path @ (END_SESSION | END_USER | END_SECURE_SESSION)) => {
                let path = path.to_owned();
                check_posted_here(request.headers(), &self.origin)?;
                let wanted = read_form(request).await?;
                match path.as_str() {
                    END_USER => self.end_user(&wanted, operator, now).await,
                    END_SESSION => self.end_session(&self.session(&wanted, now).await?, operator, now).await,
                    _ => self.end_secure_session(&self.secure_session(&wanted, now)?, operator, now).await,
                }
            }
            _ => Err(Problem::method_not_allowed()),
        }
    }

    async fn overview(&self, operator: &str, now: Timestamp) -> Result<Response<Body>, Problem> {
        let sessions = self.desk.sessions(&SessionFilter::All, LISTED, now).await;
        let page = Overview::new(self, operator, sessions.as_deref().ok(), now);
        Ok(pages::respond(StatusCode::OK, &page, &own_forms()).map(Body::whole))
    }

    async fn session(&self, wanted: &Fields, now: Timestamp) -> Result<StoredSession, Problem> {
        let found = self.desk.find(&wanted.session, now).await.map_err(store_fails)?;
        found.ok_or_else(|| no_session("It is over already, or it is not in the store."))
    }

    fn secure_session(&self, wanted: &Fields, now: Timestamp) -> Result<SecureSession<'_>, Problem> {
        let found = self.soap.get_key_value(&wanted.route).and_then(|(route, sessions)| {
            let session = sessions.list(now).into_iter().find(|session| *session.context_id == *wanted.session)?;
            Some(SecureSession { route, sessions, id: session.context_id.parse().ok()?, session })
        });
        found.ok_or_else(|| no_session("It is over already, or this node does not know it."))
    }

    fn confirm_secure_session(&self, ended: &SecureSession<'_>) -> Result<Response<Body>, Problem> {
        let caller = ended.session.caller.as_deref().unwrap_or("an anonymous caller");
        let page = Confirmation {
            heading: format!("End the secure session of {caller} with {}?", ended.route),
            text: "Its client is told that the session is gone, on every node, and needs its credentials for a new one.",
            action: END_SECURE_SESSION,
            fields: vec![("route", ended.route), ("session", &ended.session.context_id)],
            button: "End the session",
        };
        Ok(pages::respond(StatusCode::OK, &page, &own_forms()).map(Body::whole))
    }

    async fn end_secure_session(
        &self,
        ended: &SecureSession<'_>,
        operator: &str,
        now: Timestamp,
    ) -> Result<Response<Body>, Problem> {
        let SecureSession { route, sessions, session, id } = ended;
        let revoked = self.desk.revoke_context(id, session.caller.as_deref(), session.expires, operator, now).await;
        sessions.end(id);
        revoked.map_err(store_fails)?;
        tracing::info!(session = %id.fingerprint(), route, operator, "an operator ended a secure session");
        done(&format!("The secure session {} is over.", id.fingerprint()))
    }

    fn confirm_session(&self, session: &StoredSession) -> Result<Response<Body>, Problem> {
        let name = fingerprint(session);
        let user = user_of(session).unwrap_or("an unknown user");
        let page = Confirmation {
            heading: format!("End session {name} of {user}?"),
            text: "Whoever uses it has to sign in again. Copies of its cookie stop working, too.",
            action: END_SESSION,
            fields: vec![("session", &name)],
            button: "End the session",
        };
        Ok(pages::respond(StatusCode::OK, &page, &own_forms()).map(Body::whole))
    }

    fn confirm_user(&self, wanted: &Fields) -> Result<Response<Body>, Problem> {
        self.subject(wanted)?;
        let page = Confirmation {
            heading: format!("Sign {} out everywhere?", wanted.user),
            text: "Every session that began until now ends, in cookies too, on every device. The user may sign in again.",
            action: END_USER,
            fields: vec![("user", &wanted.user), ("issuer", &wanted.issuer)],
            button: "Sign out everywhere",
        };
        Ok(pages::respond(StatusCode::OK, &page, &own_forms()).map(Body::whole))
    }

    async fn end_session(
        &self,
        session: &StoredSession,
        operator: &str,
        now: Timestamp,
    ) -> Result<Response<Body>, Problem> {
        self.desk.revoke(session, operator, now).await.map_err(store_fails)?;
        tracing::info!(session = fingerprint(session), operator, "an operator ended a session");
        done(&format!("Session {} is over.", fingerprint(session)))
    }

    async fn end_user(&self, wanted: &Fields, operator: &str, now: Timestamp) -> Result<Response<Body>, Problem> {
        let ended =
            self.desk.revoke_user(&wanted.user, self.subject(wanted)?, operator, now).await.map_err(store_fails)?;
        tracing::info!(user = wanted.user, ended, operator, "an operator signed a user out everywhere");
        done(&format!("{} is signed out everywhere; {ended} session(s) left the store.", wanted.user))
    }

    fn subject(&self, wanted: &Fields) -> Result<handstamp_session_token::SubjectId, Problem> {
        if wanted.user.is_empty() {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "HST-SESSION-USER", "Who?", "No user was named.")
                .action("Back", "/"));
        }
        let issuer = Some(wanted.issuer.as_str()).filter(|issuer| !issuer.is_empty());
        subject(&self.config, &wanted.user, issuer).map_err(|error| {
            let detail = "It is not clear which issuer knows the user by this name: choose one.";
            Problem::new(StatusCode::BAD_REQUEST, error.code(), "Which issuer?", detail).action("Back", "/")
        })
    }
}

/// A secure session of a SOAP route.
struct SecureSession<'p> {
    route: &'p str,
    sessions: &'p TerminateSessions,
    session: SessionInfo,
    id: ContextId,
}

fn no_session(detail: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "HST-SESSION-UNKNOWN", "No such session", detail).action("Back", "/")
}

/// What a form or a link names.
#[derive(Debug, Default)]
struct Fields {
    session: String,
    route: String,
    user: String,
    issuer: String,
}

impl Fields {
    fn of(encoded: &[u8]) -> Self {
        let mut fields = Self::default();
        for (name, value) in parse(encoded) {
            match &*name {
                "session" => fields.session = value.into_owned(),
                "route" => fields.route = value.into_owned(),
                "user" => fields.user = value.trim().to_owned(),
                "issuer" => fields.issuer = value.into_owned(),
                _ => {}
            }
        }
        fields
    }
}

/// Every browser says where a posted form comes from; a form of another site, or none of a browser, changes nothing here.
fn check_posted_here(headers: &HeaderMap, own_origin: &str) -> Result<(), Problem> {
    const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let from_here = headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes() == own_origin.as_bytes());
    let same_origin = headers.get(SEC_FETCH_SITE).is_none_or(|site| site == "same-origin");
    if from_here && same_origin {
        return Ok(());
    }
    let detail = "This form does not come from the page of this gateway. Open the page and try again.";
    Err(Problem::new(StatusCode::FORBIDDEN, "HST-GATEWAY-FOREIGN-FORM", "Nothing was done", detail).action("Back", "/"))
}

async fn read_form(request: Request<Body>) -> Result<Fields, Problem> {
    let is_form = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let whole = Limited::new(request.into_body(), FORM_LIMIT).collect();
    let whole = tokio::time::timeout(FORM_TIMEOUT, whole).await.map_err(|_| Problem::body_stalled())?;
    match whole {
        Ok(whole) if is_form => Ok(Fields::of(&whole.to_bytes())),
        _ => {
            Err(Problem::new(StatusCode::BAD_REQUEST, "HST-GATEWAY-FORM", "Not understood", "This is no form of ours."))
        }
    }
}

fn store_fails(error: TokenError) -> Problem {
    tracing::error!(code = error.code(), %error, "the store does not answer");
    Problem::unavailable(error.code())
}

fn own_forms() -> ContentPolicy {
    ContentPolicy::default().allow_form("'self'")
}

fn done(what: &str) -> Result<Response<Body>, Problem> {
    let page =
        MessagePage::new("Done").paragraph(what).paragraph("Every node knows within a second.").action("Back", "/");
    Ok(pages::respond(StatusCode::OK, &page, &ContentPolicy::default()).map(Body::whole))
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn fields_are_read_and_others_are_not() {
        let fields = Fields::of(b"user=+alice%40example+&issuer=corp&session=0a1b2c3d&other=1");
        assert_eq!((fields.user.as_str(), fields.issuer.as_str()), ("alice@example", "corp"));
        assert_eq!(fields.session, "0a1b2c3d");
    }
}

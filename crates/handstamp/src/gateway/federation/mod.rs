//! One relying party at work: its sessions, the way to its issuers and back, and the end.

mod back_channel;
mod choice;
mod decryption;
mod description;
mod events;
mod issuer_sessions;
mod issuers;
mod party;
mod sessions;
mod setup;
mod sign_in;
mod sign_out;

use std::fmt;
use std::sync::Arc;

use handstamp_keys::SystemRandom;
use handstamp_session_token::{ReplayCache, RevocationList};
use handstamp_web_session::{ActiveSession, Session, SessionModule};
use handstamp_ws_federation::RelyingParty;
use http::header::HeaderValue;
use http::{Method, Request, Response, StatusCode};

use super::Visit;
use super::body::Body;
use super::problem::Problem;
use super::session_life::{SessionEnds, SessionLife};
use crate::admin::FederationMetrics;
use crate::audit::{AuditLog, Entry, Event};
use crate::config::{ChallengeMode, OnUnreadable};

use back_channel::BackChannel;
use description::Description;
use issuers::Issuers;
use party::LivingParty;
pub(super) use setup::{Shared, hex as fingerprint, trusted_issuer};
pub(super) use sign_in::is_unknown_key;

/// A relying party.
pub(super) struct Federation {
    name: String,
    sessions: Arc<SessionModule>,
    issuers: Issuers,
    replays: Arc<dyn ReplayCache>,
    revocations: Arc<RevocationList>,
    ends: Arc<SessionEnds>,
    challenge_mode: ChallengeMode,
    on_unreadable: OnUnreadable,
    reply_path: String,
    sign_out_path: String,
    back_channel: Option<BackChannel>,
    description: Option<Description>,
    signed_out_path: String,
    /// Whether the session's cookie outlives the browser.
    persistent: bool,
    /// What the names of the sign-in state's cookies begin with.
    state_prefix: String,
    metrics: Arc<FederationMetrics>,
    audit: AuditLog,
    random: SystemRandom,
}

impl Federation {
    /// Its name in the configuration.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The paths that are the relying party's own, on every host it serves.
    pub(super) fn own_paths(&self) -> impl Iterator<Item = &str> {
        let back_channel = self.back_channel.as_ref().map(BackChannel::path);
        let description = self.description.as_ref().map(Description::path);
        let own = [self.reply_path.as_str(), &self.sign_out_path, &self.signed_out_path];
        own.into_iter().chain(back_channel).chain(description)
    }

    /// Its half of the protocol for each issuer of which something is known, as they are now, with the issuers' names.
    pub(super) fn parties(&self) -> impl Iterator<Item = (&str, Arc<RelyingParty>)> {
        self.issuers.iter().filter_map(|party| Some((party.issuer_name.as_str(), party.current().ok()?)))
    }

    /// Counts a session that a request came with, and lets what goes on in it know how long it lasts.
    pub(super) fn note_seen(&self, session: &ActiveSession) {
        self.ends.note(session.token());
        self.metrics.seen.note(session.token().context_id());
    }

    /// Notes that a user may not see what was asked for.
    pub(super) fn note_denied(&self, session: &ActiveSession, code: &str, visit: Visit<'_>) {
        let entry = Entry::new(Event::AccessDenied).of_session(session.token());
        self.audit.note(
            &Entry { federation: Some(&self.name), code: Some(code), ..entry }
                .of_request(visit.origin.client, visit.id),
        );
    }

    pub(super) fn sign_out_path(&self) -> &str {
        &self.sign_out_path
    }

    /// How long what is begun in a session may last.
    pub(super) fn life_of(&self, session: &ActiveSession) -> SessionLife {
        let (module, revocations) = (Arc::clone(&self.sessions), Arc::clone(&self.revocations));
        SessionLife::new(Arc::clone(session.token()), module, revocations, Arc::clone(&self.ends))
    }

    /// Answers on one of its own paths.
    pub(super) async fn answer(&self, request: Request<Body>, visit: Visit<'_>) -> Response<Body> {
        if let Some(channel) = self.back_channel.as_ref().filter(|channel| channel.path() == request.uri().path()) {
            let answer = self.sign_out_by_back_channel(channel, request, visit).await;
            return answer.unwrap_or_else(|problem| visit.refuse(&problem));
        }
        if let Some(description) = self.description.as_ref().filter(|known| known.path() == request.uri().path()) {
            return description.answer(request.method()).unwrap_or_else(|problem| visit.refuse(&problem));
        }
        self.with_session(request, visit, |request, session| async move {
            let path = request.uri().path();
            if self.is_sign_out_cleanup(&request) {
                self.clean_up(&request.into_parts().0, &session).await
            } else if path == self.reply_path && self.issuers.are_several() && is_safe(request.method()) {
                self.choose_issuer(&request.into_parts().0, &session)
            } else if path == self.reply_path {
                self.receive_sign_in(request, &session, visit).await
            } else if path == self.sign_out_path {
                self.sign_out(&request.into_parts().0, &session).await
            } else {
                Ok(self.signed_out(visit))
            }
        })
        .await
    }

    /// Its sessions.
    pub(super) fn sessions(&self) -> &Arc<SessionModule> {
        &self.sessions
    }

    /// Lets `serve` answer a request whose session is known. Cookies that come of it are in the answer, whatever it is.
    pub(super) async fn with_session<F>(
        &self,
        request: Request<Body>,
        visit: Visit<'_>,
        serve: impl FnOnce(Request<Body>, Session) -> F,
    ) -> Response<Body>
    where
        F: Future<Output = Result<Response<Body>, Problem>>,
    {
        let session = Session::of(&self.sessions, visit.head(&request)).await;
        let answer = match self.refuse_unreadable(&session) {
            Ok(()) => serve(request, session.clone()).await,
            Err(problem) => Err(problem),
        };
        visit.conclude(answer, &session)
    }

    /// The strict policy: a cookie that cannot be read is the client's mistake, and is said to be.
    pub(super) fn refuse_unreadable(&self, session: &Session) -> Result<(), Problem> {
        match session.rejection() {
            Some(error) if self.on_unreadable == OnUnreadable::Refuse => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                error.code(),
                "Unreadable session",
                "The session cookie cannot be used. Delete the cookies of this site and try again.",
            )),
            _ => Ok(()),
        }
    }

    /// Whether a cookie is one of its sessions or sign-ins.
    pub(super) fn owns_cookie(&self, cookie: &[u8]) -> bool {
        cookie.starts_with(self.state_prefix.as_bytes()) || self.sessions.owns_cookie(cookie)
    }
}

impl fmt::Debug for Federation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Federation").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A redirect that no cache keeps.
pub(super) fn redirect(status: StatusCode, location: &str) -> Result<Response<Body>, Problem> {
    let location = HeaderValue::from_str(location).map_err(|_| Problem::internal("HST-GATEWAY-LOCATION"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::LOCATION, location);
    response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Whether a request only reads.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

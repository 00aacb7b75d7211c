//! Sign-out by the issuer, from server to server: a signed statement that a user is signed out everywhere (OpenID Connect
//! Back-Channel Logout 1.0). No browser has a part in it, so no blocked cookie can be in its way (SM §8.1).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use handstamp_keys::jose::{JwkSet, JwsVerifier};
use handstamp_keys::{KeyPolicy, sha256};
use handstamp_session_token::{ReplayCache, ReplicatedRevocations, Revocation, SubjectId};
use handstamp_time::Timestamp;
use handstamp_ws_federation::Parameters;
use http::header::{ALLOW, CACHE_CONTROL, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use super::Federation;
use crate::Error;
use crate::audit::{Entry, Event};
use crate::config;
use crate::gateway::Visit;
use crate::gateway::body::Body;
use crate::gateway::problem::Problem;

/// Believes an issuer's logout tokens, and ends all sessions of whom they name.
pub(super) struct BackChannel {
    path: String,
    keys: JwsVerifier,
    /// Whose tokens.
    issuer: String,
    /// For whom.
    audience: String,
    /// Under which name claims know the issuer.
    claims_issuer: String,
    clock_skew: Duration,
    longest_session: Duration,
    revocations: Arc<ReplicatedRevocations>,
    replays: Arc<dyn ReplayCache>,
}

impl BackChannel {
    /// # Errors
    /// The key set cannot be read, or the issuer has no name.
    pub(super) fn open(
        place: &str,
        settings: &config::Federation,
        channel: &config::BackChannel,
        issuer: &config::Issuer,
        revocations: Arc<ReplicatedRevocations>,
        replays: Arc<dyn ReplayCache>,
    ) -> Result<Self, Error> {
        let claims_issuer = issuer.name.clone().ok_or_else(|| Error::Setup {
            code: "HST-CONFIG-MISSING",
            message: format!("{place}.back_channel: needs the name of the issuer, under which claims know its users"),
        })?;
        Ok(Self {
            path: channel.path.as_str().to_owned(),
            keys: JwsVerifier::new(read_keys(&format!("{place}.back_channel.keys"), &channel.keys)?),
            issuer: channel.issuer.clone(),
            audience: channel.audience.clone().unwrap_or_else(|| settings.realm.clone()),
            claims_issuer,
            clock_skew: settings.clock_skew,
            longest_session: settings.session.absolute_timeout + settings.session.clock_skew,
            revocations,
            replays,
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whom a token signs out, and the digest that makes a second use of it known.
    fn examine(&self, token: &str, now: Timestamp) -> Result<LogoutToken, &'static str> {
        let payload = self.keys.verify("logout+jwt", token).map_err(|_| "it is not signed by the issuer")?;
        let token: LogoutToken =
            serde_json::from_slice(&payload).map_err(|_| "it lacks a claim, or has a malformed one")?;
        if token.iss != self.issuer {
            return Err("it is of another issuer");
        }
        if !token.aud.names(&self.audience) {
            return Err("it is for another audience");
        }
        if !token.events.get(LOGOUT_EVENT).is_some_and(serde_json::Value::is_object) {
            return Err("it names no logout event");
        }
        if token.nonce.is_some() {
            return Err("it has a nonce, as id tokens have");
        }
        let at = |seconds| Timestamp::from_unix_seconds(seconds).ok_or("a time in it is none");
        if at(token.iat)? > now.saturating_add(self.clock_skew) {
            return Err("it is from the future");
        }
        let end = match token.exp {
            Some(exp) => at(exp)?,
            None => at(token.iat)?.saturating_add(LIFETIME),
        };
        if end.saturating_add(self.clock_skew) < now {
            return Err("it is over");
        }
        Ok(token)
    }
}

impl Federation {
    /// Answers the issuer.
    pub(super) async fn sign_out_by_back_channel(
        &self,
        channel: &BackChannel,
        request: Request<Body>,
        visit: Visit<'_>,
    ) -> Result<Response<Body>, Problem> {
        if request.method() != Method::POST {
            let problem = Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "HST-LOGOUT-METHOD",
                "Nothing to see here",
                "The sign-in service says at this address that somebody signed out; there is nothing to look at.",
            );
            return Err(problem.header(ALLOW, HeaderValue::from_static("POST")));
        }
        let (parts, body) = request.into_parts();
        let form: Parameters = self.read_form(&parts.headers, body).await?;
        let now = self.sessions.now();
        let token = channel.examine(form.get("logout_token").unwrap_or_default(), now).map_err(|why| {
            tracing::warn!(federation = self.name, request = %visit.id, why, "a logout token was refused");
            self.refuse_token()
        })?;
        let Some(user) = &token.sub else {
            tracing::warn!(federation = self.name, request = %visit.id, "a logout token names a session, not a user");
            return Err(self.refuse_token());
        };
        let unavailable = |error: handstamp_session_token::Error| {
            tracing::error!(federation = self.name, code = error.code(), %error, "a sign-out by the issuer is not everywhere");
            Problem::unavailable(error.code())
        };
        let expires = now.saturating_add(channel.longest_session);
        let revocation = Revocation::subject(SubjectId::new(&channel.claims_issuer, user), now, expires);
        let mut seen = b"handstamp logout token v1".to_vec();
        seen.extend_from_slice(&sha256(channel.issuer.as_bytes()));
        seen.extend_from_slice(token.jti.as_bytes());
        // A repeated token would sign out whoever has signed in again since.
        let remember = Timestamp::from_unix_seconds(token.exp.unwrap_or(token.iat)).unwrap_or(now);
        let remember = remember.max(now).saturating_add(LIFETIME).saturating_add(channel.clock_skew);
        if !channel.replays.add_if_absent(sha256(&seen), remember, now).await.map_err(unavailable)? {
            tracing::warn!(federation = self.name, request = %visit.id, "a logout token was used before");
            return Err(self.refuse_token());
        }
        channel.revocations.revoke(&[revocation], now).await.map_err(unavailable)?;
        self.metrics.issuer_sign_outs.add();
        let entry = Entry::new(Event::IssuerSignOut).of_request(visit.origin.client, visit.id);
        let issuer = Some(channel.claims_issuer.as_str());
        self.audit.note(&Entry { federation: Some(&self.name), issuer, user: Some(user), ..entry });
        tracing::info!(
            federation = self.name,
            request = %visit.id,
            client = %visit.origin.client,
            subject = ?SubjectId::new(&channel.claims_issuer, user),
            "signed out everywhere by the issuer"
        );
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    /// One answer for everything that is wrong.
    fn refuse_token(&self) -> Problem {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "HST-LOGOUT-TOKEN",
            "Not signed out",
            "The logout token was not accepted. The site's operators find the reason in the log.",
        )
    }
}

/// What a logout token says (OpenID Connect Back-Channel Logout 1.0 §2.4).
#[derive(Deserialize)]
struct LogoutToken {
    iss: String,
    aud: Audience,
    iat: i64,
    #[serde(default)]
    exp: Option<i64>,
    jti: String,
    events: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    nonce: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn names(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

fn read_keys(key: &str, file: &Path) -> Result<JwkSet, Error> {
    let json = std::fs::read(file).map_err(|error| Error::Setup {
        code: "HST-CONFIG-FILE",
        message: format!("{key}: {} cannot be read: {error}", file.display()),
    })?;
    JwkSet::parse(&json, &KeyPolicy::default())
        .map_err(|error| Error::Setup { code: error.code(), message: format!("{key}: {}: {error}", file.display()) })
}

const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Of tokens that say nothing about it: two minutes, as the standard recommends.
const LIFETIME: Duration = Duration::from_secs(120);

//! Sign-out by the issuer, from server to server: a signed statement that a user is signed out everywhere (OpenID Connect
//! Back-Channel Logout 1.0). No browser has a part in it, so no blocked cookie can be in its way (SM §8.1).

use std::sync::Arc;
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use handstamp_keys::jose::JwsVerifier;
use handstamp_keys::sha256;
use handstamp_session_token::{ReplayCache, ReplicatedRevocations, Revocation, SubjectId};
use handstamp_time::Timestamp;
use handstamp_ws_federation::Parameters;
use http::header::{ALLOW, CACHE_CONTROL, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use super::Federation;
use super::setup::Shared;
use crate::Error;
use crate::audit::{Entry, Event};
use crate::config::{self, LogoutScope, LogoutTokens};
use crate::gateway::Visit;
use crate::gateway::body::Body;
use crate::gateway::metadata::{KeySet, LivingKeySet};
use crate::gateway::problem::Problem;

/// Believes issuers' logout tokens, and ends the sessions that they name.
pub(super) struct BackChannel {
    path: String,
    /// For whom.
    audience: String,
    signers: Vec<LogoutSigner>,
    clock_skew: Duration,
    longest_session: Duration,
    revocations: Arc<ReplicatedRevocations>,
    replays: Arc<dyn ReplayCache>,
}

/// An issuer that signs logout tokens.
struct LogoutSigner {
    /// What it calls itself in them.
    issuer: String,
    keys: LogoutKeys,
    /// Under which name claims know the issuer.
    claims_issuer: String,
    ends: LogoutScope,
}

enum LogoutKeys {
    Fixed(JwsVerifier),
    Published(Arc<LivingKeySet>),
}

/// Why a token ends nothing.
enum Refusal {
    /// Something is wrong with it.
    Token(&'static str),
    /// The keys of its issuer have not come yet.
    KeysUnknown,
}

impl BackChannel {
    /// # Errors
    /// A key set cannot be read, or an issuer has no name.
    pub(super) fn open(
        settings: &config::Federation,
        channel: &config::BackChannel,
        issuers: &[(&str, &config::Issuer)],
        shared: &Shared<'_>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let signers =
            issuers.iter().filter_map(|(name, issuer)| Some((*name, *issuer, issuer.logout_tokens.as_ref()?)));
        let signers = signers.map(|(name, issuer, tokens)| LogoutSigner::open(name, issuer, tokens, shared, now));
        Ok(Self {
            path: channel.path.as_str().to_owned(),
            audience: channel.audience.clone().unwrap_or_else(|| settings.realm.clone()),
            signers: signers.collect::<Result<_, _>>()?,
            clock_skew: settings.clock_skew,
            longest_session: settings.session.absolute_timeout + settings.session.clock_skew,
            revocations: Arc::clone(&shared.stores.revocations),
            replays: Arc::clone(&shared.stores.replays),
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whose token it is, and what it says once it is proven.
    async fn examine(&self, token: &str, now: Timestamp) -> Result<(&LogoutSigner, LogoutToken), Refusal> {
        // This says no more than whose keys to try.
        let named = unproven_issuer(token).ok_or(Refusal::Token("it is no token"))?;
        let signer = self.signers.iter().find(|signer| signer.issuer == named);
        let signer = signer.ok_or(Refusal::Token("it is of another issuer"))?;
        let payload = signer.verify(token, now).await?;
        self.check(signer, &payload, now).map(|token| (signer, token)).map_err(Refusal::Token)
    }

    fn check(&self, signer: &LogoutSigner, payload: &[u8], now: Timestamp) -> Result<LogoutToken, &'static str> {
        let token: LogoutToken =
            serde_json::from_slice(payload).map_err(|_| "it lacks a claim, or has a malformed one")?;
        if token.iss != signer.issuer {
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

impl LogoutSigner {
    fn open(
        name: &str,
        issuer: &config::Issuer,
        tokens: &LogoutTokens,
        shared: &Shared<'_>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let place = format!("issuer.{name}.logout_tokens");
        let claims_issuer = issuer.name.clone().ok_or_else(|| Error::Setup {
            code: "HST-CONFIG-MISSING",
            message: format!("{place}: needs the name of the issuer, under which claims know its users"),
        })?;
        let keys = match (shared.documents.key_set(name, tokens, shared.metrics, now)?, &tokens.keys) {
            (Some(published), _) => LogoutKeys::Published(published),
            (None, Some(file)) => {
                let unusable = |code, problem: &dyn std::fmt::Display| Error::Setup {
                    code,
                    message: format!("{place}.keys: {}: {problem}", file.display()),
                };
                let json = std::fs::read(file).map_err(|error| unusable("HST-CONFIG-FILE", &error))?;
                let keys = KeySet::read(&json).map_err(|error| unusable(error.code(), &error))?;
                LogoutKeys::Fixed(keys.verifier)
            }
            (None, None) => {
                let message = format!("{place}: needs keys or key_set");
                return Err(Error::Setup { code: "HST-CONFIG-MISSING", message });
            }
        };
        Ok(Self { issuer: tokens.issuer.clone(), keys, claims_issuer, ends: tokens.ends })
    }

    /// What the token says, if the issuer signed it; published keys are looked at again when there is none for it.
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Vec<u8>, Refusal> {
        let verify = |keys: &JwsVerifier| {
            keys.verify("logout+jwt", token).map_err(|_| Refusal::Token("it is not signed by the issuer"))
        };
        let published = match &self.keys {
            LogoutKeys::Fixed(keys) => return verify(keys),
            LogoutKeys::Published(published) => published,
        };
        let known = |keys: &Option<Arc<KeySet>>| keys.as_ref().is_some_and(|keys| keys.verifier.has_key_of(token));
        let mut keys = published.current().0;
        if !known(&keys) && published.refresh_for_unknown_key(now).await {
            keys = published.current().0;
        }
        verify(&keys.ok_or(Refusal::KeysUnknown)?.verifier)
    }

    /// What a token ends; none when it names nobody.
    fn revocation(&self, token: &LogoutToken, now: Timestamp, expires: Timestamp) -> Option<Revocation> {
        let session = token.sid.as_deref().filter(|sid| !sid.is_empty());
        match (&token.sub, session) {
            (Some(user), None) => Some(Revocation::subject(SubjectId::new(&self.claims_issuer, user), now, expires)),
            (Some(user), Some(_)) if self.ends == LogoutScope::User => {
                Some(Revocation::subject(SubjectId::new(&self.claims_issuer, user), now, expires))
            }
            (_, Some(session)) => Some(Revocation::issuer_session(&self.claims_issuer, session, expires)),
            (None, None) => None,
        }
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
        let (signer, token) = match channel.examine(form.get("logout_token").unwrap_or_default(), now).await {
            Ok(proven) => proven,
            Err(Refusal::Token(why)) => {
                tracing::warn!(federation = self.name, request = %visit.id, why, "a logout token was refused");
                return Err(self.refuse_token());
            }
            Err(Refusal::KeysUnknown) => return Err(Problem::unavailable("HST-LOGOUT-KEYS")),
        };
        let Some(revocation) = signer.revocation(&token, now, now.saturating_add(channel.longest_session)) else {
            tracing::warn!(federation = self.name, request = %visit.id, "a logout token names neither a user nor a session");
            return Err(self.refuse_token());
        };
        let unavailable = |error: handstamp_session_token::Error| {
            tracing::error!(federation = self.name, code = error.code(), %error, "a sign-out by the issuer is not everywhere");
            Problem::unavailable(error.code())
        };
        let mut seen = b"handstamp logout token v1".to_vec();
        seen.extend_from_slice(&sha256(signer.issuer.as_bytes()));
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
        let issuer = Some(signer.claims_issuer.as_str());
        self.audit.note(&Entry { federation: Some(&self.name), issuer, user: token.sub.as_deref(), ..entry });
        tracing::info!(
            federation = self.name,
            request = %visit.id,
            client = %visit.origin.client,
            ended = ?revocation.target,
            "signed out by the issuer"
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
    /// The session at the issuer.
    #[serde(default)]
    sid: Option<String>,
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

/// Who a token says signed it.
fn unproven_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issued {
        iss: String,
    }
    if token.len() > JwsVerifier::MAX_LEN {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode_to_vec(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Issued>(&payload).ok().map(|issued| issued.iss)
}

const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Of tokens that say nothing about it: two minutes, as the standard recommends.
const LIFETIME: Duration = Duration::from_secs(120);

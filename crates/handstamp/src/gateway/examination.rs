//! Looking at captured cookies and answers with the very parts that serve: same keys, same settings, same checks. Nothing is
//! changed, and nobody is signed in.

use std::sync::Arc;

use handstamp_keys::KeyInfo;
use handstamp_saml::AcceptedToken;
use handstamp_session_token::native::NativeFormat;
use handstamp_time::Timestamp;
use handstamp_web_session::cookie::RequestCookies;
use handstamp_web_session::module::Decision;
use handstamp_web_session::{Error as SessionError, RequestHead};
use handstamp_ws_federation::{Error as FederationError, Limits, Parameters};
use http::request::Parts;

use super::federation::{Federation, Shared, is_unknown_key};
use super::foundation::Foundation;
use crate::Error;
use crate::admin::Metrics;
use crate::config::Config;

/// The relying parties of a configuration, ready to look at evidence.
pub(crate) struct Examiner {
    foundation: Foundation,
    federations: Vec<Arc<Federation>>,
}

/// What one relying party makes of the cookies of a request.
pub(crate) struct SessionExamination {
    /// The relying party's name.
    pub(crate) federation: String,
    /// Each of its cookies, its pieces joined.
    pub(crate) cookies: Vec<SealedCookie>,
    /// What would become of the request.
    pub(crate) decision: Decision,
}

/// What one relying party makes of an issuer's answer.
pub(crate) struct SignInExamination {
    /// The relying party's name.
    pub(crate) federation: String,
    /// The name of the issuer that it takes the answer for one of.
    pub(crate) issuer: String,
    pub(crate) verdict: Result<AcceptedToken, FederationError>,
}

/// A cookie before it is opened.
pub(crate) struct SealedCookie {
    pub(crate) name: String,
    /// How many bytes the sealed token has.
    pub(crate) bytes: usize,
    /// The key that a native token names, and what the ring knows of that key.
    pub(crate) key: Option<(String, Option<KeyInfo>)>,
    /// Why its pieces do not join.
    pub(crate) problem: Option<SessionError>,
}

impl Examiner {
    /// Opens keys, store and relying parties, as the gateway does when it starts.
    ///
    /// # Errors
    /// A file that cannot be used, or settings that fit nothing.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::default());
        // Nothing happens here that belongs into a log.
        let config = &Config { audit: None, ..config.clone() };
        let foundation = Foundation::open(config, &metrics).await?;
        let shared = Shared {
            config,
            keys: foundation.keys(),
            stores: foundation.stores(),
            metrics: &metrics,
            ends: foundation.session_ends(),
            audit: foundation.audit(),
            documents: foundation.documents(),
        };
        let open = |(name, settings): (&String, _)| Ok(Arc::new(Federation::open(name, settings, &shared)?));
        let federations = config.federation.iter().map(open).collect::<Result<_, Error>>()?;
        Ok(Self { foundation, federations })
    }

    /// The keys of the ring.
    pub(crate) fn keys(&self, now: Timestamp) -> Vec<KeyInfo> {
        self.foundation.keys().list(now)
    }

    /// What every relying party that knows one of the request's cookies makes of them.
    pub(crate) async fn sessions(&self, request: &Parts, now: Timestamp) -> Vec<SessionExamination> {
        let mut found = Vec::new();
        for federation in &self.federations {
            let module = federation.sessions();
            let cookies: Vec<SealedCookie> = module
                .sealed_tokens(RequestCookies::new(&request.headers))
                .map(|(name, token)| self.sealed_cookie(name, token, now))
                .collect();
            if cookies.is_empty() {
                continue;
            }
            let decision = module.look(RequestHead::from(request), now).await;
            found.push(SessionExamination { federation: federation.name().to_owned(), cookies, decision });
        }
        found
    }

    /// What every relying party makes of an issuer's answer: the fields of the form that browsers post.
    ///
    /// # Errors
    /// The form is none.
    pub(crate) fn sign_ins(&self, form: &str, now: Timestamp) -> Result<Vec<SignInExamination>, FederationError> {
        let form = Parameters::parse(form, &Limits::default())?;
        let result = form.get("wresult").unwrap_or_default();
        // Where nothing is known of the issuer, nothing can be said of its answers.
        Ok(self
            .federations
            .iter()
            .flat_map(|federation| {
                let verdicts = federation.parties().map(|(issuer, party)| SignInExamination {
                    federation: federation.name().to_owned(),
                    issuer: issuer.to_owned(),
                    verdict: party.accept_result(result, now),
                });
                let (others, own): (Vec<_>, Vec<_>) =
                    verdicts.partition(|examined| examined.verdict.as_ref().is_err_and(is_unknown_key));
                // That it is not of one issuer says nothing when it is of another.
                if own.is_empty() { others } else { own }
            })
            .collect())
    }

    fn sealed_cookie(&self, name: &str, token: Result<Vec<u8>, SessionError>, now: Timestamp) -> SealedCookie {
        let name = name.to_owned();
        match token {
            Ok(token) => {
                let known = |id| self.keys(now).into_iter().find(|key| key.id == id);
                let key = NativeFormat::key_id(&token).map(|id| (id.to_string(), known(id)));
                SealedCookie { name, bytes: token.len(), key, problem: None }
            }
            Err(problem) => SealedCookie { name, bytes: 0, key: None, problem: Some(problem) },
        }
    }
}

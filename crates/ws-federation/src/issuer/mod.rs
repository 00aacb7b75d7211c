//! The issuer: says to relying parties who a user is.

mod settings;

pub use settings::{IssuerSettings, RelyingPartyTrust};

use crate::token_response::NewTokenResponse;
use crate::{Action, Error, FormPost, Parameters, SignInRequest, SignInResponse, SignOutRequest};
use handstamp_claims::ClaimsIdentity;
use handstamp_keys::{SecureRandom, SigningIdentity};
use handstamp_saml::{Assertion, TokenDescriptor};
use handstamp_time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The issuer's half of passive sign-in and sign-out, without I/O and without accounts: it understands requests, and answers them
/// once the program knows who the user is.
pub struct Issuer {
    settings: IssuerSettings,
    signing: Arc<SigningIdentity>,
    relying_parties: Vec<RelyingPartyTrust>,
}

impl Issuer {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Configuration`]: start-up should stop.
    pub fn new(
        settings: IssuerSettings,
        signing: Arc<SigningIdentity>,
        relying_parties: Vec<RelyingPartyTrust>,
    ) -> Result<Self, Error> {
        if settings.name.is_empty() {
            return Err(settings::configuration("name", "an issuer needs a URI".into()));
        }
        if Url::parse(&settings.endpoint).is_err() {
            return Err(settings::configuration("endpoint", format!("{:?} is no absolute URL", settings.endpoint)));
        }
        for (i, party) in relying_parties.iter().enumerate() {
            party.verify()?;
            if relying_parties.iter().take(i).any(|other| other.realm == party.realm) {
                return Err(settings::configuration("realm", format!("{} is configured twice", party.realm)));
            }
        }
        Ok(Self { settings, signing, relying_parties })
    }

    /// The settings.
    pub fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// The key and certificate that sign.
    pub fn signing_identity(&self) -> &SigningIdentity {
        &self.signing
    }

    /// The relying parties that are served.
    pub fn relying_parties(&self) -> &[RelyingPartyTrust] {
        &self.relying_parties
    }

    /// Understands a sign-in request, from a query or a form. Costs no cryptography; to show a page in between, keep the
    /// parameters and call this again.
    ///
    /// # Errors
    /// A message that is none; [`Error::UnknownRealm`]; [`Error::UnregisteredReply`]. The browser must then stay at the
    /// issuer: nothing in the message says where else it could safely go.
    pub fn receive_sign_in_request(&self, parameters: &Parameters) -> Result<SignInTask<'_>, Error> {
        require_action(parameters, Action::SignIn)?;
        let request = SignInRequest::from_parameters(parameters)?;
        if request.request_ptr.is_some() {
            return Err(Error::PointerRefused("wreqptr"));
        }
        let realm = request
            .realm
            .as_deref()
            .ok_or(Error::MissingParameter { message: "sign-in request", parameter: "wtrealm" })?;
        let relying_party = self
            .relying_parties
            .iter()
            .find(|party| party.realm == realm)
            .ok_or_else(|| Error::UnknownRealm(realm.into()))?;
        let reply = match request.reply.as_deref() {
            None => relying_party.replies.first(),
            Some(reply) => relying_party.replies.iter().find(|registered| *registered == reply),
        };
        let reply = reply.ok_or_else(|| Error::UnregisteredReply {
            reply: request.reply.as_deref().unwrap_or_default().into(),
            realm: relying_party.realm.clone(),
        })?;
        Ok(SignInTask { relying_party, reply, request })
    }

    /// Answers a sign-in request: signs an assertion with `identity`'s claims, for the browser to post.
    ///
    /// `identity` should carry an authentication method and instant; see
    /// [`Assertion::from_identity`] for what becomes of claims.
    ///
    /// # Errors
    /// Claims that SAML cannot express; failing keys or randomness.
    pub fn respond(
        &self,
        task: &SignInTask<'_>,
        identity: &ClaimsIdentity,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<FormPost, Error> {
        self.respond_in(task, identity, None, now, random)
    }

    /// [`respond`](Self::respond), and the relying party learns what the issuer calls its session with the user: a `SessionIndex`,
    /// by which a logout token may end what began in it. SAML 1.1 has no place for that.
    ///
    /// # Errors
    /// As [`respond`](Self::respond).
    pub fn respond_in_session(
        &self,
        task: &SignInTask<'_>,
        identity: &ClaimsIdentity,
        session_index: &str,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<FormPost, Error> {
        self.respond_in(task, identity, Some(session_index), now, random)
    }

    fn respond_in(
        &self,
        task: &SignInTask<'_>,
        identity: &ClaimsIdentity,
        session_index: Option<&str>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<FormPost, Error> {
        let party = task.relying_party;
        let expires = now.saturating_add(party.token_lifetime.unwrap_or(self.settings.token_lifetime));
        let descriptor = TokenDescriptor {
            version: party.token_version,
            issuer: self.settings.name.clone(),
            audience: party.realm.clone(),
            issued_at: now,
            not_before: now,
            not_on_or_after: expires,
            recipient: None,
        };
        let mut assertion = Assertion::from_identity(identity, &descriptor, random)?;
        for statement in &mut assertion.authentications {
            statement.session_index = session_index.map(str::to_owned);
        }
        let mut token = assertion.sign(&self.signing)?;
        if let Some(encryption) = &party.encryption {
            token = encryption.encrypt(party.token_version, &token, random)?;
        }
        let result = NewTokenResponse {
            version: party.trust_version,
            created: now,
            expires,
            applies_to: &party.realm,
            token_version: party.token_version,
            token: &token,
        }
        .write()?;
        let response = SignInResponse {
            result,
            context: task.request.context.clone(),
            current_time: None,
            other: Parameters::new(),
        };
        Ok(FormPost { action: task.reply.to_owned(), parameters: response.to_parameters() })
    }

    /// Understands a sign-out request, and lists what to do: end the session, show a page that loads the clean-up URLs of the
    /// relying parties that the user was signed in to, then go to the reply.
    ///
    /// `realms` are those that the program noted in the user's session, one for each [`Self::respond`].
    ///
    /// # Errors
    /// A message that is none. A reply that belongs to no relying party is dropped, not followed.
    pub fn receive_sign_out_request<'r>(
        &self,
        parameters: &Parameters,
        realms: impl IntoIterator<Item = &'r str>,
    ) -> Result<SignOutTask, Error> {
        let wa = parameters.get("wa").unwrap_or_default();
        if !matches!(Action::from_wa(wa), Some(Action::SignOut | Action::SignOutCleanup)) {
            return Err(Error::UnknownAction(wa.into()));
        }
        let request = SignOutRequest::from_parameters(parameters);
        let reply = request.reply.as_deref().and_then(|reply| Url::parse(reply).ok());
        let reply = reply.filter(|url| self.relying_parties.iter().any(|party| party.owns(url)));
        let cleanup = SignOutRequest::default().to_parameters(Action::SignOutCleanup);
        let mut cleanup_urls = Vec::new();
        for realm in realms {
            let party = self.relying_parties.iter().find(|party| party.realm == realm);
            if let Some(url) = party.and_then(RelyingPartyTrust::cleanup_url).map(|url| cleanup.append_to(url))
                && !cleanup_urls.contains(&url)
            {
                cleanup_urls.push(url);
            }
        }
        Ok(SignOutTask { cleanup_urls, reply: reply.map(String::from), context: request.context })
    }
}

/// A sign-in request that is fit to be answered.
#[derive(Clone, Debug)]
pub struct SignInTask<'i> {
    relying_party: &'i RelyingPartyTrust,
    reply: &'i str,
    request: SignInRequest,
}

impl<'i> SignInTask<'i> {
    /// Who asks.
    pub fn relying_party(&self) -> &'i RelyingPartyTrust {
        self.relying_party
    }

    /// Where the response will be posted.
    pub fn reply(&self) -> &'i str {
        self.reply
    }

    /// All that was asked.
    pub fn request(&self) -> &SignInRequest {
        &self.request
    }

    /// Whether a user who gave credentials at `authenticated_at` must give them again (`wfresh`). Credentials that were given
    /// in answer to this very request are always fresh.
    pub fn needs_credentials(&self, authenticated_at: Timestamp, now: Timestamp) -> bool {
        self.request.freshness.is_some_and(|minutes| {
            let oldest = Duration::from_secs(u64::from(minutes) * 60);
            minutes == 0 || now.saturating_duration_since(authenticated_at) > oldest
        })
    }
}

/// What to do on sign-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOutTask {
    /// URLs for images or frames of the sign-out page, one for each relying party.
    pub cleanup_urls: Vec<String>,
    /// Where to go afterwards: on an origin of a relying party.
    pub reply: Option<String>,
    /// `wctx` of the request.
    pub context: Option<String>,
}

fn require_action(parameters: &Parameters, action: Action) -> Result<(), Error> {
    let wa = parameters.get("wa").ok_or(Error::MissingParameter { message: "message", parameter: "wa" })?;
    match Action::from_wa(wa) {
        Some(found) if found == action => Ok(()),
        _ => Err(Error::InvalidParameter { parameter: "wa", expected: action.as_str(), value: wa.into() }),
    }
}

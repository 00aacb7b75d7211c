//! Putting a service together. What would surprise somebody later is refused here (SC 10.6, 14.9).

use super::limits::{AddressLimits, AddressUse};
use super::negotiate::Negotiations;
use super::{Contexts, Credentials, Earliest, SecureConversationService};
use crate::contexts::{StatefulContexts, StatelessContexts};
use crate::contract::Contract;
use crate::cookie::ContextCookies;
use crate::error::Error;
use crate::hooks::{Authorization, ClaimsTransformation, IssuedTokens};
use crate::requirements::{Requirements, check_binding};
use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, SigningIdentity};
use handstamp_session_token::RevocationList;
use handstamp_time::Timestamp;
use handstamp_ws_security::{MemoryReplayCache, ReplayCache, SecurityBinding, UserNameValidator};
use handstamp_xml::{Limits, ParseOptions};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Builds a [`SecureConversationService`]. What the binding needs has to be given; [`build`](Self::build) says what is missing.
#[must_use]
pub struct SecureConversationServiceBuilder {
    binding: SecurityBinding,
    credentials: Credentials,
    cookies: Option<Arc<dyn ContextCookies>>,
    revocations: Option<Arc<RevocationList>>,
    replays: Option<Arc<dyn ReplayCache>>,
    transformation: Option<Arc<dyn ClaimsTransformation>>,
    authorization: Option<Arc<dyn Authorization>>,
    contract: Contract,
    receive_timeout: Option<Duration>,
    max_message_size: usize,
    start: Option<Timestamp>,
    addresses: Arc<AddressUse>,
    max_sessions: usize,
    before: Option<Arc<StatelessContexts>>,
    negotiated_before: Option<Arc<StatefulContexts>>,
}

impl SecureConversationServiceBuilder {
    pub(super) fn new(binding: SecurityBinding) -> Self {
        Self {
            binding,
            credentials: Credentials::default(),
            cookies: None,
            revocations: None,
            replays: None,
            transformation: None,
            authorization: None,
            contract: Contract::default(),
            receive_timeout: Some(Duration::from_secs(600)),
            max_message_size: 65_536,
            start: None,
            addresses: Arc::default(),
            max_sessions: 65_536,
            before: None,
            negotiated_before: None,
        }
    }

    /// The service's certificate and private key.
    pub fn identity(mut self, identity: SigningIdentity) -> Self {
        self.credentials.identity = Some(identity);
        self
    }

    /// A client certificate that is known beforehand.
    pub fn client_certificate(mut self, certificate: Certificate) -> Self {
        self.credentials.client_certificate = Some(certificate);
        self
    }

    /// Which other client certificates are trusted.
    pub fn trust(mut self, trust: CertificateTrust) -> Self {
        self.credentials.trust = Some(trust);
        self
    }

    /// Which keys of certificates are strong enough. Default: RSA from 2048 bits.
    pub fn key_policy(mut self, policy: KeyPolicy) -> Self {
        self.credentials.key_policy = policy;
        self
    }

    /// Who decides about names and passwords.
    pub fn user_names(mut self, validator: Arc<dyn UserNameValidator>) -> Self {
        self.credentials.user_names = Some(validator);
        self
    }

    /// Who decides about tokens of token services.
    pub fn issued_tokens(mut self, issued_tokens: Arc<dyn IssuedTokens>) -> Self {
        self.credentials.issued_tokens = Some(issued_tokens);
        self
    }

    /// What seals sessions, when they are cookies.
    pub fn cookies(mut self, cookies: Arc<dyn ContextCookies>) -> Self {
        self.cookies = Some(cookies);
        self
    }

    /// Which sessions that are cookies were ended before their time.
    pub fn revocations(mut self, revocations: Arc<RevocationList>) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Where accepted messages are remembered, for instance shared by several nodes. Default: in memory, `replayCacheSize` of
    /// the binding, bootstrap and sessions apart.
    pub fn replay_cache(mut self, replays: Arc<dyn ReplayCache>) -> Self {
        self.replays = Some(replays);
        self
    }

    /// What makes the principal of a session of the caller's identity.
    pub fn claims_transformation(mut self, transformation: Arc<dyn ClaimsTransformation>) -> Self {
        self.transformation = Some(transformation);
        self
    }

    /// Who decides what callers may do.
    pub fn authorization(mut self, authorization: Arc<dyn Authorization>) -> Self {
        self.authorization = Some(authorization);
        self
    }

    /// What the service offers. Default: every action, encrypted and signed both ways.
    pub fn contract(mut self, contract: Contract) -> Self {
        self.contract = contract;
        self
    }

    /// How long an active session that the service remembers lasts without a message (`receiveTimeout` of the binding); none is
    /// until it is cancelled. Default 10 minutes.
    pub fn receive_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.receive_timeout = timeout.into();
        self
    }

    /// The size of a message in bytes (`maxReceivedMessageSize`). Default 64 KiB.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// What one address gets. It acts on messages whose [address is told](crate::Incoming::from_address).
    pub fn address_limits(self, limits: AddressLimits) -> Self {
        self.address_use(Arc::new(AddressUse::new(limits)))
    }

    /// The same, with what addresses have had of it already, for instance at a service whose place this one takes.
    pub fn address_use(mut self, addresses: Arc<AddressUse>) -> Self {
        self.addresses = addresses;
        self
    }

    /// How many sessions a service remembers at most, waiting and active ones; when there are more, clients are told
    /// `ServerTooBusy`. Of negotiated contexts that protect messages without a session the oldest are forgotten then. Sessions that are
    /// cookies are not counted: they cost nothing. Default 65,536.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// Goes on with the sessions and negotiated contexts that another service remembers, which has the same binding: for one whose certificate was renewed,
    /// say. Its time-outs and its number of sessions stay as they were there. Sessions that are cookies need no such thing.
    pub fn going_on_with(mut self, before: &SecureConversationService) -> Self {
        if let Contexts::Stateless(contexts) = &before.contexts {
            self.before = Some(Arc::clone(contexts));
        }
        let negotiated = before.negotiations.as_ref().map(|negotiations| &negotiations.contexts);
        self.negotiated_before = negotiated.filter(|contexts| !contexts.has_cookies()).cloned();
        self
    }

    /// Closes the gap that a restart leaves in the replay detection of stateful sessions: until the last message from before
    /// `start` is stale, such messages are refused. Requests that were under way then fail, so it is off by default, as in WCF
    /// (SC 13.2).
    pub fn refuse_messages_from_before(mut self, start: Timestamp) -> Self {
        self.start = Some(start);
        self
    }

    /// Builds the service.
    ///
    /// # Errors
    /// [`Error::Configuration`], which says what is missing or does not go together.
    pub fn build(self) -> Result<SecureConversationService, Error> {
        let session = check_binding(&self.binding)?;
        let bootstrap = session.map_or(&self.binding, |session| &session.bootstrap);
        let settings = &self.binding.local_service;
        self.contract.check(session)?;
        check_replays(&self.binding)?;
        check_replays(bootstrap)?;
        self.check_credentials(bootstrap)?;
        if settings
            .session_key_renewal_interval
            .is_some_and(|interval| interval < settings.session_key_rollover_interval)
        {
            return Err(configuration(
                "sessionKeyRolloverInterval cannot be greater than sessionKeyRenewalInterval in localServiceSettings",
            ));
        }
        if settings.issued_cookie_lifetime.is_some_and(|lifetime| lifetime.is_zero())
            || settings.session_key_renewal_interval.is_some_and(|interval| interval.is_zero())
        {
            return Err(configuration(
                "issuedCookieLifetime and sessionKeyRenewalInterval have to be longer than zero",
            ));
        }
        let negotiates = Requirements::of(bootstrap).negotiation;
        let is_stateful = match session {
            Some(session) => !session.require_cancellation,
            None => negotiates.is_some_and(|negotiates| !negotiates.is_remembered),
        };
        if is_stateful && settings.max_cached_cookies == 0 {
            return Err(configuration("maxCachedCookies has to be 1 or more"));
        }
        if is_stateful && self.cookies.is_none() {
            return Err(configuration(
                "requireSecurityContextCancellation=\"false\" needs something that seals sessions: give the service cookies, with \
                 a key ring whose file survives restarts",
            ));
        }
        let negotiations = negotiates.map(|negotiates| {
            let cookies = self.cookies.as_ref().filter(|_| !negotiates.is_remembered);
            let cookies = cookies.and_then(|cookies| cookies.for_negotiation());
            let settings = &bootstrap.local_service;
            // What nobody else has a copy of is not to be forgotten early.
            let is_only_copy = session.is_none() && negotiates.is_remembered;
            let capacity = if is_only_copy { self.max_sessions } else { settings.max_cached_cookies };
            let revocations = self.revocations.clone().filter(|_| session.is_none());
            let skew = settings.freshness.max_clock_skew;
            let before = self.negotiated_before.filter(|_| negotiates.is_remembered);
            let new = || Arc::new(StatefulContexts::new(cookies, revocations, capacity.max(1), skew));
            let contexts = before.unwrap_or_else(new);
            Negotiations::new(bootstrap, contexts, &self.credentials, negotiates.client_certificate)
        });
        let contexts = if session.is_none() {
            Contexts::Negotiated
        } else if is_stateful {
            let skew = settings.freshness.max_clock_skew;
            let capacity = settings.max_cached_cookies;
            Contexts::Stateful(Arc::new(StatefulContexts::new(self.cookies, self.revocations, capacity, skew)))
        } else {
            let new = || Arc::new(StatelessContexts::new(settings, self.receive_timeout, self.max_sessions));
            Contexts::Stateless(self.before.unwrap_or_else(new))
        };
        let freshness = settings.freshness;
        let window = freshness.replay_window.saturating_add(freshness.max_clock_skew);
        let replays = |size| self.replays.clone().unwrap_or_else(|| Arc::new(MemoryReplayCache::new(size)));
        let mut limits = Limits::default();
        // What is decrypted in place counts once more.
        limits.size = self.max_message_size.saturating_mul(3);
        Ok(SecureConversationService {
            bootstrap_replays: replays(bootstrap.local_service.replay_cache_size),
            session_replays: replays(settings.replay_cache_size),
            renewal: self.binding.renewal().unwrap_or_else(|| bootstrap.clone()),
            bootstrap: bootstrap.clone(),
            generation: self.binding.version.generation,
            can_renew: session.is_some_and(|session| session.can_renew),
            contexts,
            negotiations,
            credentials: self.credentials,
            transformation: self.transformation,
            authorization: self.authorization,
            contract: self.contract,
            parse_options: ParseOptions::default().with_limits(limits),
            earliest: self.start.map(|start| Earliest { start, window }),
            addresses: self.addresses,
            is_closing: AtomicBool::new(false),
            max_message_size: self.max_message_size,
            outer: self.binding,
        })
    }

    fn check_credentials(&self, bootstrap: &SecurityBinding) -> Result<(), Error> {
        let needs = Requirements::of(bootstrap);
        let credentials = &self.credentials;
        let problem = if needs.service_certificate && credentials.identity.is_none() {
            "the bootstrap encrypts for the service's certificate: give the service its identity, certificate and private key"
        } else if needs.negotiation.is_some() && credentials.identity.is_none() {
            "the bootstrap negotiates TLS with the service's certificate: give the service its identity, certificate and private \
             key"
        } else if needs.client_certificate && credentials.trust.is_none() && credentials.client_certificate.is_none() {
            "clients show certificates: say which ones are trusted"
        } else if needs.user_name && credentials.user_names.is_none() {
            "clients send names and passwords: give the service a validator for them"
        } else if needs.issued_token && credentials.issued_tokens.is_none() {
            "clients show tokens of a token service: give the service a validator for them"
        } else {
            return Ok(());
        };
        Err(configuration(problem))
    }
}

/// Finding 29: WCF opens with it and then refuses every message.
fn check_replays(binding: &SecurityBinding) -> Result<(), Error> {
    if !binding.include_timestamp && binding.local_service.detect_replays && !binding.is_transport() {
        return Err(configuration(
            "includeTimestamp=\"false\" does not go with detectReplays=\"true\": a replay is told by its timestamp",
        ));
    }
    Ok(())
}

fn configuration(problem: &str) -> Error {
    Error::Configuration(problem.to_owned())
}

/// Nothing that is a secret.
impl fmt::Debug for SecureConversationServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureConversationServiceBuilder").field("binding", &self.binding).finish_non_exhaustive()
    }
}

//! Putting a token service together.

use super::TokenService;
use crate::error::Error;
use crate::requirements::Requirements;
use crate::service::{AddressLimits, AddressUse};
use handstamp_keys::{CertificateTrust, KeyPolicy, SigningIdentity};
use handstamp_ws_security::{
    MemoryReplayCache, ReplayCache, SecurityBinding, TokenInclusion, TokenKind, TokenParameters, TokenRole,
};
use std::fmt;
use std::sync::Arc;

/// Builds a [`TokenService`]. What the binding needs has to be given; [`build`](Self::build) says what is missing.
#[must_use]
pub struct TokenServiceBuilder {
    binding: SecurityBinding,
    issuer: String,
    signing: Arc<SigningIdentity>,
    trust: Option<CertificateTrust>,
    replays: Option<Arc<dyn ReplayCache>>,
    key_policy: KeyPolicy,
    addresses: Arc<AddressUse>,
}

impl TokenServiceBuilder {
    pub(super) fn new(binding: SecurityBinding, issuer: String, signing: Arc<SigningIdentity>) -> Self {
        Self {
            binding,
            issuer,
            signing,
            trust: None,
            replays: None,
            key_policy: KeyPolicy::default(),
            addresses: Arc::default(),
        }
    }

    /// Which certificates of clients are trusted, where the binding has clients show one.
    pub fn trust(mut self, trust: CertificateTrust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Where accepted messages are remembered, for instance shared by several nodes. Default: in memory.
    pub fn replay_cache(mut self, replays: Arc<dyn ReplayCache>) -> Self {
        self.replays = Some(replays);
        self
    }

    /// Which keys are strong enough. Default: RSA from 2048 bits.
    pub fn key_policy(mut self, policy: KeyPolicy) -> Self {
        self.key_policy = policy;
        self
    }

    /// What one address gets, of requests and of refusals; wrong passwords are refusals. It acts on messages whose [address is
    /// told](crate::Incoming::from_address).
    pub fn address_limits(self, limits: AddressLimits) -> Self {
        self.address_use(Arc::new(AddressUse::new(limits)))
    }

    /// The same, with what addresses have had of it already, for instance at a service whose place this one takes.
    pub fn address_use(mut self, addresses: Arc<AddressUse>) -> Self {
        self.addresses = addresses;
        self
    }

    /// Builds the service.
    ///
    /// # Errors
    /// [`Error::Configuration`], which says what is missing or does not go together.
    pub fn build(self) -> Result<TokenService, Error> {
        let refused = |problem: &str| Err(Error::Configuration(problem.to_owned()));
        let needs = Requirements::of(&self.binding);
        let others = needs.negotiation.is_some() || needs.issued_token;
        if self.binding.session().is_some() || others || !(needs.user_name || needs.client_certificate) {
            return refused(
                "a token service authenticates by name and password or by certificate: its binding is UserNameOverTransport, \
                 UserNameForCertificate, CertificateOverTransport, MutualCertificate or MutualCertificateDuplex, without a session",
            );
        }
        if needs.client_certificate && self.trust.is_none() {
            return refused("clients show certificates: say which ones are trusted");
        }
        let replays = self.replays;
        let size = self.binding.local_service.replay_cache_size;
        let key = TokenParameters::new(TokenKind::RsaKey, TokenInclusion::Never).without_derived_keys();
        Ok(TokenService {
            binding: self.binding.with_optional(key, TokenRole::Endorsing),
            issuer: self.issuer,
            signing: self.signing,
            trust: self.trust,
            replays: replays.unwrap_or_else(|| Arc::new(MemoryReplayCache::new(size))),
            key_policy: self.key_policy,
            addresses: self.addresses,
        })
    }
}

/// The issuer; nothing that is a secret.
impl fmt::Debug for TokenServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenServiceBuilder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

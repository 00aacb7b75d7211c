//! A relying party's half of the protocol with one issuer, which changes when that issuer publishes something else.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use handstamp_keys::KeyRing;
use handstamp_saml::TokenDecryption;
use handstamp_time::Timestamp;
use handstamp_ws_federation::{IssuerMetadata, RelyingParty};

use super::setup;
use crate::Error;
use crate::config;
use crate::gateway::metadata::LivingMetadata;
use crate::gateway::problem::Problem;

/// What a relying party is made of, and the one that was made last.
pub(super) struct LivingParty {
    /// The relying party's name and the issuer's: what states of sign-ins and sessions know it by.
    pub(super) name: String,
    pub(super) place: String,
    pub(super) settings: config::Federation,
    pub(super) issuer_name: String,
    pub(super) issuer: config::Issuer,
    pub(super) public_url: String,
    pub(super) keys: Arc<KeyRing>,
    pub(super) decryption: Option<TokenDecryption>,
    pub(super) metadata: Option<Arc<LivingMetadata>>,
    pub(super) made: ArcSwapOption<Made>,
}

/// A relying party, and which of the issuer's metadata it was made of.
pub(super) struct Made {
    version: u64,
    party: Arc<RelyingParty>,
}

impl LivingParty {
    /// The relying party as its issuer is now.
    ///
    /// # Errors
    /// Nothing is known of the issuer yet.
    pub(super) fn current(&self) -> Result<Arc<RelyingParty>, Problem> {
        let made = self.made.load();
        let version = self.metadata.as_ref().map_or(0, |metadata| metadata.version());
        if let Some(made) = made.as_ref().filter(|made| made.version == version) {
            return Ok(Arc::clone(&made.party));
        }
        match self.make() {
            Ok(Some(party)) => Ok(party),
            Ok(None) => Err(Problem::unavailable("HST-METADATA-NONE")),
            Err(error) => {
                tracing::error!(place = self.place, code = error.code(), %error, "the issuer's metadata cannot be used");
                made.as_ref().map(|made| Arc::clone(&made.party)).ok_or_else(|| Problem::unavailable(error.code()))
            }
        }
    }

    /// Makes it of what is known now; none when that is too little.
    ///
    /// # Errors
    /// What is known fits nothing.
    pub(super) fn make(&self) -> Result<Option<Arc<RelyingParty>>, Error> {
        let (metadata, version) = match &self.metadata {
            Some(metadata) => metadata.current(),
            None => (None, 0),
        };
        let Some(sign_in_url) = self.sign_in_url(metadata.as_deref()) else { return Ok(None) };
        if metadata.is_none() && !self.issuer.is_pinned() {
            return Ok(None);
        }
        let party = setup::relying_party(self, &sign_in_url);
        let tokens = setup::token_handler(self, metadata.as_deref())?;
        let party = RelyingParty::new(party, tokens, Arc::clone(&self.keys))
            .map_err(|error| setup::setup_error(&self.place, error.code(), &error))?;
        let party = Arc::new(party);
        self.made.store(Some(Arc::new(Made { version, party: Arc::clone(&party) })));
        Ok(Some(party))
    }

    /// Looks for news of the issuer because a token's key is unknown; whether there were some.
    pub(super) async fn look_for_new_keys(&self, now: Timestamp) -> bool {
        match &self.metadata {
            Some(metadata) => metadata.refresh_for_unknown_key(now).await,
            None => false,
        }
    }

    /// The configured one, else the published one.
    fn sign_in_url(&self, metadata: Option<&IssuerMetadata>) -> Option<String> {
        let configured = self.issuer.sign_in_url.as_ref().map(|url| url.as_str().to_owned());
        configured.or_else(|| metadata?.passive_endpoint.clone())
    }
}

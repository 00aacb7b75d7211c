//! From the payload to the token that programs work with, and back.

use super::Error;
use super::payload::{Bootstrap, Identity, Payload};
use super::sliding::SlidingTimes;
use crate::{EndpointScope, SessionSecurityToken};
use handstamp_claims::{ArcStr, BootstrapContext, ClaimsIdentity, ClaimsPrincipal};

impl Payload {
    /// The token that this payload describes.
    ///
    /// A Windows identity becomes an ordinary one with a name claim that holds the logon name (ST-13). The authorization
    /// policy of a wrapper is left behind; it speaks about the WCF session, not about the user.
    ///
    /// # Errors
    /// [`Error::Times`] when the times contradict each other, [`Error::Limit`] when there are too many actors.
    pub fn into_token(self) -> Result<SessionSecurityToken, Error> {
        if self.valid_from > self.valid_to {
            return Err(Error::Times("the token starts after it ends"));
        }
        let mut times = SlidingTimes::of_validity(self.valid_from, self.valid_to);
        let mut context = self.context;
        if let Some((Some(sliding), application)) = context.as_deref().map(SlidingTimes::split) {
            times = sliding;
            context = application.map(ArcStr::from);
        }
        let identities = self.identities.into_iter().map(Identity::into_claims_identity);
        let principal = ClaimsPrincipal::new(identities.collect::<Result<_, _>>()?);
        Ok(SessionSecurityToken {
            id: self.id,
            context_id: self.context_id.into(),
            context,
            endpoint: EndpointScope::from(self.endpoint_id.unwrap_or_default()),
            key_generation: self.key_generation.map(Into::into),
            key: self.key,
            key_effective_time: self.key_effective_time,
            key_expiration_time: self.key_expiration_time,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            secure_conversation_version: self.secure_conversation_version,
            principal,
            persistent: self.is_persistent,
            reference_mode: self.is_reference_mode,
            signed_in_at: times.signed_in_at,
            absolute_expiry: times.absolute_expiry,
            idle_timeout: times.idle_timeout,
            issuer_session: None,
        })
    }
}

impl From<&SessionSecurityToken> for Payload {
    /// What WIF knows of a token. The issuer's session has no place in it: a reader learns of it from
    /// [what tells](super::IssuerSessionSource), or not at all. Sign-in time, absolute expiry and
    /// idle timeout have none either: when the session slides they travel at the head of the context.
    fn from(token: &SessionSecurityToken) -> Self {
        Self {
            is_sct_wrapper: false,
            secure_conversation_version: token.secure_conversation_version(),
            is_persistent: token.is_persistent(),
            is_reference_mode: token.is_reference_mode(),
            context: match SlidingTimes::of(token) {
                Some(times) => Some(times.join(token.context().map(ArcStr::as_str))),
                None => token.context().cloned(),
            },
            id: token.id().clone(),
            context_id: token.context_id().as_unique_id().clone(),
            key: token.key().clone(),
            key_generation: token.key_generation().map(|generation| generation.as_unique_id().clone()),
            valid_from: token.valid_from(),
            valid_to: token.valid_to(),
            key_effective_time: token.key_effective_time(),
            key_expiration_time: token.key_expiration_time(),
            identities: token.principal().identities().iter().map(Identity::from).collect(),
            sct_authorization_policy: None,
            endpoint_id: Some(token.endpoint().as_str().into()),
        }
    }
}

impl Identity {
    fn into_claims_identity(self) -> Result<ClaimsIdentity, Error> {
        let mut identity = ClaimsIdentity::new(self.authentication_type.unwrap_or_default())
            .with_label(self.label.unwrap_or_default())
            .with_name_claim_type(self.name_claim_type)
            .with_role_claim_type(self.role_claim_type)
            .with_claims(self.claims);
        if let Some(logon_name) = self.windows_logon_name {
            identity = identity.with_windows_logon_name(logon_name);
            if identity.name().is_none()
                && let Some(name) = identity.windows_name_claim()
            {
                identity.add_claim(name);
            }
        }
        if let Some(actor) = self.actor {
            identity = identity
                .with_actor(actor.into_claims_identity()?)
                .map_err(|_| Error::Limit { what: "actors", limit: ClaimsIdentity::MAX_ACTOR_DEPTH })?;
        }
        Ok(match self.bootstrap_context {
            None => identity,
            Some(Bootstrap::Bytes(bytes)) => identity.with_bootstrap_context(BootstrapContext::Bytes(bytes)),
            Some(Bootstrap::Text(text) | Bootstrap::SecurityToken(text) | Bootstrap::StringObject(text)) => {
                identity.with_bootstrap_context(BootstrapContext::Text(text))
            }
        })
    }
}

impl From<&ClaimsIdentity> for Identity {
    fn from(identity: &ClaimsIdentity) -> Self {
        Self {
            windows_logon_name: identity.windows_logon_name().cloned(),
            authentication_type: identity.authentication_type().cloned(),
            label: identity.label().cloned(),
            name_claim_type: identity.name_claim_type().clone(),
            role_claim_type: identity.role_claim_type().clone(),
            claims: identity.claims().to_vec(),
            actor: identity.actor().map(|actor| Box::new(Self::from(actor))),
            bootstrap_context: match identity.bootstrap_context() {
                Some(BootstrapContext::Text(text)) => Some(Bootstrap::Text(text.clone())),
                Some(BootstrapContext::Bytes(bytes)) => Some(Bootstrap::Bytes(bytes.clone())),
                _ => None,
            },
        }
    }
}

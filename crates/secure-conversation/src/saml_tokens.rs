//! Tokens of token services that are SAML assertions.

use crate::error::Error;
use crate::hooks::IssuedTokens;
use handstamp_claims::ClaimsIdentity;
use handstamp_saml::{AcceptedToken, ConfirmationKey, ReplayEntry, SamlTokenHandler, Version};
use handstamp_time::Timestamp;
use handstamp_ws_security::{
    IssuedKeyType, IssuedTokenParameters, IssuedTokenValidator, ProofKey, ReplayCache, SecurityBinding,
};
use handstamp_xml::Element;
use std::fmt;
use std::sync::Arc;

/// Accepts assertions of SAML 1.1 and 2.0 as the binding asks for them: signed by a trusted issuer, for this service, for now, and
/// with the kind of key and the claims of `issuedTokenParameters` (SC 14.8).
///
/// A symmetric proof key is decrypted with the keys that the handler [has for that](SamlTokenHandler::with_decryption).
/// That the client holds the key is proven by the message.
///
/// As in WCF an assertion may be shown repeatedly until it ends: with every session that its holder opens, and with every renewal. A
/// message that shows it counts once all the same. A bearer assertion is as good as a password to whoever sees it:
/// [`refusing_repeated_bearers`](Self::refusing_repeated_bearers) makes it good for one message.
pub struct SamlTokens {
    handler: SamlTokenHandler,
    required: IssuedTokenParameters,
    seen: Option<Arc<dyn ReplayCache>>,
}

impl SamlTokens {
    /// Accepts what `handler` accepts, holder of key included, as `binding` asks for it.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the bootstrap of the binding has no issued token.
    pub fn new(handler: SamlTokenHandler, binding: &SecurityBinding) -> Result<Self, Error> {
        let required = binding.issued_token_parameters().cloned().ok_or_else(|| {
            let problem =
                "the bootstrap has no token of a token service: set authenticationMode to one of the Issued… modes";
            Error::Configuration(problem.to_owned())
        })?;
        let handler = handler.accepting_holder_of_key().without_replay_detection();
        Ok(Self { handler, required, seen: None })
    }

    /// Accepts a bearer assertion once. Clients then need a new one for each session and renewal.
    ///
    /// It counts when its [identity](IssuedTokens::identity) is asked for, which is after the message around it was verified: a
    /// copy of the message that was tampered with does not use it up.
    #[must_use]
    pub fn refusing_repeated_bearers(mut self, seen: Arc<dyn ReplayCache>) -> Self {
        self.seen = Some(seen);
        self
    }

    fn check(&self, token: &AcceptedToken, key: &ConfirmationKey) -> Result<(), String> {
        let asked = self.required.token_type.as_deref().and_then(Version::from_token_type);
        if let Some(asked) = asked.filter(|asked| *asked != token.assertion.version) {
            return Err(format!("it is {}, and tokenType asks for {asked}", token.assertion.version));
        }
        let (is_kind, kind) = match self.required.key_type {
            IssuedKeyType::Symmetric => (matches!(key, ConfirmationKey::Symmetric(_)), "a symmetric key"),
            IssuedKeyType::Asymmetric => {
                (matches!(key, ConfirmationKey::Certificate(_) | ConfirmationKey::Public(_)), "a private key")
            }
            IssuedKeyType::Bearer => (matches!(key, ConfirmationKey::Bearer), "no key"),
        };
        if !is_kind {
            return Err(format!(
                "keyType asks for {kind} to prove possession, and that is not what the assertion names"
            ));
        }
        let needed = self.required.claim_types.iter().filter(|needed| !needed.is_optional);
        let has = |claim_type: &str| token.identity.claims().iter().any(|claim| claim.is(claim_type));
        match needed.map(|needed| needed.claim_type.as_str()).find(|needed| !has(needed)) {
            Some(lacking) => {
                Err(format!("it has no claim of the type {lacking:?}, which claimTypeRequirements asks for"))
            }
            None => Ok(()),
        }
    }

    /// What a bearer assertion is remembered by, and where, if it is to be accepted once.
    fn use_of(&self, token: &AcceptedToken, now: Timestamp) -> Result<Option<(&dyn ReplayCache, ReplayEntry)>, String> {
        let Some(seen) = &self.seen else { return Ok(None) };
        // Its own settings: the handler does not look for replays.
        let mut settings = self.handler.validation().clone();
        settings.detect_replay = true;
        let entry = token.assertion.replay_entry(now, &token.issuer, &settings).map_err(text)?;
        Ok(entry.map(|entry| (seen.as_ref(), entry)))
    }
}

impl IssuedTokenValidator for SamlTokens {
    fn validate(&self, assertion: Element<'_>, now: Timestamp) -> Result<ProofKey, String> {
        let token = self.handler.accept(assertion, None, now).map_err(text)?;
        let key = self.handler.confirmation_key(&token).map_err(text)?;
        self.check(&token, &key)?;
        if self.use_of(&token, now)?.is_some_and(|(seen, entry)| seen.contains(entry.key.as_bytes(), now)) {
            return Err(handstamp_ws_security::Error::Replayed.to_string());
        }
        Ok(match key {
            ConfirmationKey::Symmetric(key) => ProofKey::Symmetric(key),
            ConfirmationKey::Certificate(certificate) => ProofKey::Certificate(certificate),
            ConfirmationKey::Public(key) => ProofKey::Public(key),
            ConfirmationKey::Bearer => ProofKey::Bearer,
        })
    }
}

impl IssuedTokens for SamlTokens {
    fn identity(&self, assertion: Element<'_>, now: Timestamp) -> Result<ClaimsIdentity, String> {
        let token = self.handler.accept(assertion, None, now).map_err(text)?;
        // Of several messages with one assertion that are verified at once, one succeeds.
        if let Some((seen, entry)) = self.use_of(&token, now)? {
            seen.add(entry.key.as_bytes(), entry.expires_at, now).map_err(text)?;
        }
        Ok(token.identity)
    }
}

/// What is asked for; whom to believe is not shown.
impl fmt::Debug for SamlTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SamlTokens").field("required", &self.required).finish_non_exhaustive()
    }
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

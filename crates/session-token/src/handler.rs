//! Reading, validating and writing session tokens (ST §4).

use crate::cache::SessionTokenCache;
use crate::error::Quoted;
use crate::format::{Carrier, Expected, Opened, TokenFormat};
use crate::{
    EndpointScope, Error, Malformed, Misconfigured, RevocationList, SessionSecurityToken, SessionSecurityTokenBuilder,
};
use handstamp_claims::{ArcStr, ClaimsPrincipal};
use handstamp_keys::SecureRandom;
use handstamp_time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Writes session tokens, reads them back, and decides whether they are good (ST §4).
///
/// The order of a read is fixed: find the format by its tag (ST-42), verify, and only then ask the cache for what a
/// verified reference names (ST-31). Reading does not validate: [`validate`](Self::validate) does, once the caller has
/// had its say about the token.
///
/// | Setting | Default | |
/// |---|---|---|
/// | [`clock_skew`](SessionSecurityTokenHandlerBuilder::clock_skew) | 30 s | tolerated at both ends; the original's 5 minutes are for issuers' tokens |
/// | [`audience`](SessionSecurityTokenHandlerBuilder::audience) | none: unscoped | the scope of tokens made here, accepted here |
/// | [`require_endpoint_scope`](SessionSecurityTokenHandlerBuilder::require_endpoint_scope) | no | refuse unscoped tokens (ST-33) |
/// | [`carrier`](SessionSecurityTokenHandlerBuilder::carrier) | the cookie `__Host-session` | bound to the token by formats that can |
/// | [`max_bytes`](SessionSecurityTokenHandlerBuilder::max_bytes) | 1 MiB | looked at before anything else (ST-9) |
#[derive(Debug, Clone)]
pub struct SessionSecurityTokenHandler {
    written: Arc<dyn TokenFormat>,
    accepted: Vec<Arc<dyn TokenFormat>>,
    clock_skew: Duration,
    scope: EndpointScope,
    accepted_scopes: Vec<EndpointScope>,
    require_endpoint_scope: bool,
    carrier: Carrier,
    revocations: Option<Arc<RevocationList>>,
    max_bytes: usize,
}

impl SessionSecurityTokenHandler {
    /// 30 seconds (SM §6.3).
    pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(30);
    /// 1 MiB.
    pub const DEFAULT_MAX_BYTES: usize = 1 << 20;

    /// Starts a handler that writes and accepts `format`.
    pub fn builder(format: Arc<dyn TokenFormat>) -> SessionSecurityTokenHandlerBuilder {
        SessionSecurityTokenHandlerBuilder {
            handler: Self {
                accepted: vec![format.clone()],
                written: format,
                clock_skew: Self::DEFAULT_CLOCK_SKEW,
                scope: EndpointScope::Unscoped,
                accepted_scopes: Vec::new(),
                require_endpoint_scope: false,
                carrier: Carrier::Cookie(DEFAULT_COOKIE_NAME),
                revocations: None,
                max_bytes: Self::DEFAULT_MAX_BYTES,
            },
        }
    }

    /// Starts a token with this handler's scope; its lifetime is the caller's to say (ST-29), 10 hours otherwise.
    pub fn token(&self, principal: ClaimsPrincipal) -> SessionSecurityTokenBuilder {
        SessionSecurityToken::builder(principal).endpoint(self.scope.clone())
    }

    /// Protects a token. In reference mode the result holds a reference only; putting the token into the cache, before
    /// the reference is sent (SM-10), is the caller's part.
    ///
    /// # Errors
    /// [`Error::NotWritable`], [`Error::Keys`].
    pub fn write(
        &self,
        token: &SessionSecurityToken,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        self.written.write(token, &self.carrier, now, random)
    }

    /// [`write`](Self::write) as the text of a cookie.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_text(
        &self,
        token: &SessionSecurityToken,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<String, Error> {
        Ok(self.written.text_encoding().encode(&self.write(token, now, random)?))
    }

    /// Verifies protected bytes and tells what is in them, without looking anything up.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Unauthentic`].
    pub fn open(&self, bytes: impl Into<Vec<u8>>, now: Timestamp) -> Result<Opened, Error> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(Malformed::Empty.into());
        }
        if bytes.len() > self.max_bytes {
            return Err(Malformed::TooLarge.into());
        }
        let format = self.accepted.iter().find(|format| format.recognizes(&bytes)).ok_or(Malformed::UnknownFormat)?;
        self.open_with(format.as_ref(), bytes, now)
    }

    /// [`open`](Self::open) for the text of a cookie, its pieces joined.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Unauthentic`].
    pub fn open_text(&self, text: &str, now: Timestamp) -> Result<Opened, Error> {
        if text.is_empty() {
            return Err(Malformed::Empty.into());
        }
        if text.len() / 4 * 3 > self.max_bytes {
            return Err(Malformed::TooLarge.into());
        }
        let format = self.accepted.iter().find(|format| format.recognizes_text(text));
        let format = format.ok_or(Malformed::UnknownFormat)?;
        let bytes = format.text_encoding().decode(text).ok_or(Malformed::NotBase64)?;
        self.open_with(format.as_ref(), bytes, now)
    }

    /// Opens protected bytes and, when they hold a reference, fetches the token from the cache.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`Error::NotFoundInCache`] (ID4243); [`Error::Store`];
    /// [`Misconfigured::NoCache`] for a reference when there is no cache.
    pub async fn read(
        &self,
        bytes: impl Into<Vec<u8>>,
        now: Timestamp,
        cache: Option<&dyn SessionTokenCache>,
    ) -> Result<Arc<SessionSecurityToken>, Error> {
        self.resolve(self.open(bytes, now)?, now, cache).await
    }

    /// [`read`](Self::read) for the text of a cookie, its pieces joined.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_text(
        &self,
        text: &str,
        now: Timestamp,
        cache: Option<&dyn SessionTokenCache>,
    ) -> Result<Arc<SessionSecurityToken>, Error> {
        self.resolve(self.open_text(text, now)?, now, cache).await
    }

    /// Fetches the token that an opened reference names; an opened token is passed through.
    ///
    /// # Errors
    /// [`Error::NotFoundInCache`] (ID4243), [`Error::Store`], [`Misconfigured::NoCache`].
    pub async fn resolve(
        &self,
        opened: Opened,
        now: Timestamp,
        cache: Option<&dyn SessionTokenCache>,
    ) -> Result<Arc<SessionSecurityToken>, Error> {
        let key = match opened {
            Opened::Token(token) => return Ok(Arc::from(token)),
            Opened::Reference(key) => key,
        };
        let token = cache.ok_or(Misconfigured::NoCache)?.get(&key, now).await?.ok_or(Error::NotFoundInCache)?.token;
        // A store that answers with another session must not sign anybody in as somebody else.
        if token.context_id() != key.context_id() || token.endpoint() != key.endpoint() {
            return Err(Error::NotFoundInCache);
        }
        // ST-30: the original leaves the generation unchecked.
        if !key.ignores_key_generation() && token.key_generation() != key.key_generation() {
            return Err(Error::NotFoundInCache);
        }
        Ok(token)
    }

    /// Decides whether a token is good here and now: it names somebody, is valid, is made for this application, and was
    /// not revoked. Boundaries are inclusive and widened by the clock skew (ST-32).
    ///
    /// # Errors
    /// [`Error::NoIdentity`], [`Error::NotYetValid`], [`Error::Expired`] (both ID4255), [`Error::WrongEndpoint`]
    /// (ID4291), [`Error::Revoked`].
    pub fn validate(&self, token: &SessionSecurityToken, now: Timestamp) -> Result<(), Error> {
        self.validate_scope(token, &self.accepted_scopes)?;
        self.validate_session(token, now)
    }

    /// [`validate`](Self::validate) against one endpoint instead of the accepted audiences: ST §4.5's second overload.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn validate_for(&self, token: &SessionSecurityToken, endpoint: &str, now: Timestamp) -> Result<(), Error> {
        self.validate_scope(token, &[EndpointScope::from(endpoint)])?;
        self.validate_session(token, now)
    }

    /// How far the clocks of two nodes may differ.
    pub fn clock_skew(&self) -> Duration {
        self.clock_skew
    }

    /// The scope of tokens made with [`token`](Self::token).
    pub fn scope(&self) -> &EndpointScope {
        &self.scope
    }

    /// How tokens travel.
    pub fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    /// What is revoked.
    pub fn revocations(&self) -> Option<&Arc<RevocationList>> {
        self.revocations.as_ref()
    }

    fn open_with(&self, format: &dyn TokenFormat, bytes: Vec<u8>, now: Timestamp) -> Result<Opened, Error> {
        let scopes = self.accepted_scopes.as_slice();
        format.read(bytes, &Expected { carrier: &self.carrier, scopes, now })
    }

    fn validate_scope(&self, token: &SessionSecurityToken, accepted: &[EndpointScope]) -> Result<(), Error> {
        let scope = token.endpoint();
        let good = if scope.is_unscoped() { !self.require_endpoint_scope } else { accepted.contains(scope) };
        if good {
            return Ok(());
        }
        let expected = accepted.first().map_or("", EndpointScope::as_str);
        Err(Error::WrongEndpoint { token: Quoted::new(scope.as_str()), expected: Quoted::new(expected) })
    }

    fn validate_session(&self, token: &SessionSecurityToken, now: Timestamp) -> Result<(), Error> {
        if token.principal().identities().is_empty() {
            return Err(Error::NoIdentity);
        }
        let (valid_from, valid_to) = (token.valid_from(), token.valid_to());
        if valid_from > now.saturating_add(self.clock_skew) {
            return Err(Error::NotYetValid { valid_from, now });
        }
        if valid_to < now.saturating_sub(self.clock_skew) {
            return Err(Error::Expired { valid_to, now });
        }
        if self.revocations.as_ref().is_some_and(|revocations| revocations.is_revoked(token)) {
            return Err(Error::Revoked);
        }
        Ok(())
    }
}

/// Builds a [`SessionSecurityTokenHandler`].
#[must_use]
#[derive(Debug)]
pub struct SessionSecurityTokenHandlerBuilder {
    handler: SessionSecurityTokenHandler,
}

impl SessionSecurityTokenHandlerBuilder {
    /// Accepts a further format, for a migration.
    pub fn accept_format(mut self, format: Arc<dyn TokenFormat>) -> Self {
        self.handler.accepted.push(format);
        self
    }

    /// Sets the scope of tokens made here; it is accepted, too.
    pub fn audience(mut self, audience: impl Into<EndpointScope>) -> Self {
        self.handler.scope = audience.into();
        self
    }

    /// Accepts tokens of a further scope: of an application with which sessions are shared.
    pub fn accept_audience(mut self, audience: impl Into<EndpointScope>) -> Self {
        self.handler.accepted_scopes.push(audience.into());
        self
    }

    /// Refuses unscoped tokens (ST-33).
    pub fn require_endpoint_scope(mut self, require: bool) -> Self {
        self.handler.require_endpoint_scope = require;
        self
    }

    /// Sets how far the clocks of two nodes may differ.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.handler.clock_skew = skew;
        self
    }

    /// Sets how tokens travel.
    pub fn carrier(mut self, carrier: Carrier) -> Self {
        self.handler.carrier = carrier;
        self
    }

    /// Asks this list whether a token was revoked.
    pub fn revocations(mut self, revocations: Arc<RevocationList>) -> Self {
        self.handler.revocations = Some(revocations);
        self
    }

    /// Sets the most bytes that are looked at.
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.handler.max_bytes = max_bytes;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Misconfigured::AudienceMissing`].
    pub fn build(self) -> Result<SessionSecurityTokenHandler, Error> {
        let mut handler = self.handler;
        if handler.require_endpoint_scope && handler.scope.is_unscoped() {
            return Err(Misconfigured::AudienceMissing.into());
        }
        handler.accepted_scopes.retain(|scope| !scope.is_unscoped() && *scope != handler.scope);
        if !handler.scope.is_unscoped() {
            handler.accepted_scopes.insert(0, handler.scope.clone());
        }
        Ok(handler)
    }
}

/// SM §6.3.
const DEFAULT_COOKIE_NAME: ArcStr = handstamp_claims::arcstr::literal!("__Host-session");

//! The keys of a client's session, and when they are due.

use crate::error::Error;
use crate::trust::{IssuedContext, Lifetime};
use handstamp_keys::{SecureRandom, SymmetricKey};
use handstamp_time::Timestamp;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{
    ContextKey, LocalClientSettings, Protection, SecurityBinding, SessionKeyError, SessionKeys,
};
use handstamp_xml::{Document, ParseOptions};
use std::sync::Arc;
use std::time::Duration;

/// A session as the client keeps it.
#[derive(Debug)]
pub(super) struct ClientSession {
    pub(super) current: Arc<ClientKey>,
    /// The key before the current one, and until when replies may use it.
    previous: Option<(Arc<ClientKey>, Timestamp)>,
    /// When the current token was obtained, by the client's clock.
    pub(super) obtained: Timestamp,
    /// Whether the service asked for a renewal.
    pub(super) is_due: bool,
    /// How many messages were sent under the current token.
    pub(super) uses: u64,
    has_derived_keys: bool,
}

/// One key of a session.
#[derive(Debug, Clone)]
pub(super) struct ClientKey {
    pub(super) context: ContextKey,
    /// The token as it came.
    pub(super) element: String,
    pub(super) lifetime: Option<Lifetime>,
}

/// The keys that a reply may be protected with.
#[derive(Debug, Clone)]
pub(super) struct AcceptedKeys {
    current: Option<Arc<ClientKey>>,
    previous: Option<(Arc<ClientKey>, Timestamp)>,
    /// That of the request; a cookie's stays good whatever came after it.
    asked: Option<Arc<ClientKey>>,
}

impl ClientKey {
    pub(super) fn new(issued: &IssuedContext) -> Result<Self, Error> {
        Self::from_parts(issued.token.element.clone(), issued.key.clone(), issued.lifetime)
    }

    pub(super) fn from_parts(element: String, key: SymmetricKey, lifetime: Option<Lifetime>) -> Result<Self, Error> {
        let document = Document::parse(element.as_bytes(), &ParseOptions::default())?;
        let context = ContextKey::received(document.root(), key)?;
        Ok(Self { context, element, lifetime })
    }

    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime.expires < now)
    }
}

impl ClientSession {
    pub(super) fn new(key: ClientKey, now: Timestamp) -> Self {
        Self { current: Arc::new(key), previous: None, obtained: now, is_due: false, uses: 0, has_derived_keys: false }
    }

    /// Takes a renewed key into use at once; the old one is good for replies for the rollover interval (SC 11.2).
    pub(super) fn renew(&mut self, key: ClientKey, now: Timestamp, rollover: Duration) {
        let old = std::mem::replace(self, Self::new(key, now));
        self.previous = Some((old.current, now.saturating_add(rollover)));
    }

    /// Makes the two derived keys that all messages under the current key share.
    pub(super) fn derive_keys(&mut self, binding: &SecurityBinding, random: &dyn SecureRandom) -> Result<(), Error> {
        let Protection::Symmetric { token } = &binding.protection else { return Ok(()) };
        if self.has_derived_keys || !token.require_derived_keys {
            return Ok(());
        }
        let current = ClientKey::clone(&self.current);
        let context = current.context.reuse_derived_keys(&binding.suite, random)?;
        self.current = Arc::new(ClientKey { context, ..current });
        self.has_derived_keys = true;
        Ok(())
    }

    /// Whether the key of a session that the service remembers is due: after a share of its life or `sessionKeyRenewalInterval`,
    /// whichever comes first, or when the service said so. The share is `cookieRenewalThresholdPercentage` here too.
    pub(super) fn is_renewed(&self, settings: &LocalClientSettings, now: Timestamp) -> bool {
        let effective = self.current.lifetime.map_or(self.obtained, |lifetime| lifetime.created);
        let threshold = settings.cookie_renewal_threshold_percentage;
        let of_life = self.current.lifetime.map(|lifetime| share(lifetime, threshold));
        let after = [of_life, settings.session_key_renewal_interval].into_iter().flatten().min();
        self.is_due || after.is_some_and(|after| effective.saturating_add(after) <= now)
    }

    /// Whether a context that is a cookie is due: after a share of its life or when it was kept long enough; for every message
    /// when it is not to be kept at all.
    pub(super) fn is_replaced(&self, settings: &LocalClientSettings, now: Timestamp) -> bool {
        if !settings.cache_cookies && self.uses > 0 {
            return true;
        }
        let threshold = settings.cookie_renewal_threshold_percentage;
        let of_life = self.current.lifetime.map(|lifetime| lifetime.created.saturating_add(share(lifetime, threshold)));
        let kept = settings.max_cookie_caching_time.map(|time| self.obtained.saturating_add(time));
        [of_life, kept].into_iter().flatten().any(|due| due <= now)
    }
}

fn share(lifetime: Lifetime, percent: u8) -> Duration {
    lifetime.expires.saturating_duration_since(lifetime.created) / 100 * u32::from(percent)
}

impl AcceptedKeys {
    pub(super) fn of(session: Option<&ClientSession>, asked: Option<&Arc<ClientKey>>) -> Self {
        Self {
            current: session.map(|session| Arc::clone(&session.current)),
            previous: session.and_then(|session| session.previous.clone()),
            asked: asked.cloned(),
        }
    }
}

impl SessionKeys for AcceptedKeys {
    /// Replies name the context, they do not include its token; should one, it is the same key.
    fn by_token(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        self.by_reference(&token.context, now)
    }

    fn by_reference(&self, context: &ContextReference, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        let previous = self.previous.as_ref().filter(|(_, until)| *until >= now).map(|(key, _)| key);
        let mut keys = [self.asked.as_ref(), self.current.as_ref(), previous].into_iter().flatten();
        let key = keys.find(|key| key.context.context() == context);
        key.map(|key| key.context.key().clone()).ok_or(SessionKeyError::Unknown)
    }
}

//! Keys that were given by name.

use std::time::Duration;

use handstamp_keys::SymmetricKey;
use handstamp_session_token::UniqueId;
use handstamp_session_token::sct_state::SctState;
use handstamp_time::Timestamp;
use handstamp_ws_security::token::{ContextReference, ReferenceTarget, SecurityContextToken, SecurityTokenReference};
use handstamp_ws_security::{IssuedKey, RequestContext, SessionKeyError, SessionKeys, WrappedKey};
use handstamp_xml::{Document, names};
use handstamp_xml_security::encryption::EncryptedKey;

/// Keys by name: the identifier of a security context, the id of an encrypted key or SHA-1 over its ciphertext in base64, or the
/// id of an assertion. A name may have several keys: those of a context before and after it was renewed.
#[derive(Debug, Default)]
pub struct GivenKeys(Vec<(String, SymmetricKey)>);

impl GivenKeys {
    /// These keys.
    pub fn new(keys: Vec<(String, SymmetricKey)>) -> Self {
        Self(keys)
    }

    /// The names, each once.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(super) fn named(&self, name: &str) -> Vec<&SymmetricKey> {
        self.0.iter().filter(|(given, _)| given == name).map(|(_, key)| key).collect()
    }

    /// How many keys the name with the most keys has; at least 1.
    pub(super) fn choices(&self) -> usize {
        self.names().into_iter().map(|name| self.named(name).len()).max().unwrap_or(1)
    }

    /// The given key that an `EncryptedKey` of the message holds.
    pub(super) fn wrapped(&self, message: &Document) -> Option<WrappedKey> {
        let elements = message.root().descendants().filter(|element| element.is(names::XENC, "EncryptedKey"));
        elements.into_iter().find_map(|element| {
            let sha1 = EncryptedKey::parse(element).ok()?.sha1();
            let by_id = element.attribute("Id").and_then(|id| self.named(id).into_iter().next());
            let key = by_id.or_else(|| self.by_sha1(&sha1))?;
            Some(WrappedKey { sha1, key: key.clone() })
        })
    }

    /// What the client knew of its request, as far as it is about the given keys that the reply names.
    pub(super) fn request_of(&self, reply: &Document) -> RequestContext {
        let references = reply.root().descendants().filter(|element| element.is(names::WSSE, "SecurityTokenReference"));
        let mut request = RequestContext::default();
        for target in references.filter_map(|reference| Some(SecurityTokenReference::parse(reference).ok()?.target)) {
            match target {
                ReferenceTarget::EncryptedKeySha1(sha1) => {
                    if let (Some(key), Ok(sha1)) = (self.by_sha1(&sha1), sha1.as_slice().try_into()) {
                        request.encrypted_key = Some(WrappedKey { sha1, key: key.clone() });
                    }
                }
                ReferenceTarget::SamlAssertion { id, .. } => {
                    if let Some(key) = self.named(&id).into_iter().next() {
                        // Only who answers with a reference to the assertion needs to know of which version it is.
                        request.issued_token = Some(IssuedKey { assertion_id: id, value_type: "", key: key.clone() });
                    }
                }
                _ => {}
            }
        }
        request
    }

    pub(super) fn by_sha1(&self, sha1: &[u8]) -> Option<&SymmetricKey> {
        self.named(&base64_simd::STANDARD.encode_to_string(sha1)).into_iter().next()
    }
}

/// The given keys as those of security contexts. Of several for one context, the one at `choice`.
#[derive(Debug)]
pub(super) struct Contexts<'a> {
    pub(super) given: &'a GivenKeys,
    pub(super) choice: usize,
    /// The clock skew of the service that made the cookies; none for a service that makes none, and for clients.
    pub(super) cookies: Option<Duration>,
}

impl Contexts<'_> {
    /// A cookie that no encoder protects can be compared with its token (SC 10.4). Others are for their service alone.
    fn check_cookie(
        &self,
        token: &SecurityContextToken,
        key: &SymmetricKey,
        now: Timestamp,
    ) -> Result<(), SessionKeyError> {
        let (Some(skew), Some(cookie)) = (self.cookies, &token.cookie) else { return Ok(()) };
        let refused = |problem: &dyn std::fmt::Display| Err(SessionKeyError::Refused(problem.to_string()));
        if cookie.is_empty() {
            return refused(&"its cookie is empty, or not base64");
        }
        let Ok(state) = SctState::read(cookie) else { return Ok(()) };
        let id = |text: &String| text.parse::<UniqueId>().ok();
        let instance = token.context.instance.as_ref().and_then(id);
        let Some(context) = id(&token.context.identifier) else { return refused(&"its Identifier is no URI") };
        if let Err(problem) = state.check(&context, instance.as_ref(), token.id.as_deref()) {
            return refused(&format!("its cookie is that of another token: {problem}"));
        }
        if state.key != *key {
            return refused(&"its cookie holds another key than the one that was given for it");
        }
        let start = state.effective_time.max(state.key_effective_time).saturating_sub(skew);
        let end = state.expiry_time.min(state.key_expiry_time).saturating_add(skew);
        if (start..=end).contains(&now) {
            return Ok(());
        }
        refused(&format!("its cookie is good from {start} to {end}, with a clock skew of {} s", skew.as_secs()))
    }
}

impl SessionKeys for Contexts<'_> {
    fn by_token(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        let key = self.by_reference(&token.context, now)?;
        self.check_cookie(token, &key, now).map(|()| key)
    }

    fn by_reference(&self, context: &ContextReference, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        let keys = self.given.named(&context.identifier);
        let key = keys.get(self.choice).or(keys.last());
        key.map(|key| SymmetricKey::clone(key)).ok_or(SessionKeyError::Unknown)
    }
}

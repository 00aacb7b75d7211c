//! The plain settings of a binding, with WCF's defaults (SC 14.2 to 14.4).

use crate::timestamp::Freshness;
use std::time::Duration;

/// The order of the children of the security header (SC 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HeaderLayout {
    /// What is referred to stands before the reference.
    #[default]
    Strict,
    /// Any order.
    Lax,
    /// Any order behind the timestamp.
    LaxTimestampFirst,
    /// Any order before the timestamp.
    LaxTimestampLast,
}

/// Whether to sign or to encrypt first (SC 8.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ProtectionOrder {
    /// Sign the plaintext, encrypt it, encrypt the signature.
    #[default]
    SignBeforeEncryptAndEncryptSignature,
    /// Sign the plaintext, encrypt it; the signature is visible.
    SignBeforeEncrypt,
    /// Encrypt, sign the ciphertext.
    EncryptBeforeSign,
}

/// Who contributes to a key that is issued (SC 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeyEntropyMode {
    /// Both ends.
    #[default]
    Combined,
    /// The client alone.
    Client,
    /// The service alone.
    Server,
}

/// How the body of a message is protected: a property of the operation and direction (SC 8.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ProtectionLevel {
    /// Not at all. Headers and timestamp still are signed.
    None,
    /// Signed.
    Sign,
    /// Encrypted and signed.
    #[default]
    EncryptAndSign,
}

/// `localServiceSettings` (SC 14.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalServiceSettings {
    /// Whether a message counts once. Default true; never for transport bindings.
    pub detect_replays: bool,
    /// Lifetime of contexts that are cookies; none is forever. Default 10 hours.
    pub issued_cookie_lifetime: Option<Duration>,
    /// Half-open negotiations at once. Default 128.
    pub max_stateful_negotiations: usize,
    /// Messages that the replay cache remembers. Default 900,000.
    pub replay_cache_size: usize,
    /// Clock skew and replay window. Default 5 minutes each.
    pub freshness: Freshness,
    /// How long a negotiation may take. Default 1 minute.
    pub negotiation_timeout: Duration,
    /// How long a session waits for its first message. Default 2 minutes.
    pub inactivity_timeout: Duration,
    /// Lifetime of the key of a session; none is forever. Default 15 hours.
    pub session_key_renewal_interval: Option<Duration>,
    /// How long the old key is accepted after a renewal. Default 5 minutes.
    pub session_key_rollover_interval: Duration,
    /// Default true.
    pub reconnect_transport_on_failure: bool,
    /// Sessions that wait for their first message, at once. Default 128.
    pub max_pending_sessions: usize,
    /// Contexts that are cookies kept in memory. Default 1000.
    pub max_cached_cookies: usize,
    /// How long the service's own messages are good. Default 5 minutes.
    pub timestamp_validity: Duration,
}

impl Default for LocalServiceSettings {
    fn default() -> Self {
        Self {
            detect_replays: true,
            issued_cookie_lifetime: Some(Duration::from_secs(10 * 3600)),
            max_stateful_negotiations: 128,
            replay_cache_size: 900_000,
            freshness: Freshness::default(),
            negotiation_timeout: Duration::from_secs(60),
            inactivity_timeout: Duration::from_secs(120),
            session_key_renewal_interval: Some(Duration::from_secs(15 * 3600)),
            session_key_rollover_interval: Duration::from_secs(300),
            reconnect_transport_on_failure: true,
            max_pending_sessions: 128,
            max_cached_cookies: 1000,
            timestamp_validity: Duration::from_secs(300),
        }
    }
}

/// `localClientSettings` (SC 14.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalClientSettings {
    /// Whether contexts that are cookies serve several messages. Default true.
    pub cache_cookies: bool,
    /// Whether a reply counts once. Default true; never for transport bindings.
    pub detect_replays: bool,
    /// Messages that the replay cache remembers. Default 900,000.
    pub replay_cache_size: usize,
    /// Clock skew and replay window. Default 5 minutes each.
    pub freshness: Freshness,
    /// How long a context is kept at most; none is as long as it is good. Default none.
    pub max_cookie_caching_time: Option<Duration>,
    /// When the client renews the key of a session; none is never. Default 10 hours.
    pub session_key_renewal_interval: Option<Duration>,
    /// How long the old key is accepted after a renewal. Default 5 minutes.
    pub session_key_rollover_interval: Duration,
    /// Default true.
    pub reconnect_transport_on_failure: bool,
    /// How long the client's own messages are good. Default 5 minutes.
    pub timestamp_validity: Duration,
    /// The share of its lifetime, in percent, after which a context that is a cookie is replaced, and the key of one that the
    /// service remembers is renewed. Default 60.
    pub cookie_renewal_threshold_percentage: u8,
}

impl Default for LocalClientSettings {
    fn default() -> Self {
        Self {
            cache_cookies: true,
            detect_replays: true,
            replay_cache_size: 900_000,
            freshness: Freshness::default(),
            max_cookie_caching_time: None,
            session_key_renewal_interval: Some(Duration::from_secs(10 * 3600)),
            session_key_rollover_interval: Duration::from_secs(300),
            reconnect_transport_on_failure: true,
            timestamp_validity: Duration::from_secs(300),
            cookie_renewal_threshold_percentage: 60,
        }
    }
}

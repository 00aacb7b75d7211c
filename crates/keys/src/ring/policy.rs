use std::time::Duration;

/// How long keys are used, and for how many tokens.
///
/// | Field | Default |
/// |---|---|
/// | `rotate_after` | 1 day |
/// | `lead_time` | 2 minutes |
/// | `accept_for` | 10 hours and 5 minutes: WIF's session lifetime and its clock skew |
/// | `max_seals` | 2^32 |
/// | `forget_after` | 30 days |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationPolicy {
    /// How long a key stays current before the upkeep brings in the next one.
    pub rotate_after: Duration,
    /// How long a new key is pending (opens, does not yet seal): the time that all nodes of a farm have to read it.
    pub lead_time: Duration,
    /// How long a key opens tokens after another one became current. At least the longest lifetime of a token plus clock
    /// skew, or else users are signed out early.
    pub accept_for: Duration,
    /// How many tokens one key seals at most. Rotation is due at half of it; at all of it sealing fails. With random nonces
    /// AES-GCM allows 2^32 (NIST SP 800-38D).
    pub max_seals: u64,
    /// How long the material of a key stays on file after it was retired or revoked; dropped at the next rotation after.
    pub forget_after: Duration,
}

impl RotationPolicy {
    /// The most tokens that one AES-GCM key may seal with random nonces.
    pub const MAX_SEALS: u64 = 1 << 32;

    /// The defaults for tokens that live `longest_lifetime` at most, with five minutes of clock skew.
    pub fn for_lifetime(longest_lifetime: Duration) -> Self {
        Self { accept_for: longest_lifetime.saturating_add(CLOCK_SKEW), ..Self::default() }
    }
}

impl Default for RotationPolicy {
    fn default() -> Self {
        Self {
            rotate_after: DAY,
            lead_time: Duration::from_secs(120),
            accept_for: Duration::from_secs(10 * 3600) + CLOCK_SKEW,
            max_seals: Self::MAX_SEALS,
            forget_after: DAY * 30,
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const CLOCK_SKEW: Duration = Duration::from_secs(300);

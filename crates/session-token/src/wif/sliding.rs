//! What a sliding session knows and WIF's payload has no field for.

use crate::SessionSecurityToken;
use base64_simd::URL_SAFE_NO_PAD;
use handstamp_claims::ArcStr;
use handstamp_time::Timestamp;
use std::time::Duration;

/// Sign-in time, absolute expiry and idle timeout, written before the application's own text in the token's context.
///
/// They travel only when they say something that the validity of the token does not: in a session that slides. A .NET
/// application that reads the context of such a token finds `hst1.`, 32 characters, and, after a full stop, its own text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlidingTimes {
    pub(super) signed_in_at: Timestamp,
    pub(super) absolute_expiry: Timestamp,
    pub(super) idle_timeout: Option<Duration>,
}

impl SlidingTimes {
    /// Those of a token; none when its validity says it all.
    pub(super) fn of(token: &SessionSecurityToken) -> Option<Self> {
        let times = Self {
            signed_in_at: token.signed_in_at(),
            absolute_expiry: token.absolute_expiry(),
            idle_timeout: token.idle_timeout(),
        };
        (times != Self::of_validity(token.valid_from(), token.valid_to())).then_some(times)
    }

    /// Those of a session that does not slide.
    pub(super) fn of_validity(valid_from: Timestamp, valid_to: Timestamp) -> Self {
        Self { signed_in_at: valid_from, absolute_expiry: valid_to, idle_timeout: None }
    }

    /// The context to write: these times and the application's text.
    pub(super) fn join(self, application: Option<&str>) -> ArcStr {
        let idle = self.idle_timeout.map_or(0, |idle| (idle.as_nanos() / 100).min(u128::from(u64::MAX)) as u64);
        let fields = [self.signed_in_at.ticks() as u64, self.absolute_expiry.ticks() as u64, idle];
        let encoded = URL_SAFE_NO_PAD.encode_to_string(fields.map(u64::to_be_bytes).concat());
        match application {
            Some(application) => format!("{TAG}{encoded}.{application}").into(),
            None => format!("{TAG}{encoded}").into(),
        }
    }

    /// Takes a context apart: the times, if there are any, and the application's text.
    pub(super) fn split(context: &str) -> (Option<Self>, Option<&str>) {
        let not_ours = (None, Some(context));
        let Some((encoded, rest)) = context.strip_prefix(TAG).and_then(|text| text.split_at_checked(ENCODED_LEN))
        else {
            return not_ours;
        };
        let application = match rest.strip_prefix('.') {
            Some(application) => Some(application),
            None if rest.is_empty() => None,
            None => return not_ours,
        };
        match Self::decode(encoded) {
            Some(times) => (Some(times), application),
            None => not_ours,
        }
    }

    fn decode(encoded: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(encoded).ok()?;
        let mut fields = bytes.chunks_exact(8).map(|field| field.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)));
        let timestamp = |ticks: u64| Timestamp::from_ticks(i64::try_from(ticks).ok()?);
        let signed_in_at = timestamp(fields.next()?)?;
        let absolute_expiry = timestamp(fields.next()?)?;
        let idle = fields.next()?;
        let idle_timeout = Duration::new(idle / TICKS_PER_SECOND, (idle % TICKS_PER_SECOND) as u32 * 100);
        Some(Self { signed_in_at, absolute_expiry, idle_timeout: (idle > 0).then_some(idle_timeout) })
    }
}

const TAG: &str = "hst1.";
const ENCODED_LEN: usize = 32;
const TICKS_PER_SECOND: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_contexts_are_the_applications() {
        let damaged = format!("hst1.{}", "!".repeat(ENCODED_LEN));
        let times = SlidingTimes::of_validity(Timestamp::MIN, Timestamp::MAX);
        let glued = format!("{}x", times.join(None));
        for context in ["", "hst1.", "https://sts.example/?wa=wsignout1.0", &damaged, "hst1.é", &glued] {
            assert_eq!(SlidingTimes::split(context), (None, Some(context)));
        }
        let beyond = format!("hst1.{}", "_".repeat(ENCODED_LEN));
        assert_eq!(SlidingTimes::split(&beyond), (None, Some(&*beyond)), "no such time");
    }

    proptest! {
        #[test]
        fn round_trip(
            signed_in in 0..=Timestamp::MAX.ticks(),
            expiry in 0..=Timestamp::MAX.ticks(),
            idle in proptest::option::of(1..1_u64 << 50),
            application in proptest::option::of(".{0,40}"),
        ) {
            let times = SlidingTimes {
                signed_in_at: Timestamp::from_ticks(signed_in).unwrap(),
                absolute_expiry: Timestamp::from_ticks(expiry).unwrap(),
                idle_timeout: idle.map(|ticks| Duration::from_nanos(ticks * 100)),
            };
            let context = times.join(application.as_deref());
            prop_assert_eq!(SlidingTimes::split(&context), (Some(times), application.as_deref()));
        }
    }
}

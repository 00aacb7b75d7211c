//! What the gateway tells an application about a session, as the application sees it.

use base64_simd::URL_SAFE_NO_PAD;
use handstamp_claims::{ArcStr, claim_types};
use handstamp_time::Timestamp;
use serde::Deserialize;
use std::time::Duration;

/// The session, decoded from the gateway's header: JSON in base64url.
#[derive(Debug, Deserialize)]
pub(super) struct SessionHeader {
    mode: String,
    pub(super) cookie_size: usize,
    #[serde(deserialize_with = "timestamp")]
    signed_in: Timestamp,
    #[serde(deserialize_with = "timestamp")]
    valid_from: Timestamp,
    #[serde(deserialize_with = "timestamp")]
    valid_to: Timestamp,
    pub(super) claims: Vec<ClaimView>,
}

/// A claim as it is shown.
#[derive(Debug, Deserialize)]
pub(super) struct ClaimView {
    #[serde(rename = "type")]
    pub(super) claim_type: String,
    pub(super) value: String,
}

impl SessionHeader {
    /// Reads the header; none when it is not what the gateway writes.
    pub(super) fn decode(header: &[u8]) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode_to_vec(header).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// Given name and surname, or else the user name.
    pub(super) fn name(&self) -> String {
        match (self.all(claim_types::GIVEN_NAME).next(), self.all(claim_types::SURNAME).next()) {
            (Some(given_name), Some(surname)) => format!("{given_name} {surname}"),
            _ => self.all(claim_types::NAME).next().unwrap_or("Somebody without a name").to_owned(),
        }
    }

    pub(super) fn initial(&self) -> String {
        self.name().chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default()
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = &str> {
        self.all(claim_types::ROLE)
    }

    pub(super) fn is_reference(&self) -> bool {
        self.mode == "reference"
    }

    pub(super) fn mode_in_words(&self) -> &'static str {
        if self.is_reference() { "the database" } else { "the cookie" }
    }

    pub(super) fn age(&self, now: Timestamp) -> String {
        in_words(now.saturating_duration_since(self.signed_in))
    }

    pub(super) fn remaining(&self, now: Timestamp) -> String {
        in_words(self.valid_to.saturating_duration_since(now))
    }

    pub(super) fn percent_left(&self, now: Timestamp) -> u128 {
        let whole = self.valid_to.saturating_duration_since(self.valid_from).as_millis();
        let left = self.valid_to.saturating_duration_since(now).as_millis();
        (left * 100).checked_div(whole).unwrap_or(0).min(100)
    }

    fn all(&self, claim_type: ArcStr) -> impl Iterator<Item = &str> {
        self.claims
            .iter()
            .filter(move |claim| claim.claim_type.eq_ignore_ascii_case(&claim_type))
            .map(|claim| claim.value.as_str())
    }
}

impl ClaimView {
    /// What people call a claim of this type.
    pub(super) fn short_name(&self) -> &str {
        let known = [
            (claim_types::NAME, "Name"),
            (claim_types::GIVEN_NAME, "Given name"),
            (claim_types::SURNAME, "Surname"),
            (claim_types::EMAIL, "Email address"),
            (claim_types::UPN, "User principal name"),
            (claim_types::ROLE, "Role"),
            (claim_types::NAME_IDENTIFIER, "Name identifier"),
            (claim_types::AUTHENTICATION_METHOD, "Signed in with"),
            (claim_types::AUTHENTICATION_INSTANT, "Signed in at"),
        ];
        let name = known.iter().find(|(claim_type, _)| self.claim_type.eq_ignore_ascii_case(claim_type));
        let last = || self.claim_type.rsplit(['/', ':']).next().unwrap_or(&self.claim_type);
        name.map(|(_, name)| *name).unwrap_or_else(last)
    }
}

/// The two largest units that matter: `7 h 30 min`, `5 min`, `12 s`.
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let (large, small) = match (days, hours, minutes) {
        (0, 0, 0) => return format!("{seconds} s"),
        (0, 0, _) => return format!("{minutes} min"),
        (0, ..) => ((hours, "h"), (minutes, "min")),
        _ => ((days, "d"), (hours, "h")),
    };
    if small.0 == 0 {
        format!("{} {}", large.0, large.1)
    } else {
        format!("{} {} {} {}", large.0, large.1, small.0, small.1)
    }
}

fn timestamp<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::{ClaimView, in_words};
    use std::time::Duration;

    #[test]
    fn durations_are_told_in_two_units_at_most() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (27_000, "7 h 30 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn a_claim_has_a_name_people_understand() {
        let name = |claim_type: &str| {
            ClaimView { claim_type: claim_type.into(), value: String::new() }.short_name().to_owned()
        };
        assert_eq!(name("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"), "Email address");
        assert_eq!(name("urn:example:department"), "department");
        assert_eq!(name("plain"), "plain");
    }
}

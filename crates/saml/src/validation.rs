//! Whether an authentic assertion is for us and for now (SM §3.7, steps 4 to 7).

use crate::{Assertion, Error, Rejection, SubjectConfirmation, SubjectConfirmationData, Version};
use handstamp_keys::DigestAlgorithm;
use handstamp_time::Timestamp;
use std::fmt;
use std::time::Duration;

/// What an assertion is checked against. Defaults are WIF's, except that replay detection is on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ValidationSettings {
    /// How far the issuer's clock may be off. Default 5 min.
    pub max_clock_skew: Duration,
    /// When the audience is checked. Default always.
    pub audience_mode: AudienceMode,
    /// The audiences that mean us: usually the realm. Compared without query and fragment.
    pub audiences: Vec<String>,
    /// What to do with `Recipient` and `InResponseTo`. Default check.
    pub confirmation_data: ConfirmationDataMode,
    /// The values of `Recipient` that mean us: usually the URL that responses are posted to.
    pub recipients: Vec<String>,
    /// Whether a proof of possession can be given. Default no: only bearer assertions are accepted, as a browser needs.
    pub accept_holder_of_key: bool,
    /// Whether an assertion signs in only once. Default yes.
    pub detect_replay: bool,
    /// For how long replays are remembered; an assertion that holds longer is refused. Default unlimited.
    pub replay_period: Option<Duration>,
}

impl ValidationSettings {
    /// Settings that accept assertions for these audiences.
    pub fn new(audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            max_clock_skew: Duration::from_secs(5 * 60),
            audience_mode: AudienceMode::Always,
            audiences: audiences.into_iter().map(Into::into).collect(),
            confirmation_data: ConfirmationDataMode::Check,
            recipients: Vec::new(),
            accept_holder_of_key: false,
            detect_replay: true,
            replay_period: None,
        }
    }
}

/// When the audience is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudienceMode {
    /// Always.
    Always,
    /// For bearer assertions only.
    BearerKeyOnly,
    /// Never. An assertion that the issuer made for any other application then signs in here.
    Never,
}

/// What to do with `Recipient` and `InResponseTo` of SAML 2.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmationDataMode {
    /// Compare them with what is expected.
    Check,
    /// Refuse whatever has one, as the original does.
    Refuse,
}

/// A span of validity and the clock it was held against, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Start, by the issuer's clock.
    pub not_before: Option<Timestamp>,
    /// End, by the issuer's clock.
    pub not_on_or_after: Option<Timestamp>,
    /// Our clock.
    pub now: Timestamp,
    /// The difference that is allowed.
    pub skew: Duration,
}

impl Validity {
    fn is_early(&self) -> bool {
        self.not_before.is_some_and(|start| self.now.saturating_add(self.skew) < start)
    }

    fn is_late(&self) -> bool {
        self.not_on_or_after.is_some_and(|end| self.now.saturating_sub(self.skew) >= end)
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the issuer's clock says ")?;
        match (self.not_before, self.not_on_or_after) {
            (Some(start), Some(end)) => write!(f, "{start} to {end}")?,
            (Some(start), None) => write!(f, "from {start}")?,
            (None, Some(end)) => write!(f, "until {end}")?,
            (None, None) => f.write_str("nothing")?,
        }
        write!(f, ", ours {}, allowed difference {} s", self.now, self.skew.as_secs())
    }
}

/// What to put into the replay cache before an assertion is used (SM-38): add it if absent, and refuse the assertion if it was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayEntry {
    /// The key: base64 of a SHA-256 over id, issuer and version.
    pub key: String,
    /// When it may be forgotten.
    pub expires_at: Timestamp,
}

impl Assertion {
    /// Checks conditions, audience and confirmation, in the original's order.
    ///
    /// `in_response_to` is the id of the request that this answers, where the protocol has one (WS-Federation has not).
    ///
    /// # Errors
    /// [`Error::Rejected`], or [`Error::NoAudienceConfigured`].
    pub fn validate(
        &self,
        now: Timestamp,
        settings: &ValidationSettings,
        in_response_to: Option<&str>,
    ) -> Result<(), Error> {
        self.check_conditions(now, settings)?;
        self.check_audience(settings)?;
        self.check_confirmation(now, settings, in_response_to)
    }

    /// When the assertion ends, by the issuer's clock: the earliest end of its conditions and of the issuer's session.
    pub fn expires_at(&self) -> Option<Timestamp> {
        let sessions = self.authentications.iter().filter_map(|statement| statement.session_not_on_or_after);
        self.conditions.as_ref().and_then(|conditions| conditions.not_on_or_after).into_iter().chain(sessions).min()
    }

    /// The entry for the replay cache; none when replays are not detected or the assertion is not a bearer one.
    ///
    /// # Errors
    /// The assertion has no id, or holds longer than replays are remembered.
    pub fn replay_entry(
        &self,
        now: Timestamp,
        issuer: &str,
        settings: &ValidationSettings,
    ) -> Result<Option<ReplayEntry>, Error> {
        if !settings.detect_replay || !self.is_bearer() {
            return Ok(None);
        }
        if self.id.is_empty() {
            return Err(Rejection::NoReplayId.into());
        }
        let not_on_or_after = self.conditions.as_ref().and_then(|conditions| conditions.not_on_or_after);
        let expires_at = not_on_or_after.unwrap_or(Timestamp::MAX).saturating_add(settings.max_clock_skew);
        if settings.replay_period.is_some_and(|period| expires_at.saturating_duration_since(now) > period) {
            return Err(Rejection::LivesTooLong(self.validity(now, settings)).into());
        }
        let mut digest = DigestAlgorithm::Sha256.hasher();
        for part in [self.id.as_str(), issuer, self.version.namespace()] {
            // Lengths keep two different triples from running together into one text.
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        Ok(Some(ReplayEntry { key: base64_simd::STANDARD.encode_to_string(digest.finish().as_bytes()), expires_at }))
    }

    fn is_bearer(&self) -> bool {
        let confirmations = self.subject.iter().flat_map(|subject| &subject.confirmations);
        confirmations.clone().all(|confirmation| confirmation.method == self.version.bearer())
    }

    fn validity(&self, now: Timestamp, settings: &ValidationSettings) -> Validity {
        let conditions = self.conditions.as_ref();
        Validity {
            not_before: conditions.and_then(|conditions| conditions.not_before),
            not_on_or_after: self.expires_at(),
            now,
            skew: settings.max_clock_skew,
        }
    }

    fn check_conditions(&self, now: Timestamp, settings: &ValidationSettings) -> Result<(), Rejection> {
        let (version, validity) = (self.version, self.validity(now, settings));
        if validity.is_early() {
            return Err(Rejection::NotYetValid { version, validity });
        }
        if validity.is_late() {
            return Err(Rejection::Expired { version, validity });
        }
        match &self.conditions {
            Some(conditions) if conditions.one_time_use => Err(Rejection::OneTimeUse),
            Some(conditions) if conditions.proxy_restriction.is_some() => Err(Rejection::ProxyRestriction),
            _ => Ok(()),
        }
    }

    fn check_audience(&self, settings: &ValidationSettings) -> Result<(), Error> {
        match settings.audience_mode {
            AudienceMode::Never => return Ok(()),
            AudienceMode::BearerKeyOnly if !self.is_bearer() => return Ok(()),
            AudienceMode::BearerKeyOnly | AudienceMode::Always => {}
        }
        if settings.audiences.is_empty() {
            return Err(Error::NoAudienceConfigured);
        }
        let restrictions =
            self.conditions.as_ref().map(|conditions| conditions.audience_restrictions.as_slice()).unwrap_or_default();
        if restrictions.is_empty() {
            return Err(Rejection::NoAudienceRestriction.into());
        }
        for audiences in restrictions {
            if audiences.is_empty() {
                return Err(Rejection::EmptyAudienceRestriction.into());
            }
            let accepted = |sent: &String| settings.audiences.iter().any(|ours| same_audience(ours, sent));
            if !audiences.iter().any(accepted) {
                return Err(Rejection::AudienceNotAccepted {
                    count: audiences.len(),
                    sent: audiences.iter().map(String::as_str).collect(),
                    accepted: settings.audiences.iter().map(String::as_str).collect(),
                }
                .into());
            }
        }
        Ok(())
    }

    fn check_confirmation(
        &self,
        now: Timestamp,
        settings: &ValidationSettings,
        in_response_to: Option<&str>,
    ) -> Result<(), Error> {
        let Some(subject) = &self.subject else { return Err(Rejection::NoSubject.into()) };
        match self.version {
            // A 1.1 assertion without confirmation is a bearer one, and one element may name several methods.
            Version::Saml11 => {
                subject.confirmations.iter().try_for_each(|confirmation| self.check_method(confirmation, settings))?;
            }
            Version::Saml20 => match subject.confirmations.as_slice() {
                [] => return Err(Rejection::NoConfirmation.into()),
                [confirmation] => {
                    self.check_method(confirmation, settings)?;
                    check_data(&confirmation.data, now, settings, in_response_to)?;
                }
                several => return Err(Rejection::SeveralConfirmations(several.len()).into()),
            },
        }
        Ok(())
    }

    fn check_method(&self, confirmation: &SubjectConfirmation, settings: &ValidationSettings) -> Result<(), Rejection> {
        let method = confirmation.method.as_str();
        if method == self.version.bearer() {
            if confirmation.key_info.is_some() {
                return Err(Rejection::BearerWithKey);
            }
        } else if method == self.version.holder_of_key() {
            if confirmation.key_info.is_none() {
                return Err(Rejection::HolderOfKeyWithoutKey);
            }
            if !settings.accept_holder_of_key {
                return Err(Rejection::NotBearer);
            }
        } else {
            return Err(Rejection::ConfirmationMethod(method.into()));
        }
        Ok(())
    }
}

fn check_data(
    data: &SubjectConfirmationData,
    now: Timestamp,
    settings: &ValidationSettings,
    in_response_to: Option<&str>,
) -> Result<(), Rejection> {
    let refuse = settings.confirmation_data == ConfirmationDataMode::Refuse;
    if let Some(address) = &data.address {
        return Err(Rejection::Address(address.as_str().into()));
    }
    if let Some(request) = &data.in_response_to
        && (refuse || in_response_to != Some(request))
    {
        return Err(Rejection::InResponseTo(request.as_str().into()));
    }
    if let Some(recipient) = &data.recipient
        && (refuse || !settings.recipients.contains(recipient))
    {
        return Err(Rejection::Recipient {
            sent: recipient.as_str().into(),
            accepted: settings.recipients.iter().map(String::as_str).collect(),
        });
    }
    let validity = Validity {
        not_before: data.not_before,
        not_on_or_after: data.not_on_or_after,
        now,
        skew: settings.max_clock_skew,
    };
    if validity.is_early() {
        return Err(Rejection::ConfirmationNotYetValid(validity));
    }
    if validity.is_late() {
        return Err(Rejection::ConfirmationExpired(validity));
    }
    Ok(())
}

/// URIs are the same to the letter once query and fragment are removed.
fn same_audience(one: &str, other: &str) -> bool {
    let bare = |uri: &'_ str| uri.find(['?', '#']).map_or(uri.len(), |end| end);
    one[..bare(one)] == other[..bare(other)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conditions, NameId, ProxyRestriction, Subject};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const NOON: &str = "2030-06-01T12:00:00Z";

    fn assertion(version: Version) -> Assertion {
        Assertion {
            version,
            id: "_a".into(),
            issuer: NameId::new("https://sts"),
            issue_instant: at(NOON),
            subject: Some(Subject {
                name_id: Some(NameId::new("alice")),
                confirmations: vec![SubjectConfirmation {
                    method: version.bearer().into(),
                    ..SubjectConfirmation::default()
                }],
            }),
            conditions: Some(Conditions {
                not_before: Some(at(NOON)),
                not_on_or_after: Some(at("2030-06-01T13:00:00Z")),
                audience_restrictions: vec![vec!["https://rp/".into()]],
                ..Conditions::default()
            }),
            attributes: vec![],
            authentications: vec![],
        }
    }

    fn settings() -> ValidationSettings {
        ValidationSettings::new(["https://rp/"])
    }

    fn code(assertion: &Assertion, now: &str, settings: &ValidationSettings) -> &'static str {
        assertion.validate(at(now), settings, None).map_or_else(|error| error.code(), |()| "accepted")
    }

    fn code_of(version: Version, change: impl FnOnce(&mut Assertion)) -> &'static str {
        let mut assertion = assertion(version);
        change(&mut assertion);
        code(&assertion, NOON, &settings())
    }

    #[test]
    fn sm_28_times_have_inclusive_start_and_exclusive_end_with_skew() {
        for (version, early, late) in [(Version::Saml11, "ID4222", "ID4223"), (Version::Saml20, "ID4147", "ID4148")] {
            let assertion = assertion(version);
            for (now, expected) in [
                ("2030-06-01T11:54:59.9999999Z", early),
                ("2030-06-01T11:55:00Z", "accepted"),
                ("2030-06-01T13:04:59.9999999Z", "accepted"),
                ("2030-06-01T13:05:00Z", late),
            ] {
                assert_eq!(code(&assertion, now, &settings()), expected, "{version} {now}");
            }
        }
        let error = assertion(Version::Saml20).validate(at("2030-06-01T14:00:00Z"), &settings(), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the SAML 2.0 assertion has expired: the issuer's clock says 2030-06-01T12:00:00Z to 2030-06-01T13:00:00Z, \
             ours 2030-06-01T14:00:00Z, allowed difference 300 s"
        );
    }

    #[test]
    fn sm_28_the_issuers_session_ends_the_assertion_too() {
        let statement = crate::AuthenticationStatement {
            method: None,
            instant: at(NOON),
            session_index: None,
            session_not_on_or_after: Some(at("2030-06-01T12:10:00Z")),
            address: None,
            dns_name: None,
        };
        let mut assertion = assertion(Version::Saml20);
        assertion.authentications.push(statement);
        assert_eq!(assertion.expires_at(), Some(at("2030-06-01T12:10:00Z")));
        assert_eq!(code(&assertion, "2030-06-01T12:15:00Z", &settings()), "ID4148");
    }

    #[test]
    fn sm_28_conditions_that_forbid_a_session() {
        let one_time = |a: &mut Assertion| a.conditions.as_mut().unwrap().one_time_use = true;
        assert_eq!(code_of(Version::Saml20, one_time), "ID4149");
        let proxy = |a: &mut Assertion| {
            a.conditions.as_mut().unwrap().proxy_restriction = Some(ProxyRestriction::default());
        };
        assert_eq!(code_of(Version::Saml20, proxy), "ID4150");
        let no_cache = |a: &mut Assertion| a.conditions.as_mut().unwrap().do_not_cache = true;
        assert_eq!(code_of(Version::Saml11, no_cache), "accepted");
    }

    #[test]
    fn sm_28_audiences() {
        let with = |audiences: Vec<Vec<&str>>| {
            let owned: Vec<Vec<String>> =
                audiences.iter().map(|list| list.iter().map(|a| String::from(*a)).collect()).collect();
            code_of(Version::Saml20, |a| a.conditions.as_mut().unwrap().audience_restrictions = owned)
        };
        assert_eq!(with(vec![]), "ID1035");
        assert_eq!(code_of(Version::Saml20, |a| a.conditions = None), "ID1035");
        assert_eq!(with(vec![vec![]]), "ID1036");
        assert_eq!(with(vec![vec!["https://rp"]]), "ID1038");
        assert_eq!(with(vec![vec!["https://a/", "https://b/"]]), "ID1043");
        assert_eq!(with(vec![vec!["https://a/", "https://rp/?x#y"]]), "accepted");
        assert_eq!(with(vec![vec!["https://rp/"], vec!["https://a/"]]), "ID1038", "every restriction binds");
        let mut settings = settings();
        settings.audiences.clear();
        assert_eq!(code(&assertion(Version::Saml11), NOON, &settings), "ID1032");
        settings.audience_mode = AudienceMode::Never;
        assert_eq!(code(&assertion(Version::Saml11), NOON, &settings), "accepted");
    }

    #[test]
    fn sm_28_subject_confirmation() {
        type Change = fn(&mut Vec<SubjectConfirmation>);
        let with =
            |version, change: Change| code_of(version, |a| change(&mut a.subject.as_mut().unwrap().confirmations));
        let cases: [(Change, &str); 11] = [
            (Vec::clear, "ID4131"),
            (|c| c.push(c[0].clone()), "ID4132"),
            (|c| c[0].key_info = Some("<KeyInfo/>".into()), "ID4133"),
            (|c| c[0].method = Version::Saml20.holder_of_key().into(), "ID4134"),
            (|c| c[0].method = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches".into(), "ID4136"),
            (|c| c[0].data.address = Some("192.0.2.1".into()), "ID4153"),
            (|c| c[0].data.in_response_to = Some("_r".into()), "ID4154"),
            (|c| c[0].data.recipient = Some("https://other/".into()), "ID4157"),
            (|c| c[0].data.not_before = Some(at("2030-06-01T12:05:00.0000001Z")), "ID4176"),
            (|c| c[0].data.not_on_or_after = Some(at("2030-06-01T11:55:00Z")), "ID4177"),
            (
                |c| {
                    c[0].method = Version::Saml20.holder_of_key().into();
                    c[0].key_info = Some("<KeyInfo/>".into());
                },
                "HST-SAML-NOT-BEARER",
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(with(Version::Saml20, change), expected);
        }
        assert_eq!(code_of(Version::Saml20, |a| a.subject = None), "ID4130");
        assert_eq!(with(Version::Saml11, Vec::clear), "accepted");
        assert_eq!(with(Version::Saml11, |c| c[0].method = Version::Saml20.bearer().into()), "ID4136");
    }

    #[test]
    fn sm_28_recipient_and_request_are_checked_or_refused() {
        let mut assertion = assertion(Version::Saml20);
        let data = &mut assertion.subject.as_mut().unwrap().confirmations[0].data;
        data.recipient = Some("https://rp/signin".into());
        data.in_response_to = Some("_r".into());
        let mut settings = settings();
        settings.recipients.push("https://rp/signin".into());
        let code = |settings: &ValidationSettings, request: Option<&str>| {
            assertion.validate(at(NOON), settings, request).map_or_else(|error| error.code(), |()| "accepted")
        };
        assert_eq!(code(&settings, Some("_r")), "accepted");
        assert_eq!(code(&settings, Some("_other")), "ID4154");
        assert_eq!(code(&settings, None), "ID4154");
        settings.confirmation_data = ConfirmationDataMode::Refuse;
        assert_eq!(code(&settings, Some("_r")), "ID4154");
    }

    #[test]
    fn sm_38_replay_keys_tell_assertions_apart() {
        let base = assertion(Version::Saml20);
        let entry = |a: &Assertion, issuer: &str| a.replay_entry(at(NOON), issuer, &settings()).unwrap().unwrap();
        let first = entry(&base, "sts");
        assert_eq!(first, entry(&base, "sts"));
        assert_eq!(first.expires_at, at("2030-06-01T13:05:00Z"));
        let other_id = Assertion { id: "_b".into(), ..base.clone() };
        let shifted = Assertion { id: "_as".into(), ..base.clone() };
        for (other, issuer) in
            [(&other_id, "sts"), (&base, "other"), (&shifted, "ts"), (&assertion(Version::Saml11), "sts")]
        {
            assert_ne!(entry(other, issuer).key, first.key);
        }
    }

    #[test]
    fn sm_38_what_cannot_be_remembered_is_refused() {
        let code = |assertion: &Assertion, settings: &ValidationSettings| {
            assertion.replay_entry(at(NOON), "sts", settings).unwrap_err().code()
        };
        let nameless = Assertion { id: String::new(), ..assertion(Version::Saml20) };
        assert_eq!(code(&nameless, &settings()), "ID1065");
        let short = ValidationSettings { replay_period: Some(Duration::from_secs(3600)), ..settings() };
        assert_eq!(code(&assertion(Version::Saml20), &short), "ID1069");
        let off = ValidationSettings { detect_replay: false, ..settings() };
        assert_eq!(nameless.replay_entry(at(NOON), "sts", &off).unwrap(), None);
    }
}

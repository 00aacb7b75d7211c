//! How long sessions last, where they live, and what happens to bad ones.

use crate::{Error, SettingsError, TransportDetection};
use std::time::Duration;

/// Settings of the [`SessionModule`](crate::SessionModule), checked when built (SM §6.3).
///
/// | Setting | Default |
/// |---|---|
/// | absolute timeout | 10 h |
/// | idle timeout | none: sessions do not slide |
/// | slide after | half of the idle timeout |
/// | cap to issuer lifetime | yes |
/// | mode | [`SessionMode::SelfContained`] |
/// | overflow to reference | no |
/// | reissue grace | 20 s |
/// | on unreadable | [`OnUnreadable::Drop`] |
/// | transport detection | [`TransportDetection::Scheme`] |
/// | correct path case | no |
/// | verified tokens | 1,024 |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    pub(crate) absolute_timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) slide_after: Option<Duration>,
    pub(crate) cap_to_issuer_lifetime: bool,
    pub(crate) mode: SessionMode,
    pub(crate) overflow_to_reference: bool,
    pub(crate) reissue_grace: Duration,
    pub(crate) on_unreadable: OnUnreadable,
    pub(crate) transport: TransportDetection,
    pub(crate) correct_path_case: bool,
    pub(crate) verified_tokens: usize,
}

impl SessionSettings {
    /// Starts from the defaults.
    pub fn builder() -> SessionSettingsBuilder {
        SessionSettingsBuilder(Self::default())
    }

    /// The longest life of a session, from sign-in on.
    pub fn absolute_timeout(&self) -> Duration {
        self.absolute_timeout
    }

    /// How long a session lives without requests; none when sessions do not slide.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// How old a token gets before a request renews it; none when sessions do not slide.
    pub fn slide_after(&self) -> Option<Duration> {
        self.idle_timeout.map(|idle| self.slide_after.unwrap_or(idle / 2))
    }

    /// Where new sessions live.
    pub fn mode(&self) -> SessionMode {
        self.mode
    }

    fn check(&self) -> Result<(), SettingsError> {
        if self.absolute_timeout.is_zero() {
            return Err(SettingsError::ZeroTimeout { setting: "absolute_timeout" });
        }
        if let Some(idle) = self.idle_timeout {
            if idle.is_zero() {
                return Err(SettingsError::ZeroTimeout { setting: "idle_timeout" });
            }
            if self.slide_after.is_some_and(|slide_after| slide_after >= idle) {
                return Err(SettingsError::SlideAfterIdle);
            }
        } else if self.slide_after.is_some() {
            return Err(SettingsError::SlideAfterIdle);
        }
        Ok(())
    }
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            absolute_timeout: Duration::from_secs(10 * 3600),
            idle_timeout: None,
            slide_after: None,
            cap_to_issuer_lifetime: true,
            mode: SessionMode::SelfContained,
            overflow_to_reference: false,
            reissue_grace: Duration::from_secs(20),
            on_unreadable: OnUnreadable::Drop,
            transport: TransportDetection::Scheme,
            correct_path_case: false,
            verified_tokens: 1024,
        }
    }
}

/// Builds [`SessionSettings`]; see there for the defaults.
#[derive(Debug, Clone)]
#[must_use = "nothing is checked until `build`"]
pub struct SessionSettingsBuilder(SessionSettings);

impl SessionSettingsBuilder {
    /// The longest life of a session, from sign-in on.
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.0.absolute_timeout = timeout;
        self
    }

    /// How long a session lives without requests. Setting it makes sessions slide: 30 to 60 minutes are usual.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.0.idle_timeout = Some(timeout);
        self
    }

    /// How old a token gets before a request renews it. Must be less than the idle timeout.
    pub fn slide_after(mut self, age: Duration) -> Self {
        self.0.slide_after = Some(age);
        self
    }

    /// Whether a session ends with the issuer's token, when [`SignIn`](crate::SignIn) tells its end.
    pub fn cap_to_issuer_lifetime(mut self, cap: bool) -> Self {
        self.0.cap_to_issuer_lifetime = cap;
        self
    }

    /// Where new sessions live, unless [`SignIn`](crate::SignIn) says otherwise.
    pub fn mode(mut self, mode: SessionMode) -> Self {
        self.0.mode = mode;
        self
    }

    /// Whether a session that is too large for cookies goes into the cache instead of failing.
    pub fn overflow_to_reference(mut self, overflow: bool) -> Self {
        self.0.overflow_to_reference = overflow;
        self
    }

    /// How long the old token of a session in reference mode, which the application [reissued](crate::module::Received),
    /// still serves requests that were on their way (ST-37). Sliding needs no grace: it keeps the handle.
    pub fn reissue_grace(mut self, grace: Duration) -> Self {
        self.0.reissue_grace = grace;
        self
    }

    /// What happens to a request whose session cookie cannot be used.
    pub fn on_unreadable(mut self, policy: OnUnreadable) -> Self {
        self.0.on_unreadable = policy;
        self
    }

    /// How many self-contained tokens are remembered for ten seconds after they were verified, so that the same cookies are not
    /// read and decrypted for each request of a page; about 3 KB each, and never more than 8 KB of cookies. Times and
    /// revocations count for every request all the same; that a key was revoked or retired counts after those ten seconds.
    /// Zero: every request opens its cookie.
    pub fn verified_tokens(mut self, most: usize) -> Self {
        self.0.verified_tokens = most;
        self
    }

    /// How the module learns whether a request arrived over TLS (SM-23).
    pub fn transport(mut self, detection: TransportDetection) -> Self {
        self.0.transport = detection;
        self
    }

    /// Whether a `GET` without a session, whose path differs from the cookie's path by case alone, is redirected to
    /// the cookie's spelling. The original always does; it surprises API clients.
    pub fn correct_path_case(mut self, correct: bool) -> Self {
        self.0.correct_path_case = correct;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Settings`] for a timeout of zero, and for a slide-after that is not below an idle timeout.
    pub fn build(self) -> Result<SessionSettings, Error> {
        self.0.check()?;
        Ok(self.0)
    }
}

/// Where a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionMode {
    /// In the browser's cookies, sealed. The server keeps nothing.
    SelfContained,
    /// In the cache. The cookie holds a sealed handle.
    Reference,
}

impl std::fmt::Display for SessionMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SelfContained => "self-contained",
            Self::Reference => "reference",
        })
    }
}

/// What happens to a request whose session cookie is malformed, unauthentic, for another application, not yet valid,
/// or refers to no session (SM-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnreadable {
    /// The request is anonymous and the cookie is deleted.
    #[default]
    Drop,
    /// The request is anonymous, the cookie stays, and [`Session::rejection`](crate::Session::rejection) says why: for
    /// migrations and for finding out.
    Strict,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn sm_44_defaults_are_those_of_the_table() {
        let settings = SessionSettings::default();
        assert_eq!(settings.absolute_timeout(), 600 * MINUTE);
        assert_eq!((settings.idle_timeout(), settings.slide_after()), (None, None));
        assert_eq!(settings.mode(), SessionMode::SelfContained);
        let sliding = SessionSettings::builder().idle_timeout(30 * MINUTE).build().unwrap();
        assert_eq!(sliding.slide_after(), Some(15 * MINUTE));
    }

    #[test]
    fn sm_21_impossible_times_are_refused() {
        let builder = SessionSettings::builder;
        for (settings, code) in [
            (builder().absolute_timeout(Duration::ZERO), "HST-SESSION-TIMEOUT"),
            (builder().idle_timeout(Duration::ZERO), "HST-SESSION-TIMEOUT"),
            (builder().idle_timeout(MINUTE).slide_after(MINUTE), "HST-SESSION-SLIDE"),
            (builder().slide_after(MINUTE), "HST-SESSION-SLIDE"),
        ] {
            assert_eq!(settings.build().unwrap_err().code(), code);
        }
    }
}

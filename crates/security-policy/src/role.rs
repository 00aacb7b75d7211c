//! The rules of SC 14.9 about one side alone: a service does not read the settings of its clients, nor a client those of its service.

use crate::custom_binding::CustomBinding;
use crate::error::Error;
use handstamp_ws_security::SecurityBinding;

/// What is made of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// What receives requests: it has `localServiceSettings`.
    Service,
    /// What sends them: it has `localClientSettings`.
    Client,
}

impl CustomBinding {
    /// Whether this side can be made of the binding. What neither side can be made of is not read at all.
    ///
    /// # Errors
    /// [`Error::Binding`] when the local settings of the side do not go together with each other or with the rest (SC 14.9).
    pub fn check_for(&self, role: Role) -> Result<(), Error> {
        let security = self.security();
        let bootstrap = security.session().map(|session| &session.bootstrap);
        let problem = bootstrap.into_iter().chain([security]).find_map(|binding| role.problem(binding));
        problem.map_or(Ok(()), |problem| Err(Error::Binding { problem }))
    }
}

impl Role {
    /// What keeps this side from working under the binding of one element.
    pub(crate) fn problem(self, binding: &SecurityBinding) -> Option<String> {
        let (service, client) = (&binding.local_service, &binding.local_client);
        let (element, detects, rollover, renewal) = match self {
            Self::Service => (
                "localServiceSettings",
                service.detect_replays,
                service.session_key_rollover_interval,
                service.session_key_renewal_interval,
            ),
            Self::Client => (
                "localClientSettings",
                client.detect_replays,
                client.session_key_rollover_interval,
                client.session_key_renewal_interval,
            ),
        };
        if !binding.include_timestamp && detects && !binding.is_transport() {
            return Some(format!(
                "includeTimestamp=\"false\" leaves detectReplays=\"true\" of <{element}> without a timestamp, and every message \
                 would be refused: change one of them"
            ));
        }
        let session = binding.session()?;
        // Keys of contexts that are cookies are not renewed.
        if session.require_cancellation && renewal.is_some_and(|renewal| rollover > renewal) {
            return Some(format!(
                "sessionKeyRolloverInterval of <{element}> is longer than its sessionKeyRenewalInterval"
            ));
        }
        (self == Self::Service && service.max_cached_cookies == 0 && !session.require_cancellation).then(|| {
            "maxCachedCookies=\"0\" is not possible with requireSecurityContextCancellation=\"false\": write 1 or more"
                .to_owned()
        })
    }
}

//! Looking sessions up and ending them, for operators: from the command line and on the admin page.

use std::sync::Arc;
use std::time::Duration;

use handstamp_keys::Certificate;
use handstamp_session_store::{SessionDirectory, SessionFilter, StoredSession};
use handstamp_session_token::{
    ContextId, Error as TokenError, Revocation, RevocationStore, RevocationTarget, SubjectId,
};
use handstamp_time::Timestamp;

use crate::Error;
use crate::audit::{AuditLog, Entry, Event};
use crate::config::Config;

/// A store, and what has to be known to end the sessions in it and those in cookies.
pub(crate) struct SessionDesk {
    directory: Arc<dyn SessionDirectory>,
    revocations: Arc<dyn RevocationStore>,
    longest_session: Duration,
    audit: AuditLog,
}

impl SessionDesk {
    pub(crate) fn new(
        config: &Config,
        directory: Arc<dyn SessionDirectory>,
        revocations: Arc<dyn RevocationStore>,
        audit: AuditLog,
    ) -> Self {
        let lifetimes = config.federation.values().map(|federation| federation.session.absolute_timeout);
        Self { directory, revocations, longest_session: lifetimes.max().unwrap_or_default(), audit }
    }

    /// The sessions in the store, the youngest first.
    pub(crate) async fn sessions(
        &self,
        filter: &SessionFilter,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, TokenError> {
        self.directory.sessions(filter, limit, now).await
    }

    /// The session that the log and lists call so.
    pub(crate) async fn find(&self, name: &str, now: Timestamp) -> Result<Option<StoredSession>, TokenError> {
        let known = self.directory.sessions(&SessionFilter::All, usize::MAX, now).await?;
        Ok(known.into_iter().find(|session| fingerprint(session) == name))
    }

    /// Ends a session, also on copies of its cookie; `operator` wants it.
    pub(crate) async fn revoke(
        &self,
        session: &StoredSession,
        operator: &str,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let revocations = match &session.token {
            Some(token) => Revocation::of_sign_out(token, SKEW),
            None => vec![Revocation {
                target: RevocationTarget::Session(session.context_digest),
                expires: session.expires.saturating_add(SKEW),
            }],
        };
        for revocation in revocations {
            self.revocations.publish(&revocation, now).await?;
        }
        if let Some(token) = &session.token {
            self.directory.end_sessions(&SessionFilter::Context(token.context_id().clone()), now).await?;
        }
        let entry =
            Entry { session: Some(fingerprint(session)), operator: Some(operator), ..Entry::new(Event::Revocation) };
        self.audit.note(&Entry { user: user_of(session), ..entry });
        Ok(())
    }

    /// Ends the secure session of a SOAP client, wherever its token is; it lasts until `expires` at the latest.
    pub(crate) async fn revoke_context(
        &self,
        context_id: &ContextId,
        user: Option<&str>,
        expires: Timestamp,
        operator: &str,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        self.revocations.publish(&Revocation::session(context_id, expires.saturating_add(SKEW)), now).await?;
        let entry = Entry { operator: Some(operator), user, ..Entry::new(Event::Revocation) };
        self.audit.note(&Entry { session: Some(context_id.fingerprint()), ..entry });
        Ok(())
    }

    /// Ends every session of a user who signed in until now, in cookies too, and tells how many left the store.
    pub(crate) async fn revoke_user(
        &self,
        user: &str,
        subject: SubjectId,
        operator: &str,
        now: Timestamp,
    ) -> Result<usize, TokenError> {
        let expires = now.saturating_add(self.longest_session).saturating_add(SKEW);
        self.revocations.publish(&Revocation::subject(subject, now, expires), now).await?;
        let ended = self.directory.end_sessions(&SessionFilter::Subject(subject), now).await?;
        self.audit.note(&Entry { user: Some(user), operator: Some(operator), ..Entry::new(Event::Revocation) });
        Ok(ended)
    }
}

/// How far the clocks of two nodes may differ: the most that `session.clock_skew` allows.
const SKEW: Duration = Duration::from_secs(60);

/// By what the log names a session.
pub(crate) fn fingerprint(session: &StoredSession) -> String {
    session.context_digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Whose session it is, if that can still be read.
pub(crate) fn user_of(session: &StoredSession) -> Option<&str> {
    session.token.as_ref()?.principal().identity()?.name()
}

/// The user of this name at an issuer: one of the configuration, or one that claims name so; the only one when none is named.
///
/// # Errors
/// It is not clear which issuer is meant.
pub(crate) fn subject(config: &Config, user: &str, issuer: Option<&str>) -> Result<SubjectId, Error> {
    let unclear = |message: String| Error::Refused { code: "HST-SESSION-ISSUER", message };
    let (name, settings) = match (issuer, config.issuer.len()) {
        (Some(issuer), _) => match config.issuer.get_key_value(issuer) {
            Some(found) => found,
            // Not a table of the configuration, so the name that claims carry.
            None => return Ok(SubjectId::new(issuer, user)),
        },
        (None, 1) => config.issuer.iter().next().ok_or_else(|| unclear("there is no issuer".to_owned()))?,
        (None, _) => return Err(unclear("there are several issuers, or none: say which with --issuer".to_owned())),
    };
    if let Some(name) = &settings.name {
        return Ok(SubjectId::new(name, user));
    }
    let certificate = settings.certificates.first().and_then(|file| std::fs::read(file).ok());
    let certificate = certificate.and_then(|content| Certificate::read_all(&content).ok()?.into_iter().next());
    match certificate {
        Some(certificate) => Ok(SubjectId::new(certificate.subject().as_str(), user)),
        None => Err(unclear(format!("issuer.{name} has neither name nor certificate: say its name with --issuer"))),
    }
}

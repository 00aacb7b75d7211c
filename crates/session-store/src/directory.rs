//! Which sessions there are: for `session list`, `session revoke` and "sign out everywhere".

use async_trait::async_trait;
use handstamp_session_token::{ContextId, EndpointScope, Error, SessionSecurityToken, SubjectId};
use handstamp_time::Timestamp;
use std::sync::Arc;

/// A store that can tell and end the sessions it holds.
#[async_trait]
pub trait SessionDirectory: Send + Sync {
    /// The sessions that a filter chooses, the youngest sign-in first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn sessions(&self, filter: &SessionFilter, limit: usize, now: Timestamp)
    -> Result<Vec<StoredSession>, Error>;

    /// Ends the sessions that a filter chooses and tells how many that were.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn end_sessions(&self, filter: &SessionFilter, now: Timestamp) -> Result<usize, Error>;
}

/// Which sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionFilter {
    /// All of them.
    All,
    /// Those of a subject.
    Subject(SubjectId),
    /// The one with this context id, at whatever endpoint.
    Context(ContextId),
    /// Those of an endpoint.
    Endpoint(EndpointScope),
}

/// A session as its store knows it.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// The digest of its context id, which revocations go by.
    pub context_digest: [u8; 32],
    /// Whose it is.
    pub subject: Option<SubjectId>,
    /// Where it is valid.
    pub endpoint: EndpointScope,
    /// When the user signed in.
    pub signed_in_at: Timestamp,
    /// When it ends unless it is renewed.
    pub expires: Timestamp,
    /// The token; none when the key it is sealed with is no longer accepted.
    pub token: Option<Arc<SessionSecurityToken>>,
}

impl StoredSession {
    /// What a store knows of a token that it holds in the clear.
    pub(crate) fn of(token: Arc<SessionSecurityToken>, expires: Timestamp) -> Self {
        Self {
            context_digest: token.context_id().digest(),
            subject: token.subject(),
            endpoint: token.endpoint().clone(),
            signed_in_at: token.signed_in_at(),
            expires,
            token: Some(token),
        }
    }
}

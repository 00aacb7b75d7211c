//! How long something may last that was begun in a session: a WebSocket, a stream of events.

use std::sync::Arc;
use std::time::Duration;

use handstamp_session_token::RevocationList;
use handstamp_web_session::{ActiveSession, SessionModule};

/// The session that something was begun in.
#[derive(Clone)]
pub(super) struct SessionLife {
    pub(super) session: ActiveSession,
    pub(super) module: Arc<SessionModule>,
    pub(super) revocations: Arc<RevocationList>,
}

impl SessionLife {
    /// Whether the session has ended by its time, or was revoked.
    pub(super) fn is_over(&self) -> bool {
        let token = self.session.token();
        self.module.now() > token.valid_to() || self.revocations.is_revoked(token)
    }

    /// Waits until it has; for ever without a session.
    pub(super) async fn over(life: Option<&Self>) {
        let Some(life) = life else { return std::future::pending().await };
        while !life.is_over() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl std::fmt::Debug for SessionLife {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionLife").finish_non_exhaustive()
    }
}

/// How often it is looked: as often as revocations of other processes are taken over.
pub(super) const LOOK: Duration = Duration::from_secs(1);

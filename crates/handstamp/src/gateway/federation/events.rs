//! What is counted of sessions that come and go.

use std::sync::Arc;

use handstamp_web_session::module::{Created, SignOutCause, SignOutEvent};
use handstamp_web_session::{Error, SessionEvents};

use crate::admin::{FederationMetrics, Metrics};

/// Counts renewals, expirations and refused cookies; sign-ins and sign-outs are counted where they happen.
pub(super) struct Counting {
    pub(super) federation: Arc<FederationMetrics>,
    pub(super) all: Arc<Metrics>,
}

impl SessionEvents for Counting {
    fn created(&self, event: &mut Created) {
        // A token that begins after its sign-in renews an earlier one.
        if event.token.signed_in_at() < event.token.valid_from() {
            self.federation.slides.add();
            tracing::info!(session = event.token.context_id().fingerprint(), "session slid");
        }
    }

    fn signed_out(&self, event: &SignOutEvent<'_>) {
        if event.cause == SignOutCause::Expired {
            self.federation.expirations.add();
        }
    }

    fn refused(&self, error: &Error) {
        self.all.reject(error.code());
    }
}

//! What is counted of sessions that come and go.

use std::sync::Arc;

use handstamp_web_session::SessionEvents;
use handstamp_web_session::module::{Created, SignOutCause, SignOutEvent};

use crate::admin::FederationMetrics;

/// Counts renewals and expirations; sign-ins and sign-outs are counted where they happen.
pub(super) struct Counting(pub(super) Arc<FederationMetrics>);

impl SessionEvents for Counting {
    fn created(&self, event: &mut Created) {
        // A token that begins after its sign-in renews an earlier one.
        if event.token.signed_in_at() < event.token.valid_from() {
            self.0.slides.add();
            tracing::info!(session = event.token.context_id().fingerprint(), "session slid");
        }
    }

    fn signed_out(&self, event: &SignOutEvent<'_>) {
        if event.cause == SignOutCause::Expired {
            self.0.expirations.add();
        }
    }
}

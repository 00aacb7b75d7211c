//! What is counted of sessions that come and go.

use std::sync::Arc;

use handstamp_web_session::module::{Created, Occasion, SignOutCause, SignOutEvent};
use handstamp_web_session::{Error, SessionEvents};

use crate::admin::{FederationMetrics, Metrics};

/// Counts renewals, sessions taken over, expirations and refused cookies; sign-ins and sign-outs are counted where they happen.
pub(super) struct Counting {
    pub(super) federation: Arc<FederationMetrics>,
    pub(super) all: Arc<Metrics>,
}

impl SessionEvents for Counting {
    fn created(&self, event: &mut Created) {
        let session = event.token.context_id().fingerprint();
        match event.occasion {
            Occasion::Slide => {
                self.federation.slides.add();
                tracing::info!(session, "session slid");
            }
            Occasion::TakeOver => {
                self.federation.take_overs.add();
                tracing::info!(session, "session taken over from a cookie of another format");
            }
            _ => {}
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

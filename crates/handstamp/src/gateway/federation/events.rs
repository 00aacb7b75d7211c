//! What a session keeps of an issuer's claims, and what is counted of sessions that come and go.

use std::sync::Arc;

use handstamp_claims::{ClaimsIdentity, ClaimsPrincipal, DEFAULT_ISSUER};
use handstamp_session_token::SessionSecurityToken;
use handstamp_web_session::module::{Created, Occasion, SignOutCause, SignOutEvent};
use handstamp_web_session::{Error, SessionEvents};

use crate::admin::{FederationMetrics, Metrics};
use crate::audit::{AuditLog, Entry, Event};
use crate::claim_rules::{ClaimRule, release_claims};

/// Shapes claims at sign-in, and counts and notes renewals, sessions taken over, expirations and refused cookies; sign-ins and
/// sign-outs are counted where they happen.
pub(super) struct Events {
    pub(super) rules: Vec<ClaimRule>,
    pub(super) federation: Arc<FederationMetrics>,
    pub(super) all: Arc<Metrics>,
    /// Of the relying party.
    pub(super) name: String,
    pub(super) audit: AuditLog,
}

impl Events {
    fn note(&self, entry: Entry<'_>) {
        self.audit.note(&Entry { federation: Some(&self.name), ..entry });
    }

    /// Applies the rules to an identity and to those it acts for.
    fn shape(&self, identity: &mut ClaimsIdentity) {
        let kept = release_claims(&self.rules, identity.claims(), &DEFAULT_ISSUER);
        identity.retain_claims(|_| false);
        identity.add_claims(kept);
        if let Some(mut actor) = identity.actor().cloned() {
            self.shape(&mut actor);
            // It was as deep before.
            let _ = identity.set_actor(Some(actor));
        }
    }
}

impl SessionEvents for Events {
    fn claims(&self, mut principal: ClaimsPrincipal) -> ClaimsPrincipal {
        if self.rules != [ClaimRule::ReleaseAll] {
            principal.identities_mut().iter_mut().for_each(|identity| self.shape(identity));
        }
        principal
    }

    fn overflowed(&self, _: &SessionSecurityToken) {
        self.federation.overflows.add();
    }

    fn created(&self, event: &mut Created) {
        let session = event.token.context_id().fingerprint();
        match event.occasion {
            Occasion::Slide => {
                self.note(Entry::new(Event::Slide).of_session(&event.token));
                self.federation.slides.add();
                tracing::info!(session, "session slid");
            }
            Occasion::TakeOver => {
                self.note(Entry::new(Event::TakeOver).of_session(&event.token));
                self.federation.take_overs.add();
                tracing::info!(session, "session taken over from a cookie of another format");
            }
            _ => {}
        }
    }

    fn signed_out(&self, event: &SignOutEvent<'_>) {
        let happened = match event.cause {
            SignOutCause::Application => Event::SignOut,
            SignOutCause::Issuer => Event::IssuerSignOut,
            SignOutCause::Expired => {
                self.federation.expirations.add();
                Event::Expiry
            }
        };
        if let Some(token) = event.token {
            self.note(Entry::new(happened).of_session(token));
        }
    }

    fn refused(&self, error: &Error) {
        self.all.reject(error.code());
        self.note(Entry { code: Some(error.code()), ..Entry::new(Event::SessionRejected) });
    }
}

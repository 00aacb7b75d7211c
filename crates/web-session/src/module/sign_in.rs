//! What a new session is made of.

use crate::SessionMode;
use handstamp_claims::{ArcStr, ClaimsPrincipal};
use handstamp_session_token::IssuerSession;
use handstamp_time::Timestamp;
use std::time::Duration;

/// A user who signs in.
///
/// ```
/// use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, claim_types};
/// use handstamp_web_session::{SessionMode, SignIn};
///
/// let alice = ClaimsIdentity::new("Password").with_claim(Claim::new(claim_types::NAME, "alice"));
/// let sign_in = SignIn::new(ClaimsPrincipal::from(alice)).persistent(true).mode(SessionMode::Reference);
/// ```
#[derive(Debug, Clone)]
#[must_use = "nobody is signed in until this is given to `Session::sign_in`"]
pub struct SignIn {
    pub(crate) principal: ClaimsPrincipal,
    pub(crate) context: Option<ArcStr>,
    pub(crate) persistent: bool,
    pub(crate) mode: Option<SessionMode>,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) issuer_expiry: Option<Timestamp>,
    pub(crate) issuer_session: Option<IssuerSession>,
}

impl SignIn {
    /// Signs in `principal`, with what the module's settings say about the rest.
    pub fn new(principal: ClaimsPrincipal) -> Self {
        Self {
            principal,
            context: None,
            persistent: false,
            mode: None,
            lifetime: None,
            issuer_expiry: None,
            issuer_session: None,
        }
    }

    /// Attaches text of the application. It travels sealed with the session.
    pub fn context(mut self, context: impl Into<ArcStr>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Whether the session outlives the browser: "keep me signed in".
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.persistent = persistent;
        self
    }

    /// Where this session lives, whatever the settings say.
    pub fn mode(mut self, mode: SessionMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Another absolute timeout than the settings have.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// When the issuer's token ends; the session ends with it unless the settings say otherwise.
    pub fn issuer_expiry(mut self, at: Timestamp) -> Self {
        self.issuer_expiry = Some(at);
        self
    }

    /// The user's session at the issuer, for signing out there.
    pub fn issuer_session(mut self, session: IssuerSession) -> Self {
        self.issuer_session = Some(session);
        self
    }
}

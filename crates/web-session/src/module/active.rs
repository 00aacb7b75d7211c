//! A session that a request has.

use crate::SessionMode;
use handstamp_claims::{ArcStr, ClaimsPrincipal};
use handstamp_session_token::SessionSecurityToken;
use handstamp_time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A verified, valid session, as of the request that it came with. Cloning copies a pointer.
///
/// Times are those of the token; [`age`](Self::age) and [`remaining`](Self::remaining) are relative to the request.
#[derive(Debug, Clone)]
pub struct ActiveSession {
    token: Arc<SessionSecurityToken>,
    size: usize,
    as_of: Timestamp,
}

impl ActiveSession {
    pub(crate) fn new(token: Arc<SessionSecurityToken>, size: usize, as_of: Timestamp) -> Self {
        Self { token, size, as_of }
    }

    /// Who the user is.
    pub fn principal(&self) -> &ClaimsPrincipal {
        self.token.principal()
    }

    /// The token: context id, scope, persistence and all the rest.
    pub fn token(&self) -> &Arc<SessionSecurityToken> {
        &self.token
    }

    /// The text that the application attached at sign-in.
    pub fn context(&self) -> Option<&ArcStr> {
        self.token.context()
    }

    /// Where the session lives.
    pub fn mode(&self) -> SessionMode {
        if self.token.is_reference_mode() { SessionMode::Reference } else { SessionMode::SelfContained }
    }

    /// How many bytes travel between browser and server: the sealed token, or the sealed handle in reference mode.
    /// Their text in cookies is a third larger. Zero for a session without a cookie.
    pub fn size(&self) -> usize {
        self.size
    }

    /// When the user signed in.
    pub fn signed_in_at(&self) -> Timestamp {
        self.token.signed_in_at()
    }

    /// When the session ends unless it is renewed before.
    pub fn expires_at(&self) -> Timestamp {
        self.token.valid_to()
    }

    /// How long ago the user signed in.
    pub fn age(&self) -> Duration {
        self.as_of.saturating_duration_since(self.token.signed_in_at())
    }

    /// How long the session lasts unless it is renewed.
    pub fn remaining(&self) -> Duration {
        self.token.valid_to().saturating_duration_since(self.as_of)
    }
}

//! What an application may say about its sessions while they come and go.

use crate::{Error, RequestHead};
use handstamp_claims::ClaimsPrincipal;
use handstamp_session_token::SessionSecurityToken;
use handstamp_time::Timestamp;

/// The application's part in the life of a session (SM §1.2). Every method has a default that changes nothing.
///
/// For a request with a valid cookie the order is [`received`](Self::received), then, when the session is renewed,
/// [`created`](Self::created); only then does the request have a principal (SM-2). A sign-in raises
/// [`claims`](Self::claims), then `created`; a sign-out [`signing_out`](Self::signing_out), then
/// [`signed_out`](Self::signed_out).
///
/// The methods run on the path of a request: they must not block.
pub trait SessionEvents: Send + Sync {
    /// A session token arrived; it is authentic, but its times and scope are not checked yet.
    fn received(&self, token: &SessionSecurityToken, request: RequestHead<'_>, now: Timestamp) -> Received {
        let _ = (token, request, now);
        Received::Keep
    }

    /// A session token is about to be written, after a sign-in or to renew a session: into cookies, or into the cache.
    fn created(&self, event: &mut Created) {
        let _ = event;
    }

    /// Changes the claims of a user who signs in. What comes out is what the session keeps; it does not run again
    /// while the session lasts (SM-15).
    fn claims(&self, principal: ClaimsPrincipal) -> ClaimsPrincipal {
        principal
    }

    /// A session was too large for cookies and goes into the cache: for counting. Logging is done.
    fn overflowed(&self, token: &SessionSecurityToken) {
        let _ = token;
    }

    /// Whether this request shows that somebody is there, and so renews a sliding session. Say no to background
    /// polling: otherwise an open page keeps its session for ever.
    fn is_activity(&self, request: RequestHead<'_>) -> bool {
        let _ = request;
        true
    }

    /// A session is about to end.
    fn signing_out(&self, event: &SignOutEvent<'_>) {
        let _ = event;
    }

    /// A session ended; its cookie is deleted.
    fn signed_out(&self, event: &SignOutEvent<'_>) {
        let _ = event;
    }

    /// A request's session cookie was of no use, or nothing could be decided about it: for counting. Logging is done.
    fn refused(&self, error: &Error) {
        let _ = error;
    }

    /// A session could not be ended everywhere. Its cookie is deleted all the same.
    fn sign_out_error(&self, error: &Error) -> SignOutFailure {
        let _ = error;
        SignOutFailure::Report
    }
}

/// The events of an application that does not care.
impl SessionEvents for () {}

/// What to do with a token that arrived.
#[derive(Debug)]
pub enum Received {
    /// Go on with it.
    Keep,
    /// Go on with this token instead, for this request only. The session does not slide with it.
    Replace(Box<SessionSecurityToken>),
    /// Go on with this token instead and write it to the browser in place of the old one. Make it with
    /// [`SessionSecurityToken::reissue`], which gives it a context id of its own (SM-4).
    Reissue(Box<SessionSecurityToken>),
    /// Treat the request as anonymous and leave the cookie alone (SM-3).
    Cancel,
}

/// A token that is about to be written.
#[derive(Debug)]
#[non_exhaustive]
pub struct Created {
    /// The token. A replacement is what gets validated, cached and written (SM-8).
    pub token: SessionSecurityToken,
    /// Whether the browser gets a cookie. Without one the session is good for this request only (SM-9).
    pub write_cookie: bool,
    /// Why it is written.
    pub occasion: Occasion,
}

impl Created {
    pub(crate) fn new(token: SessionSecurityToken, occasion: Occasion) -> Self {
        Self { token, write_cookie: true, occasion }
    }
}

/// Why a token is written.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A user signed in.
    SignIn,
    /// The session was used, and lasts longer for it.
    Slide,
    /// The application [wanted](Received::Reissue) it.
    Reissue,
    /// The session arrived in [another kind of cookie](crate::module::SessionModuleBuilder::accept).
    TakeOver,
}

/// A session that ends.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SignOutEvent<'a> {
    /// The session's token; none when the request had no readable session.
    pub token: Option<&'a SessionSecurityToken>,
    /// What ends it.
    pub cause: SignOutCause,
}

/// What ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignOutCause {
    /// The user or the application.
    Application,
    /// The issuer, by a sign-out cleanup request: the original's `IsIPInitiated`.
    Issuer,
    /// Its time is over (SM-5).
    Expired,
}

/// What becomes of an error at sign-out (SM-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignOutFailure {
    /// The caller gets it.
    Report,
    /// Nobody gets it: the original's `Cancel`.
    Swallow,
}

//! What an application decides, as small traits.

use handstamp_claims::{ClaimsIdentity, ClaimsPrincipal};
use handstamp_time::Timestamp;
use handstamp_ws_security::IssuedTokenValidator;
use handstamp_xml::Element;

/// Turns what a credential says about a caller into what the application wants to know. Asked once for a session, when it
/// is issued: the result is the principal of all its messages.
pub trait ClaimsTransformation: Send + Sync {
    /// The principal of the session.
    ///
    /// # Errors
    /// Why the caller gets no session, for the log; the client is told `FailedAuthentication`.
    fn transform(&self, principal: ClaimsPrincipal, now: Timestamp) -> Result<ClaimsPrincipal, String>;
}

/// Decides whether a caller may do something. Asked for every application message, after it was verified.
pub trait Authorization: Send + Sync {
    /// Whether the caller may send this action to this address (`To`, when there is one).
    ///
    /// # Errors
    /// Why not, for the log; the client is told that access is denied.
    fn authorize(&self, caller: &ClaimsPrincipal, action: &str, to: Option<&str>, now: Timestamp)
    -> Result<(), String>;
}

/// Validates tokens of token services, and says who holds them.
pub trait IssuedTokens: IssuedTokenValidator {
    /// The identity that an assertion describes. It was validated before.
    ///
    /// # Errors
    /// Why it describes nobody, for the log; the client is told `FailedAuthentication`.
    fn identity(&self, assertion: Element<'_>, now: Timestamp) -> Result<ClaimsIdentity, String>;
}

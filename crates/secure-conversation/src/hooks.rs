//! What an application decides, as small traits.

use handstamp_claims::{ClaimsIdentity, ClaimsPrincipal};
use handstamp_time::Timestamp;
use handstamp_ws_security::IssuedTokenValidator;
use handstamp_xml::Element;

/// Turns what a credential says about a caller into what the application wants to know. Asked when a session is issued, and when
/// its key is renewed, since that shows the credential again: the result is the principal of all messages from then on. (Without
/// sessions, for each message: it shows credentials of its own.)
///
/// ```
/// use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, claim_types};
/// use handstamp_secure_conversation::ClaimsTransformation;
/// use handstamp_time::Timestamp;
///
/// /// Knows who has which role.
/// struct Roles;
///
/// impl ClaimsTransformation for Roles {
///     fn transform(&self, principal: ClaimsPrincipal, _now: Timestamp) -> Result<ClaimsPrincipal, String> {
///         let role = match principal.name() {
///             Some("ada") => "auditor",
///             Some(name) => return Err(format!("{name} has left")),
///             None => "guest",
///         };
///         let mut identities = principal.into_identities();
///         identities.push(ClaimsIdentity::new("roles").with_claim(Claim::new(claim_types::ROLE, role)));
///         Ok(ClaimsPrincipal::new(identities))
///     }
/// }
/// # let ada = ClaimsIdentity::new("Password").with_claim(Claim::new(claim_types::NAME, "ada"));
/// # let now = "2030-01-01T00:00:00Z".parse().unwrap();
/// # assert!(Roles.transform(ClaimsPrincipal::new(vec![ada]), now).unwrap().is_in_role("auditor"));
/// ```
pub trait ClaimsTransformation: Send + Sync {
    /// The principal of the session.
    ///
    /// # Errors
    /// Why the caller gets no session, or no new key for it, for the log; the client is told `FailedAuthentication`.
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
    /// The identity that an assertion describes. It was validated before, and the message that shows it was verified: this is asked
    /// once for each.
    ///
    /// Whoever renews the key of a session is the same caller when the name identifiers are the same, with their issuer, or in an
    /// identity without any the names. Claims of which `LOCAL AUTHORITY` is the issuer do not count for that: an identity that has no
    /// other name has to be the same in all claims.
    ///
    /// # Errors
    /// Why it describes nobody, for the log; the client is told `FailedAuthentication`.
    fn identity(&self, assertion: Element<'_>, now: Timestamp) -> Result<ClaimsIdentity, String>;
}

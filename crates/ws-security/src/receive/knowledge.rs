//! What a receiver asks of the application, as small traits.

use crate::token::{ContextReference, SecurityContextToken};
use handstamp_keys::{Certificate, PublicKey, SymmetricKey};
use handstamp_time::Timestamp;
use handstamp_xml::Element;

/// Finds the keys of security contexts: in memory, or in the cookie that the token brings along (SC 10.4).
pub trait SessionKeys: Send + Sync {
    /// The key of a token that a message includes.
    fn by_token(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SymmetricKey, SessionKeyError>;

    /// The key of a context that a message only names.
    fn by_reference(&self, context: &ContextReference, now: Timestamp) -> Result<SymmetricKey, SessionKeyError>;
}

/// Why there is no key for a security context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionKeyError {
    /// The context is unknown or has ended: the sender is told to establish a new one (`BadContextToken`).
    Unknown,
    /// What came is forged, broken, or of another service: the sender is told nothing (`InvalidSecurity`).
    Refused(String),
}

/// Decides about names and passwords.
pub trait UserNameValidator: Send + Sync {
    /// Whether the password is that of the name.
    ///
    /// # Errors
    /// Why not. Who cannot find out does not refuse: a client that is refused may never try again.
    fn validate(&self, name: &str, password: &str, now: Timestamp) -> Result<(), UserNameError>;
}

/// Why a name and a password are not accepted. The reasons are for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserNameError {
    /// They do not belong together, or the name may not sign in: the sender is told `FailedAuthentication`.
    Refused(String),
    /// Nobody can say now, for want of a database or of time: the sender is told to try again later (`ServerTooBusy`).
    Undecided(String),
}

/// Functions of the right shape decide about names and passwords.
impl<F> UserNameValidator for F
where
    F: Fn(&str, &str, Timestamp) -> Result<(), UserNameError> + Send + Sync,
{
    fn validate(&self, name: &str, password: &str, now: Timestamp) -> Result<(), UserNameError> {
        self(name, password, now)
    }
}

/// Decides about tokens of token services.
pub trait IssuedTokenValidator: Send + Sync {
    /// Verifies the assertion (issuer, signature, conditions) and returns what proves possession of it.
    ///
    /// # Errors
    /// Why it is not accepted, for the log; the sender is told `FailedAuthentication`.
    fn validate(&self, assertion: Element<'_>, now: Timestamp) -> Result<ProofKey, String>;
}

/// What proves possession of an issued token.
#[derive(Debug, Clone)]
pub enum ProofKey {
    /// A key that the token service encrypted for us.
    Symmetric(SymmetricKey),
    /// The private key of this certificate.
    Certificate(Certificate),
    /// The private key that goes with this key.
    Public(PublicKey),
    /// Nothing.
    Bearer,
}

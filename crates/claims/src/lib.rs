//! Claims, identities and principals as Windows Identity Foundation defines them (ST §1.4).
//!
//! A [`Claim`] is one statement that an issuer makes about a subject: *type*, *value*, who says so. A
//! [`ClaimsIdentity`] is an ordered list of claims with a label, an authentication type and, for a caller that
//! acts for somebody else, an [actor](ClaimsIdentity::actor). A [`ClaimsPrincipal`] holds the identities of one
//! caller, usually one.
//!
//! ```
//! use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, claim_types};
//!
//! let identity = ClaimsIdentity::new("Federation")
//!     .with_claim(Claim::new(claim_types::NAME, "alice").with_issuer("https://sts.example/trust"))
//!     .with_claim(Claim::new(claim_types::ROLE, "Order Clerk").with_issuer("https://sts.example/trust"));
//! let principal = ClaimsPrincipal::from(identity);
//!
//! assert_eq!(principal.name(), Some("alice"));
//! assert!(principal.is_in_role("Order Clerk"));
//! assert!(!principal.is_in_role("order clerk"), "values are compared exactly, types without case");
//! ```
//!
//! # What differs from the original
//!
//! * Ownership replaces the back reference from a claim to its subject: a claim belongs to the identity whose list
//!   it is in, and cloning a claim into another list is what the original calls re-parenting.
//! * An identity owns its actor, so a cycle cannot be written down. The length of the chain is bounded by
//!   [`ClaimsIdentity::MAX_ACTOR_DEPTH`], for programs and for decoders alike.
//! * Removal is by position or by predicate, because there is no object identity to remove by.
//!
//! Strings are [`ArcStr`]: the well-known names are static, and cloning any of them copies a pointer.

pub mod authentication_methods;
pub mod authentication_types;
pub mod claim_properties;
pub mod claim_types;
pub mod value_types;

mod claim;
mod identity;
mod principal;
mod properties;

pub use arcstr::{self, ArcStr};
pub use claim::{Claim, DEFAULT_ISSUER};
pub use identity::{BootstrapContext, ClaimsIdentity};
pub use principal::{ClaimsPrincipal, PrimaryIdentitySelector};
pub use properties::Properties;

/// What a caller can do wrong with identities.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The caller would build a longer chain of actors than any token may carry.
    #[error(
        "the chain of actors would be longer than {max} identities; drop the oldest delegates before adding another",
        max = ClaimsIdentity::MAX_ACTOR_DEPTH
    )]
    ActorChainTooDeep,
}

impl Error {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ActorChainTooDeep => "HST-CLAIMS-ACTOR-DEPTH",
        }
    }
}

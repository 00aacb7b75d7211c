//! SAML 1.1 and 2.0 assertions: read, validate, write, map to claims.

mod assertion;
mod authentication_method;
mod error;
mod from_claims;
mod handler;
mod issuer_name_registry;
mod quote;
mod read;
mod to_claims;
mod validation;
mod write;

pub use assertion::{
    Assertion, Attribute, AttributeValue, AuthenticationStatement, Conditions, NameId, ProxyRestriction, Subject,
    SubjectConfirmation, SubjectConfirmationData, Version,
};
pub use error::{AttributeFault, ClaimFault, Error, Rejection, SignatureFault};
pub use from_claims::TokenDescriptor;
pub use handler::{AcceptedToken, SamlTokenHandler, SignedAssertion};
pub use issuer_name_registry::{IssuerNameRegistry, TrustedIssuer};
pub use quote::{Untrusted, UntrustedList};
pub use to_claims::MappingSettings;
pub use validation::{AudienceMode, ConfirmationDataMode, ReplayEntry, ValidationSettings, Validity};

//! SAML 1.1 and 2.0 assertions: read, validate, write, map to claims.
//!
//! An *assertion* is a signed statement of an *issuer* about a *subject*: who it is (attributes), how and when it was
//! authenticated, from when to when and for which *audience* the statement holds. This crate turns an assertion that a
//! stranger hands over into a [`ClaimsIdentity`](handstamp_claims::ClaimsIdentity), or says exactly why not; and turns an
//! identity into an assertion.
//!
//! ```
//! use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
//! use handstamp_keys::{CertificateTrust, Curve, DeterministicRandom, KeyKind, SigningIdentity};
//! use handstamp_saml::{
//!     Assertion, IssuerNameRegistry, SamlTokenHandler, TokenDescriptor, TrustedIssuer, ValidationSettings, Version,
//! };
//! use handstamp_xml::{Document, ParseOptions};
//!
//! # let random = DeterministicRandom::new(1);
//! # let (now, later) = ("2030-01-01T08:00:00Z".parse()?, "2030-01-01T09:00:00Z".parse()?);
//! let sts = SigningIdentity::self_signed("sts", KeyKind::Ec(Curve::P256), now, later, &random)?;
//!
//! // The issuer writes and signs.
//! let alice = ClaimsIdentity::new("Password").with_claim(Claim::new(claim_types::NAME, "Alice"));
//! let descriptor = TokenDescriptor {
//!     version: Version::Saml20,
//!     issuer: "https://sts.example/trust".into(),
//!     audience: "https://app.example/".into(),
//!     issued_at: now,
//!     not_before: now,
//!     not_on_or_after: later,
//!     recipient: None,
//! };
//! let xml = Assertion::from_identity(&alice, &descriptor, &random)?.sign(&sts)?;
//!
//! // The relying party pins the issuer's certificate, and gives the issuer a name.
//! let pinned = CertificateTrust::none().with_sha256(*sts.certificate().sha256_thumbprint());
//! let issuers = IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("contoso", pinned));
//! let handler = SamlTokenHandler::new(issuers, ValidationSettings::new(["https://app.example/"]));
//!
//! let document = Document::parse(xml, &ParseOptions::default())?;
//! let token = handler.accept(document.root(), None, now)?;
//! // Before it is used: add `token.replay` to the replay cache, and refuse it if it was there.
//! assert_eq!(token.identity.name(), Some("Alice"));
//! assert_eq!(token.identity.claims()[0].issuer(), "contoso");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What has gone wrong elsewhere, and what is done here
//!
//! | The attack | The defense |
//! |---|---|
//! | *Signature wrapping*: a signed assertion is moved aside and a forged one put where the program looks | [`Assertion::read`] takes a [`VerifiedElement`](handstamp_xml_security::signature::VerifiedElement), which only verification makes; the signature must be the assertion's own child and refer to it by its id, and to nothing else; an id occurs once in a document |
//! | *A comment in a name* cuts it short: `alice@corp<!-- -->.evil` | text is all text, as the signature covers it |
//! | *A value's type* changed by another declaration of its prefix, which exclusive canonicalization does not cover | a type is well known, or its prefix covered (`PrefixList`, which we write) |
//! | *Asking what a manipulated ciphertext decrypts to* (CBC, RSA-1.5) | one code for all that is wrong before the signature inside holds; RSA-1.5 only where configured, and then with implicit rejection; AES-GCM has no such problem: prefer it |
//! | *An encryption taken for a proof*: anybody can encrypt for us | decryption puts the assertion in its place, and its signature is checked as if it had always stood there |
//! | *A key of one's own* in `KeyInfo` | a certificate is looked up in the [`IssuerNameRegistry`] before its key is used |
//! | *Another application's assertion* | the audience is checked, always by default |
//! | *The same assertion again* | [`AcceptedToken::replay`] goes into a cache that all nodes share |
//! | *Weak algorithms* chosen by the message | [`VerifyPolicy`](handstamp_xml_security::signature::VerifyPolicy) decides; SHA-1 only where configured |
//! | *A condition nobody understands* is skipped | it is refused, as SAML demands |
//!
//! # The order of checks
//!
//! As in the original (SM §3.7), so that its error numbers mean the same here: the signature's presence; the certificate and
//! thereby the issuer; the signature itself; conditions; audience; confirmation; replay; claims. One difference: whether the issuer is
//! trusted is decided before its signature is computed, so that an untrusted key is never used.
//!
//! # What is not here
//!
//! Encrypted ids and attributes inside an assertion are recognized and refused with a code of their own. Authorization decisions and
//! `Advice` are skipped. The SAML protocol (`samlp`) is not spoken: assertions travel in WS-Federation or WS-Security.

mod assertion;
mod authentication_method;
mod confirmation_key;
mod decryption;
mod encryption;
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
pub use confirmation_key::ConfirmationKey;
pub use decryption::TokenDecryption;
pub use encryption::TokenEncryption;
pub use error::{AttributeFault, ClaimFault, Error, Rejection, SignatureFault};
pub use from_claims::TokenDescriptor;
pub use handler::{AcceptedToken, SamlTokenHandler, SignedAssertion};
pub use issuer_name_registry::{IssuerNameRegistry, TrustedIssuer};
pub use quote::{Untrusted, UntrustedList};
pub use to_claims::MappingSettings;
pub use validation::{AudienceMode, ConfirmationDataMode, ReplayEntry, ValidationSettings, Validity};

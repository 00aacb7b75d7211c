//! WS-Security for SOAP: bindings as values, tokens and references to them, and receiving and sending as WCF does it.
//!
//! | | |
//! |---|---|
//! | [`SecurityBinding`] | what both ends agreed on; every `authenticationMode` of WCF is one |
//! | [`AlgorithmSuite`], [`MessageSecurityVersion`] | the names in it that stand for algorithms and specifications |
//! | [`Receiver`] | opens a protected message: the order of checks that WCF has (SC §9) |
//! | [`Sender`] | protects a [`Message`], laid out as WCF lays it out |
//! | [`Unprotected`] | what is left then: everything that may be read, and by whom it was said |
//! | [`token`] | tokens and references, read and written |
//! | [`soap`], [`addressing`] | the frame |
//!
//! Nothing here reads a clock, a file or a random number: time and randomness are arguments, and what a receiver knows comes in
//! through [`SessionKeys`], [`UserNameValidator`], [`ReplayCache`] and values.

pub mod addressing;
mod algorithm_suite;
mod binding;
mod error;
mod receive;
mod replay;
mod send;
pub mod soap;
mod timestamp;
pub mod token;
mod version;

pub use addressing::AddressingVersion;
pub use algorithm_suite::AlgorithmSuite;
pub use binding::{
    AuthenticationMode, ClaimTypeRequirement, HeaderLayout, HeaderName, IssuedKeyType, IssuedTokenParameters,
    KeyEntropyMode, LocalClientSettings, LocalServiceSettings, MessageParts, Protection, ProtectionLevel,
    ProtectionOrder, ReferenceStyle, SecureConversation, SecurityBinding, SupportingToken, TokenInclusion, TokenKind,
    TokenParameters, TokenRole,
};
pub use error::{Error, OutsideFault};
pub use receive::{
    Caller, Expectation, IssuedKey, IssuedTokenValidator, ProofKey, Receiver, RequestContext, SessionKeyError,
    SessionKeys, Unprotected, UserNameError, UserNameValidator, WrappedKey,
};
pub use replay::{MemoryReplayCache, ReplayCache};
pub use send::{
    Body, ContextKey, HeaderBlock, IssuedProof, IssuedToken, Message, Protected, Sender, UserNameCredential,
};
pub use timestamp::{Freshness, MessageTimestamp};
pub use version::{Generation, MessageSecurityVersion, WssVersion};

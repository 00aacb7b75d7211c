//! WS-SecureConversation as WCF speaks it: both ends of secure sessions for SOAP, as state machines without I/O.
//!
//! | | |
//! |---|---|
//! | [`SecureConversationService`] | issues, renews and ends sessions; opens requests and protects replies |
//! | [`SecureConversationClient`] | obtains a session, uses it, keeps its key young, ends it |
//! | [`NativeCookies`], [`WcfStateCookies`] | what makes a session survive its service: it travels in its token |
//! | [`Contract`] | the operations of a service, and how their messages are protected |
//! | [`AddressLimits`] | what one client address may ask for, and how often it may be refused |
//! | [`ClaimsTransformation`], [`Authorization`], [`IssuedTokens`] | what the application decides |
//! | [`SamlTokens`] | accepts SAML assertions of token services, with the key that their holder proves to have |
//! | [`TokenService`], [`TokenClient`] | issues such tokens and obtains them: the active side of WS-Trust |
//! | [`trust`] | requests for security contexts and the answers, as values |
//!
//! Nothing here reads a clock, a file, a socket or a random number: messages, the time and a
//! [`SecureRandom`](handstamp_keys::SecureRandom) come in as arguments, so a test runs both ends through a day in microseconds.
//!
//! # Secure conversation in ten minutes
//!
//! To sign and encrypt every message with certificates and passwords is slow and tells a lot. So the client does it once: under
//! the *bootstrap* binding it asks for a *security context token* (SCT). Both ends contribute random octets and compute the same
//! key, and all further messages are signed and encrypted with keys derived from it.
//!
//! ```text
//! client                                                service
//!   │  RST/SCT   password, certificate, … (bootstrap)      │  who is it? make a context and a key
//!   │─────────────────────────────────────────────────────►│
//!   │  RSTR/SCT  the token, half of the key (bootstrap)    │
//!   │◄─────────────────────────────────────────────────────│
//!   │  application messages under keys derived of the key  │
//!   │◄════════════════════════════════════════════════════►│
//! ```
//!
//! There are two ways to keep the session, and the attribute `requireSecurityContextCancellation` decides:
//!
//! * `true`, WCF's default: the service remembers it. The client renews the key, and says when it is done (Cancel). After a restart
//!   of the service the session is gone, and the client is told so (`BadContextToken`).
//! * `false`, "stateful": the service seals all it has to know, the key and the caller's claims, into a *cookie* in the token, and
//!   forgets it. The client repeats the token in every message. The session survives a restart, and any node that has the keys
//!   of the cookies can serve it. It cannot be renewed or cancelled, only replaced; a [revocation
//!   list](SecureConversationServiceBuilder::revocations) ends it before its time.
//!
//! Where the bootstrap is negotiated (`…ForSslNegotiated`, `MutualSslNegotiated`) one more step comes first: both ends carry a
//! TLS handshake in plain messages, and what they get out of it is a context that protects the request for the session. The
//! service's certificate then need not be known beforehand, only whom to trust. TLS draws its own randomness.
//!
//! Who calls is known by a [`ClaimsPrincipal`](handstamp_claims::ClaimsPrincipal) that is made once, when the session is issued. It
//! is a portable identity, names and claims; there is no logon of the operating system behind it.

mod client;
mod contexts;
mod contract;
mod cookie;
mod error;
mod hooks;
#[cfg(feature = "http")]
pub mod http;
mod identity;
mod negotiation;
mod requirements;
mod saml_tokens;
mod service;
mod token_client;
mod token_service;
pub mod trust;

pub use client::{
    AnswerOpener, Exchange, OpenedAnswer, Outcome, SecureConversationClient, SecureConversationClientBuilder,
    SessionSender,
};
pub use contexts::SessionInfo;
pub use contract::{Contract, Operation};
pub use cookie::{ContextCookies, NativeCookies, WcfStateCookies};
pub use error::Error;
pub use hooks::{Authorization, ClaimsTransformation, IssuedTokens};
pub use saml_tokens::SamlTokens;
pub use service::{
    AddressLimits, Allowance, Answer, ApplicationRequest, Event, Handled, Incoming, SecureConversationService,
    SecureConversationServiceBuilder,
};
pub use token_client::{ObtainedToken, TokenClient, TokenClientBuilder, TokenExchange};
pub use token_service::{
    Requestor, TokenGrant, TokenHandled, TokenRefusal, TokenService, TokenServiceBuilder, TokenTask,
};

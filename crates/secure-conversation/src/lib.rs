//! WS-SecureConversation as WCF speaks it: both ends of secure sessions for SOAP, as state machines without I/O.
//!
//! | | |
//! |---|---|
//! | [`SecureConversationService`] | issues, renews and ends sessions; opens requests and protects replies |
//! | [`SecureConversationClient`] | obtains a session, uses it, keeps its key young, ends it |
//! | [`NativeCookies`], [`WcfStateCookies`] | what makes a session survive its service: it travels in its token |
//! | [`Contract`] | the operations of a service, and how their messages are protected |
//! | [`AddressLimits`], [`AddressUse`] | what one client address may ask for, and how often it may be refused; what it has had of that |
//! | [`ClaimsTransformation`], [`Authorization`], [`IssuedTokens`] | what the application decides |
//! | [`PasswordFile`] | names and passwords in a file of Apache's htpasswd |
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
//! What the client shows in the bootstrap is a choice of the binding ([`AuthenticationMode`](handstamp_ws_security::AuthenticationMode)):
//!
//! | Mode | The client shows | What protects |
//! |---|---|---|
//! | `AnonymousForCertificate`, `UserNameForCertificate`, `MutualCertificate…` | nothing, a password, a certificate | the service's certificate, which the client knows |
//! | `…ForSslNegotiated`, `MutualSslNegotiated` | the same | a TLS handshake in SOAP messages; the client knows only whom to trust |
//! | `UserNameOverTransport`, `CertificateOverTransport` | the same | TLS, below HTTP |
//! | `IssuedToken…` | a SAML assertion of a token service, and that it holds its key | any of these |
//!
//! # A service and a client
//!
//! Both ends have the same binding; each has its own credentials, and [`build`](SecureConversationServiceBuilder::build) says what is
//! missing or does not go together. Here they are in one process: [`SoapService`](http::SoapService) is what a server of hyper or axum
//! calls, and [`SecureSession`](http::SecureSession) would call the client of hyper.
//!
//! ```
//! # #[cfg(not(feature = "http"))] fn main() {}
//! # #[cfg(feature = "http")]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use handstamp_keys::{KeyKind, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
//! use handstamp_secure_conversation::http::{Reply, SecureSession, SoapService};
//! use handstamp_secure_conversation::{
//!     ApplicationRequest, NativeCookies, SecureConversationClient, SecureConversationService,
//! };
//! use handstamp_time::{Clock as _, SystemClock, Timestamp};
//! use handstamp_ws_security::{
//!     Body, MessageSecurityVersion, SecurityBinding, UserNameCredential, UserNameError,
//! };
//! use std::sync::Arc;
//!
//! // Sessions that a password opens under the service's certificate, and that are cookies.
//! let version = MessageSecurityVersion::WSS11_13_BSP;
//! let bootstrap = SecurityBinding::user_name_for_certificate(version)?;
//! let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
//! binding.session_mut().expect("a session").require_cancellation = false;
//!
//! // The service. Its key ring belongs in a file (`KeyRing::init`, `open`), or sessions do not survive it.
//! let now = SystemClock.now();
//! # let end = now.saturating_add(std::time::Duration::from_secs(3600));
//! # let identity = SigningIdentity::self_signed("ledger", KeyKind::Rsa { bits: 2048 }, now, end, &SystemRandom)?;
//! # let certificate = identity.certificate().clone();
//! let ring = Arc::new(KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom)?);
//! let service = SecureConversationService::builder(binding.clone())
//!     .identity(identity)
//!     .user_names(Arc::new(|name: &str, password: &str, _now: Timestamp| match (name, password) {
//!         ("ada", "secret") => Ok(()),
//!         _ => Err(UserNameError::Refused(format!("wrong name or password: {name}"))),
//!     }))
//!     .cookies(Arc::new(NativeCookies::new(ring, "https://ledger.example/")))
//!     .build()?;
//! let soap = SoapService::new(Arc::new(service), |request: Arc<ApplicationRequest>| async move {
//!     let caller = request.principal().name().unwrap_or("nobody").to_owned();
//!     let body = Body::from_xml(format!("<Hello xmlns='urn:ledger'>{caller}</Hello>")).expect("XML");
//!     Reply::Message { action: "urn:ledger/HelloResponse".to_owned(), body }
//! });
//!
//! // The client. The session is obtained with the first call, and kept young from there on.
//! let client = SecureConversationClient::builder(binding, "http://ledger.example/")
//!     .service_certificate(certificate)
//!     .user_name(UserNameCredential::new("ada", "secret"))
//!     .build()?;
//! let session = SecureSession::new(client, soap)?;
//! let reply = session.call("urn:ledger/Hello", Body::from_xml("<Hello xmlns='urn:ledger'/>")?).await?;
//! assert_eq!(reply.body().expect("it was verified").text(), "ada");
//! # Ok(())
//! # }
//! ```
//!
//! The examples do the same over sockets: `secure_service` and `secure_client` in two terminals, `issued_token` with a token service.
//!
//! # Who calls
//!
//! Who calls is known by a [`ClaimsPrincipal`](handstamp_claims::ClaimsPrincipal). It is a portable identity, names and claims; there
//! is no logon of the operating system behind it. Four small traits decide about it, each asked at one moment:
//!
//! | | asked | decides |
//! |---|---|---|
//! | [`UserNameValidator`](handstamp_ws_security::UserNameValidator), a closure for instance | for each request for a session | whether a password is right: a directory, a [file](PasswordFile), an account store |
//! | [`IssuedTokens`], such as [`SamlTokens`] | for each request for a session | whether a token is good, and whom it speaks of |
//! | [`ClaimsTransformation`] | once, when the session is issued | what the principal of all its messages is |
//! | [`Authorization`] | for each message | whether the caller may do this |
//!
//! Certificates are believed as the [`trust`](SecureConversationServiceBuilder::trust) says. Validators are asked on the thread that
//! handles the message; one that waits for a network belongs on a runtime that can block (`tokio::task::block_in_place`).
//!
//! # When a call fails
//!
//! | The client gets | It means | What to do |
//! |---|---|---|
//! | `wsse:FailedAuthentication` | wrong password, unknown certificate, token not accepted | ask for other credentials |
//! | `wsse:InvalidSecurity` | something about the protection does not hold; which, only the service's log says | compare bindings, certificates, clocks: `handstamp soap open` on a captured message names it |
//! | `BadContextToken` | the service does not know the session: it was restarted, or the session has ended | obtain a new one; [`reissue_lost_sessions`](SecureConversationClientBuilder::reissue_lost_sessions) does for calls that may be made twice |
//! | [`Error::RenewNeeded`] | the key of a remembered session has ended | call again: the key is renewed first |
//! | `ServerTooBusy` | too many sessions wait, or the address asks too often ([`AddressLimits`]) | later |
//! | a fault inside the session ([`Outcome::Fault`]) | the application says so | what the application says |
//!
//! A fault that nothing protects may be forged by anybody on the line, so none makes a client send its credentials again by itself.
//!
//! # Without a session
//!
//! Under one of the `…SslNegotiated` modes without `SecureConversation` around it (wsHttpBinding with `establishSecurityContext="false"`)
//! the negotiated context protects the messages of the application itself, and each message shows the caller's credentials. Service
//! and client are built in the same way; the claims transformation is then asked for each message. TLS draws its own randomness.

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
#[cfg(feature = "htpasswd")]
mod password_file;
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
#[cfg(feature = "htpasswd")]
pub use password_file::PasswordFile;
pub use saml_tokens::SamlTokens;
pub use service::{
    AddressLimits, AddressUse, Allowance, Answer, ApplicationRequest, Event, Handled, Incoming,
    SecureConversationService, SecureConversationServiceBuilder,
};
pub use token_client::{ObtainedToken, TokenClient, TokenClientBuilder, TokenExchange};
pub use token_service::{
    Requestor, TokenGrant, TokenHandled, TokenRefusal, TokenService, TokenServiceBuilder, TokenTask,
};

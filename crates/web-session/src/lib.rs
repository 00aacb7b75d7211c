//! Browser sessions as Windows Identity Foundation has them: session cookies and the session module, as a tower layer.
//!
//! A user signs in once. From then on a cookie brings the claims along: sealed in the cookie itself, so that any
//! node that holds the keys knows the user and a restart loses nobody; or kept in a cache, with a sealed handle in the
//! cookie.
//!
//! ```
//! use axum::{Router, routing::{get, post}};
//! use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
//! use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
//! use handstamp_session_token::{SessionSecurityTokenHandler, native::NativeFormat};
//! use handstamp_time::{Clock, SystemClock};
//! use handstamp_web_session::{ActiveSession, Session, SessionLayer, SessionModule, SessionSettings, SignIn};
//! use std::{sync::Arc, time::Duration};
//!
//! // The handler is called only for users who are signed in; others get 401.
//! async fn hello(session: ActiveSession) -> String {
//!     format!("Hello {}", session.principal().name().unwrap_or("stranger"))
//! }
//!
//! async fn sign_in(session: Session) -> Result<&'static str, String> {
//!     // Check a password, or validate an issuer's token, before you say who it is.
//!     let alice = ClaimsIdentity::new("Password").with_claim(Claim::new(claim_types::NAME, "alice"));
//!     session.sign_in(SignIn::new(alice.into())).await.map_err(|error| error.to_string())?;
//!     Ok("signed in")
//! }
//!
//! async fn sign_out(session: Session) -> Result<&'static str, String> {
//!     session.sign_out().await.map_err(|error| error.to_string())?;
//!     Ok("signed out")
//! }
//!
//! let ring = KeyRing::in_memory(RotationPolicy::default(), SystemClock.now(), &SystemRandom)?;
//! let tokens = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(Arc::new(ring))))
//!     .audience("https://orders.example/")
//!     .build()?;
//! let sessions = SessionModule::builder(tokens)
//!     .settings(SessionSettings::builder().idle_timeout(Duration::from_secs(30 * 60)).build()?)
//!     .build()?;
//! let app: Router = Router::new()
//!     .route("/", get(hello))
//!     .route("/sign-in", post(sign_in))
//!     .route("/sign-out", post(sign_out))
//!     .layer(SessionLayer::new(sessions));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/axum_sessions.rs` is the same with pages to click on.
//!
//! # What is where
//!
//! * [`cookie`]: cookies of a request, `Set-Cookie`, and the handlers that cut a token into cookies.
//! * [`module`]: the session module. [`SessionModule::decide`] turns cookies and a time into a decision, without I/O;
//!   the rest carries it out.
//! * [`layer`]: the tower layer, and [`Session`], the handle that it gives to applications. A server without layers asks
//!   [`Session::of`].
//!
//! # What the original gets wrong, and this crate does not
//!
//! | The original | Here |
//! |---|---|
//! | a damaged cookie is an error on every request until the user clears cookies | the request is anonymous and the cookie is deleted (SM-6) |
//! | pieces of an older, longer cookie stay behind | they are expired in the same response (SM-18), and detected |
//! | sign-out leaves copies of a cookie valid | they are revoked, and so is what slid from them (SM-13) |
//! | no sliding sessions; recipes that are wrong | an idle and an absolute timeout, both sealed in the token |
//! | a `Secure` cookie on plain HTTP makes an endless redirect | an error that says so (SM-23) |
//! | a reference is believed as it is | it is sealed, and verified before the cache is asked (ST-31) |
//! | the principal is ambient and leaks between requests | it is in the request's extensions, and nowhere else |
//!
//! # Cross-site requests
//!
//! The cookie is `SameSite=Lax` by default: a form that another site posts arrives without a session. An
//! application that changes state on `GET`, or sets [`SameSite::None`](cookie::SameSite::None), needs a protection of
//! its own.

mod cache_control;
pub mod cookie;
mod error;
#[cfg(feature = "axum")]
mod extract;
pub mod layer;
mod log_once;
pub mod module;
mod request;
mod session;

pub use error::{Error, SettingsError, Unreadable};
#[cfg(feature = "axum")]
pub use extract::NoSession;
pub use layer::SessionLayer;
pub use module::{ActiveSession, OnUnreadable, SessionEvents, SessionMode, SessionModule, SessionSettings, SignIn};
pub use request::{RequestHead, Transport, TransportDetection};
pub use session::Session;

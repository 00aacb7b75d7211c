//! WS-Federation passive sign-in and sign-out for relying party and issuer, without I/O.
//!
//! In the passive profile a browser carries the messages. An application (the *relying party*) that does not know the user
//! redirects to an *issuer* (a security token service); the issuer finds out who it is and lets the browser post a signed token back:
//!
//! ```text
//!  browser            relying party                                issuer
//!     │  GET /orders        │                                         │
//!     ├────────────────────►│ begin_sign_in                           │
//!     │ 302 + state cookie  │                                         │
//!     │◄────────────────────┤                                         │
//!     │  GET ?wa=wsignin1.0&wtrealm=…&wctx=state                      │
//!     ├──────────────────────────────────────────────────────────────►│ receive_sign_in_request
//!     │  a form that posts itself: wresult=<token>, wctx=state        │ … who is it? … respond
//!     │◄──────────────────────────────────────────────────────────────┤
//!     │  POST /signin       │                                         │
//!     ├────────────────────►│ receive_sign_in_response, confirm       │
//!     │  302 /orders + session cookie                                 │
//!     │◄────────────────────┤                                         │
//! ```
//!
//! [`RelyingParty`] and [`Issuer`] are the two ends as state machines: messages, the time and randomness go in; messages and decisions
//! come out. Nothing is read from a network, a clock or a store, so both ends can be driven in one test, in virtual time:
//!
//! ```
//! use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
//! use handstamp_keys::{CertificateTrust, Curve, DeterministicRandom, KeyKind, KeyRing, RotationPolicy, SigningIdentity};
//! use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TrustedIssuer, ValidationSettings};
//! use handstamp_ws_federation::{
//!     Issuer, IssuerSettings, Limits, Parameters, RelyingParty, RelyingPartySettings, RelyingPartyTrust, ReturnUrl, SignInOptions,
//! };
//! use std::sync::Arc;
//!
//! # let (now, later) = ("2030-01-01T08:00:00Z".parse()?, "2031-01-01T08:00:00Z".parse()?);
//! # let random = DeterministicRandom::new(1);
//! let signing = SigningIdentity::self_signed("sts", KeyKind::Ec(Curve::P256), now, later, &random)?;
//! let pinned = CertificateTrust::none().with_certificate(signing.certificate());
//! let keys = KeyRing::in_memory(RotationPolicy::default(), now, &random)?;
//! let relying_party = RelyingParty::new(
//!     RelyingPartySettings::new("https://sts.example/wsfed", "https://app.example/"),
//!     SamlTokenHandler::new(
//!         IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("our STS", pinned)),
//!         ValidationSettings::new(["https://app.example/"]),
//!     ),
//!     Arc::new(keys),
//! )?;
//! let issuer = Issuer::new(
//!     IssuerSettings::new("https://sts.example/trust", "https://sts.example/wsfed"),
//!     Arc::new(signing),
//!     vec![RelyingPartyTrust::new("https://app.example/", ["https://app.example/signin"])],
//! )?;
//!
//! // A browser without a session asks for a page.
//! let challenge = relying_party.begin_sign_in(SignInOptions::new(ReturnUrl::new("/orders")?), [], now, &random)?;
//! let cookies: Vec<_> = challenge.cookies.iter().map(|c| (c.name.as_str(), c.value.as_str())).collect();
//!
//! // The issuer gets the redirect, and finds out who it is.
//! let query = challenge.location.split_once('?').ok_or("no query")?.1;
//! let task = issuer.receive_sign_in_request(&Parameters::parse(query, &Limits::default())?)?;
//! let alice = ClaimsIdentity::new("Password").with_claim(Claim::new(claim_types::NAME, "Alice"));
//! let form = issuer.respond(&task, &alice, now, &random)?;
//! assert_eq!(form.action, "https://app.example/signin");
//!
//! // The browser posts the form.
//! let unconfirmed = relying_party.receive_sign_in_response("POST", &form.parameters, cookies, now)?;
//! let first_use = true; // what the replay cache says about unconfirmed.replay_entries()
//! let sign_in = unconfirmed.confirm(first_use)?;
//! assert_eq!(sign_in.principal.name(), Some("Alice"));
//! assert_eq!(sign_in.return_url.as_str(), "/orders");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the program around it does
//!
//! * **Challenge** only when [`RequestKind::is_navigation`] says that a person waits for a page; otherwise answer 401 (SM-32). A user
//!   who is known but not allowed gets 403, never a redirect (SM-37).
//! * **Limit** bodies before they are read, and call [`Parameters::parse`] with the same [`Limits`].
//! * **Replay**: add every [`UnconfirmedSignIn::replay_entries`] to a cache that all nodes share, then
//!   [`confirm`](UnconfirmedSignIn::confirm).
//! * **Sessions**: start a new one with a fresh context id, drop the browser's old one (SM-36), cap it by
//!   [`SignIn::expires_at`], and keep [`SignIn::sign_out`] in it.
//! * **Errors** of a response become a page with a link to start again. [`Error::code`] belongs into the log, and may be shown.
//!
//! # What differs from the original
//!
//! * `wctx` is a random state, sealed to a cookie of the browser that began the sign-in. The original's is unsigned: whoever made
//!   a browser post a token chose the session and the next page (login CSRF, open redirect). [`ContextMode::Wif`] writes the
//!   original's form with the same protection.
//! * Return URLs are paths of the own origin ([`ReturnUrl`]); sign-out replies stay on own origins.
//! * A browser that is challenged over and over gets a page that says why (SM-31).
//! * `wresultptr` and `wreqptr` are never fetched; repeated parameters are refused.

mod challenge;
mod context;
mod error;
mod form_post;
mod home_realm;
mod issuer;
mod message;
mod metadata;
mod parameters;
mod relying_party;
mod return_url;
mod token_response;

pub use challenge::RequestKind;
pub use context::WifContext;
pub use error::Error;
pub use form_post::FormPost;
pub use home_realm::{HomeRealm, HomeRealmDecision, HomeRealms};
pub use issuer::{Issuer, IssuerSettings, RelyingPartyTrust, SignInTask, SignOutTask};
pub use message::{Action, Message, SignInRequest, SignInResponse, SignOutRequest};
pub use metadata::{ApplicationMetadata, ClaimTypeDescription, IssuerMetadata, METADATA_PATH, MetadataPolicy};
pub use parameters::{Limits, Parameters};
pub use relying_party::{
    Challenge, CleanupResponse, ContextMode, RelyingParty, RelyingPartySettings, SIGN_OUT_IMAGE, SignIn, SignInOptions,
    SignOutContext, StateCookie, UnconfirmedSignIn, Unsolicited,
};
pub use return_url::ReturnUrl;
pub use token_response::{TokenResponse, TrustVersion};

pub use handstamp_saml::Untrusted;

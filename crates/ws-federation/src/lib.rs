//! WS-Federation passive sign-in and sign-out for relying party and issuer, without I/O.

mod challenge;
mod context;
mod error;
mod form_post;
mod issuer;
mod message;
mod parameters;
mod relying_party;
mod return_url;
mod token_response;

pub use challenge::RequestKind;
pub use context::WifContext;
pub use error::Error;
pub use form_post::FormPost;
pub use issuer::{Issuer, IssuerSettings, RelyingPartyTrust, SignInTask, SignOutTask};
pub use message::{Action, Message, SignInRequest, SignInResponse, SignOutRequest};
pub use parameters::{Limits, Parameters};
pub use relying_party::{
    Challenge, CleanupResponse, ContextMode, RelyingParty, RelyingPartySettings, SIGN_OUT_IMAGE, SignIn, SignInOptions,
    SignOutContext, StateCookie, UnconfirmedSignIn, Unsolicited,
};
pub use return_url::ReturnUrl;
pub use token_response::{TokenResponse, TrustVersion};

pub use handstamp_saml::Untrusted;

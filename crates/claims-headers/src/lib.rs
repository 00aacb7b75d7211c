//! Who is there, for applications behind the gateway: its headers, or its signed tokens, read into a
//! [`ClaimsPrincipal`].
//!
//! The gateway tells applications who is there in two ways, and an application takes one of them:
//!
//! | At the gateway | Here | Believed because |
//! |---|---|---|
//! | `jwt_header` and `[jwt]` | [`SignedClaims`] | it is signed with a key that the gateway publishes, for this application, for minutes |
//! | `claims_to_headers` | [`ClaimHeaders`] | only the gateway can reach the application; nothing in the request proves it |
//!
//! ```
//! use axum::{Router, routing::get};
//! use handstamp_claims_headers::{Caller, GatewayClaims, SignedClaims};
//! # let published = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
//!
//! // Called only when the gateway says who is there; others get 401.
//! async fn hello(Caller(principal): Caller) -> String {
//!     format!("Hello {}", principal.name().unwrap_or("stranger"))
//! }
//!
//! // `published` is what the gateway has at /.well-known/handstamp/jwks.json.
//! let claims = SignedClaims::new("x-jwt".parse()?, "https://shop.example", "https://shop.example/", published)?;
//! let app: Router = Router::new().route("/", get(hello)).with_state(GatewayClaims::from(claims));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/behind_the_gateway.rs` is a whole application. Other frameworks call [`GatewayClaims::principal`] with the headers of a
//! request. What several claims of a type look like in one header is in [`values`], which the gateway itself writes with.

mod error;
#[cfg(feature = "axum")]
mod extract;
mod plain;
mod signed;
pub mod values;

use std::fmt;
use std::sync::Arc;

use handstamp_claims::ClaimsPrincipal;
use handstamp_time::{Clock, SystemClock};
use http::{HeaderMap, HeaderName};

pub use error::Error;
#[cfg(feature = "axum")]
pub use extract::{Caller, NoCaller};
pub use plain::ClaimHeaders;
pub use signed::SignedClaims;

/// How an application learns from the gateway who is there. Clones are the same one.
#[derive(Clone)]
pub struct GatewayClaims {
    source: Arc<Source>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
enum Source {
    Plain(ClaimHeaders),
    Signed(SignedClaims),
}

impl GatewayClaims {
    /// Reads the time from `clock` instead of the system's.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Who is there; none when the gateway says nothing, because nobody signed in.
    ///
    /// # Errors
    /// What the headers say cannot be believed: answer as if nobody were there, and log why.
    pub fn principal(&self, headers: &HeaderMap) -> Result<Option<ClaimsPrincipal>, Error> {
        match &*self.source {
            Source::Plain(claims) => claims.principal(headers),
            Source::Signed(claims) => claims.principal(headers, self.clock.now()),
        }
    }

    /// The signed tokens, when that is the way: to take over keys that the gateway publishes now.
    pub fn signed(&self) -> Option<&SignedClaims> {
        match &*self.source {
            Source::Plain(_) => None,
            Source::Signed(claims) => Some(claims),
        }
    }
}

impl fmt::Debug for GatewayClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GatewayClaims").field(&self.source).finish()
    }
}

impl From<ClaimHeaders> for GatewayClaims {
    fn from(claims: ClaimHeaders) -> Self {
        Self { source: Arc::new(Source::Plain(claims)), clock: Arc::new(SystemClock) }
    }
}

impl From<SignedClaims> for GatewayClaims {
    fn from(claims: SignedClaims) -> Self {
        Self { source: Arc::new(Source::Signed(claims)), clock: Arc::new(SystemClock) }
    }
}

/// The one line of a header. A second one was not written by the gateway.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Error> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    match (line.to_str(), lines.next()) {
        (Ok(text), None) => Ok(Some(text)),
        _ => Err(Error::Header { name: name.clone() }),
    }
}

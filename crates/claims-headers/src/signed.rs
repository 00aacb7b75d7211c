//! Claims in signed tokens (RFC 7519).

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal};
use handstamp_keys::KeyPolicy;
use handstamp_keys::jose::{JwkSet, JwsVerifier};
use handstamp_time::Timestamp;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Error, only};

/// Verifies and reads the tokens of `jwt_header`.
#[derive(Debug)]
pub struct SignedClaims {
    header: HeaderName,
    issuer: String,
    audience: String,
    clock_skew: Duration,
    verifier: RwLock<Arc<JwsVerifier>>,
}

/// How far the clocks of gateway and application may be apart.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

impl SignedClaims {
    /// Tokens in `header`, from `issuer` (`[jwt] issuer`) for `audience` (`jwt_audience`, or else the realm), signed with one of
    /// the keys in `published`: the JWK Set that the gateway has at `/.well-known/handstamp/jwks.json`. In `Authorization` a
    /// token follows the word `Bearer`.
    ///
    /// # Errors
    /// [`Error::Keys`] when `published` has no key that can verify.
    pub fn new(
        header: HeaderName,
        issuer: impl Into<String>,
        audience: impl Into<String>,
        published: &str,
    ) -> Result<Self, Error> {
        Ok(Self {
            header,
            issuer: issuer.into(),
            audience: audience.into(),
            clock_skew: CLOCK_SKEW,
            verifier: RwLock::new(verifier(published)?),
        })
    }

    /// How far the clocks of gateway and application may be apart; 30 seconds unless told.
    #[must_use]
    pub fn with_clock_skew(self, clock_skew: Duration) -> Self {
        Self { clock_skew, ..self }
    }

    /// Takes over the keys that the gateway publishes now: every some minutes, and when a token is [`Error::Unauthentic`], but not
    /// for every such token.
    ///
    /// # Errors
    /// [`Error::Keys`] when there is no key that can verify; those from before stay.
    pub fn set_keys(&self, published: &str) -> Result<(), Error> {
        let verifier = verifier(published)?;
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = verifier;
        Ok(())
    }

    /// Who is there; none when there is no token.
    ///
    /// # Errors
    /// The token is not one of the gateway's for this application and this time.
    pub fn principal(&self, headers: &HeaderMap, now: Timestamp) -> Result<Option<ClaimsPrincipal>, Error> {
        let Some(text) = only(headers, &self.header)? else { return Ok(None) };
        let token = match self.header == http::header::AUTHORIZATION {
            true => text.strip_prefix("Bearer ").ok_or(Error::Unauthentic)?,
            false => text,
        };
        let verifier = Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner));
        let payload = verifier.verify("JWT", token).map_err(|_| Error::Unauthentic)?;
        let token: Token = serde_json::from_slice(&payload).map_err(|_| Error::Content)?;
        if token.iss != self.issuer || token.aud != self.audience {
            return Err(Error::Purpose { issuer: token.iss, audience: token.aud });
        }
        let time = |seconds| Timestamp::from_unix_seconds(seconds).ok_or(Error::Content);
        let (begins, ends) = (time(token.iat)?, time(token.exp)?);
        if now.saturating_add(self.clock_skew) < begins || now.saturating_sub(self.clock_skew) >= ends {
            return Err(Error::Time);
        }
        let mut identity = ClaimsIdentity::new("Gateway");
        for (claim_type, values) in token.claims {
            let values = match values {
                Value::Array(values) => values,
                one => vec![one],
            };
            for value in values {
                let Value::String(value) = value else { return Err(Error::Content) };
                identity.add_claim(Claim::new(claim_type.as_str(), value).with_issuer(self.issuer.as_str()));
            }
        }
        Ok(Some(identity.into()))
    }
}

fn verifier(published: &str) -> Result<Arc<JwsVerifier>, Error> {
    let keys = JwkSet::parse(published.as_bytes(), &KeyPolicy::default());
    Ok(Arc::new(JwsVerifier::new(keys.map_err(|error| Error::Keys(error.to_string()))?)))
}

/// What the gateway's tokens say, as far as it matters here: `claims` repeats the rest.
#[derive(Deserialize)]
struct Token {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    /// Under its type each claim's value, or a list of them.
    claims: Map<String, Value>,
}

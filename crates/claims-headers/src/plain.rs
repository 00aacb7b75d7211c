//! Claims as plain headers.

use handstamp_claims::{ArcStr, Claim, ClaimsIdentity, ClaimsPrincipal};
use http::{HeaderMap, HeaderName};

use crate::{Error, only, values};

/// Reads the headers of `claims_to_headers`.
///
/// Nothing in a request proves that the gateway wrote them: whoever can reach the application past the gateway can write what he
/// likes. Bind the application to loopback or a private network, or take [`SignedClaims`](crate::SignedClaims).
#[derive(Debug, Clone)]
pub struct ClaimHeaders {
    headers: Vec<(HeaderName, ArcStr)>,
}

impl ClaimHeaders {
    /// Reads these headers, each with the claim type (a URI) that the gateway writes into it.
    pub fn new(headers: impl IntoIterator<Item = (HeaderName, ArcStr)>) -> Self {
        Self { headers: headers.into_iter().collect() }
    }

    /// Who is there; none when no header says anything.
    ///
    /// # Errors
    /// [`Error::Header`] when a header is not as the gateway writes it.
    pub fn principal(&self, headers: &HeaderMap) -> Result<Option<ClaimsPrincipal>, Error> {
        let mut identity = ClaimsIdentity::new("Gateway");
        for (name, claim_type) in &self.headers {
            let Some(text) = only(headers, name)? else { continue };
            let values = values::split(text).ok_or_else(|| Error::Header { name: name.clone() })?;
            identity.add_claims(values.into_iter().map(|value| Claim::new(claim_type.clone(), value)));
        }
        Ok((!identity.claims().is_empty()).then(|| identity.into()))
    }
}

//! Telling the application who is there, in headers that nobody else can have set.

use std::collections::HashSet;

use bytes::BytesMut;
use handstamp_claims::{ArcStr, ClaimsPrincipal};
use handstamp_claims_headers::values;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::ClaimHeaders;

/// Writes claims into the headers of requests.
#[derive(Debug, Default)]
pub(super) struct ClaimHeaderWriter {
    headers: Vec<(HeaderName, ArcStr)>,
    /// Further names that only the gateway may set.
    others: Vec<HeaderName>,
    /// All names as an application might see them, see [`as_seen`].
    reserved: HashSet<String>,
}

impl ClaimHeaderWriter {
    /// A writer of these headers, which keeps `others` free from what clients send, too.
    pub(super) fn new(headers: &ClaimHeaders, others: &[&HeaderName]) -> Self {
        let names = headers.iter().map(|(name, _)| name).chain(others.iter().copied());
        Self {
            reserved: names.map(as_seen).collect(),
            headers: headers.iter().map(|(name, claim_type)| (name.clone(), claim_type.clone())).collect(),
            others: others.iter().copied().cloned().collect(),
        }
    }

    /// Removes what the client sent under one of the names, in any spelling, and writes the claims of `principal`. A claim
    /// type of which there is no claim has no header.
    pub(super) fn write(&self, headers: &mut HeaderMap, principal: Option<&ClaimsPrincipal>) {
        if self.reserved.is_empty() {
            return;
        }
        self.remove_disguised(headers);
        for name in &self.others {
            headers.remove(name);
        }
        // One piece of memory for all values.
        let mut text = BytesMut::with_capacity(VALUES);
        for (name, claim_type) in &self.headers {
            match principal.and_then(|principal| value(&mut text, principal, claim_type)) {
                Some(value) => headers.insert(name, value),
                None => headers.remove(name),
            };
        }
    }

    fn remove_disguised(&self, headers: &mut HeaderMap) {
        let odd = |name: &&HeaderName| name.as_str().bytes().any(|byte| !byte.is_ascii_alphanumeric() && byte != b'-');
        let mut disguised = headers.keys().filter(odd).filter(|name| self.reserved.contains(&as_seen(name))).peekable();
        if disguised.peek().is_some() {
            for name in disguised.cloned().collect::<Vec<_>>() {
                headers.remove(name);
            }
        }
    }
}

/// How much memory the values usually need.
const VALUES: usize = 256;

/// The value of a header for all claims of a type, of which there is at least one. `text` is empty, and so it is left.
fn value(text: &mut BytesMut, principal: &ClaimsPrincipal, claim_type: &ArcStr) -> Option<HeaderValue> {
    let of_type = principal.claims().filter(|claim| claim.claim_type() == claim_type);
    let written = values::write(text, of_type.map(|claim| claim.value().as_str()));
    let bytes = text.split().freeze();
    // What is joined is printable ASCII, and so a header value.
    HeaderValue::from_maybe_shared(bytes).ok().filter(|_| written == Ok(true))
}

/// A name as applications may see it: many servers hand headers on as environment variables, in which everything but letters
/// and digits becomes an underscore, so that `X_User` and `X.User` arrive as `X-User` does.
fn as_seen(name: &HeaderName) -> String {
    name.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
    use handstamp_claims_headers::ClaimHeaders;

    use super::*;
    use crate::config::Config;

    fn writer() -> ClaimHeaderWriter {
        let text = "[listener.a]\naddress = \"127.0.0.1:0\"\n\
            [issuer.i]\nsign_in_url = \"https://i.example/\"\nfingerprints = [\"FP\"]\n\
            [federation.f]\nrealm = \"https://a.example/\"\n\
            [web.a]\nupstream = \"http://127.0.0.1:1\"\nsign_in = \"required\"\n\
            claims_to_headers = { X-User = \"name\", X-Roles = \"role\" }\n"
            .replace("FP", &"ab".repeat(32));
        let config = Config::parse(&text, Path::new("test.toml")).expect("a good configuration");
        ClaimHeaderWriter::new(&config.web["a"].claims_to_headers, &[])
    }

    fn principal(claims: &[(ArcStr, &str)]) -> ClaimsPrincipal {
        let identity = ClaimsIdentity::new("Federation");
        claims
            .iter()
            .fold(identity, |identity, (claim_type, value)| identity.with_claim(Claim::new(claim_type.clone(), *value)))
            .into()
    }

    #[test]
    fn what_a_client_sends_under_a_claims_name_goes_in_every_spelling() {
        let mut headers = HeaderMap::new();
        for name in ["x-user", "x_user", "x.user", "x-roles", "X_Roles", "x-use", "xuser"] {
            headers.append(HeaderName::try_from(name).expect("a name"), HeaderValue::from_static("root"));
        }
        writer().write(&mut headers, None);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-use", "xuser"]);
    }

    #[test]
    fn values_are_joined_and_stay_apart() {
        let mut headers = HeaderMap::new();
        let principal = principal(&[
            (claim_types::NAME, "Müller, Hans 100%\r\nX-Admin: 1"),
            (claim_types::ROLE, "a,b"),
            (claim_types::ROLE, "c"),
        ]);
        writer().write(&mut headers, Some(&principal));
        assert_eq!(headers["x-user"], "M%C3%BCller%2C Hans 100%25%0D%0AX-Admin: 1");
        assert_eq!(headers["x-roles"], "a%2Cb,c");
        let (user, roles) = ("x-user".parse().expect("a name"), "x-roles".parse().expect("a name"));
        let read = ClaimHeaders::new([(user, claim_types::NAME), (roles, claim_types::ROLE)]).principal(&headers);
        let read = read.expect("readable").expect("somebody");
        assert!(read.claims().map(Claim::value).eq(principal.claims().map(Claim::value)));
    }

    #[test]
    fn a_claim_nobody_made_has_no_header() {
        let mut headers =
            HeaderMap::from_iter([(HeaderName::from_static("x-roles"), HeaderValue::from_static("root"))]);
        writer().write(&mut headers, Some(&principal(&[(claim_types::NAME, "alice")])));
        assert_eq!(headers["x-user"], "alice");
        assert!(!headers.contains_key("x-roles"));
    }
}

//! Telling the application who is there, in headers that nobody else can have set.

use std::collections::HashSet;

use bytes::Bytes;
use handstamp_claims::{ArcStr, ClaimsPrincipal};
use handstamp_claims_headers::values;
use handstamp_web_session::ActiveSession;
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
    /// A bit for each length that one of them has: most names of a request have another one.
    lengths: u64,
}

impl ClaimHeaderWriter {
    /// A writer of these headers, which keeps `others` free from what clients send, too.
    pub(super) fn new(headers: &ClaimHeaders, others: &[HeaderName]) -> Self {
        let reserved: HashSet<String> = headers.iter().map(|(name, _)| name).chain(others).map(as_seen).collect();
        let is_written = |other: &&HeaderName| headers.iter().any(|(name, _)| name == *other);
        Self {
            headers: headers.iter().map(|(name, claim_type)| (name.clone(), claim_type.clone())).collect(),
            others: others.iter().filter(|other| !is_written(other)).cloned().collect(),
            lengths: reserved.iter().fold(0, |lengths, name| lengths | length(name)),
            reserved,
        }
    }

    /// Removes what the client sent under one of the names, in any spelling, and writes the claims of `principal`. A claim
    /// type of which there is no claim has no header.
    pub(super) fn write(&self, headers: &mut HeaderMap, principal: Option<&ClaimsPrincipal>) {
        let mut values = ClaimValues::default();
        self.write_values(headers, |claim_type| values.of(claim_type, principal?));
    }

    /// The same for a session, whose later requests find the values made.
    pub(super) fn write_session(&self, headers: &mut HeaderMap, session: &ActiveSession) {
        session.memo(|values: &mut ClaimValues| {
            self.write_values(headers, |claim_type| values.of(claim_type, session.principal()));
        });
    }

    fn write_values(&self, headers: &mut HeaderMap, mut value: impl FnMut(&ArcStr) -> Option<HeaderValue>) {
        if self.reserved.is_empty() {
            return;
        }
        self.remove_disguised(headers);
        for name in &self.others {
            headers.remove(name);
        }
        for (name, claim_type) in &self.headers {
            match value(claim_type) {
                Some(value) => headers.insert(name, value),
                None => headers.remove(name),
            };
        }
    }

    fn remove_disguised(&self, headers: &mut HeaderMap) {
        let is_disguised = |name: &&HeaderName| {
            self.lengths & length(name.as_str()) != 0 && is_odd(name) && self.reserved.contains(&as_seen(name))
        };
        // To look is quicker than to begin a list, and nearly no request has any.
        if !headers.keys().any(|name| is_disguised(&name)) {
            return;
        }
        let disguised: Vec<HeaderName> = headers.keys().filter(is_disguised).cloned().collect();
        for name in disguised {
            headers.remove(name);
        }
    }
}

/// The bit of a length; all that are long have one together.
fn length(name: &str) -> u64 {
    1 << name.len().min(63)
}

/// Whether a name has anything in it but letters, digits and hyphens.
fn is_odd(name: &HeaderName) -> bool {
    name.as_str().bytes().any(|byte| !byte.is_ascii_alphanumeric() && byte != b'-')
}

/// The values of headers by claim type, as far as they were wanted; none for a type of which there is no claim.
#[derive(Clone, Default)]
struct ClaimValues(Vec<(ArcStr, Option<HeaderValue>)>);

impl ClaimValues {
    fn of(&mut self, claim_type: &ArcStr, principal: &ClaimsPrincipal) -> Option<HeaderValue> {
        if let Some((_, value)) = self.0.iter().find(|(known, _)| known == claim_type) {
            return value.clone();
        }
        let of_type = principal.claims().filter(|claim| claim.claim_type() == claim_type);
        let text = values::join(of_type.map(|claim| claim.value().as_str()));
        // What is joined is printable ASCII, and so a header value. Bytes that were copied are shared by all their clones.
        let value = text.and_then(|text| HeaderValue::from_maybe_shared(Bytes::copy_from_slice(text.as_bytes())).ok());
        self.0.push((claim_type.clone(), value.clone()));
        value
    }
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
    fn names_as_long_as_they_may_be_are_disguised_in_no_way() {
        let name = |text: String| HeaderName::try_from(text).expect("a name");
        let long = name(format!("x-{}", "a-".repeat(60)));
        let writer = ClaimHeaderWriter::new(&crate::config::ClaimHeaders::default(), std::slice::from_ref(&long));
        let other = name(format!("x_{}b", "a_".repeat(60)));
        let mut headers = HeaderMap::new();
        for sent in [&long, &name(format!("x_{}", "a_".repeat(60))), &name(format!("x-{}", "a.".repeat(60))), &other] {
            headers.append(sent, HeaderValue::from_static("root"));
        }
        writer.write(&mut headers, None);
        assert_eq!(headers.keys().collect::<Vec<_>>(), [&other]);
    }

    #[test]
    fn values_that_were_made_before_are_the_same() {
        let principal = principal(&[(claim_types::ROLE, "a,b"), (claim_types::ROLE, "c")]);
        let mut values = ClaimValues::default();
        for _ in 0..2 {
            assert_eq!(values.of(&claim_types::NAME, &principal), None);
            assert_eq!(values.of(&claim_types::ROLE, &principal).expect("roles"), "a%2Cb,c");
        }
        assert_eq!(values.0.len(), 2);
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

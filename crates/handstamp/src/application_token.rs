//! A signed statement of who is there, for applications that want proof rather than a header: a JWT (RFC 7519) whose keys are
//! published.

use std::path::Path;
use std::time::Duration;

use handstamp_claims::{Claim, ClaimsPrincipal, claim_types};
use handstamp_keys::jose::{JwkSet, JwsSigner};
use handstamp_keys::{Curve, KeyKind, KeyPolicy, SigningIdentity, SystemRandom};
use handstamp_time::Timestamp;
use serde_json::{Map, Value, json};

use crate::Error;
use crate::config::Jwt;

/// Makes tokens about sessions.
#[derive(Debug)]
pub(crate) struct ApplicationTokens {
    signer: JwsSigner,
    issuer: String,
    lifetime: Duration,
    key_set: String,
}

/// What a token says of a session, besides who is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionFacts<'s> {
    /// A name for the session that opens nothing: the fingerprint of its context id.
    pub(crate) fingerprint: &'s str,
    /// When the user signed in.
    pub(crate) signed_in: Timestamp,
    /// When the session ends unless it is renewed; no token lasts longer.
    pub(crate) ends: Timestamp,
}

impl ApplicationTokens {
    /// Reads the signing key, making it when there is none yet, and the keys that signed before.
    ///
    /// # Errors
    /// A file that cannot be read or made, or is no key.
    pub(crate) fn open(settings: &Jwt, now: Timestamp) -> Result<Self, Error> {
        let identity = if settings.key.exists() { read(&settings.key)? } else { create(&settings.key, now)? };
        let previous = settings.previous_keys.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
        let keys = std::iter::once(&identity).chain(&previous).map(|identity| identity.key().public_key());
        Ok(Self {
            key_set: JwkSet::new(keys).to_json(),
            signer: JwsSigner::new(identity.key().clone()),
            issuer: settings.issuer.clone(),
            lifetime: settings.lifetime,
        })
    }

    /// The keys that verify, as a JWK Set.
    pub(crate) fn key_set(&self) -> &str {
        &self.key_set
    }

    /// A token about `principal` for `audience`. None when the key cannot sign, which the log tells.
    pub(crate) fn issue(
        &self,
        principal: &ClaimsPrincipal,
        audience: &str,
        session: SessionFacts<'_>,
        now: Timestamp,
    ) -> Option<String> {
        let expires = now.saturating_add(self.lifetime).min(session.ends);
        let mut statement = json!({
            "iss": self.issuer,
            "aud": audience,
            "iat": now.unix_seconds(),
            "exp": expires.unix_seconds(),
            "auth_time": session.signed_in.unix_seconds(),
            "sid": session.fingerprint,
            "claims": claims(principal),
        });
        let first =
            |claim_type: &str| principal.claims().find(|c| c.claim_type() == claim_type).map(|c| c.value().as_str());
        let name = first(&claim_types::NAME);
        let (email, upn) = (first(&claim_types::EMAIL), first(&claim_types::UPN));
        let subject = first(&claim_types::NAME_IDENTIFIER).or(upn).or(name).or(email);
        for (member, value) in [("sub", subject), ("name", name), ("email", email), ("upn", upn)] {
            if let Some(value) = value {
                statement[member] = json!(value);
            }
        }
        let is_role = |claim: &&Claim| *claim.claim_type() == claim_types::ROLE;
        let roles: Vec<&str> = principal.claims().filter(is_role).map(|claim| claim.value().as_str()).collect();
        if !roles.is_empty() {
            statement["roles"] = json!(roles);
        }
        let signed = self.signer.sign("JWT", statement.to_string().as_bytes());
        signed.inspect_err(|error| tracing::error!(code = error.code(), %error, "no token for the application")).ok()
    }
}

/// Every claim under its type (a URI): its value, or a list of them.
fn claims(principal: &ClaimsPrincipal) -> Map<String, Value> {
    let mut all = Map::new();
    for claim in principal.claims() {
        match all.entry(claim.claim_type().to_string()) {
            serde_json::map::Entry::Vacant(place) => {
                place.insert(json!(claim.value().as_str()));
            }
            serde_json::map::Entry::Occupied(mut place) => match place.get_mut() {
                Value::Array(values) => values.push(json!(claim.value().as_str())),
                one => *one = json!([one.take(), claim.value().as_str()]),
            },
        }
    }
    all
}

fn read(path: &Path) -> Result<SigningIdentity, Error> {
    Ok(SigningIdentity::read(path, "", &KeyPolicy::default())?)
}

/// A new key on P-256, which every JWT library knows.
fn create(path: &Path, now: Timestamp) -> Result<SigningIdentity, Error> {
    let (from, to) = (now.saturating_sub(DAY), now.saturating_add(DAY * 3650));
    let identity = SigningIdentity::self_signed("Handstamp JWT", KeyKind::Ec(Curve::P256), from, to, &SystemRandom)?;
    identity.create(path)?;
    tracing::info!(path = %path.display(), "made a key that signs JWTs for applications");
    Ok(identity)
}

const DAY: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use handstamp_claims::{ArcStr, ClaimsIdentity};
    use handstamp_keys::jose::JwsVerifier;

    use super::*;

    fn settings(folder: &Path) -> Jwt {
        Jwt {
            key: folder.join("jwt.pem"),
            previous_keys: Vec::new(),
            issuer: "https://shop.example".to_owned(),
            lifetime: Duration::from_secs(300),
            key_set_path: crate::config::PathPrefix::parse("/keys").expect("a path"),
        }
    }

    fn at(minute: u32) -> Timestamp {
        format!("2030-01-01T08:{minute:02}:00Z").parse().expect("a time")
    }

    fn principal(claims: &[(ArcStr, &str)]) -> ClaimsPrincipal {
        claims
            .iter()
            .fold(ClaimsIdentity::new("Federation"), |identity, (claim_type, value)| {
                identity.with_claim(Claim::new(claim_type.clone(), *value))
            })
            .into()
    }

    fn issued(tokens: &ApplicationTokens, principal: &ClaimsPrincipal, ends: Timestamp) -> String {
        let session = SessionFacts { fingerprint: "abc", signed_in: at(0), ends };
        tokens.issue(principal, "urn:shop", session, at(10)).expect("a token")
    }

    fn opened(tokens: &ApplicationTokens, token: &str) -> Value {
        let keys = JwkSet::parse(tokens.key_set().as_bytes(), &KeyPolicy::default()).expect("a key set");
        let payload = JwsVerifier::new(keys).verify("JWT", token).expect("signed");
        serde_json::from_slice(&payload).expect("JSON")
    }

    #[test]
    fn a_token_says_who_is_there_for_whom_and_how_long() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = ApplicationTokens::open(&settings(folder.path()), at(0)).expect("tokens");
        let principal = principal(&[
            (claim_types::NAME, "Ada"),
            (claim_types::UPN, "ada@example"),
            (claim_types::ROLE, "admin"),
            (claim_types::ROLE, "sales"),
        ]);
        let said = opened(&tokens, &issued(&tokens, &principal, at(59)));
        assert_eq!(
            (&said["sub"], &said["name"], &said["aud"]),
            (&json!("ada@example"), &json!("Ada"), &json!("urn:shop"))
        );
        assert_eq!(said["exp"].as_i64(), Some(at(15).unix_seconds()));
        assert_eq!(said["roles"], json!(["admin", "sales"]));
        assert_eq!(said["claims"][claim_types::ROLE.as_str()], json!(["admin", "sales"]));
        assert_eq!(said["claims"][claim_types::NAME.as_str()], json!("Ada"));
    }

    #[test]
    fn no_token_outlives_its_session() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = ApplicationTokens::open(&settings(folder.path()), at(0)).expect("tokens");
        let said = opened(&tokens, &issued(&tokens, &principal(&[]), at(12)));
        assert_eq!(said["exp"].as_i64(), Some(at(12).unix_seconds()));
        assert_eq!(said.get("sub"), None);
    }

    #[test]
    fn the_key_is_made_once_and_a_previous_one_still_verifies() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = settings(folder.path());
        let first = ApplicationTokens::open(&settings, at(0)).expect("tokens");
        let token = issued(&first, &principal(&[]), at(59));
        opened(&ApplicationTokens::open(&settings, at(1)).expect("tokens"), &token);
        settings.previous_keys = vec![std::mem::replace(&mut settings.key, folder.path().join("next.pem"))];
        let second = ApplicationTokens::open(&settings, at(2)).expect("tokens");
        opened(&second, &token);
        assert_ne!(first.signer.id(), second.signer.id());
    }
}

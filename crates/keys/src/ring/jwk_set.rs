//! The ring as a JWK Set (RFC 7517) of `oct` keys.

use super::key_set::{KeyRecord, KeySet};
use super::{KeyId, RotationPolicy};
use crate::SymmetricKey;
use base64_simd::URL_SAFE_NO_PAD;
use handstamp_time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Reads a JWK Set; the error says what is wrong without showing any of it.
pub(super) fn parse(json: &[u8]) -> Result<KeySet, String> {
    let set: JwkSet<'_> = serde_json::from_slice(json).map_err(|e| {
        format!("not a JWK Set of A256GCM keys (line {}, column {}): {}", e.line(), e.column(), kind(&e))
    })?;
    if set.keys.len() > KeySet::MAX_KEYS {
        return Err(format!("{} keys are too many; {} is the limit", set.keys.len(), KeySet::MAX_KEYS));
    }
    let mut keys = Vec::with_capacity(set.keys.len());
    for (number, jwk) in (1..).zip(set.keys) {
        let record = record(jwk).map_err(|problem| format!("key number {number} {problem}"))?;
        if keys.iter().any(|other: &KeyRecord| other.id == record.id) {
            return Err(format!("two keys have the kid {}", record.id));
        }
        keys.push(record);
    }
    let mut set = KeySet { keys, other: set.other };
    set.sort();
    Ok(set)
}

/// Writes a JWK Set, one key after the other in the order in which they become current.
pub(super) fn write(set: &KeySet) -> Zeroizing<Vec<u8>> {
    let encoded: Vec<Zeroizing<String>> =
        set.keys.iter().map(|key| Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(key.secret.as_bytes()))).collect();
    let keys = set.keys.iter().zip(&encoded).map(|(key, k)| Jwk {
        kty: "oct".into(),
        kid: key.id.to_string().into(),
        alg: "A256GCM".into(),
        k: k.as_str().into(),
        created: key.created.to_string().into(),
        current_from: key.current_from.to_string().into(),
        retired: key.retired.map(|at| at.to_string().into()),
        revoked: key.revoked.map(|at| at.to_string().into()),
        seals: key.seals,
        other: key.other.clone(),
    });
    let jwk_set = JwkSet { keys: keys.collect(), other: set.other.clone() };
    // Room for all: a vector that grows leaves copies of the keys behind in freed memory.
    let foreign: usize =
        serde_json::to_string(&(&set.other, set.keys.iter().map(|key| &key.other).collect::<Vec<_>>()))
            .map_or(0, |text| text.len());
    let mut json = Zeroizing::new(Vec::with_capacity(512 * (set.keys.len() + 1) + 8 * foreign));
    serde_json::to_writer_pretty(&mut *json, &jwk_set)
        .expect("strings and numbers become JSON, and a vector takes all");
    json.push(b'\n');
    json
}

#[derive(Serialize, Deserialize)]
struct JwkSet<'a> {
    #[serde(borrow)]
    keys: Vec<Jwk<'a>>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Jwk<'a> {
    kty: Cow<'a, str>,
    kid: Cow<'a, str>,
    alg: Cow<'a, str>,
    #[serde(borrow)]
    k: Cow<'a, str>,
    created: Cow<'a, str>,
    current_from: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<Cow<'a, str>>,
    #[serde(default)]
    seals: u64,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Drop for Jwk<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(k) = &mut self.k {
            zeroize::Zeroize::zeroize(k);
        }
    }
}

fn record(mut jwk: Jwk<'_>) -> Result<KeyRecord, String> {
    if jwk.kty != "oct" || jwk.alg != "A256GCM" {
        return Err(r#"is not of "kty": "oct" and "alg": "A256GCM""#.into());
    }
    let id: KeyId = jwk.kid.parse().map_err(|_| r#"has a "kid" that is not eight lower-case hexadecimal digits"#)?;
    let secret = Zeroizing::new(
        URL_SAFE_NO_PAD
            .decode_to_vec(jwk.k.as_bytes())
            .map_err(|_| format!(r#"({id}) has a "k" that is not base64url"#))?,
    );
    if secret.len() != 32 {
        return Err(format!("({id}) is {} bytes long, not 32", secret.len()));
    }
    let time = |member: &str, text: &str| {
        text.parse::<Timestamp>()
            .map_err(|_| format!(r#"({id}) has a "{member}" that is not a time like 2030-01-31T12:00:00Z"#))
    };
    let optional =
        |member: &str, text: &Option<Cow<'_, str>>| text.as_deref().map(|text| time(member, text)).transpose();
    Ok(KeyRecord {
        id,
        secret: SymmetricKey::from_bytes(&secret),
        created: time("created", &jwk.created)?,
        current_from: time("current_from", &jwk.current_from)?,
        retired: optional("retired", &jwk.retired)?,
        revoked: optional("revoked", &jwk.revoked)?,
        seals: jwk.seals.min(RotationPolicy::MAX_SEALS),
        other: std::mem::take(&mut jwk.other),
    })
}

/// `serde_json`'s message may quote the input, which may be a secret in the wrong place: only its kind is told.
fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Syntax => "the JSON is malformed",
        serde_json::error::Category::Eof => "the JSON ends too early",
        serde_json::error::Category::Data => {
            "a member is missing, double or of the wrong type; each key needs kty, kid, alg, k, created and current_from"
        }
        serde_json::error::Category::Io => "it cannot be read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeterministicRandom;
    use proptest::prelude::*;
    use std::time::Duration;

    fn sample() -> KeySet {
        let (policy, random) = (RotationPolicy::default(), DeterministicRandom::new(1));
        let now = "2030-01-01T00:00:00Z".parse().expect("a time");
        let mut set = KeySet::default();
        let first = set.rotate(Duration::ZERO, &policy, now, &random).expect("room");
        set.rotate(Duration::from_secs(60), &policy, now, &random).expect("room");
        set.withdraw(first, super::super::key_set::Withdrawal::Revoke, &policy, now, &random).expect("known");
        set.keys[0].other.insert("x-note".into(), Value::from("ours"));
        set.other.insert("x-origin".into(), Value::from(7));
        set
    }

    #[test]
    fn what_is_written_is_read_with_foreign_members() {
        let set = sample();
        let json = write(&set);
        let again = parse(&json).expect("our own file");
        assert_eq!(*write(&again), *json);
        let text = std::str::from_utf8(&json).expect("JSON");
        assert!(text.contains(r#""x-note": "ours""#) && text.contains(r#""x-origin": 7"#), "{text}");
        assert!(text.contains(r#""alg": "A256GCM""#) && text.contains(r#""current_from": "2030-01-01T00:00:00Z""#));
    }

    #[test]
    fn no_error_shows_a_secret() {
        let json = String::from_utf8(write(&sample()).to_vec()).expect("JSON");
        let secret = "S3cretS3cret";
        for (from, to) in [
            (r#""kty": "oct""#, r#""kty": "S3cretS3cret""#),
            (r#""alg": "A256GCM""#, r#""alg": "S3cretS3cret""#),
            (r#""seals": 0"#, r#""seals": "S3cretS3cret""#),
            (r#""k": ""#, r#""k": "S3cretS3cret"#),
            (r#""kid": ""#, r#""kid": "S3cretS3cret"#),
            (r#""created": ""#, r#""created": "S3cretS3cret"#),
        ] {
            let problem = parse(json.replacen(from, to, 1).as_bytes()).err().expect(from);
            assert!(!problem.contains(secret), "{problem}");
        }
    }

    #[test]
    fn two_keys_of_one_id_are_refused() {
        let mut set = sample();
        set.keys[1].id = set.keys[0].id;
        assert!(parse(&write(&set)).err().expect("double").contains("two keys"));
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, cut in 0usize..2000, at in 0usize..2000, with: u8) {
            let _ = parse(&bytes);
            let mut json = write(&sample()).to_vec();
            json.truncate(cut);
            if let Some(byte) = json.get_mut(at) {
                *byte = with;
            }
            let _ = parse(&json);
        }
    }
}

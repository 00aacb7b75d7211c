//! Public keys as JSON.

use crate::{Curve, Error, KeyKind, KeyPolicy, PublicKey, sha256};
use base64_simd::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

/// Public keys that verify signatures, each under its id (`kid`).
#[derive(Debug, Clone, Default)]
pub struct JwkSet {
    keys: Vec<(String, PublicKey)>,
}

/// More keys than an issuer that rotates ever has at a time.
const MAX_KEYS: usize = 32;

impl JwkSet {
    /// A set of these keys, each with its thumbprint as id.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k PublicKey>) -> Self {
        Self { keys: keys.into_iter().map(|key| (thumbprint(key), key.clone())).collect() }
    }

    /// Reads a JWK Set. Keys that are not for signatures of RSA or EC keys, or too weak for `policy`, are passed over, as
    /// RFC 7517 §5 wants; a key without an id has its thumbprint.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when it is no JWK Set, has more than 32 keys, or none that can be used.
    pub fn parse(json: &[u8], policy: &KeyPolicy) -> Result<Self, Error> {
        let unusable = |problem: &str| Error::UnusableKey(problem.to_owned());
        let set: Set = serde_json::from_slice(json).map_err(|_| unusable("this is no JWK Set (RFC 7517)"))?;
        if set.keys.len() > MAX_KEYS {
            return Err(unusable("the JWK Set has more than 32 keys"));
        }
        let keys: Vec<_> = set.keys.iter().filter_map(|jwk| jwk.public_key(policy)).collect();
        if keys.is_empty() {
            return Err(unusable("the JWK Set has no key for signatures of RSA (2048 bits or more) or EC"));
        }
        Ok(Self { keys })
    }

    /// The set as JSON, to publish.
    pub fn to_json(&self) -> String {
        let keys: Vec<Value> = self.keys.iter().map(|(id, key)| jwk(id, key)).collect();
        json!({ "keys": keys }).to_string()
    }

    /// The key with this id.
    pub fn get(&self, id: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|(known, _)| known == id).map(|(_, key)| key)
    }

    /// The key, when there is exactly one: what a signature without an id can mean.
    pub fn only(&self) -> Option<&PublicKey> {
        match &*self.keys {
            [(_, key)] => Some(key),
            _ => None,
        }
    }
}

/// The thumbprint of a key (RFC 7638) in base64url: SHA-256 over the members that make it what it is.
pub fn thumbprint(key: &PublicKey) -> String {
    let text = |member: &Value| member.as_str().unwrap_or_default().to_owned();
    let value = members(key);
    // The members in the order of their names, without white space.
    let canonical = match key.kind() {
        KeyKind::Rsa { .. } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(&value["e"]), text(&value["n"])),
        KeyKind::Ec(_) => format!(
            r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
            text(&value["crv"]),
            text(&value["x"]),
            text(&value["y"])
        ),
    };
    URL_SAFE_NO_PAD.encode_to_string(sha256(canonical.as_bytes()))
}

/// The name of the algorithm with which a key signs here.
pub(super) fn algorithm_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Rsa { .. } => "RS256",
        KeyKind::Ec(Curve::P256) => "ES256",
        KeyKind::Ec(Curve::P384) => "ES384",
        KeyKind::Ec(Curve::P521) => "ES512",
    }
}

fn jwk(id: &str, key: &PublicKey) -> Value {
    let mut value = members(key);
    value["kid"] = json!(id);
    value["use"] = json!("sig");
    value["alg"] = json!(algorithm_name(key.kind()));
    value
}

fn members(key: &PublicKey) -> Value {
    let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode_to_string(octets);
    match key.kind() {
        KeyKind::Rsa { .. } => {
            let (modulus, exponent) = key.rsa_components().unwrap_or_default();
            json!({ "kty": "RSA", "n": encode(modulus), "e": encode(exponent) })
        }
        KeyKind::Ec(curve) => {
            // The point is 04 ‖ x ‖ y.
            let coordinates = key.ec_point().and_then(|point| point.get(1..)).unwrap_or_default();
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            json!({ "kty": "EC", "crv": curve_name(curve), "x": encode(x), "y": encode(y) })
        }
    }
}

fn curve_name(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl Jwk {
    fn public_key(&self, policy: &KeyPolicy) -> Option<(String, PublicKey)> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let decode = |text: &Option<String>| URL_SAFE_NO_PAD.decode_to_vec(text.as_ref()?).ok();
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => PublicKey::from_rsa_components(&decode(&self.n)?, &decode(&self.e)?, policy).ok()?,
            ("EC", Some(name)) => {
                let curve = [Curve::P256, Curve::P384, Curve::P521].into_iter().find(|c| curve_name(*c) == name)?;
                let (x, y) = (decode(&self.x)?, decode(&self.y)?);
                if x.len() != curve.coordinate_len() || y.len() != curve.coordinate_len() {
                    return None;
                }
                PublicKey::from_ec_point(curve, &[&[4], &*x, &*y].concat()).ok()?
            }
            _ => return None,
        };
        Some((self.kid.clone().unwrap_or_else(|| thumbprint(&key)), key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7638 §3.1.
    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        let set = br#"{"keys":[{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}"#;
        let set = JwkSet::parse(set, &KeyPolicy::default()).unwrap();
        let key = set.get("2011-04-29").unwrap();
        assert_eq!(thumbprint(key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn keys_of_other_kinds_are_passed_over() {
        let set = |keys: &str| JwkSet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes(), &KeyPolicy::default());
        let point = r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
        assert!(set(r#"{"kty":"oct","k":"AAAA"}"#).is_err());
        assert!(set(&format!(r#"{{{point},"use":"enc"}}"#)).is_err());
        let mixed = set(&format!(r#"{{"kty":"oct","k":"AAAA"}},{{{point},"kid":"a"}}"#)).unwrap();
        assert!(mixed.get("a").is_some() && mixed.only().is_some());
        assert!(JwkSet::parse(b"[]", &KeyPolicy::default()).is_err());
        let many = vec![format!("{{{point}}}"); 33].join(",");
        assert!(set(&many).unwrap_err().to_string().contains("32"));
    }
}

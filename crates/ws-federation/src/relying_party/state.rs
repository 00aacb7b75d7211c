//! What is remembered between the challenge and the response: a sealed cookie of the browser.

use crate::{Error, ReturnUrl};
use handstamp_keys::{KeyId, KeyRing, SecureRandom};
use handstamp_time::Timestamp;
use std::fmt;
use std::time::Duration;

/// A cookie to set, for `/` and `HttpOnly`. Its text form is the value of a `Set-Cookie` header.
#[derive(Clone, PartialEq, Eq)]
pub struct StateCookie {
    /// The name.
    pub name: String,
    /// The value; base64url or digits.
    pub value: String,
    /// How long it lives; zero deletes it.
    pub max_age: Duration,
    /// Whether it is `Secure; SameSite=None`, so that it comes back with the issuer's POST from another site.
    pub secure: bool,
}

impl fmt::Display for StateCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, max_age, secure } = self;
        write!(f, "{name}={value}; Path=/; Max-Age={}; HttpOnly", max_age.as_secs())?;
        f.write_str(if *secure { "; Secure; SameSite=None" } else { "" })
    }
}

/// The value is the browser's proof: kept out of logs.
impl fmt::Debug for StateCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateCookie").field("name", &self.name).field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

/// One sign-in under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignInState {
    /// The name of the relying party that asked.
    pub(super) asked_by: String,
    pub(super) issued_at: Timestamp,
    pub(super) remember: bool,
    pub(super) return_url: ReturnUrl,
    pub(super) sign_in_context: Option<String>,
}

/// 16 random bytes that tell a sign-in apart, as base64url.
pub(super) fn new_id(random: &dyn SecureRandom) -> Result<String, Error> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    Ok(base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes))
}

/// Whether a text from outside has the form that [`new_id`] makes.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl SignInState {
    /// Seals the state under the cookie's name: key id, nonce, ciphertext and tag, as base64url.
    pub(super) fn seal(
        &self,
        cookie: &str,
        keys: &KeyRing,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<String, Error> {
        let mut message = Vec::with_capacity(64 + self.return_url.as_str().len());
        message.push(VERSION);
        message.push(u8::from(self.remember));
        message.extend_from_slice(&self.issued_at.ticks().to_be_bytes());
        push_text(&self.asked_by, &mut message);
        push_text(self.return_url.as_str(), &mut message);
        push_text(self.sign_in_context.as_deref().unwrap_or_default(), &mut message);
        let key = keys.sealing_key(now)?;
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        key.seal_in_place(&nonce, &associated_data(cookie), &mut message)?;
        let sealed = [key.id().as_bytes().as_slice(), &nonce, &message].concat();
        Ok(base64_simd::URL_SAFE_NO_PAD.encode_to_string(sealed))
    }

    /// Opens what [`Self::seal`] made. None for everything else: what is wrong with it helps nobody honest.
    pub(super) fn open(cookie: &str, value: &str, keys: &KeyRing, now: Timestamp) -> Option<Self> {
        if value.len() > MAX_VALUE_LEN {
            return None;
        }
        let mut sealed = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(value).ok()?;
        let (header, message) = sealed.split_at_mut_checked(KeyId::LEN + NONCE_LEN)?;
        let (id, nonce) = header.split_at(KeyId::LEN);
        let key = keys.opening_key(KeyId::try_from(id).ok()?, now).ok()?;
        let message = key.open_in_place(&nonce.try_into().ok()?, &associated_data(cookie), message).ok()?;
        let (version, rest) = message.split_first()?;
        let (remember, rest) = rest.split_first()?;
        let (ticks, rest) = rest.split_first_chunk::<8>()?;
        let (asked_by, rest) = take_text(rest)?;
        let (return_url, rest) = take_text(rest)?;
        let (context, rest) = take_text(rest)?;
        (*version == VERSION && rest.is_empty()).then_some(())?;
        Some(Self {
            asked_by: asked_by.to_owned(),
            issued_at: Timestamp::from_ticks(i64::from_be_bytes(*ticks))?,
            remember: *remember == 1,
            return_url: ReturnUrl::new(return_url).ok()?,
            sign_in_context: Some(context.to_owned()).filter(|text| !text.is_empty()),
        })
    }
}

const VERSION: u8 = 2;
const NONCE_LEN: usize = 12;
/// What a browser stores in one cookie.
const MAX_VALUE_LEN: usize = 4096;
/// What fits beside the longest return URL.
pub(super) const MAX_CONTEXT_LEN: usize = 1024;

/// Ties a sealed state to its purpose and to its cookie's name, which holds the state's id.
fn associated_data(cookie: &str) -> Vec<u8> {
    [b"handstamp ws-federation sign-in state\0", cookie.as_bytes()].concat()
}

/// Two bytes of length, then the text. Callers bound the text far below 64 KiB.
fn push_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn take_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(u16::from_be_bytes(*len).into())?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::super::settings::MAX_NAME_LEN;
    use super::*;
    use handstamp_keys::{DeterministicRandom, RotationPolicy};

    #[test]
    fn sm_33_a_state_is_sealed_to_its_cookie() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let random = DeterministicRandom::new(1);
        let keys = KeyRing::in_memory(RotationPolicy::default(), now, &random).unwrap();
        let state = SignInState {
            asked_by: "shop/corp".into(),
            issued_at: now,
            remember: true,
            return_url: ReturnUrl::new("/orders?x=1").unwrap(),
            sign_in_context: Some("context".into()),
        };
        let id = new_id(&random).unwrap();
        assert!(is_id(&id));
        let value = state.seal(&id, &keys, now, &random).unwrap();
        assert_eq!(SignInState::open(&id, &value, &keys, now), Some(state));
        assert_eq!(SignInState::open("another name", &value, &keys, now), None);
        for at in 0..value.len() {
            let mut bytes = value.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(SignInState::open(&id, &String::from_utf8(bytes).unwrap(), &keys, now), None, "byte {at}");
        }
        for wrong in ["", "AAAA", "not base64 !", &"A".repeat(5000)] {
            assert_eq!(SignInState::open(&id, wrong, &keys, now), None);
        }
    }

    #[test]
    fn the_longest_state_fits_a_cookie() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let random = DeterministicRandom::new(1);
        let keys = KeyRing::in_memory(RotationPolicy::default(), now, &random).unwrap();
        let state = SignInState {
            asked_by: "n".repeat(MAX_NAME_LEN),
            issued_at: now,
            remember: false,
            return_url: ReturnUrl::new(&format!("/{}", "a".repeat(ReturnUrl::MAX_LEN - 1))).unwrap(),
            sign_in_context: Some("c".repeat(MAX_CONTEXT_LEN)),
        };
        let value = state.seal("n", &keys, now, &random).unwrap();
        assert!(value.len() < 3800, "{}", value.len());
        assert!(SignInState::open("n", &value, &keys, now).is_some());
    }

    #[test]
    fn cookies_are_written_for_both_kinds_of_sites() {
        let cookie = StateCookie {
            name: "__Host-signin-x".into(),
            value: "v".into(),
            max_age: Duration::from_secs(900),
            secure: true,
        };
        assert_eq!(cookie.to_string(), "__Host-signin-x=v; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=None");
        let plain = StateCookie { secure: false, max_age: Duration::ZERO, ..cookie };
        assert_eq!(plain.to_string(), "__Host-signin-x=v; Path=/; Max-Age=0; HttpOnly");
        assert!(!format!("{plain:?}").contains("\"v\""));
    }
}

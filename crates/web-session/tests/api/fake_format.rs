//! A token format without cryptography worth the name: quick to step through, and as strict as a real one.

use handstamp_keys::{SecureRandom, sha256};
use handstamp_session_token::{
    Carrier, Error, Expected, Opened, SessionSecurityToken, SessionTokenCacheKey, TextEncoding, TokenFormat,
};
use handstamp_time::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;

/// Keeps what it wrote and hands out authenticated handles, as long as the token's claims.
#[derive(Debug, Default)]
pub(crate) struct FakeFormat(Mutex<HashMap<[u8; 16], Opened>>);

impl FakeFormat {
    fn mac(body: &[u8], carrier: &Carrier) -> [u8; 32] {
        sha256(&[body, carrier.binding().1.as_bytes()].concat())
    }
}

impl TokenFormat for FakeFormat {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn text_encoding(&self) -> TextEncoding {
        TextEncoding::Base64Url
    }

    fn recognizes(&self, bytes: &[u8]) -> bool {
        bytes.first() == Some(&b'F')
    }

    fn recognizes_text(&self, text: &str) -> bool {
        text.starts_with('R')
    }

    fn write(
        &self,
        token: &SessionSecurityToken,
        carrier: &Carrier,
        _now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        let mut id = [0; 16];
        random.fill(&mut id)?;
        let mut bytes = [b"F", &id[..]].concat();
        let opened = if token.is_reference_mode() {
            Opened::Reference(SessionTokenCacheKey::of(token))
        } else {
            bytes.extend(token.principal().claims().flat_map(|claim| claim.value().bytes()));
            Opened::Token(Box::new(token.clone()))
        };
        bytes.extend(Self::mac(&bytes, carrier));
        self.0.lock().unwrap().insert(id, opened);
        Ok(bytes)
    }

    fn read(&self, bytes: Vec<u8>, expected: &Expected<'_>) -> Result<Opened, Error> {
        let (body, mac) = bytes.split_at_checked(bytes.len().saturating_sub(32)).ok_or(Error::Unauthentic)?;
        if *mac != Self::mac(body, expected.carrier) {
            return Err(Error::Unauthentic);
        }
        let id = body.get(1..17).and_then(|id| id.try_into().ok()).ok_or(Error::Unauthentic)?;
        let id: [u8; 16] = id;
        self.0.lock().unwrap().get(&id).cloned().ok_or(Error::Unauthentic)
    }
}

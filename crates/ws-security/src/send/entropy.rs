//! Randomness and identifiers of one message.

use crate::error::Error;
use handstamp_keys::{PooledRandom, SecureRandom};

/// Random bytes of one message.
pub(super) struct Entropy<'r>(PooledRandom<'r>);

impl<'r> Entropy<'r> {
    pub(super) fn new(random: &'r dyn SecureRandom) -> Self {
        Self(PooledRandom::new(random))
    }

    /// Fresh bytes.
    pub(super) fn draw<const LENGTH: usize>(&self) -> Result<[u8; LENGTH], Error> {
        let mut drawn = [0; LENGTH];
        self.0.fill(&mut drawn).map_err(no_randomness)?;
        Ok(drawn)
    }

    pub(super) fn source(&self) -> &dyn SecureRandom {
        &self.0
    }
}

pub(super) fn no_randomness(error: handstamp_keys::Error) -> Error {
    Error::Configuration(error.to_string())
}

/// The identifiers of one message, as WCF has them (SC 8.12): numbers for what belongs to the message, a GUID and a number for
/// tokens.
pub(super) struct Ids {
    prefix: String,
    numbers: u32,
    unique: String,
    tokens: u32,
}

impl Ids {
    /// `avoid`: content of the message that may hold identifiers of its own; it then gets other numbers than WCF's.
    pub(super) fn new(avoid: bool, entropy: &Entropy<'_>) -> Result<Self, Error> {
        let unique = ["uuid-", &guid(entropy.draw()?), "-"].concat();
        let prefix = if avoid { format!("_{unique}") } else { "_".to_owned() };
        Ok(Self { prefix, numbers: 0, unique, tokens: 0 })
    }

    /// `_0`, `_1`, …
    pub(super) fn number(&mut self) -> String {
        let id = numbered(&self.prefix, self.numbers);
        self.numbers += 1;
        id
    }

    /// `uuid-…-1`, `uuid-…-2`, …
    pub(super) fn token(&mut self) -> String {
        self.tokens += 1;
        numbered(&self.unique, self.tokens)
    }
}

fn numbered(prefix: &str, number: u32) -> String {
    [prefix, itoa::Buffer::new().format(number)].concat()
}

/// A random GUID (RFC 9562 version 4) in its usual spelling.
pub(super) fn guid(mut octets: [u8; 16]) -> String {
    octets[6] = octets[6] & 0x0f | 0x40;
    octets[8] = octets[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, octet) in octets.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [octet >> 4, octet & 15] {
            text.push(char::from(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::DeterministicRandom;

    #[test]
    fn sc_8_12_identifiers_look_like_those_of_wcf() {
        let random = DeterministicRandom::new(1);
        let mut ids = Ids::new(false, &Entropy::new(&random)).unwrap();
        assert_eq!([ids.number(), ids.number()], ["_0", "_1"]);
        let token = ids.token();
        let groups: Vec<usize> = token.split('-').map(str::len).collect();
        assert_eq!(groups, [4, 8, 4, 4, 4, 12, 1]);
        assert_ne!(token, ids.token());
        assert_eq!(&token[5 + 14..5 + 15], "4");
        let mut avoiding = Ids::new(true, &Entropy::new(&random)).unwrap();
        assert!(avoiding.number().starts_with("_uuid-"));
    }
}

//! Identifiers that are a GUID or any other text (ST §1.5).

use crate::ArgumentError;
use handstamp_claims::ArcStr;
use handstamp_keys::SecureRandom;
use std::fmt;
use std::str::FromStr;

/// A GUID or an arbitrary non-empty text (ST §1.5).
///
/// Exactly `urn:uuid:` and a hyphenated GUID in lower-case hexadecimal is the GUID form; everything else, a GUID with
/// one upper-case digit and the all-zero GUID included, stays text. Equality is that of the text.
///
/// ```
/// use handstamp_session_token::UniqueId;
///
/// let id: UniqueId = "urn:uuid:01020304-0506-0708-090a-0b0c0d0e0f10".parse()?;
/// assert_eq!(id.guid().map(|guid| guid[0]), Some(1));
/// let shouted: UniqueId = "urn:uuid:01020304-0506-0708-090A-0B0C0D0E0F10".parse()?;
/// assert_eq!(shouted.guid(), None);
/// assert_ne!(id, shouted);
/// # Ok::<(), handstamp_session_token::ArgumentError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UniqueId(Form);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    Guid([u8; 16]),
    Text(ArcStr),
}

impl UniqueId {
    /// A random GUID (version 4: 122 random bits).
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, handstamp_keys::Error> {
        let mut guid = [0; 16];
        random.fill(&mut guid)?;
        Ok(Self::random_guid(guid))
    }

    /// The GUID of version 4 that these random bytes make.
    pub(crate) fn random_guid(mut random: [u8; 16]) -> Self {
        random[6] = random[6] & 0x0f | 0x40;
        random[8] = random[8] & 0x3f | 0x80;
        Self(Form::Guid(random))
    }

    /// The GUID of these 16 bytes in the order in which they are printed.
    pub fn from_guid(guid: [u8; 16]) -> Self {
        if guid == [0; 16] {
            return Self(Form::Text(ArcStr::from("urn:uuid:00000000-0000-0000-0000-000000000000")));
        }
        Self(Form::Guid(guid))
    }

    /// The GUID of these 16 bytes in Microsoft's order: the first three groups reversed.
    pub fn from_microsoft_bytes(bytes: [u8; 16]) -> Self {
        Self::from_guid(swap(bytes))
    }

    /// The 16 bytes in the order in which they are printed, when this is the GUID form.
    pub fn guid(&self) -> Option<[u8; 16]> {
        match self.0 {
            Form::Guid(guid) => Some(guid),
            Form::Text(_) => None,
        }
    }

    /// The 16 bytes in Microsoft's order, when this is the GUID form.
    pub fn microsoft_bytes(&self) -> Option<[u8; 16]> {
        self.guid().map(swap)
    }

    /// The text form.
    pub fn to_text(&self) -> ArcStr {
        match &self.0 {
            Form::Guid(guid) => ArcStr::from(std::str::from_utf8(&urn(guid)).unwrap_or_default()),
            Form::Text(text) => text.clone(),
        }
    }

    /// Calls `use_text` with the text form, without an allocation.
    pub fn with_text<T>(&self, use_text: impl FnOnce(&str) -> T) -> T {
        match &self.0 {
            Form::Guid(guid) => use_text(std::str::from_utf8(&urn(guid)).unwrap_or_default()),
            Form::Text(text) => use_text(text),
        }
    }
}

impl FromStr for UniqueId {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        if text.is_empty() {
            return Err(ArgumentError::UniqueId);
        }
        Ok(match parse_urn(text).filter(|guid| *guid != [0; 16]) {
            Some(guid) => Self(Form::Guid(guid)),
            None => Self(Form::Text(ArcStr::from(text))),
        })
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.pad(text))
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| write!(f, "UniqueId({text})"))
    }
}

/// Identifies a session: the cache key and, in XML, the `Identifier` (ST §1.1).
///
/// Whoever knows the context id of a session in reference mode of the *original* can take it over, so it is treated as
/// a secret: `Debug` shows a [fingerprint](Self::fingerprint).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ContextId(UniqueId);

impl ContextId {
    /// A fresh one with 122 random bits (ST-3).
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, handstamp_keys::Error> {
        UniqueId::generate(random).map(Self)
    }

    /// The id itself.
    pub fn as_unique_id(&self) -> &UniqueId {
        &self.0
    }

    /// SHA-256 of the text form: what stores and revocation lists keep instead of the id.
    pub fn digest(&self) -> [u8; 32] {
        self.0.with_text(|text| handstamp_keys::sha256(text.as_bytes()))
    }

    /// The first eight hexadecimal digits of [`Self::digest`], by which logs can be correlated.
    pub fn fingerprint(&self) -> String {
        self.digest().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl From<UniqueId> for ContextId {
    fn from(id: UniqueId) -> Self {
        Self(id)
    }
}

impl FromStr for ContextId {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        text.parse().map(Self)
    }
}

impl fmt::Debug for ContextId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContextId(#{})", self.fingerprint())
    }
}

/// Tells renewed keys of one session apart (ST §1.1).
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct KeyGeneration(UniqueId);

impl KeyGeneration {
    /// The id itself.
    pub fn as_unique_id(&self) -> &UniqueId {
        &self.0
    }
}

impl From<UniqueId> for KeyGeneration {
    fn from(id: UniqueId) -> Self {
        Self(id)
    }
}

impl FromStr for KeyGeneration {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        text.parse().map(Self)
    }
}

/// Lower-case hexadecimal with hyphens, 36 characters.
pub(crate) fn guid_text(guid: &[u8; 16]) -> [u8; 36] {
    let mut out = [b'-'; 36];
    let mut at = 0;
    for (i, byte) in guid.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            at += 1;
        }
        out[at] = HEX[usize::from(byte >> 4)];
        out[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    out
}

/// Reads exactly what [`guid_text`] writes.
pub(crate) fn parse_guid(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut guid = [0; 16];
    let mut at = 0;
    for (i, byte) in guid.iter_mut().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = nibble(text[at])? << 4 | nibble(text[at + 1])?;
        at += 2;
    }
    Some(guid)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn urn(guid: &[u8; 16]) -> [u8; 45] {
    let mut out = [0; 45];
    out[..9].copy_from_slice(URN_UUID.as_bytes());
    out[9..].copy_from_slice(&guid_text(guid));
    out
}

fn parse_urn(text: &str) -> Option<[u8; 16]> {
    parse_guid(text.strip_prefix(URN_UUID)?.as_bytes())
}

fn swap(b: [u8; 16]) -> [u8; 16] {
    [b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]]
}

const URN_UUID: &str = "urn:uuid:";
const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::{DeterministicRandom, SystemRandom};
    use proptest::prelude::*;

    #[test]
    fn only_the_exact_lower_case_form_is_a_guid() {
        let guid = "urn:uuid:01020304-0506-0708-090a-0b0c0d0e0f10";
        let id: UniqueId = guid.parse().unwrap();
        assert_eq!(id.guid(), Some([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]));
        assert_eq!(id.microsoft_bytes(), Some([4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16]));
        assert_eq!(UniqueId::from_microsoft_bytes(id.microsoft_bytes().unwrap()), id);
        assert_eq!((id.to_string(), id.to_text().as_str()), (guid.to_owned(), guid));
        for text in [
            "urn:uuid:01020304-0506-0708-090A-0b0c0d0e0f10",
            "URN:uuid:01020304-0506-0708-090a-0b0c0d0e0f10",
            "urn:uuid:00000000-0000-0000-0000-000000000000",
            "urn:uuid:0102030405060708090a0b0c0d0e0f10",
            "urn:uuid:01020304-0506-0708-090a-0b0c0d0e0f1g",
            "urn:uuid:01020304-0506-0708-090a-0b0c0d0e0f100",
            "session 7",
            "é",
        ] {
            let id: UniqueId = text.parse().unwrap();
            assert_eq!(id.guid(), None, "{text}");
            assert_eq!(id.to_string(), text);
        }
        assert_eq!("".parse::<UniqueId>(), Err(ArgumentError::UniqueId));
        assert_eq!(UniqueId::from_guid([0; 16]).guid(), None);
    }

    #[test]
    fn st_3_generated_ids_are_fresh_and_of_version_4() {
        let (a, b) = (UniqueId::generate(&SystemRandom).unwrap(), UniqueId::generate(&SystemRandom).unwrap());
        assert_ne!(a, b);
        let guid = UniqueId::generate(&DeterministicRandom::new(1)).unwrap().guid().unwrap();
        assert_eq!((guid[6] >> 4, guid[8] >> 6), (4, 2));
    }

    #[test]
    fn st_40_debug_of_a_context_id_shows_a_fingerprint_only() {
        let id: ContextId = "urn:uuid:01020304-0506-0708-090a-0b0c0d0e0f10".parse().unwrap();
        let shown = format!("{id:?}");
        assert!(shown.starts_with("ContextId(#") && !shown.contains("0102"), "{shown}");
        assert_eq!(id.fingerprint().len(), 8);
    }

    proptest! {
        #[test]
        fn text_round_trips(text in ".{1,60}") {
            prop_assert_eq!(text.parse::<UniqueId>().unwrap().to_string(), text);
        }

        #[test]
        fn guids_round_trip(guid: [u8; 16]) {
            let id = UniqueId::from_guid(guid);
            prop_assert_eq!(id.to_string().parse::<UniqueId>().unwrap(), id);
        }
    }
}

//! The COSE_Encrypt0 message around the content (RFC 9052 §5.2), in its one deterministic layout.
//!
//! ```text
//! d0 83                      tag 16, array of three
//!    49 a2 01 03 04 44 KKKK  protected header: alg = A256GCM, kid = four bytes
//!    a1 05 4c NNNNNNNNNNNN   unprotected header: IV = twelve bytes
//!    58 LL CCCC…             ciphertext and tag, as long as its head says
//! ```

use super::cbor::Writer;
use crate::format::Carrier;
use crate::{EndpointScope, Error, Malformed};
use handstamp_keys::{KeyId, KeyRing, SecureRandom, seal};
use handstamp_time::Timestamp;
use std::ops::Range;
use zeroize::{Zeroize, Zeroizing};

/// How every message begins.
pub(super) const PREFIX: [u8; 8] = [0xd0, 0x83, 0x49, 0xa2, 0x01, 0x03, 0x04, 0x44];
/// Of the external associated data; a reader of another version does not find the message authentic.
const FORMAT_VERSION: u64 = 1;

const KEY_ID: Range<usize> = 8..12;
const IV_HEAD: Range<usize> = 12..15;
const IV: Range<usize> = 15..27;
const PROTECTED: Range<usize> = 3..12;
const CIPHERTEXT_HEAD: usize = 27;

/// Seals content. The buffer given away is where the plaintext was, and is encrypted in place.
pub(super) fn seal(
    ring: &KeyRing,
    mut content: Zeroizing<Vec<u8>>,
    carrier: &Carrier,
    scope: &EndpointScope,
    now: Timestamp,
    random: &dyn SecureRandom,
) -> Result<Vec<u8>, Error> {
    let key = ring.sealing_key(now)?;
    let mut iv = [0; seal::NONCE_LEN];
    random.fill(&mut iv)?;
    let mut message = Vec::with_capacity(CIPHERTEXT_HEAD + 5 + content.len() + seal::TAG_LEN);
    message.extend_from_slice(&PREFIX);
    message.extend_from_slice(key.id().as_bytes());
    message.extend_from_slice(&IV_BYTES);
    message.extend_from_slice(&iv);
    let protected = message.get(PROTECTED).ok_or(Malformed::Structure("no protected header"))?;
    let tag = key.seal_separate_tag(&iv, &associated_data(protected, carrier, scope), &mut content)?;
    let mut head = Writer::with_capacity(8);
    head.byte_string_head(content.len() + tag.len());
    message.extend_from_slice(&head.into_bytes());
    message.extend_from_slice(&content);
    message.extend_from_slice(&tag);
    Ok(message)
}

/// The key that a message names.
pub(super) fn key_id(message: &[u8]) -> Option<KeyId> {
    message.starts_with(&PREFIX).then(|| Parts::of(message).map(|parts| parts.key_id))?
}

/// Opens a message in place and gives the content and its scope to `use_content`.
///
/// Scopes are tried in turn, the unscoped one last: the scope is part of the associated data and not of the message. One
/// error for everything that is wrong, before anything of the content is looked at.
pub(super) fn open<T>(
    ring: &KeyRing,
    message: Vec<u8>,
    carrier: &Carrier,
    scopes: &[EndpointScope],
    now: Timestamp,
    use_content: impl FnOnce(&[u8], &EndpointScope) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut message = Zeroizing::new(message);
    let parts = Parts::of(&message).ok_or(Error::Unauthentic)?;
    let key = ring.opening_key(parts.key_id, now)?;
    let protected: [u8; PROTECTED.end - PROTECTED.start] = parts.protected;
    let sealed = message.get_mut(parts.ciphertext).ok_or(Error::Unauthentic)?;
    let mut attempt = Zeroizing::new(Vec::new());
    for scope in scopes {
        attempt.zeroize();
        attempt.extend_from_slice(sealed);
        if let Ok(content) = key.open_in_place(&parts.iv, &associated_data(&protected, carrier, scope), &mut attempt) {
            return use_content(content, scope);
        }
    }
    let unscoped = EndpointScope::Unscoped;
    let content = key.open_in_place(&parts.iv, &associated_data(&protected, carrier, &unscoped), sealed)?;
    use_content(content, &unscoped)
}

struct Parts {
    key_id: KeyId,
    iv: [u8; seal::NONCE_LEN],
    protected: [u8; PROTECTED.end - PROTECTED.start],
    ciphertext: Range<usize>,
}

impl Parts {
    fn of(message: &[u8]) -> Option<Self> {
        if !message.starts_with(&PREFIX) || message.get(IV_HEAD)? != IV_BYTES {
            return None;
        }
        let mut reader = super::cbor::Reader::new(message.get(CIPHERTEXT_HEAD..)?);
        let ciphertext = reader.bytes().ok()?;
        reader.finish().ok()?;
        if ciphertext.len() < seal::TAG_LEN {
            return None;
        }
        Some(Self {
            key_id: KeyId::try_from(message.get(KEY_ID)?).ok()?,
            iv: message.get(IV)?.try_into().ok()?,
            protected: message.get(PROTECTED)?.try_into().ok()?,
            ciphertext: message.len() - ciphertext.len()..message.len(),
        })
    }
}

/// `Enc_structure` of RFC 9052 §5.3, with the external data that binds carrier, scope and version of the format.
fn associated_data(protected: &[u8], carrier: &Carrier, scope: &EndpointScope) -> Vec<u8> {
    let (kind, name) = carrier.binding();
    let mut external = Writer::with_capacity(128);
    external.array(4);
    external.unsigned(FORMAT_VERSION);
    external.unsigned(u64::from(kind));
    external.text(name);
    match scope {
        EndpointScope::Unscoped => external.null(),
        EndpointScope::Endpoint(endpoint) => external.text(endpoint),
    }
    let mut structure = Writer::with_capacity(192);
    structure.array(3);
    structure.text("Encrypt0");
    structure.bytes(protected);
    structure.bytes(&external.into_bytes());
    std::mem::take(&mut *structure.into_bytes())
}

/// Map of one entry, label 5, byte string of twelve.
const IV_BYTES: [u8; 3] = [0xa1, 0x05, 0x4c];

//! XML Encryption 1.0 and 1.1: reading in place, and writing.
//!
//! An [`EncryptedData`] is decrypted with a key that the caller chose or unwrapped from an [`EncryptedKey`]; the plaintext
//! takes its place in the same document, so that node identities stay valid and nothing is parsed twice
//! ([`decrypt_in_place`]). Which algorithms are acceptable is configuration ([`DecryptPolicy`]). Every failure behind
//! the structure, bad padding, wrong key, text that is no XML, is [`Error::Unauthentic`].

mod data;
mod encryptor;
mod key;
mod policy;

pub use data::{EncryptedData, EncryptedType, decrypt_in_place};
pub use encryptor::{Encryptor, WrappedKey, encrypt_key_for_certificate, encrypt_key_with_key};
pub use key::EncryptedKey;
pub use policy::DecryptPolicy;

use crate::error::Error;
use crate::octets::from_base64;
use handstamp_xml::{Element, names};

/// `CipherData/CipherValue`. `CipherReference`, which leads out of the message, is refused.
fn cipher_value(parent: Element<'_>, structure: &'static str) -> Result<Vec<u8>, Error> {
    let value =
        parent.child(names::XENC, "CipherData").and_then(|data| data.child(names::XENC, "CipherValue")).ok_or_else(
            || Error::malformed(structure, "it has no CipherValue; references to the outside are not followed"),
        )?;
    from_base64(&value.text()).ok_or_else(|| Error::malformed(structure, "its CipherValue is not base64"))
}

fn method<'d>(parent: Element<'d>, structure: &'static str) -> Result<(Element<'d>, &'d str), Error> {
    let element = parent
        .child(names::XENC, "EncryptionMethod")
        .ok_or_else(|| Error::malformed(structure, "it has no EncryptionMethod"))?;
    let algorithm =
        element.attribute("Algorithm").ok_or_else(|| Error::malformed("EncryptionMethod", "it has no Algorithm"))?;
    Ok((element, algorithm))
}

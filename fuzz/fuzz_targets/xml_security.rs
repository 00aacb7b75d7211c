//! Any document: reading signatures and encryptions in it, verifying and decrypting with keys that do not fit.
//!
//! Nothing verifies under a key that signed nothing, and no decryption leaves the document half changed.
#![no_main]

use handstamp_keys::SymmetricKey;
use handstamp_xml::{Document, NodeId, ParseOptions, names};
use handstamp_xml_security::algorithm::{DataEncryption, DigestMethod, KeyEncryption, SignatureMethod};
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedData, EncryptedKey, decrypt_in_place};
use handstamp_xml_security::signature::{Signature, VerificationKey, VerifyPolicy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(mut document) = Document::parse(data, &ParseOptions::default()) else { return };
    let policy = VerifyPolicy::exactly(SignatureMethod::ALL.to_vec(), DigestMethod::ALL.to_vec());
    let mut encrypted: Vec<NodeId> = Vec::new();
    for element in document.root().descendants() {
        if element.is(names::DSIG, "Signature")
            && let Ok(signature) = Signature::parse(element)
        {
            let _ = signature.key_info();
            assert!(signature.verify(VerificationKey::Symmetric(b"a key that signed nothing"), &policy).is_err());
        }
        if let Ok(key) = EncryptedKey::parse(element) {
            let _ = (key.key_info(), key.references().count());
        }
        if let Ok(data) = EncryptedData::parse(element) {
            let _ = data.key_info();
            encrypted.push(element.id());
        }
    }
    let policy = DecryptPolicy::exactly(DataEncryption::ALL.to_vec(), KeyEncryption::ALL.to_vec());
    for node in encrypted {
        for length in [16, 24, 32] {
            let _ = decrypt_in_place(&mut document, node, &SymmetricKey::from_bytes(&vec![0; length]), &policy);
        }
    }
    let _ = document.root().text();
});

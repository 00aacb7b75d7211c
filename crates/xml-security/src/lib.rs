//! XML Signature and XML Encryption: what was verified is what is used.
//!
//! A signature is read in two steps. [`Signature::parse`](signature::Signature::parse) reads its structure, which
//! costs nothing; the caller chooses a key that it trusts with the help of the
//! [hints](signature::Signature::key_info); [`Signature::verify`](signature::Signature::verify) then returns the covered elements as
//! [`VerifiedElement`](signature::VerifiedElement)s. Code that draws conclusions from a message takes
//! `VerifiedElement`s and nothing else, so that signature wrapping (moving a signed element aside and putting a forged
//! one in its place) is not an attack that has to be remembered: it does not compile.
//!
//! Which algorithms are acceptable is configuration ([`VerifyPolicy`](signature::VerifyPolicy)); a message never widens it.
//!
//! ```
//! use handstamp_keys::{KeyKind, PrivateKey};
//! use handstamp_xml::{Document, ParseOptions};
//! use handstamp_xml_security::algorithm::SignatureMethod;
//! use handstamp_xml_security::signature::{Place, Signature, Signer, SigningKey, VerificationKey, VerifyPolicy};
//!
//! let key = PrivateKey::generate(KeyKind::Rsa { bits: 2048 })?;
//! let options = ParseOptions::default();
//! let order = Document::parse(r#"<order ID="_1"><price>12.50</price></order>"#, &options)?;
//! let signed = Signer::new(SignatureMethod::RsaSha256, SigningKey::Private(&key))
//!     .sign_enveloped("_1", order.root(), Place::LastChild)?;
//!
//! let received = Document::parse(signed, &options)?;
//! let signature = Signature::of_child(received.root())?.ok_or("not signed")?;
//! let verified = signature.verify(VerificationKey::Public(key.public_key()), &VerifyPolicy::asymmetric())?;
//! let order = verified.element(received.root()).ok_or("something else was signed")?;
//! assert_eq!(order.child("", "price").map(|price| price.text().into_owned()).as_deref(), Some("12.50"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod algorithm;
pub mod encryption;
mod error;
pub mod key_info;
mod octets;
pub mod signature;

pub use error::Error;

//! An order that nobody can change on its way, nor move aside and put another one in its place.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_keys::{KeyKind, PrivateKey};
use handstamp_xml::{Document, ParseOptions};
use handstamp_xml_security::algorithm::SignatureMethod;
use handstamp_xml_security::signature::{Place, Signature, Signer, SigningKey, VerificationKey, VerifyPolicy};
use std::error::Error;

/// What the receiver may conclude: the price, if the right key signed it.
fn price(message: &str, key: &PrivateKey) -> Result<String, Box<dyn Error>> {
    let document = Document::parse(message.to_owned(), &ParseOptions::default())?;
    let signature = Signature::of_child(document.root())?.ok_or("nothing is signed")?;
    let verified = signature.verify(VerificationKey::Public(key.public_key()), &VerifyPolicy::asymmetric())?;
    // Only verified elements are read: what an attacker puts beside them cannot even be reached.
    let order = verified.element(document.root()).ok_or("something else was signed")?;
    Ok(order.child("", "price").map(|price| price.text().into_owned()).ok_or("no price")?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let key = PrivateKey::generate(KeyKind::Rsa { bits: 2048 })?;
    let order = Document::parse(r#"<order ID="_1"><price>12.50</price></order>"#, &ParseOptions::default())?;
    let signer = Signer::new(SignatureMethod::RsaSha256, SigningKey::Private(&key));
    let signed = signer.sign_enveloped("_1", order.root(), Place::LastChild)?;
    println!("{signed}");
    assert_eq!(price(&signed, &key)?, "12.50");

    let cheaper = signed.replace("12.50", "0.01");
    println!("{}", price(&cheaper, &key).expect_err("it was changed"));
    let wrapped = format!(r#"<order ID="_2"><price>0.01</price>{signed}</order>"#);
    println!("{}", price(&wrapped, &key).expect_err("the signed order was moved aside"));
    let other = PrivateKey::generate(KeyKind::Rsa { bits: 2048 })?;
    println!("{}", price(&signed, &other).expect_err("somebody else signed it"));
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}

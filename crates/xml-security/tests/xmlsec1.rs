//! Interoperation with `xmlsec1`, both ways. Says so and stops where the tool is not installed (`cargo xtask test` installs it).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

use handstamp_keys::{Curve, KeyKind, PrivateKey, SymmetricKey, SystemRandom};
use handstamp_xml::{Document, ParseOptions, c14n, names};
use handstamp_xml_security::algorithm::{DataEncryption, DigestMethod, KeyEncryption, SignatureMethod};
use handstamp_xml_security::encryption::{
    DecryptPolicy, EncryptedData, EncryptedKey, EncryptedType, Encryptor, decrypt_in_place, encrypt_key_for_certificate,
};
use handstamp_xml_security::key_info::KeyInfoClause;
use handstamp_xml_security::signature::{Place, Signature, Signer, SigningKey, VerificationKey, VerifyPolicy};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const DOCUMENT: &str = concat!(
    r#"<o:orders xmlns:o="urn:orders" xmlns="urn:shop" xmlns:unused="urn:unused">"#,
    r#"<order ID="_1" o:kind="rush"><!-- fragile --><item>b&#xE4;r &amp; &lt;B&gt;</item><price cur='EUR'>12.50</price></order>"#,
    "</o:orders>"
);

const CANONICALIZATIONS: [&str; 4] =
    [c14n::EXCLUSIVE, c14n::EXCLUSIVE_WITH_COMMENTS, c14n::INCLUSIVE, c14n::INCLUSIVE_WITH_COMMENTS];

#[test]
fn xmlsec1_verifies_what_we_sign() {
    let Some(bench) = Bench::new() else { return };
    for (method, key) in bench.methods() {
        let document = parse(DOCUMENT);
        let order = document.root().child("urn:shop", "order").unwrap();
        let signing_key = match key {
            Key::Private(key, _) => SigningKey::Private(key),
            Key::Hmac(octets, _) => SigningKey::Symmetric(octets),
        };
        let signer =
            Signer::new(method, signing_key).with_digest_method(DigestMethod::Sha512).with_prefix_list(["unused"]);
        let enveloped = signer.sign_enveloped("_1", order, Place::LastChild).unwrap();
        let enveloping = signer.sign_enveloping("object", "<x:note xmlns:x=\"urn:x\">hi</x:note>").unwrap();
        let whole = signer.sign_enveloped("", parse("<doc>text</doc>").root(), Place::LastChild).unwrap();
        for (kind, signed) in [("enveloped", enveloped), ("enveloping", enveloping), ("whole", whole)] {
            let output = bench.run(&["--verify"], key, &bench.write("ours.xml", &signed));
            assert!(output.0, "{method:?} {kind}: {}\n{signed}", output.1);
        }
    }
}

#[test]
fn we_verify_what_xmlsec1_signs() {
    let Some(bench) = Bench::new() else { return };
    let policy = VerifyPolicy::exactly(SignatureMethod::ALL.to_vec(), DigestMethod::ALL.to_vec());
    for (method, key) in bench.methods() {
        for (canonicalization, digest) in CANONICALIZATIONS.iter().zip(DigestMethod::ALL) {
            let template = template(method, canonicalization, *digest);
            let unsigned = DOCUMENT.replace("</order>", &format!("{template}</order>"));
            let path = bench.write("theirs.xml", &unsigned);
            let (signed_well, signed) = bench.run(&["--sign"], key, &path);
            assert!(signed_well, "{method:?}: xmlsec1 does not sign: {signed}");
            let document = parse(&signed);
            let order = document.root().child("urn:shop", "order").unwrap();
            let signature = Signature::of_child(order).unwrap().unwrap();
            let verification_key = match key {
                Key::Private(key, _) => VerificationKey::Public(key.public_key()),
                Key::Hmac(octets, _) => VerificationKey::Symmetric(octets),
            };
            let verified = signature
                .verify(verification_key, &policy)
                .unwrap_or_else(|e| panic!("{method:?} {canonicalization:?} {digest:?}: {e}\n{signed}"));
            assert_eq!(verified.element(order).unwrap().text(), "bär & <B>12.50");
        }
    }
}

#[test]
fn xmlsec1_decrypts_what_we_encrypt() {
    let Some(bench) = Bench::new() else { return };
    let Key::Private(rsa, _) = &bench.rsa else { unreachable!() };
    for algorithm in DataEncryption::ALL {
        for transport in [KeyEncryption::RsaOaepMgf1p, KeyEncryption::Rsa15] {
            let key = SymmetricKey::generate(algorithm.key_length(), &SystemRandom).unwrap();
            let wrapped = encrypt_key_for_certificate(transport, rsa.public_key(), "ek", "", &key).unwrap();
            let data = Encryptor::new(*algorithm, &key)
                .unwrap()
                .encrypted_data("ed", EncryptedType::Element, &wrapped, b"<secret>42</secret>", &SystemRandom)
                .unwrap();
            let path = bench.write("encrypted.xml", &format!("<r>{data}</r>"));
            let (decrypted, text) = bench.run(&["--decrypt"], &bench.rsa, &path);
            assert!(decrypted && text.contains("<r><secret>42</secret></r>"), "{algorithm:?} {transport:?}: {text}");
        }
    }
}

#[test]
fn we_decrypt_what_xmlsec1_encrypts() {
    let Some(bench) = Bench::new() else { return };
    let Key::Private(rsa, _) = &bench.rsa else { unreachable!() };
    let plain = bench.write("plain.xml", "<r><secret>42</secret></r>");
    for algorithm in DataEncryption::ALL {
        for transport in [KeyEncryption::RsaOaepMgf1p, KeyEncryption::Rsa15] {
            let template = bench.write("template.xml", &encryption_template(*algorithm, transport));
            let kind = match algorithm {
                DataEncryption::TripleDesCbc => "des-192".to_owned(),
                aes => format!("aes-{}", aes.key_length() * 8),
            };
            let arguments =
                ["--encrypt", "--session-key", &kind, "--node-name", "secret", "--xml-data", plain.to_str().unwrap()];
            let (encrypted, text) = bench.run(&arguments, &bench.rsa, &template);
            assert!(encrypted, "{algorithm:?}: xmlsec1 does not encrypt: {text}");
            let mut document = parse(&text);
            let data = document.root().child(names::XENC, "EncryptedData").unwrap();
            let (node, info) = (data.id(), EncryptedData::parse(data).unwrap().key_info().unwrap().unwrap());
            let Some(KeyInfoClause::EncryptedKey(wrapped)) = info.clauses().first() else { panic!("no key: {text}") };
            let policy = DecryptPolicy::exactly(DataEncryption::ALL.to_vec(), KeyEncryption::ALL.to_vec());
            let wrapped = EncryptedKey::parse(*wrapped).unwrap();
            let key = wrapped.unwrap_with_private_key(rsa, algorithm.key_length(), &policy).unwrap();
            decrypt_in_place(&mut document, node, &key, &policy).unwrap();
            assert_eq!(document.root().child("", "secret").unwrap().text(), "42", "{algorithm:?} {transport:?}");
        }
    }
}

enum Key {
    Private(PrivateKey, PathBuf),
    Hmac(Vec<u8>, PathBuf),
}

struct Bench {
    folder: tempfile::TempDir,
    rsa: Key,
    ec: Key,
    hmac: Key,
}

impl Bench {
    fn new() -> Option<Self> {
        if Command::new("xmlsec1").arg("--version").output().is_err() {
            println!("NOT RUN: xmlsec1 is not installed (apt-get install xmlsec1)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let private = |name: &str, key: PrivateKey| {
            let path = write(name, pem(&key).as_bytes());
            Key::Private(key, path)
        };
        let rsa = private("rsa.pem", PrivateKey::generate(KeyKind::Rsa { bits: 2048 }).unwrap());
        let ec = private("ec.pem", PrivateKey::generate(KeyKind::Ec(Curve::P256)).unwrap());
        let octets: Vec<u8> = (1..=32).collect();
        let path = write("hmac.bin", &octets);
        Some(Self { rsa, ec, hmac: Key::Hmac(octets, path), folder })
    }

    fn methods(&self) -> impl Iterator<Item = (SignatureMethod, &Key)> {
        SignatureMethod::ALL.iter().map(|method| {
            let key = match method {
                method if method.hmac().is_some() => &self.hmac,
                SignatureMethod::EcdsaSha256 | SignatureMethod::EcdsaSha384 | SignatureMethod::EcdsaSha512 => &self.ec,
                _ => &self.rsa,
            };
            (*method, key)
        })
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs `xmlsec1 ACTION --KEY file`; success, and what it wrote.
    fn run(&self, action: &[&str], key: &Key, file: &Path) -> (bool, String) {
        let mut command = Command::new("xmlsec1");
        command.args(action);
        match key {
            Key::Private(_, path) => command.arg("--privkey-pem").arg(path),
            Key::Hmac(_, path) => command.arg("--hmackey").arg(path),
        };
        let output = command.args(["--id-attr:ID", "urn:shop:order"]).arg(file).output().unwrap();
        let text = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8(text).unwrap())
    }
}

fn pem(key: &PrivateKey) -> String {
    let text = base64_simd::STANDARD.encode_to_string(&*key.to_pkcs8().unwrap());
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

fn template(method: SignatureMethod, c14n: &str, digest: DigestMethod) -> String {
    format!(
        r##"<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>
  <CanonicalizationMethod Algorithm="{c14n}"/><SignatureMethod Algorithm="{}"/>
  <Reference URI="#_1"><Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
  <Transform Algorithm="{c14n}"/></Transforms><DigestMethod Algorithm="{}"/><DigestValue/></Reference>
</SignedInfo><SignatureValue/></Signature>"##,
        method.uri(),
        digest.uri()
    )
}

fn encryption_template(algorithm: DataEncryption, transport: KeyEncryption) -> String {
    format!(
        r#"<EncryptedData xmlns="{xenc}" Type="{xenc}Element"><EncryptionMethod Algorithm="{}"/>
<KeyInfo xmlns="{dsig}"><EncryptedKey xmlns="{xenc}"><EncryptionMethod Algorithm="{}"/><KeyInfo xmlns="{dsig}"><KeyName/></KeyInfo>
<CipherData><CipherValue/></CipherData></EncryptedKey></KeyInfo><CipherData><CipherValue/></CipherData></EncryptedData>"#,
        algorithm.uri(),
        transport.uri(),
        xenc = names::XENC,
        dsig = names::DSIG,
    )
}

fn parse(text: &str) -> Document {
    Document::parse(text, &ParseOptions::default()).unwrap()
}

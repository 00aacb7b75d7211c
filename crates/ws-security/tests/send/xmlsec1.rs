//! `xmlsec1` verifies and decrypts what we send. Says so and stops where the tool is not installed.
#![allow(clippy::print_stdout, reason = "a test that did not run says so")]

use crate::ends::{Ends, REQUEST, Way, parse};
use handstamp_keys::SymmetricKey;
use handstamp_ws_security::token::DerivedKeyToken;
use handstamp_ws_security::{
    AlgorithmSuite, MessageSecurityVersion, ProtectionLevel, ProtectionOrder, SecurityBinding,
};
use handstamp_xml::{Document, names};
use std::path::PathBuf;
use std::process::Command;

/// SC 8.5, 8.7: the primary signature of a session, over plaintext and over ciphertext.
#[test]
fn sc_8_5_xmlsec1_verifies_the_signatures_of_sessions() {
    let Some(tool) = Tool::new() else { return };
    let version = MessageSecurityVersion::WSS11_13;
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    let session = SecurityBinding::secure_conversation(bootstrap, version);
    for suite in [AlgorithmSuite::BASIC256, AlgorithmSuite::BASIC128_SHA256, AlgorithmSuite::BASIC256_GCM_SHA256] {
        let ends = Ends::new(version.generation, suite.default_key_length());
        for order in [
            ProtectionOrder::EncryptBeforeSign,
            ProtectionOrder::SignBeforeEncrypt,
            ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
        ] {
            for level in [ProtectionLevel::Sign, ProtectionLevel::EncryptAndSign] {
                let binding = SecurityBinding { protection_order: order, suite, ..session.clone() };
                let way = Way { level, ..Way::default() };
                let sent = ends.request(&binding, way).unwrap().envelope;
                let [signing, ..] = &derived_keys(&ends, &parse(&sent))[..] else { panic!("no keys: {sent}") };
                // What is signed before it is encrypted is verified as it is after decryption.
                let text = if order == ProtectionOrder::EncryptBeforeSign {
                    sent
                } else {
                    let opened = ends.open_request(&binding, &sent, way).unwrap();
                    String::from_utf8(opened.to_xml()).unwrap()
                };
                let key = tool.write("hmac.bin", signing.as_bytes());
                let file = tool.write("message.xml", text.as_bytes());
                let arguments = ["--verify", "--hmackey", key.to_str().unwrap()];
                let (verified, output) = tool.run(&arguments, &file);
                assert!(verified, "{} {order:?} {level:?}: {output}\n{text}", suite.name());
                let other = tool.write("other.xml", text.replacen("urn:echo", "urn:exho", 1).as_bytes());
                assert!(!tool.run(&arguments, &other).0);
            }
        }
    }
}

/// SC 8.6: the body.
#[test]
fn sc_8_6_xmlsec1_decrypts_the_body() {
    let Some(tool) = Tool::new() else { return };
    let version = MessageSecurityVersion::WSS11_FEBRUARY2005;
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    let session = SecurityBinding::secure_conversation(bootstrap, version);
    for suite in
        [AlgorithmSuite::BASIC256, AlgorithmSuite::BASIC192, AlgorithmSuite::BASIC128, AlgorithmSuite::TRIPLE_DES]
    {
        let ends = Ends::new(version.generation, suite.default_key_length());
        let binding = SecurityBinding { suite, ..session.clone() };
        let sent = ends.request(&binding, Way::default()).unwrap().envelope;
        let [_, encryption] = &derived_keys(&ends, &parse(&sent))[..] else { panic!("not two keys: {sent}") };
        let kind = if suite == AlgorithmSuite::TRIPLE_DES { "--deskey" } else { "--aeskey" };
        let key = tool.write("key.bin", encryption.as_bytes());
        let file = tool.write("message.xml", sent.as_bytes());
        let body = ["--node-xpath", "//*[local-name()='Body']/*[local-name()='EncryptedData']"];
        let (decrypted, output) = tool.run(&["--decrypt", kind, key.to_str().unwrap(), body[0], body[1]], &file);
        assert!(decrypted && output.contains(REQUEST), "{}: {output}", suite.name());
    }
}

/// SC 6.1, 6.3, 6.4: signatures by certificates: primary, endorsing, and over the timestamp alone.
#[test]
fn sc_6_xmlsec1_verifies_signatures_by_certificates() {
    let Some(tool) = Tool::new() else { return };
    let version = MessageSecurityVersion::WSS11_13;
    let ends = Ends::new(version.generation, 32);
    let certificate = tool.write("client.pem", ends.client.certificate().to_pem().as_bytes());
    let mut endorsed = SecurityBinding::mutual_certificate(version);
    endorsed.protection_order = ProtectionOrder::SignBeforeEncrypt;
    let mut asymmetric = SecurityBinding::mutual_certificate_duplex(version);
    asymmetric.protection_order = ProtectionOrder::EncryptBeforeSign;
    for binding in [endorsed, asymmetric, SecurityBinding::certificate_over_transport(version)] {
        let sent = ends.request(&binding, Way::default()).unwrap().envelope;
        let file = tool.write("message.xml", sent.as_bytes());
        // The endorsing signature is the last one.
        let node = "(//*[local-name()='Signature'])[last()]";
        let arguments = ["--verify", "--pubkey-cert-pem", certificate.to_str().unwrap(), "--node-xpath", node];
        let (verified, output) = tool.run(&arguments, &file);
        assert!(verified, "{output}\n{sent}");
        let other = tool.write("other.xml", sent.replacen("<DigestValue>", "<DigestValue>A", 2).as_bytes());
        assert!(!tool.run(&arguments, &other).0);
    }
}

/// The derived keys of a message under the session's context, in the order of the header.
fn derived_keys(ends: &Ends, message: &Document) -> Vec<SymmetricKey> {
    let tokens = message.root().descendants().filter(|element| element.local_name() == "DerivedKeyToken");
    tokens.map(|token| DerivedKeyToken::parse(token, 32).unwrap().derive(ends.contexts[0].key())).collect()
}

struct Tool {
    folder: tempfile::TempDir,
}

impl Tool {
    fn new() -> Option<Self> {
        if Command::new("xmlsec1").arg("--version").output().is_err() {
            println!("NOT RUN: xmlsec1 is not installed (apt-get install xmlsec1)");
            return None;
        }
        Some(Self { folder: tempfile::tempdir().unwrap() })
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Whether it worked, and what it wrote. `wsu:Id` and `Id` are made known as identifiers.
    fn run(&self, action: &[&str], file: &std::path::Path) -> (bool, String) {
        let mut command = Command::new("xmlsec1");
        command.args(action);
        let (soap, addressing) = (names::SOAP12, names::WSA);
        let identified = ["Action", "MessageID", "ReplyTo", "To"].map(|name| format!("{addressing}:{name}"));
        let others =
            [format!("{soap}:Body"), format!("{}:Timestamp", names::WSU), format!("{}:Signature", names::DSIG)];
        for name in identified.iter().chain(&others) {
            command.args(["--id-attr:Id", name]);
        }
        let output = command.arg(file).output().unwrap();
        let text = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8(text).unwrap())
    }
}

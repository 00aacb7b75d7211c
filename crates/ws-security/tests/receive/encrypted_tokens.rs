//! SC 6.6: issued tokens that the token service encrypted for the service.

use crate::recorded::{Conversation, Ends, parse, text, wire};
use handstamp_keys::{Certificate, KeyPolicy, SymmetricKey, SystemRandom};
use handstamp_ws_security::{Caller, Error, OutsideFault, Unprotected};
use handstamp_xml::{c14n, names};
use handstamp_xml_security::algorithm::{DataEncryption, KeyEncryption};
use handstamp_xml_security::encryption::{EncryptedType, Encryptor, encrypt_key_for_certificate};

/// The issued key protects the message, endorses it, or endorses the timestamp.
const NAMES: [&str; 3] =
    ["issued-token-one-shot-feb2005", "issued-for-certificate-stateless-13", "issued-over-transport-cookie-13"];

fn named(name: &str) -> Conversation {
    let found = Conversation::load("wcf_messages_more").into_iter().find(|conversation| conversation.name == name);
    found.unwrap_or_else(|| panic!("no conversation {name}"))
}

/// The first request, with something in the place of its assertion.
fn first_request(conversation: &Conversation, replace: impl FnOnce(&str) -> String) -> String {
    let wire = wire(&conversation.messages()[0]);
    let document = parse(wire);
    let assertion = document.root().descendants().find(|element| element.local_name() == "Assertion").unwrap();
    let mut alone = Vec::new();
    c14n::canonicalize(assertion, &c14n::Method::exclusive(), None, &mut alone);
    let (before, rest) = wire.split_once("<saml:Assertion ").unwrap();
    let (_, behind) = rest.split_once("</saml:Assertion>").unwrap();
    format!("{before}{}{behind}", replace(std::str::from_utf8(&alone).unwrap()))
}

fn open(conversation: &Conversation, message: &str) -> Result<Unprotected, Error> {
    conversation.open(parse(message), 0, &Ends::of(conversation))
}

fn encrypted(assertion: &str, recipient: &Certificate, beside: bool) -> String {
    let random = SystemRandom;
    let key = SymmetricKey::generate(32, &random).unwrap();
    let public = recipient.public_key(&KeyPolicy::default()).unwrap();
    let thumbprint = base64_simd::STANDARD.encode_to_string(recipient.sha1_thumbprint());
    let reference = format!(
        "<o:SecurityTokenReference xmlns:o=\"{}\"><o:KeyIdentifier ValueType=\"http://docs.oasis-open.org/wss/\
         oasis-wss-soap-message-security-1.1#ThumbprintSHA1\">{thumbprint}</o:KeyIdentifier></o:SecurityTokenReference>",
        names::WSSE
    );
    let wrapped = encrypt_key_for_certificate(KeyEncryption::RsaOaepMgf1p, public, "_key", &reference, &key).unwrap();
    let key_info = if beside { "" } else { &wrapped };
    let encryptor = Encryptor::new(DataEncryption::Aes256Cbc, &key).unwrap();
    let data = encryptor.encrypted_data("_token", EncryptedType::Element, key_info, assertion.as_bytes(), &random);
    let data = data.unwrap();
    if beside {
        format!("<x:EncryptedAssertion xmlns:x=\"{}\">{data}{wrapped}</x:EncryptedAssertion>", names::SAML20)
    } else {
        data
    }
}

#[test]
fn sc_6_6_an_encrypted_assertion_is_read_like_one_in_clear() {
    for conversation in NAMES.map(named) {
        let service = conversation.parties.service.certificate();
        for beside in [false, true] {
            let message = first_request(&conversation, |assertion| encrypted(assertion, service, beside));
            let opened = open(&conversation, &message);
            let opened = opened.unwrap_or_else(|error| panic!("{}, {beside}: {error}", conversation.name));
            let node = opened.callers().iter().find_map(|caller| match caller {
                Caller::Assertion(node) => Some(*node),
                _ => None,
            });
            let assertion = opened.document().element(node.unwrap()).unwrap();
            assert!(assertion.is(names::SAML11, "Assertion"), "{}", conversation.name);
            let action = text(&conversation.messages()[0], "action");
            assert_eq!(opened.action().unwrap_or_default(), action);
        }
    }
}

#[test]
fn sc_19_4_whatever_is_wrong_with_an_encrypted_assertion_is_one_fault() {
    for conversation in NAMES.map(named) {
        let [service, client] = [&conversation.parties.service, &conversation.parties.client];
        let for_service = |assertion: &str| encrypted(assertion, service.certificate(), false);
        let unchanged = first_request(&conversation, for_service);
        assert!(open(&conversation, &unchanged).is_ok());
        let cut = |assertion: &str| {
            let whole = for_service(assertion);
            let (start, end) = whole.rsplit_once("</e:CipherValue>").unwrap();
            format!("{}</e:CipherValue>{end}", &start[..start.len() - 64])
        };
        let forged = |assertion: &str| for_service(&assertion.replacen("Issuer=\"", "Issuer=\"x", 1));
        for (what, message) in [
            ("for somebody else", first_request(&conversation, |it| encrypted(it, client.certificate(), false))),
            ("not well formed", first_request(&conversation, |it| for_service(&it[1..]))),
            ("no assertion", first_request(&conversation, |_| for_service("<a/>"))),
            ("forged", first_request(&conversation, forged)),
            ("cut", first_request(&conversation, cut)),
        ] {
            let Err(error) = open(&conversation, &message) else { panic!("{}: {what} is accepted", conversation.name) };
            assert_eq!(error.outside(), OutsideFault::FailedAuthentication, "{what}: {error}");
        }
    }
}

#[test]
fn sc_6_6_there_is_one_token_encrypted_or_not() {
    for conversation in NAMES.map(named) {
        let service = conversation.parties.service.certificate();
        let two = first_request(&conversation, |assertion| {
            let token = encrypted(assertion, service, false);
            format!("{}{token}", token.replace("_token", "_other").replace("_key", "_other_key"))
        });
        let Err(error) = open(&conversation, &two) else { panic!("{} has two", conversation.name) };
        assert!(error.to_string().contains("there are two"), "{error}");
    }
}

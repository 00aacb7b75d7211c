//! `handstamp soap open` on every message that was recorded between clients and services of WCF.
#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

mod bindings;
mod expected;
mod recorded;

use expected::Expected;
use recorded::{ClientHas, Conversation, octets, wire};
use serde_json::Value as Json;
use std::sync::Mutex;

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    opened: usize,
    issued: usize,
    refused: usize,
}

#[test]
fn sc_9_the_29_conversations_open_message_by_message() {
    assert_eq!(judge("wcf_messages"), Tally { opened: 162, issued: 26, refused: 12 });
}

#[test]
fn sc_9_the_160_conversations_open_message_by_message() {
    assert_eq!(judge("wcf_messages_more"), Tally { opened: 855, issued: 173, refused: 201 });
}

/// Opens everything with all keys at hand, some conversations at a time.
fn judge(file: &str) -> Tally {
    let conversations = Mutex::new(Conversation::all(file));
    let (tally, problems) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(conversation) = conversations.lock().unwrap().pop() else { break };
                    for index in 0..conversation.messages().len() {
                        let outcome = judge_message(&conversation, index);
                        match outcome {
                            Ok(outcome) => tally.lock().unwrap().add(outcome),
                            Err(problem) => problems.lock().unwrap().push(problem),
                        }
                    }
                }
            });
        }
    });
    let (tally, problems) = (tally.into_inner().unwrap(), problems.into_inner().unwrap());
    assert!(problems.is_empty(), "{} problems ({tally:?}):\n{}", problems.len(), problems.join("\n"));
    tally
}

fn judge_message(conversation: &Conversation, index: usize) -> Result<Tally, String> {
    let expected = Expected::of(conversation, index);
    let answer = conversation.open(index, ClientHas::ServiceKey);
    let problem =
        |problem: String| format!("{} {index}: {problem}: {} {:.300}", conversation.name, answer.err, answer.out);
    expected.check(&answer).map_err(problem)?;
    Ok(match &expected {
        Expected::Opened { issued, .. } => Tally { opened: 1, issued: usize::from(issued.is_object()), refused: 0 },
        Expected::Refused { .. } => Tally { refused: 1, ..Tally::default() },
    })
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.opened += other.opened;
        self.issued += other.issued;
        self.refused += other.refused;
    }
}

/// A client that has what clients have: its own request, and the service's certificate.
#[test]
fn sc_6_1_a_client_opens_what_its_keys_can_and_says_what_is_missing() {
    let (mut opened, mut without_key, mut closed) = (0, 0, 0);
    for conversation in ["wcf_messages", "wcf_messages_more"].into_iter().flat_map(Conversation::all) {
        // One of each kind is enough here.
        let Some(index) = conversation.messages().iter().position(|message| message["direction"] == "reply") else {
            continue;
        };
        let Expected::Opened { issued, .. } = &Expected::of(&conversation, index) else { continue };
        let answer = conversation.open(index, ClientHas::Certificate);
        let request_is_needed = if answer.code == 0 {
            let json: Json = serde_json::from_str(&answer.out).unwrap();
            json["issued"].is_null() && issued.is_object()
        } else {
            true
        };
        if !request_is_needed {
            Expected::of(&conversation, index).check(&answer).unwrap();
            opened += 1;
            continue;
        }
        assert!(answer.err.contains("the request cannot be read"), "{} {index}: {}", conversation.name, answer.err);
        assert!(answer.err.contains("--peer") && answer.err.contains("--session"), "{}", answer.err);
        // The proof key of an assertion was not recorded by name.
        if conversation.name.starts_with("issued-") {
            closed += 1;
            continue;
        }
        let answer = conversation.open(index, ClientHas::RequestKey);
        let checked = Expected::of(&conversation, index).check(&answer);
        assert!(checked.is_ok(), "{} {index}: {checked:?} {}", conversation.name, answer.err);
        without_key += 1;
    }
    assert_eq!((opened, without_key, closed), (31, 141, 3));
}

/// Whose a certificate is, is not the question where nobody says whose it has to be; and whoever has the service's key needs no
/// other.
#[test]
fn sc_6_certificates_are_accepted_as_they_come_unless_the_peer_is_given() {
    for name in ["mutual", "mutual-wss10"] {
        let conversation = Conversation::named("wcf_messages", name);
        let answer =
            conversation.open_with(0, &["--as", "service", "--binding", "service.xml", "--identity", "server.pem"]);
        assert!(Expected::of(&conversation, 0).check(&answer).is_ok(), "{name}: {}", answer.err);
        let other = ["--as", "service", "--binding", "service.xml", "--identity", "server.pem", "--peer", "server.crt"];
        let answer = conversation.open_with(0, &other);
        assert!(answer.code == 1 && answer.err.contains("certificate"), "{name}: {}", answer.err);
    }
    let conversation = Conversation::named("wcf_messages", "mutual");
    let laboratory = ["--as", "client", "--binding", "client.xml", "--identity", "server.pem", "--request", "request"];
    let answer = conversation.open_with(1, &laboratory);
    assert!(Expected::of(&conversation, 1).check(&answer).is_ok(), "{}", answer.err);
}

#[test]
fn sc_8_5_the_contract_of_an_operation_can_be_demanded() {
    let conversation = Conversation::named("wcf_messages_more", "operations-cookie");
    let find =
        |action: &str| conversation.messages().iter().position(|message| text(message, "action") == action).unwrap();
    let (signed, bare) = (find("http://tempuri.org/IOdd/SignOnly"), find("http://tempuri.org/IOdd/Bare"));
    for (index, level, opens) in [
        (signed, "sign", true),
        (signed, "encrypt-and-sign", false),
        (bare, "none", true),
        (bare, "sign", false),
        (2, "encrypt-and-sign", true),
    ] {
        let answer = conversation.open_octets(
            index,
            &octets(&conversation.messages()[index]),
            ClientHas::ServiceKey,
            &["--body", level],
        );
        assert_eq!(answer.code == 0, opens, "{index} {level}: {}", answer.err);
        assert!(opens || answer.err.contains("Body is refused (SC 8."), "{}", answer.err);
    }
}

#[test]
fn sc_7_a_negotiated_context_protects_like_an_issued_one_and_its_legs_are_bare() {
    let conversation = Conversation::named("wcf_messages", "sc-anon");
    let security = r#"<binding><security authenticationMode="AnonymousForSslNegotiated"/><httpTransport/></binding>"#;
    conversation.write("service.xml", security);
    conversation.write("client.xml", security);
    for index in [2, 3] {
        let answer = conversation.open(index, ClientHas::Certificate);
        assert_eq!(answer.code, 0, "{}", answer.err);
    }
    let leg = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Header><a:Action \
        xmlns:a='http://www.w3.org/2005/08/addressing'>http://schemas.xmlsoap.org/ws/2005/02/trust/RST/Issue</a:Action>\
        </s:Header><s:Body>leg</s:Body></s:Envelope>";
    let answer = conversation.open_octets(2, leg.as_bytes(), ClientHas::Certificate, &[]);
    let json: Json = serde_json::from_str(&answer.out).unwrap();
    assert_eq!((text(&json, "envelope"), &json["verified"]), (leg, &serde_json::json!([])), "{}", answer.err);
    let secured = leg.replace("</s:Header>", "<o:Security xmlns:o='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd'/></s:Header>");
    let answer = conversation.open_octets(2, secured.as_bytes(), ClientHas::Certificate, &[]);
    assert!(answer.code == 1 && answer.err.contains("SC 7.1"), "{}", answer.err);
}

/// SC 8.2: a reply names the key that protects it; whoever has that one needs no request.
#[test]
fn sc_8_2_a_reply_opens_with_the_key_that_it_names() {
    let open = |conversation: &Conversation, (name, key): (String, String)| {
        let key = format!("{name}={key}");
        conversation.open_with(1, &["--as", "client", "--binding", "client.xml", "--session", &key])
    };
    // By SHA-1 over the key as the request carried it.
    let named_key = |conversation: &Conversation| {
        let reply = wire(&conversation.messages()[1]);
        let sha1 = reply.split("#EncryptedKeySHA1\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let made = conversation.messages()[0]["symmetricKeys"].as_object().unwrap();
        let (_, key) = made.iter().find(|(id, _)| id.starts_with("uuid-")).unwrap();
        (sha1, base64_simd::STANDARD.encode_to_string(recorded::hex(key.as_str().unwrap())))
    };
    let conversation = Conversation::named("wcf_messages", "user");
    let answer = open(&conversation, named_key(&conversation));
    assert!(Expected::of(&conversation, 1).check(&answer).is_ok(), "{}", answer.err);

    let conversation = Conversation::named("wcf_messages_more", "issued-token-one-shot-feb2005");
    let answer = open(&conversation, conversation.proof_key(0));
    assert!(Expected::of(&conversation, 1).check(&answer).is_ok(), "{}", answer.err);

    // Confirmations are of signatures that only the request has.
    let conversation = Conversation::named("wcf_messages", "anon");
    let answer = open(&conversation, named_key(&conversation));
    assert!(answer.code == 1 && answer.err.contains("SC 8.8") && answer.err.contains("--request"), "{}", answer.err);
}

/// SC 12.4: what the binding lets pass unsecured it lets pass as a fault, too, and the answer says that nobody vouches for it.
#[test]
fn sc_12_4_an_unsecured_reply_passes_where_the_binding_says_so() {
    let conversation = Conversation::named("wcf_messages", "sc-user-cookie-unknown-context");
    let fault = wire(&conversation.messages()[3]).to_owned();
    let (before, rest) = fault.split_once("<s:Fault>").unwrap();
    let plain = format!("{before}<Other/>{}", rest.split_once("</s:Fault>").unwrap().1);
    for (enabled, code) in [(false, 1), (true, 0)] {
        let binding = bindings::binding(&conversation.case, "client");
        let attribute = format!("<security enableUnsecuredResponse=\"{enabled}\" ");
        conversation.write("client.xml", binding.replacen("<security ", &attribute, 1));
        for reply in [&fault, &plain] {
            let answer = conversation.open_octets(3, reply.as_bytes(), ClientHas::ServiceKey, &[]);
            assert_eq!(answer.code, code, "{}", answer.err);
            if enabled {
                let json: Json = serde_json::from_str(&answer.out).unwrap();
                assert_eq!((text(&json, "envelope"), &json["verified"]), (reply.as_str(), &serde_json::json!([])));
                assert!(answer.err.contains("nothing protects this reply"), "{}", answer.err);
            }
        }
    }
}

/// SC 14.5: an encoding reads its `messageVersion` and no other.
#[test]
fn sc_14_5_messages_of_another_version_are_refused() {
    for (file, name) in [("wcf_messages", "user"), ("wcf_messages_more", "mixed-user-wrong-password-soap11")] {
        let conversation = Conversation::named(file, name);
        let binding = bindings::binding(&conversation.case, "service");
        let own = binding.split("messageVersion=\"").nth(1).unwrap().split('"').next().unwrap();
        for version in ["Soap11WSAddressing10", "Soap12WSAddressing10", "Soap12WSAddressingAugust2004", "Soap12"] {
            // Sessions need addressing.
            if version == "Soap12" && conversation.case["secureConversation"] == true {
                continue;
            }
            conversation.write("service.xml", binding.replace(own, version));
            let answer = conversation.open(0, ClientHas::ServiceKey);
            let refused = answer.err.contains("SC 14.5");
            assert_eq!((answer.code == 0, refused), (version == own, version != own), "{version}: {}", answer.err);
            assert!(!refused || (answer.err.contains(own) && answer.err.contains(version)), "{}", answer.err);
        }
    }
}

/// HTTP authenticates before there is a message.
#[test]
fn sc_14_6_authentication_of_http_does_not_matter_to_a_captured_message() {
    let conversation = Conversation::named("wcf_messages", "user");
    let binding = bindings::binding(&conversation.case, "service");
    let transport = "<httpTransport authenticationScheme=\"Anonymous, Negotiate\"/>";
    conversation.write("service.xml", binding.replace("<httpTransport/>", transport));
    let answer = conversation.open(0, ClientHas::ServiceKey);
    assert!(Expected::of(&conversation, 0).check(&answer).is_ok(), "{}", answer.err);
}

#[test]
fn sc_9_a_refusal_names_requirement_element_key_and_clock_in_one_line() {
    let conversation = Conversation::named("wcf_messages", "sc-user-cookie");
    let wire = |index: usize| wire(&conversation.messages()[index]).to_owned();
    let (bootstrap, request) = (wire(0), wire(2));
    for (index, changed, more, says) in [
        (2, request.replacen("IEcho/Echo<", "IEcho/Ecco<", 1), &[][..], "over \"Action\" does not hold (SC 8.5)"),
        (2, request.clone(), &["--at", "2026-11-22T17:23:13Z"], "Timestamp (created 2026-11-21"),
        (2, request.replacen("uuid-", "uuid-0", 1), &[], "SC 8.5"),
        (2, "<a".to_owned(), &[], "the message is refused (SC 9 step 1)"),
        (
            0,
            bootstrap.replacen("<o:KeyIdentifier ValueType", "<o:KeyIdentifier Value", 1),
            &[],
            "SecurityTokenReference",
        ),
    ] {
        let answer = conversation.open_octets(index, changed.as_bytes(), ClientHas::ServiceKey, more);
        assert_eq!((answer.code, answer.out.as_str(), answer.err.lines().count()), (1, "", 1), "{}", answer.err);
        assert!(
            answer.err.contains(says) && answer.err.contains("(") && answer.err.contains("; clock"),
            "{}",
            answer.err
        );
    }
}

#[test]
fn sc_14_a_binding_that_cannot_be_had_is_a_matter_of_configuration() {
    let conversation = Conversation::named("wcf_messages", "user");
    conversation.write("service.xml", "<binding><security authenticationMode=\"Kerberos\"/><httpTransport/></binding>");
    let answer = conversation.open(0, ClientHas::ServiceKey);
    assert_eq!((answer.code, answer.out.as_str(), answer.err.lines().count()), (3, "", 1), "{}", answer.err);
    assert!(answer.err.contains("Kerberos") && answer.err.contains("line 1"), "{}", answer.err);
}

pub(crate) fn text<'v>(value: &'v Json, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

//! `handstamp soap open` on recorded messages.

#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

use std::path::Path;
use std::process::Command;

use handstamp_testkit::vectors;
use serde_json::Value as Json;

/// Conversations of February 2005 under WSS 1.1, and their bindings.
const CONVERSATIONS: [(&str, &str); 7] = [
    ("anon", r#"<security authenticationMode="AnonymousForCertificate"/>"#),
    ("user", r#"<security authenticationMode="UserNameForCertificate"/>"#),
    ("mutual", r#"<security authenticationMode="MutualCertificate"/>"#),
    ("sc-anon", SESSION_ANONYMOUS),
    ("sc-user", SESSION_USER),
    ("sc-user-renew", SESSION_USER),
    ("sc-user-cookie", SESSION_USER),
];
const SESSION_ANONYMOUS: &str = r#"<security authenticationMode="SecureConversation">
    <secureConversationBootstrap authenticationMode="AnonymousForCertificate"/></security>"#;
const SESSION_USER: &str = r#"<security authenticationMode="SecureConversation">
    <secureConversationBootstrap authenticationMode="UserNameForCertificate"/></security>"#;

struct Recorded {
    folder: tempfile::TempDir,
    vectors: Json,
}

impl Recorded {
    fn load() -> Self {
        let vectors = vectors::load("wcf_messages");
        let folder = tempfile::tempdir().unwrap();
        for who in ["server", "client"] {
            let keys = &vectors["keys"][who];
            let certificate = format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                keys["certificateDer"].as_str().unwrap()
            );
            let both = format!("{certificate}{}", keys["pkcs8Pem"].as_str().unwrap());
            std::fs::write(folder.path().join(format!("{who}.pem")), both).unwrap();
        }
        Self { folder, vectors }
    }

    fn messages(&self, name: &str) -> &[Json] {
        let cases = self.vectors["cases"].as_array().unwrap();
        cases.iter().find(|case| case["name"] == name).unwrap()["messages"].as_array().unwrap()
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Opens one message of a conversation as the side that received it, with every key that was issued before.
    fn open(&self, messages: &[Json], index: usize, wire: &str) -> (i32, String, String) {
        self.write("message.xml", wire);
        let is_request = messages[index]["direction"] == "request";
        let at = created(messages[index]["wire"].as_str().unwrap());
        let mut arguments: Vec<String> =
            ["soap", "open", "message.xml", "--binding", "binding.xml", "--at", &at].map(str::to_owned).to_vec();
        let ends: &[&str] = if is_request {
            &["--as", "service", "--identity", "server.pem", "--peer", "client.pem"]
        } else {
            self.write("request.xml", messages[index - 1]["wire"].as_str().unwrap());
            &["--as", "client", "--identity", "client.pem", "--peer", "server.pem", "--request", "request.xml"]
        };
        arguments.extend(ends.iter().map(|&argument| argument.to_owned()));
        for issued in messages[..index].iter().map(|message| &message["issued"]).filter(|issued| issued.is_object()) {
            let pair = format!("{}={}", issued["identifier"].as_str().unwrap(), issued["key"].as_str().unwrap());
            arguments.extend(["--session".to_owned(), pair]);
        }
        run(self.folder.path(), &arguments)
    }
}

fn run(folder: &Path, arguments: &[String]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_handstamp")).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn created(wire: &str) -> String {
    let start = wire.find("Created>").unwrap() + "Created>".len();
    wire[start..].split('<').next().unwrap().to_owned()
}

fn binding(security: &str) -> String {
    format!(
        "<customBinding><binding name=\"b\">{security}<textMessageEncoding/><httpTransport/></binding></customBinding>"
    )
}

#[test]
fn sc_9_recorded_messages_open_with_plaintext_caller_and_issued_keys() {
    let recorded = Recorded::load();
    let (mut opened, mut issued, mut problems) = (0, 0, Vec::new());
    for (name, security) in CONVERSATIONS {
        recorded.write("binding.xml", &binding(security));
        let messages = recorded.messages(name);
        for index in (0..messages.len()).filter(|index| !messages[*index]["securityHeader"].is_null()) {
            let message = &messages[index];
            let (code, out, err) = recorded.open(messages, index, message["wire"].as_str().unwrap());
            if code != 0 {
                problems.push(format!("{name} {index} {}: {err}", message["action"]));
                continue;
            }
            let json: Json = serde_json::from_str(&out).unwrap();
            assert_eq!(json["action"], message["action"], "{name} {index}");
            assert!(!json["verified"].as_array().unwrap().is_empty(), "{name} {index}");
            assert!(!json["envelope"].as_str().unwrap().contains("EncryptedData"), "{name} {index}");
            if message["issued"].is_object() {
                assert_eq!(json["issued"]["identifier"], message["issued"]["identifier"], "{name} {index}");
                assert_eq!(json["issued"]["key"], message["issued"]["key"], "{name} {index}");
                issued += 1;
            }
            opened += 1;
        }
    }
    assert!(problems.is_empty(), "{opened} opened, but:\n{}", problems.join("\n"));
    assert!(issued >= 5, "{issued}");
}

#[test]
fn sc_9_a_changed_or_late_message_is_refused_in_one_line() {
    let recorded = Recorded::load();
    recorded.write("binding.xml", &binding(CONVERSATIONS[1].1));
    let messages = recorded.messages("user");
    let wire = messages[0]["wire"].as_str().unwrap();
    let (code, out, err) = recorded.open(messages, 0, &wire.replacen("IEcho/Echo<", "IEcho/Ecco<", 1));
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
    assert!(err.contains("SC ") && err.contains("clock"), "{err}");
    let (code, out, err) = recorded.open(messages, 0, "<a");
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
    recorded.write("binding.xml", &binding(r#"<security authenticationMode="Kerberos"/>"#));
    let (code, out, err) = recorded.open(messages, 0, wire);
    assert_eq!((code, out.as_str(), err.lines().count()), (3, "", 1), "{err}");
    assert!(err.contains("Kerberos") && err.contains("line 1"), "{err}");
}

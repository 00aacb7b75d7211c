//! Recorded conversations, each message given to the command as the side that received it would give it.

use crate::bindings::binding;
use crate::text;
use handstamp_keys::{KeyPolicy, SigningIdentity};
use handstamp_testkit::vectors;
use handstamp_xml::{Document, ParseOptions};
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedKey};
use serde_json::Value as Json;
use std::path::Path;
use std::process::Command;

/// A conversation in a folder of its own, with the keys and bindings of both sides.
pub(crate) struct Conversation {
    pub(crate) case: Json,
    pub(crate) name: String,
    folder: tempfile::TempDir,
}

/// What the command answered.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// What the client has besides its own request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientHas {
    /// The service's private key, as in a laboratory.
    ServiceKey,
    /// The service's certificate.
    Certificate,
    /// The certificate, and the key that it made for its request.
    RequestKey,
}

impl Conversation {
    pub(crate) fn all(file: &str) -> Vec<Self> {
        let vectors = vectors::load(file);
        let keys = &vectors["keys"];
        vectors["cases"].as_array().unwrap().iter().map(|case| Self::new(case.clone(), keys)).collect()
    }

    pub(crate) fn named(file: &str, name: &str) -> Self {
        let vectors = vectors::load(file);
        let mut cases = vectors["cases"].as_array().unwrap().iter();
        Self::new(cases.find(|case| case["name"] == name).unwrap().clone(), &vectors["keys"])
    }

    fn new(case: Json, keys: &Json) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
        for who in ["server", "client"] {
            let der = text(&keys[who], "certificateDer");
            let certificate = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
            write(&format!("{who}.crt"), &certificate);
            write(&format!("{who}.pem"), &format!("{certificate}{}", text(&keys[who], "pkcs8Pem")));
        }
        write("service.xml", &binding(&case, "service"));
        write("client.xml", &binding(&case, "client"));
        Self { name: text(&case, "name").to_owned(), case, folder }
    }

    pub(crate) fn messages(&self) -> &[Json] {
        self.case["messages"].as_array().unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Opens a request as the service, a reply as the client, with the keys of all contexts.
    pub(crate) fn open(&self, index: usize, has: ClientHas) -> Answer {
        self.open_octets(index, &octets(&self.messages()[index]), has, &[])
    }

    pub(crate) fn open_octets(&self, index: usize, octets: &[u8], has: ClientHas, more: &[&str]) -> Answer {
        self.write("message", octets);
        let mut arguments = vec!["soap", "open", "message"];
        let at = self.arrival(index);
        if !more.contains(&"--at") {
            arguments.extend(["--at", at.as_str()]);
        }
        let request = self.request_of(index);
        let mut sessions = self.context_keys();
        if is_request(&self.messages()[index]) {
            arguments.extend(["--binding", "service.xml", "--as", "service", "--identity", "server.pem"]);
            arguments.extend(["--peer", "client.crt"]);
        } else {
            arguments.extend(["--binding", "client.xml", "--as", "client", "--identity", "client.pem"]);
            arguments.extend(["--peer", if has == ClientHas::ServiceKey { "server.pem" } else { "server.crt" }]);
            if let Some(request) = request {
                self.write("request", self::octets(request));
                arguments.extend(["--request", "request"]);
                if has == ClientHas::RequestKey {
                    sessions.extend(request_keys(request));
                }
            }
        }
        for session in &sessions {
            arguments.extend(["--session", session]);
        }
        arguments.extend(more);
        run(self.folder.path(), &arguments)
    }

    /// Opens a message with these arguments besides the file and the clock.
    pub(crate) fn open_with(&self, index: usize, arguments: &[&str]) -> Answer {
        self.write("message", octets(&self.messages()[index]));
        if let Some(request) = self.request_of(index) {
            self.write("request", octets(request));
        }
        let at = self.arrival(index);
        run(self.folder.path(), &[&["soap", "open", "message", "--at", at.as_str()], arguments].concat())
    }

    /// Of each context all keys that it ever had.
    fn context_keys(&self) -> Vec<String> {
        let issued = self.messages().iter().map(|message| &message["issued"]).filter(|issued| issued.is_object());
        issued.map(|issued| format!("{}={}", text(issued, "identifier"), text(issued, "key"))).collect()
    }

    /// The id of the assertion in a request, and its key, as the service reads it.
    pub(crate) fn proof_key(&self, index: usize) -> (String, String) {
        let document = Document::parse(wire(&self.messages()[index]), &ParseOptions::default()).unwrap();
        let assertion = document.root().descendants().find(|element| element.local_name() == "Assertion").unwrap();
        let wrapped = assertion.descendants().find(|element| element.local_name() == "EncryptedKey").unwrap();
        let pem = std::fs::read(self.folder.path().join("server.pem")).unwrap();
        let service = SigningIdentity::from_pem(&pem, &KeyPolicy::default()).unwrap();
        let wrapped = EncryptedKey::parse(wrapped).unwrap();
        let key = wrapped.unwrap_with_private_key(service.key(), 32, &DecryptPolicy::modern()).unwrap();
        let id = assertion.attribute("AssertionID").unwrap().to_owned();
        (id, base64_simd::STANDARD.encode_to_string(key.as_bytes()))
    }

    pub(crate) fn request_of(&self, index: usize) -> Option<&Json> {
        let relates_to = element_text(wire(&self.messages()[index]), "RelatesTo")?;
        let mut requests = self.messages().iter().take(index).filter(|message| is_request(message));
        requests.rfind(|request| element_text(wire(request), "MessageID") == Some(relates_to))
    }

    /// When a message arrived: as it was made, or for those that were held back or changed, as their answer was made.
    fn arrival(&self, index: usize) -> String {
        let messages = self.messages();
        let shifted = |time: &str, seconds: i64| {
            let time: handstamp_time::Timestamp = time.parse().unwrap();
            let span = std::time::Duration::from_secs(seconds.unsigned_abs());
            let time = if seconds < 0 { time.saturating_sub(span) } else { time.saturating_add(span) };
            time.to_string()
        };
        let own = created(&messages[index]);
        if let Some(offset) = self.name.strip_prefix("mixed-timestamp-created-") {
            let offset: i64 = offset.parse::<i64>().or_else(|_| offset[1..].parse()).unwrap();
            return own.map_or_else(|| "2026-11-21T18:00:00Z".to_owned(), |own| shifted(own, -offset));
        }
        if let Some(offset) = self.name.strip_prefix("mixed-timestamp-expired-").filter(|_| index == 0) {
            return shifted(element_text(wire(&messages[0]), "Expires").unwrap(), offset.parse().unwrap());
        }
        let next = messages[index + 1..].iter().filter_map(created).next();
        let held_back = self.name.contains("stale-timestamp") || self.name == "expired-timestamp";
        match (own, messages.get(index + 1).and_then(created)) {
            (Some(own), Some(answer)) if is_request(&messages[index]) => answer.max(own).to_owned(),
            (Some(own), _) if held_back => next.map_or_else(|| shifted(own, 4), str::to_owned),
            (Some(own), _) if self.name.starts_with("expired-context") && is_request(&messages[index]) => {
                shifted(own, 6)
            }
            (own, _) => own.or(next).unwrap_or("2026-11-21T18:00:00Z").to_owned(),
        }
    }
}

pub(crate) fn is_request(message: &Json) -> bool {
    message["direction"] == "request"
}

/// The message as it was on the wire.
pub(crate) fn octets(message: &Json) -> Vec<u8> {
    match message["wireBase64"].as_str() {
        Some(wire) => base64_simd::STANDARD.decode_to_vec(wire).unwrap(),
        None => wire(message).as_bytes().to_vec(),
    }
}

/// As text, which was recorded of binary and MTOM messages too.
pub(crate) fn wire(message: &Json) -> &str {
    message["wire"].as_str().unwrap_or_else(|| text(message, "xml"))
}

/// The keys that the client made for its request, by the ids of the encrypted keys and assertions.
fn request_keys(request: &Json) -> Vec<String> {
    let keys = request["symmetricKeys"].as_object().into_iter().flatten();
    keys.map(|(id, key)| format!("{id}={}", base64_simd::STANDARD.encode_to_string(hex(key.as_str().unwrap()))))
        .collect()
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn created(message: &Json) -> Option<&str> {
    let created = element_text(wire(message), "Created")?;
    created.parse::<handstamp_time::Timestamp>().ok().map(|_| created)
}

fn element_text<'w>(wire: &'w str, name: &str) -> Option<&'w str> {
    let start = wire.find(&format!("{name}>")).map(|at| at + name.len() + 1);
    let with_attributes = wire.find(&format!("{name} ")).and_then(|at| Some(at + wire[at..].find('>')? + 1));
    let start = match (start, with_attributes) {
        (Some(a), Some(b)) => a.min(b),
        (a, b) => a.or(b)?,
    };
    wire[start..].split('<').next()
}

fn run(folder: &Path, arguments: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_handstamp")).args(arguments).current_dir(folder).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    Answer { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

//! What an attacker on the line may try with a recorded message: wrapping, stripping, substituting, replaying, guessing.
//! Each is refused, and the outside learns the same from each.

use crate::recorded::{Conversation, created, parse, text};
use crate::trusted::{Alice, RecordedKeys};
use handstamp_time::Timestamp;
use handstamp_ws_security::{
    Error, Expectation, MemoryReplayCache, OutsideFault, ProtectionLevel, Receiver, SecurityBinding, Unprotected,
};
use handstamp_xml::{Document, ParseOptions, names};
use std::sync::LazyLock;

/// A conversation under `EncryptBeforeSign`, whose signature is visible and can be played with, and one in WCF's default order.
struct Target {
    conversation: &'static Conversation,
    message: usize,
}

impl Target {
    fn new(name: &str, message: usize) -> Self {
        static LOADED: LazyLock<Vec<Conversation>> = LazyLock::new(|| Conversation::load("wcf_messages"));
        let conversation = LOADED.iter().find(|conversation| conversation.name == name).unwrap();
        Self { conversation, message }
    }

    fn wire(&self) -> &str {
        text(&self.conversation.case["messages"][self.message], "wire")
    }

    fn created(&self) -> Timestamp {
        created(&self.conversation.case["messages"][self.message]).unwrap()
    }

    fn open(&self, wire: &str) -> Result<Unprotected, Error> {
        self.open_under(wire, |_| {}, &Expectation::request())
    }

    fn open_under(
        &self,
        wire: &str,
        change: impl FnOnce(&mut SecurityBinding),
        expected: &Expectation<'_>,
    ) -> Result<Unprotected, Error> {
        let document = Document::parse(wire, &ParseOptions::default())?;
        let message = &self.conversation.case["messages"][self.message];
        let mut binding = self.conversation.binding(text(message, "action"));
        change(&mut binding);
        let replays = MemoryReplayCache::new(10);
        let sessions = RecordedKeys::of(&self.conversation.case);
        let now = self.created();
        Receiver::service(&binding)
            .with_identity(&self.conversation.parties.service)
            .with_peer_certificate(self.conversation.parties.client.certificate())
            .with_user_names(&Alice)
            .with_sessions(&sessions)
            .with_replay_cache(&replays)
            .open(document, expected, now)
    }

    /// The message changed in one place is refused, and says nothing about why.
    fn refuses(&self, from: &str, to: &str) -> Error {
        assert!(self.wire().contains(from), "nothing to change: {from}");
        self.refuses_message(&self.wire().replacen(from, to, 1))
    }

    fn refuses_message(&self, wire: &str) -> Error {
        assert_ne!(wire, self.wire());
        match self.open(wire) {
            Ok(_) => panic!("accepted: {wire}"),
            Err(error) => {
                assert_eq!(error.outside(), OutsideFault::InvalidSecurity, "{error}");
                error
            }
        }
    }
}

fn visible() -> Target {
    Target::new("sc-user-cookie-encrypt-first", 2)
}

fn hidden() -> Target {
    Target::new("sc-user-cookie", 2)
}

fn element<'w>(wire: &'w str, start: &str, end: &str) -> &'w str {
    let from = wire.find(start).unwrap();
    let to = wire[from..].find(end).unwrap() + from + end.len();
    &wire[from..to]
}

#[test]
fn the_unchanged_messages_are_accepted() {
    for target in [visible(), hidden()] {
        let opened = target.open(target.wire()).unwrap();
        assert_eq!(opened.body().unwrap().children().next().unwrap().text(), "hello");
        assert!(opened.action().unwrap().ends_with("/Echo"));
        assert!(opened.context().is_some());
    }
}

#[test]
fn wrapping_a_moved_body_is_not_read() {
    let target = visible();
    let body = element(target.wire(), "<s:Body", "</s:Body>");
    let forged = "<s:Body><Echo xmlns=\"http://tempuri.org/\"><text>forged</text></Echo></s:Body>";
    // Into a header of its own, the place where signature wrapping began.
    let wrapper = format!("<w:Wrapper xmlns:w=\"urn:w\">{body}</w:Wrapper></s:Header>");
    let moved = target.wire().replacen(body, forged, 1).replacen("</s:Header>", &wrapper, 1);
    target.refuses_message(&moved);
    // Into the security header.
    let moved = target.wire().replacen(body, forged, 1).replacen("</o:Security>", &format!("{body}</o:Security>"), 1);
    target.refuses_message(&moved);
    // A second body behind the first, and before it.
    target.refuses_message(&target.wire().replacen(body, &format!("{body}{forged}"), 1));
    target.refuses_message(&target.wire().replacen(body, &format!("{forged}{body}"), 1));
}

#[test]
fn identifiers_given_twice_are_refused() {
    let target = visible();
    let id = element(target.wire(), "<s:Body u:Id=\"", "\">")
        .trim_start_matches("<s:Body ")
        .trim_end_matches('>')
        .to_owned();
    target.refuses("</s:Header>", &format!("<w:Other xmlns:w=\"urn:w\" {id}/></s:Header>"));
    let plain = id.replace("u:Id", "Id");
    target.refuses("</s:Header>", &format!("<w:Other xmlns:w=\"urn:w\" {plain}/></s:Header>"));
}

/// SC-55.
#[test]
fn wrapping_a_header_is_not_read() {
    for target in [visible(), hidden()] {
        let to = element(target.wire(), "<a:To", "</a:To>").to_owned();
        let other = "<a:To s:mustUnderstand=\"1\">http://attacker/</a:To>";
        let error = target.refuses(&to, &format!("{other}<w:Wrapper xmlns:w=\"urn:w\">{to}</w:Wrapper>"));
        assert!(
            error.to_string().contains("does not stand where") || error.to_string().contains("not signed"),
            "{error}"
        );
        let error = target.refuses(&to, &format!("{to}{other}"));
        assert!(error.to_string().contains("not signed"), "{error}");
        target.refuses(&to, other);
        // A header that was signed and is gone: its reference leads nowhere.
        target.refuses(&to, "");
        // The other addressing namespace is no way around.
        target.refuses(&to, &format!("{to}<b:To xmlns:b=\"{}\">http://attacker/</b:To>", names::WSA_2004));
    }
}

#[test]
fn signed_elements_that_nobody_reads_are_refused() {
    // The signature covers an element; moved into another header block it still holds, but is not what is read.
    let target = visible();
    let timestamp = element(target.wire(), "<u:Timestamp", "</u:Timestamp>").to_owned();
    let moved = target.wire().replacen(&timestamp, "", 1);
    let moved = moved.replacen("</s:Header>", &format!("<w:W xmlns:w=\"urn:w\">{timestamp}</w:W></s:Header>"), 1);
    let error = target.refuses_message(&moved);
    assert!(error.to_string().contains("does not stand where"), "{error}");
}

#[test]
fn a_stripped_or_exchanged_timestamp_is_refused() {
    let target = visible();
    let timestamp = element(target.wire(), "<u:Timestamp", "</u:Timestamp>").to_owned();
    target.refuses(&timestamp, "");
    let fresh = timestamp.replace("T17:", "T18:");
    target.refuses(&timestamp, &fresh);
    let unsigned = timestamp.replacen("u:Id=\"", "u:Id=\"x", 1);
    target.refuses(&timestamp, &format!("{unsigned}{timestamp}"));
    target.refuses(&timestamp, &unsigned);
}

#[test]
fn a_stripped_signature_is_refused() {
    let target = visible();
    let signature = element(target.wire(), "<Signature", "</Signature>").to_owned();
    let error = target.refuses(&signature, "");
    assert!(error.to_string().contains("not signed"), "{error}");
    let security = element(target.wire(), "<o:Security ", "</o:Security>").to_owned();
    target.refuses(&security, "");
    target.refuses(&security, &security.replacen("<o:Security ", "<o:Security s:role=\"urn:other\" ", 1));
    target.refuses(&signature, &format!("{signature}{signature}"));
}

#[test]
fn an_encrypted_body_cannot_be_exchanged_for_one_in_clear() {
    for target in [visible(), hidden()] {
        let data = element(target.wire(), "<s:Body", "</s:Body>");
        let data = element(data, "<e:EncryptedData", "</e:EncryptedData>").to_owned();
        target.refuses(&data, "<Echo xmlns=\"http://tempuri.org/\"><text>hello</text></Echo>");
        target.refuses(&data, &format!("text{data}"));
        target.refuses(&data, &data.replacen("#Content", "#Element", 1));
    }
}

#[test]
fn algorithms_are_those_of_the_suite() {
    let target = visible();
    for (from, to) in [
        ("http://www.w3.org/2000/09/xmldsig#hmac-sha1", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
        ("http://www.w3.org/2000/09/xmldsig#hmac-sha1", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        ("http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmlenc#sha256"),
        ("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.w3.org/2001/04/xmlenc#aes128-cbc"),
        ("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.w3.org/2009/xmlenc11#aes256-gcm"),
        (
            "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"",
        ),
        (
            "<SignatureMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#hmac-sha1\"/>",
            "<SignatureMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#hmac-sha1\"><HMACOutputLength>8</HMACOutputLength></SignatureMethod>",
        ),
    ] {
        target.refuses(from, to);
    }
}

#[test]
fn references_name_elements_by_id_only() {
    let target = visible();
    let body = element(target.wire(), "<Reference URI=\"#", "\">").to_owned();
    target.refuses(&body, "<Reference URI=\"\">");
    target.refuses(&body, "<Reference URI=\"http://attacker/\">");
    target.refuses(&body, "<Reference URI=\"#xpointer(/)\">");
    target.refuses(
        "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
        "<Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"/>",
    );
}

#[test]
fn surplus_and_unknown_children_of_the_header_are_refused() {
    let target = hidden();
    for surplus in [
        "<x:Unknown xmlns:x=\"urn:x\"/>".to_owned(),
        "<o:UsernameToken><o:Username>alice</o:Username><o:Password>secret</o:Password></o:UsernameToken>".to_owned(),
        format!(
            "<o:BinarySecurityToken u:Id=\"bst\">{}</o:BinarySecurityToken>",
            target.conversation.parties.client.certificate().to_base64()
        ),
        format!("<k:SignatureConfirmation xmlns:k=\"{}\" Value=\"AAAA\"/>", names::WSSE11),
        "<e:ReferenceList xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"/>".to_owned(),
    ] {
        target.refuses("</u:Timestamp>", &format!("</u:Timestamp>{surplus}"));
    }
    let data = "<e:DataReference URI=\"#nowhere\"/></e:ReferenceList>";
    target.refuses("</e:ReferenceList>", data);
    let first = element(target.wire(), "<e:DataReference", "/>").to_owned();
    target.refuses(&first, "");
}

#[test]
fn sc_5_2_derived_keys_are_bounded() {
    let target = hidden();
    let token = element(target.wire(), "<c:DerivedKeyToken", "</c:DerivedKeyToken>").to_owned();
    let many: String = (0..4).map(|n| token.replacen("u:Id=\"", &format!("u:Id=\"n{n}"), 1)).collect();
    let error = target.refuses(&token, &format!("{token}{many}"));
    assert!(error.to_string().contains("too many"), "{error}");
    target.refuses("<c:Length>24</c:Length>", "<c:Length>23</c:Length>");
    target.refuses("<c:Offset>0</c:Offset>", "<c:Offset>1</c:Offset>");
}

/// SC 19: bad padding, a wrong key and a broken signature look the same to the sender.
#[test]
fn failures_of_cryptography_are_one_outside() {
    let target = hidden();
    let header = element(target.wire(), "<e:EncryptedData", "</e:EncryptedData>").to_owned();
    let value = element(&header, "<e:CipherValue>", "</e:CipherValue>").to_owned();
    let inner = value.trim_start_matches("<e:CipherValue>").trim_end_matches("</e:CipherValue>");
    for position in (0..inner.len()).step_by(inner.len() / 60) {
        let mut changed = inner.as_bytes().to_vec();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        target.refuses_message(&target.wire().replacen(inner, &changed, 1));
    }
    for length in [0, 16, 20, 24, 44, 64] {
        target.refuses_message(&target.wire().replacen(inner, &inner[..length], 1));
    }
}

/// Whatever one octet is changed to, either the message is refused or nothing that can be read has changed.
#[test]
fn a_changed_octet_is_noticed_or_is_not_read() {
    let target = visible();
    let read = |opened: &Unprotected| {
        let texts = [opened.action(), opened.message_id(), opened.to(), opened.relates_to()];
        let texts = texts.map(|text| text.map(std::borrow::Cow::into_owned));
        (texts, opened.body().unwrap().text().into_owned(), opened.timestamp(), opened.context().cloned())
    };
    let original = read(&target.open(target.wire()).unwrap());
    let mut accepted = 0;
    for position in (0..target.wire().len()).step_by(7) {
        let mut changed = target.wire().as_bytes().to_vec();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        if let Ok(opened) = target.open(&String::from_utf8(changed).unwrap()) {
            accepted += 1;
            assert_eq!(read(&opened), original, "at {position}");
        }
    }
    // The SOAP prefix of mustUnderstand on Security, and the like: hardly anything is free to change.
    assert!(accepted * 20 < target.wire().len() / 7, "{accepted} changes were accepted");
}

/// SC 9: whatever else is wrong with a message, the first check that fails is the one that decides; so a sender without the key
/// causes no more work than the order allows.
#[test]
fn sc_9_of_several_things_wrong_the_first_in_the_order_decides() {
    let target = visible();
    let second = format!("<o:Security xmlns:o=\"{}\"/></s:Header>", names::WSSE);
    let from = "<a:From><a:Address>urn:anybody</a:Address></a:From></s:Header>";
    let unknown = "<x:Unknown xmlns:x=\"urn:x\" s:mustUnderstand=\"1\"/></s:Header>";
    // Step 5 is done by the clock and step 6 by a copy that came before; the others by changes.
    let steps = [
        ("4", Some(("</s:Header>", second.as_str()))),
        ("5", None),
        ("6", None),
        ("7", Some(("<DigestValue>cAhr", "<DigestValue>dAhr"))),
        ("8", Some(("http://server.example", "http://other.example"))),
        ("10", Some(("</s:Header>", from))),
        ("15", Some(("</s:Header>", unknown))),
    ];
    let binding = target.conversation.binding("http://tempuri.org/IEcho/Echo");
    let sessions = RecordedKeys::of(&target.conversation.case);
    for first in 0..steps.len() {
        let is_wrong = |name: &str| steps[first..].iter().any(|(step, _)| *step == name);
        let replays = MemoryReplayCache::new(10);
        let receiver = Receiver::service(&binding).with_sessions(&sessions).with_replay_cache(&replays);
        if is_wrong("6") {
            receiver.open(parse(target.wire()), &Expectation::request(), target.created()).unwrap();
        }
        let mut wire = target.wire().to_owned();
        for (from, to) in steps[first..].iter().filter_map(|(_, change)| *change) {
            assert!(wire.contains(from), "{from}");
            wire = wire.replacen(from, to, 1);
        }
        let late = std::time::Duration::from_secs(if is_wrong("5") { 601 } else { 0 });
        let now = target.created().saturating_add(late);
        let error = receiver.open(parse(&wire), &Expectation::request(), now).unwrap_err();
        let said = error.to_string();
        let step = match &error {
            Error::Stale { .. } => "5",
            Error::Replayed => "6",
            Error::Cryptography { key, .. } if key.contains(" over ") => "8",
            Error::Cryptography { element: "Signature", .. } => "7",
            Error::NotUnderstood { .. } => "15",
            _ if said.contains("there are two for the same receiver") => "4",
            _ if said.contains("the header block is not signed") => "10",
            _ => "another",
        };
        assert_eq!(step, steps[first].0, "{said}");
    }
}

/// SC 13.2: the copy is refused before any key is used, and only when the first was accepted.
#[test]
fn sc_13_2_a_message_counts_once() {
    let target = visible();
    let message = &target.conversation.case["messages"][target.message];
    let binding = target.conversation.binding(text(message, "action"));
    let (replays, sessions) = (MemoryReplayCache::new(10), RecordedKeys::of(&target.conversation.case));
    let now = target.created();
    let receiver = Receiver::service(&binding).with_sessions(&sessions).with_replay_cache(&replays);
    let open = |wire: &str| receiver.open(parse(wire), &Expectation::request(), now);
    let forged = target.wire().replacen("http://server.example", "http://other.example", 1);
    assert!(open(&forged).is_err(), "a forged copy first");
    assert!(open(target.wire()).is_ok(), "does not count as the message");
    assert!(matches!(open(target.wire()), Err(Error::Replayed)));
    assert!(matches!(open(&forged), Err(Error::Replayed)));
}

#[test]
fn sc_13_1_old_messages_are_stale() {
    let target = visible();
    let binding = target.conversation.binding("http://tempuri.org/IEcho/Echo");
    let (replays, sessions) = (MemoryReplayCache::new(10), RecordedKeys::of(&target.conversation.case));
    let receiver = Receiver::service(&binding).with_sessions(&sessions).with_replay_cache(&replays);
    let late = target.created().saturating_add(std::time::Duration::from_secs(601));
    let error = receiver.open(parse(target.wire()), &Expectation::request(), late).unwrap_err();
    assert!(matches!(error, Error::Stale { .. }), "{error}");
}

#[test]
fn what_the_contract_leaves_open_is_not_read() {
    // A message whose body nothing covers is acceptable only to a contract that says so, and even then is not read.
    let target = visible();
    let level = ProtectionLevel::None;
    let opened = target.open_under(target.wire(), |_| {}, &Expectation::request().with_body(level)).unwrap();
    assert!(opened.body().is_some(), "this one was signed although it need not be");
    assert!(opened.header("urn:x", "NotThere").is_none());
}

#[test]
fn receivers_without_what_they_need_say_so() {
    let target = visible();
    let binding = target.conversation.binding("http://tempuri.org/IEcho/Echo");
    let now = target.created();
    let error = Receiver::service(&binding).open(parse(target.wire()), &Expectation::request(), now).unwrap_err();
    assert!(matches!(error, Error::Configuration(_)), "{error}");
    let mut transport = SecurityBinding::user_name_over_transport(binding.version);
    transport.allow_insecure_transport = false;
    let error = Receiver::service(&transport).open(parse(target.wire()), &Expectation::request(), now).unwrap_err();
    assert!(error.to_string().contains("HTTPS"), "{error}");
}

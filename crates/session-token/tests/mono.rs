//! Interoperation with the class library of Mono, both ways, through `interop/mono/Tokens.cs`. Says so and stops where Mono is
//! not installed (`cargo xtask test` installs it).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

use std::sync::Arc;

use handstamp_claims::{ArcStr, Claim, ClaimsIdentity, ClaimsPrincipal};
use handstamp_keys::{KeyPolicy, PrivateKey, SystemRandom};
use handstamp_session_token::json::{Codec, Description, Encoding, Format, TokenDescription};
use handstamp_session_token::wif::transforms::{
    CookieTransform, CookieTransforms, Deflate, MachineKey, MachineKeyTransform, RsaEncryption, RsaHash, RsaSignature,
};
use handstamp_session_token::wif::{Bootstrap, SESSION_DICTIONARY, nrbf};
use handstamp_testkit::mono::{Peer, Program, bytes, word};
use handstamp_testkit::vectors;
use handstamp_time::Timestamp;
use handstamp_xml::binary::{
    DateTime, DateTimeKind, Decimal, Guid, Name, Reader, SessionDictionary, StaticDictionary, Value, Writer, to_text,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value as Json;

static TOKENS: Program =
    Program::new("Tokens.cs", &["System.Runtime.Serialization", "System.IdentityModel"], env!("CARGO_TARGET_TMPDIR"));

fn read_xml(peer: &mut Peer, binary: &[u8], dictionary: &str) -> String {
    String::from_utf8(peer.get("xml-read", &[binary, dictionary.as_bytes()])).unwrap()
}

fn base64(json: &Json) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(json.as_str().unwrap()).unwrap()
}

/// One call of a writer, for both sides.
#[derive(Debug, Clone)]
enum Call {
    Element(&'static str, &'static str, &'static str),
    DictionaryElement(&'static str, &'static str, &'static str),
    Attribute(&'static str, String),
    Text(String),
    DictionaryText(&'static str),
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Decimal(i64, u8),
    Date(u64),
    Duration(i64),
    Guid([u8; 16]),
    UniqueId([u8; 16]),
    Bytes(Vec<u8>),
    Comment(String),
    End,
}

impl Call {
    fn line(&self) -> String {
        match self {
            Self::Element(prefix, name, namespace) => format!("element\t{prefix}\t{name}\t{namespace}"),
            Self::DictionaryElement(prefix, name, namespace) => {
                format!("dictionary-element\t{prefix}\t{name}\t{namespace}")
            }
            Self::Attribute(name, value) => format!("attribute\t\t{name}\t\t{value}"),
            Self::Text(text) => format!("text\t{text}"),
            Self::DictionaryText(text) => format!("dictionary-text\t{text}"),
            Self::Bool(value) => format!("bool\t{value}"),
            Self::Int(value) => format!("int64\t{value}"),
            Self::UInt(value) => format!("uint64\t{value}"),
            Self::Double(value) => format!("double\t{}", value.to_bits().cast_signed()),
            Self::Decimal(units, scale) => format!("decimal\t{}", decimal(*units, *scale)),
            Self::Date(ticks) => format!("date\t{ticks}"),
            Self::Duration(ticks) => format!("duration\t{ticks}"),
            Self::Guid(bytes) => format!("guid\t{}", Value::Guid(Guid(*bytes))),
            Self::UniqueId(bytes) => format!("unique-id\t{}", Guid(*bytes).to_unique_id()),
            Self::Bytes(bytes) => format!("bytes\t{}", word(bytes)),
            Self::Comment(text) => format!("comment\t{text}"),
            Self::End => "end".to_owned(),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), handstamp_xml::binary::Error> {
        match self {
            Self::Element(prefix, name, namespace) => {
                writer.start_element(*prefix, Name::Inline(name), Name::Inline(namespace))
            }
            Self::DictionaryElement(prefix, name, namespace) => {
                writer.start_element(*prefix, Name::Dictionary(name), Name::Dictionary(namespace))
            }
            Self::Attribute(name, value) => {
                writer.attribute("", Name::Inline(name), Name::NONE, &Value::Text(value.into()))
            }
            Self::Text(text) => writer.text(text),
            Self::DictionaryText(text) => writer.dictionary_string(Name::Dictionary(text)),
            Self::Bool(value) => writer.value(&Value::Bool(*value)),
            Self::Int(value) => writer.value(&Value::Int64(*value)),
            Self::UInt(value) => writer.value(&Value::UInt64(*value)),
            Self::Double(value) => writer.value(&Value::Double(*value)),
            Self::Decimal(units, scale) => writer.value(&Value::Decimal(decimal(*units, *scale))),
            Self::Date(ticks) => writer.value(&Value::DateTime(DateTime::new(*ticks, DateTimeKind::Utc).unwrap())),
            Self::Duration(ticks) => writer.value(&Value::TimeSpan(*ticks)),
            Self::Guid(bytes) => writer.value(&Value::Guid(Guid(*bytes))),
            Self::UniqueId(bytes) => writer.unique_id(&Guid(*bytes).to_unique_id()),
            Self::Bytes(bytes) => writer.bytes(bytes),
            Self::Comment(text) => writer.comment(text),
            Self::End => writer.end_element(),
        }
    }
}

fn decimal(units: i64, scale: u8) -> Decimal {
    Decimal::new(units < 0, units.unsigned_abs().into(), scale).unwrap()
}

const WORDS: &str = "root\nitem\nurn:example:items\nvalue";

/// The content of one element: values, with and without an element around them.
fn content() -> impl Strategy<Value = Vec<Call>> {
    let characters = "[ -~äß€中文\u{1F600}]{1,600}";
    let value = prop_oneof![
        characters.prop_map(Call::Text),
        "[一-龥]{1,300}".prop_map(Call::Text),
        prop_oneof![Just("value"), Just("item"), Just("unheard of")].prop_map(Call::DictionaryText),
        any::<bool>().prop_map(Call::Bool),
        prop_oneof![any::<i64>(), -200..200i64, any::<i32>().prop_map(i64::from)].prop_map(Call::Int),
        (i64::MAX as u64 + 1..).prop_map(Call::UInt),
        prop_oneof![any::<f64>(), any::<f32>().prop_map(f64::from), (-1e6..1e6f64).prop_map(f64::trunc)]
            .prop_filter("Mono has one NaN", |value| !value.is_nan())
            .prop_map(Call::Double),
        (any::<i64>(), 0..=18u8)
            .prop_filter("no negative zero", |(units, _)| *units != 0)
            .prop_map(|(u, s)| Call::Decimal(u, s)),
        (0..=DateTime::MAX_TICKS).prop_map(Call::Date),
        any::<i64>().prop_map(Call::Duration),
        any::<[u8; 16]>().prop_map(Call::Guid),
        any::<[u8; 16]>().prop_map(Call::UniqueId),
        prop::collection::vec(any::<u8>(), 0..700).prop_map(Call::Bytes),
    ];
    let names = prop_oneof![Just("item"), Just("value"), Just("unheard")];
    (names, value, any::<[bool; 3]>(), "[ -~]{0,200}").prop_map(|(name, value, [dictionary, bare, attribute], text)| {
        if bare && matches!(value, Call::Text(_) | Call::Bytes(_)) {
            return vec![value];
        }
        let mut calls = vec![if dictionary {
            Call::DictionaryElement("p", name, "urn:example:items")
        } else {
            Call::Element("", name, "")
        }];
        if attribute {
            calls.push(Call::Attribute("note", text));
        }
        calls.extend([value, Call::End, Call::Comment("-".repeat(usize::from(!bare)) + "c")]);
        calls
    })
}

/// Documents by chance: the same calls give the same bytes, and each side's text of them is the same.
#[test]
fn binary_xml_is_the_same_byte_for_byte() {
    let Some(mut peer) = TOKENS.start() else { return };
    let mut runner = TestRunner::deterministic();
    let documents = prop::collection::vec(content(), 1..12);
    let words: Vec<String> = WORDS.lines().map(str::to_owned).collect();
    let dictionary = StaticDictionary::from_strings(words);
    for _ in 0..300 {
        let mut calls = vec![Call::DictionaryElement("p", "root", "urn:example:items")];
        calls.extend(documents.new_tree(&mut runner).unwrap().current().into_iter().flatten());
        calls.push(Call::End);

        let mut session = SessionDictionary::new();
        let mut writer = Writer::new(Some(&dictionary)).with_session(&mut session);
        calls.iter().try_for_each(|call| call.write(&mut writer)).unwrap();
        let ours = writer.finish().unwrap();

        let lines = calls.iter().map(Call::line).collect::<Vec<_>>().join("\n");
        let answer = peer.ask("xml-write", &[lines.as_bytes(), WORDS.as_bytes()]).unwrap();
        let [theirs, strings] = &answer[..] else { panic!("the peer answers with bytes and strings") };
        assert!(ours == *theirs, "{lines}\n{}\n{}", word(&ours), word(theirs));
        let added = session.strings().collect::<Vec<_>>().join("\n");
        assert_eq!(added.as_bytes(), strings, "{lines}");
    }
}

#[test]
fn mono_reads_what_we_read() {
    let Some(mut peer) = TOKENS.start() else { return };
    let vectors = vectors::load("nbfx");
    let hex = |case: &Json| bytes(&format!("x{}", case["hex"].as_str().unwrap()));
    let mut count = 0;
    for case in ["cases", "decodeCases"].iter().flat_map(|list| vectors[*list].as_array().unwrap()) {
        if !case["hex"].is_string() || case["sessionStrings"].is_array() || case["lenient"] == true {
            continue;
        }
        let strings: Vec<String> = match case["dictionary"].as_str() {
            Some(name) => serde_json::from_value(vectors["dictionaries"][name].clone()).unwrap(),
            None => Vec::new(),
        };
        let joined = strings.join("\n");
        let dictionary = StaticDictionary::from_strings(strings);
        let binary = hex(case);
        let ours = to_text(Reader::new(&binary, (!joined.is_empty()).then_some(&dictionary))).unwrap();
        assert_eq!(read_xml(&mut peer, &binary, &joined), ours, "{}", case["name"]);
        count += 1;
    }
    assert!(count > 100, "{count}");
    for case in vectors["invalidCases"].as_array().unwrap() {
        if case["dictionary"].is_null() {
            let refused = peer.ask("xml-read", &[&hex(case), b""]);
            assert!(refused.is_err(), "{}", case["name"]);
        }
    }
}

/// Mono has no session token. Its object formatter and its binary XML take ours apart, and make what we read.
#[test]
fn st_16_envelopes_payloads_and_bootstrap_contexts_go_both_ways() {
    let Some(mut peer) = TOKENS.start() else { return };
    let words = (0..).map_while(|index| SESSION_DICTIONARY.get(index)).collect::<Vec<_>>().join("\n");
    let vectors = vectors::load("session_token");
    for case in vectors["cases"].as_array().unwrap() {
        let description: TokenDescription = serde_json::from_value(case["token"].clone()).unwrap();
        let payload = description.to_payload().unwrap().write().unwrap();
        let envelope = nrbf::write_envelope(&payload).unwrap();
        assert!(peer.get("envelope-write", &[&payload]) == envelope, "{}", case["name"]);
        assert!(peer.get("envelope-read", &[&envelope]) == payload, "{}", case["name"]);
        let ours = to_text(Reader::new(&payload, Some(&SESSION_DICTIONARY))).unwrap();
        assert_eq!(read_xml(&mut peer, &payload, &words), ours, "{}", case["name"]);
    }
    for text in ["<t/>", "", "Grüße 中文 \u{1F600}"] {
        let ours = nrbf::write_bootstrap_context(&Bootstrap::Text(text.into())).unwrap();
        assert_eq!(peer.get("bootstrap-read", &[&ours]), text.as_bytes());
        assert_eq!(peer.get("bootstrap-text", &[text.as_bytes()]), ours, "{text}");
    }
    let ours = nrbf::write_bootstrap_context(&Bootstrap::Bytes(vec![7; 300])).unwrap();
    assert_eq!(peer.get("bootstrap-read", &[&ours]), [7; 300]);
    assert_eq!(peer.get("bootstrap-bytes", &[&[7; 300]]), ours);
}

/// The transforms made of Mono's primitives, each way: what one side writes, the other reads.
#[test]
fn st_23_st_25_transforms_go_both_ways() {
    let Some(mut peer) = TOKENS.start() else { return };
    let vectors = vectors::load("session_token");
    let xml = vectors["keys"]["rsa2048Xml"].as_str().unwrap().as_bytes();
    let pem = vectors["keys"]["rsa2048Pkcs8Pem"].as_str().unwrap();
    let key = PrivateKey::from_pem(pem.as_bytes(), &KeyPolicy::default()).unwrap();
    let case = &vectors::load("machine_key")["cases"][0];
    let digits = |name: &str| case[name].as_str().unwrap();
    let element = format!(
        "<machineKey validationKey='{}' decryptionKey='{}'/>",
        digits("validationKey"),
        digits("decryptionKey")
    );
    let machine_key = MachineKeyTransform::new(&[MachineKey::from_xml(&element).unwrap()]).unwrap();
    let [validation, decryption] = ["validationKey", "decryptionKey"].map(|name| bytes(&format!("x{}", digits(name))));
    let purpose = MachineKeyTransform::PURPOSE.as_bytes();

    for length in [1, 15, 16, 17, 1000, 20_000] {
        let data: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
        let mut check = |transform: &dyn CookieTransform, there: &str, back: &str, keys: &[&[u8]]| {
            let ours = transform.encode(data.clone(), &SystemRandom).unwrap();
            assert!(peer.get(back, &[keys, &[&ours]].concat()) == data, "{back} {length}");
            let theirs = peer.get(there, &[keys, &[&data]].concat());
            assert!(transform.decode(theirs).unwrap() == data, "{there} {length}");
        };
        check(&Deflate::default(), "deflate", "inflate", &[]);
        for (hash, name) in [(RsaHash::Sha256, "SHA256"), (RsaHash::Sha1, "SHA1")] {
            let keys = [xml, name.as_bytes()];
            check(&RsaSignature::new(key.clone(), hash).unwrap(), "sign", "verify", &keys);
            check(&RsaEncryption::new(key.clone(), hash).unwrap(), "encrypt", "decrypt", &keys);
        }
        let keys = [&validation[..], &decryption, purpose];
        check(&machine_key, "machine-key-protect", "machine-key-unprotect", &keys);
    }
}

/// A whole cookie that Mono made, and one that it reads.
#[test]
fn st_31_a_cookie_goes_both_ways() {
    let Some(mut peer) = TOKENS.start() else { return };
    let vectors = vectors::load("session_token");
    let case = &vectors["cases"][3];
    let keys = vectors::load("machine_key")["cases"][0].clone();
    let element = format!(
        "<machineKey validationKey='{}' decryptionKey='{}'/>",
        keys["validationKey"].as_str().unwrap(),
        keys["decryptionKey"].as_str().unwrap()
    );
    let machine_key = MachineKeyTransform::new(&[MachineKey::from_xml(&element).unwrap()]).unwrap();
    let mut codec = Codec::default();
    codec.format = Some(Format::Wif);
    codec.transforms = Some(CookieTransforms::new(vec![Arc::new(Deflate::default()), Arc::new(machine_key)]).unwrap());
    let [validation, decryption] =
        ["validationKey", "decryptionKey"].map(|name| bytes(&format!("x{}", keys[name].as_str().unwrap())));
    let purpose = MachineKeyTransform::PURPOSE.as_bytes();

    let envelope = peer.get("envelope-write", &[&base64(&case["payload"])]);
    let deflated = peer.get("deflate", &[&envelope]);
    let cookie = peer.get("machine-key-protect", &[&validation, &decryption, purpose, &deflated]);
    let Description::Token(read) = codec.decode(&cookie, Some(Encoding::Raw), Timestamp::MIN, None).unwrap() else {
        panic!("a session token is no state")
    };
    assert_eq!(serde_json::to_value(&read).unwrap(), case["token"]);

    let json = serde_json::to_vec(&case["token"]).unwrap();
    let cookie = codec.encode(&json, Encoding::Raw, Timestamp::MIN, &SystemRandom).unwrap();
    let deflated = peer.get("machine-key-unprotect", &[&validation, &decryption, purpose, &cookie]);
    let envelope = peer.get("inflate", &[&deflated]);
    assert!(peer.get("envelope-read", &[&envelope]) == base64(&case["payload"]));
    let mut changed = cookie;
    changed[40] ^= 1;
    assert!(peer.ask("machine-key-unprotect", &[&validation, &decryption, purpose, &changed]).is_err());
}

/// What an identity says about its claims: defaults of issuers, the name, roles, and which comparisons have case (ST §1.4).
#[test]
fn claims_mean_the_same() {
    let Some(mut peer) = TOKENS.start() else { return };
    const NAME: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name";
    const ROLE: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
    let claims = [
        (NAME, "alice", "", ""),
        (ROLE, "admin", "sts", ""),
        (ROLE, "Admin", "sts", "origin"),
        ("urn:x", "", "", "origin"),
        ("urn:X", "admin", "LOCAL AUTHORITY", ""),
        ("HTTP://schemas.xmlsoap.org/ws/2005/05/identity/claims/NAME", "bob", "", ""),
    ];
    let lines: Vec<String> =
        claims.iter().map(|(kind, value, issuer, origin)| format!("{kind}\t{value}\t{issuer}\t{origin}")).collect();
    let theirs = String::from_utf8(peer.get("claims", &[lines.join("\n").as_bytes()])).unwrap();

    let made = claims
        .map(|(kind, value, issuer, origin)| Claim::new(kind, value).with_issuer(issuer).with_original_issuer(origin));
    let identity = ClaimsIdentity::new("Federation").with_claims(made);
    let principal = ClaimsPrincipal::new(vec![identity.clone()]);
    let boolean = |value: bool| if value { "True" } else { "False" };
    let mut ours = format!("name\t{}\t{}\n", identity.name().unwrap_or_default(), boolean(identity.is_authenticated()));
    for claim in identity.claims() {
        ours += &[claim.claim_type(), claim.value(), claim.value_type(), claim.issuer(), claim.original_issuer()]
            .map(ArcStr::to_string)
            .join("\t");
        let in_role = boolean(principal.is_in_role(claim.value()));
        let found = identity.find_all(&claim.claim_type().to_uppercase()).count();
        let has = boolean(identity.has_claim(claim.claim_type(), &claim.value().to_uppercase()));
        ours += &format!("\t{in_role}\t{found}\t{has}\n");
    }
    assert_eq!(ours, theirs);
}

//! `vectors/native_token.json`: what the program writes is what the file holds, and the file is read as it says.

#[path = "../../examples/native_vectors/generate.rs"]
mod generate;

use handstamp_keys::DeterministicRandom;
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{Carrier, EndpointScope, Error, Expected, Opened, SessionSecurityToken, TokenFormat};
use serde_json::Value;

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn carrier(case: &Value) -> Carrier {
    match case["carrier"]["kind"].as_u64() {
        Some(0) => Carrier::Cookie(case["carrier"]["name"].as_str().unwrap().into()),
        Some(1) => Carrier::SecurityHeader,
        _ => Carrier::Store,
    }
}

fn read(case: &Value) -> Result<Opened, Error> {
    let now = generate::now().unwrap();
    let format = NativeFormat::new(generate::ring(now).unwrap());
    let scopes = [EndpointScope::from(case["scope"].as_str().unwrap_or_default())];
    format.read(bytes(&case["message"]), &Expected { carrier: &carrier(case), scopes: &scopes, now })
}

/// Gives back the IV of a vector.
struct Iv(Vec<u8>);

impl handstamp_keys::SecureRandom for Iv {
    fn fill(&self, out: &mut [u8]) -> Result<(), handstamp_keys::Error> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

#[test]
fn the_file_is_current() {
    let mut made = generate::vectors().unwrap();
    let mut filed = handstamp_testkit::vectors::load("native_token");
    // How well a compressor compresses is its own affair.
    for vectors in [&mut made, &mut filed] {
        for field in ["message", "text"] {
            vectors["tokens"][10][field] = Value::Null;
        }
    }
    let same = made == filed;
    assert!(same, "run `cargo run -p handstamp-session-token --example native_vectors > vectors/native_token.json`");
}

#[test]
fn every_token_is_read_and_written_as_its_vector_says() {
    let vectors = handstamp_testkit::vectors::load("native_token");
    let cases = vectors["tokens"].as_array().unwrap();
    assert!(cases.len() >= 12);
    for case in cases {
        let number = &case["number"];
        match read(case).unwrap() {
            Opened::Token(token) => {
                assert_eq!(case["token"]["id"], token.id().as_str(), "{number}");
                assert_eq!(case["token"]["valid_to"], token.valid_to().to_string(), "{number}");
                let claims: usize = token.principal().identities().iter().map(|identity| identity.claims().len()).sum();
                let identities = case["token"]["identities"].as_array().unwrap();
                let filed: usize = identities.iter().map(|one| one["claims"].as_array().unwrap().len()).sum();
                assert_eq!(claims, filed, "{number}");
                write_again(case, &token);
            }
            Opened::Reference(key) => {
                assert_eq!(case["reference"]["context_id"], key.context_id().as_unique_id().to_string());
                let generation = key.key_generation().map(|generation| generation.as_unique_id().to_string());
                assert_eq!(case["reference"]["key_generation"], serde_json::json!(generation));
            }
            other => panic!("{other:?}"),
        }
    }
}

fn write_again(case: &Value, token: &SessionSecurityToken) {
    // Numbers 11 and 12 are about compression.
    if case["number"].as_u64() >= Some(11) {
        return;
    }
    let now = generate::now().unwrap();
    let format = NativeFormat::new(generate::ring(now).unwrap());
    let message = format.write(token, &carrier(case), now, &Iv(bytes(&case["iv"]))).unwrap();
    assert_eq!(message, bytes(&case["message"]), "{}", case["number"]);
}

#[test]
fn every_negative_is_refused_with_its_error() {
    let vectors = handstamp_testkit::vectors::load("native_token");
    let cases = vectors["refused"].as_array().unwrap();
    assert!(cases.len() >= 40);
    for case in cases {
        let error = match read(case) {
            Err(Error::Unauthentic) => "unauthentic",
            Err(Error::Malformed(_)) => "malformed",
            other => panic!("{}: {other:?}", case["number"]),
        };
        assert_eq!(case["error"], error, "{}: {}", case["number"], case["name"]);
    }
}

#[test]
fn the_specification_lists_the_table() {
    let page = std::fs::read_to_string(handstamp_testkit::vectors::path("../docs/native-token.md")).unwrap();
    let (_, table) = page.split_once("## 6. The table").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix("` |")?.split_once(" | `"));
    let listed: Vec<(&str, &str)> = rows.collect();
    assert!(listed.len() >= 137);
    assert!(listed.iter().zip(0..).all(|((number, _), n)| number.parse() == Ok(n)), "in order, without gaps");
    let now = generate::now().unwrap();
    let format = NativeFormat::new(generate::ring(now).unwrap());
    for (_, text) in listed {
        // A text of the table takes the place of at most two bytes: no longer than a claim of two bytes of text.
        let size = |value: &str| {
            let claim = handstamp_claims::Claim::new("t", value);
            let identity = handstamp_claims::ClaimsIdentity::anonymous().with_claim(claim);
            let token = SessionSecurityToken::builder(identity.into());
            let token = token.build(now, &DeterministicRandom::new(1)).unwrap();
            format.write(&token, &Carrier::SecurityHeader, now, &DeterministicRandom::new(1)).unwrap().len()
        };
        assert!(size(text) <= size("ab"), "{text} is in the specification's table and not in the program's");
    }
}

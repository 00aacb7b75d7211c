//! Payloads and envelopes of `vectors/session_token.json`, in both directions (ST-5 … ST-18, ST-39).

#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

use handstamp_session_token::json::TokenDescription;
use handstamp_session_token::wif::nrbf::{read_envelope, write_envelope};
use handstamp_session_token::wif::{Payload, PayloadPolicy, UnknownBootstrapContext};
use handstamp_testkit::vectors;
use serde_json::Value as Json;
use std::sync::LazyLock;

static VECTORS: LazyLock<Json> = LazyLock::new(|| vectors::load("session_token"));

fn cases() -> &'static [Json] {
    VECTORS["cases"].as_array().unwrap()
}

fn case(name: &str) -> &'static Json {
    cases().iter().find(|case| case["name"] == name).unwrap()
}

fn base64(json: &Json) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(json.as_str().unwrap()).unwrap()
}

fn description(case: &Json) -> TokenDescription {
    serde_json::from_value(case["token"].clone()).unwrap_or_else(|e| panic!("{}: {e}", case["name"]))
}

fn read(case: &Json, change: impl FnOnce(&mut PayloadPolicy)) -> Result<Payload, &'static str> {
    let mut policy = PayloadPolicy::default();
    change(&mut policy);
    Payload::read(&base64(&case["payload"]), &policy).map_err(|error| error.code())
}

#[test]
fn st_11_every_description_gives_the_golden_payload() {
    assert_eq!(cases().len(), 66);
    for case in cases() {
        let mut description = description(case);
        if case["name"] == "claim-properties-with-empty-entries" {
            // The golden description leaves out what the writer drops; put it back.
            description.identities[0].claims[0].properties.push(("dropped".into(), String::new()));
            description.identities[0].claims[1].properties.push((String::new(), "dropped".into()));
        }
        let payload = description.to_payload().unwrap().write().unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
        assert!(payload == base64(&case["payload"]), "{}", case["name"]);
    }
}

#[test]
fn st_16_every_envelope_is_the_golden_one() {
    let with_envelope: Vec<_> = cases().iter().filter(|case| case["nrbf"].is_string()).collect();
    assert!(with_envelope.len() > 50, "the largest are not spelled out");
    for case in with_envelope {
        let (payload, envelope) = (base64(&case["payload"]), base64(&case["nrbf"]));
        assert!(write_envelope(&payload).unwrap() == envelope, "{}", case["name"]);
        assert!(read_envelope(&envelope).unwrap() == payload, "{}", case["name"]);
    }
}

#[test]
fn st_5_every_payload_reads_as_described() {
    for case in cases() {
        let read = read(case, |_| {}).unwrap_or_else(|code| panic!("{}: {code}", case["name"]));
        let mut expected = description(case);
        if expected.is_sct_wrapper || expected.context.as_deref() == Some("") {
            // Not written: a wrapper has no context, and an empty one is none.
            expected.context = None;
        }
        for identity in &mut expected.identities {
            // Windows supplies these itself, so they do not travel.
            if identity.windows_logon_name.is_some() {
                identity.claims.retain(|claim| !claim.claim_type.ends_with("sid"));
            }
        }
        if case["name"] == "bootstrap-raw-string-object" {
            // The original cannot read its own output here; ours drops it by default (ST-17).
            expected.identities[0].bootstrap_context = None;
        }
        assert_eq!(TokenDescription::from(&read), expected, "{}", case["name"]);
    }
}

#[test]
fn the_json_is_the_golden_json() {
    for case in cases().iter().filter(|case| case["token"]["isSctWrapper"] == false) {
        let described = serde_json::to_string(&TokenDescription::from(&read(case, |_| {}).unwrap())).unwrap();
        let golden = serde_json::to_string(&case["token"]).unwrap();
        let differs = ["context-empty-string", "windows-identity", "bootstrap-raw-string-object"];
        if !differs.contains(&case["name"].as_str().unwrap()) {
            let parsed: Json = serde_json::from_str(&described).unwrap();
            assert_eq!(parsed, case["token"], "{}", case["name"]);
            assert_eq!(described.len(), golden.len(), "{}", case["name"]);
        }
    }
}

#[test]
fn st_39_what_was_read_is_written_to_the_same_bytes() {
    for case in cases() {
        if case["name"] == "claim-properties-with-empty-entries" || case["name"] == "bootstrap-raw-string-object" {
            continue;
        }
        assert!(read(case, |_| {}).unwrap().write().unwrap() == base64(&case["payload"]), "{}", case["name"]);
    }
}

#[test]
fn st_5_the_token_that_programs_see_keeps_everything_that_has_a_place() {
    for case in cases() {
        let read = read(case, |_| {}).unwrap();
        if read.is_sct_wrapper || read.sct_authorization_policy.is_some() || case["name"] == "windows-identity" {
            continue;
        }
        let token = read.clone().into_token().unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
        let mut again = Payload::from(&token);
        if case["name"] == "bootstrap-security-token" {
            again.identities[0].bootstrap_context = read.identities[0].bootstrap_context.clone();
        }
        assert_eq!(again, read, "{}", case["name"]);
    }
}

#[test]
fn st_13_a_windows_identity_is_an_ordinary_one_with_its_name() {
    let case = case("windows-identity");
    let token = read(case, |_| {}).unwrap().into_token().unwrap();
    let identity = &token.principal().identities()[0];
    assert_eq!(identity.windows_logon_name().map(handstamp_claims::ArcStr::as_str), Some("CONTOSO\\walter"));
    assert_eq!(identity.name(), Some("CONTOSO\\walter"));
    assert!(!identity.claims().iter().any(|claim| claim.claim_type().ends_with("sid")), "SIDs are never made up");
    assert_eq!(read(case, |policy| policy.refuse_windows_identities = true), Err("ID4248"));
}

#[test]
fn st_14_a_token_about_nobody_is_an_empty_principal() {
    let token = read(case("principal-without-identities"), |_| {}).unwrap().into_token().unwrap();
    assert!(token.principal().identities().is_empty());
}

#[test]
fn st_17_an_unknown_bootstrap_context_is_dropped_or_refused() {
    let case = case("bootstrap-raw-string-object");
    assert_eq!(read(case, |_| {}).unwrap().identities[0].bootstrap_context, None);
    let refused = read(case, |policy| policy.unknown_bootstrap_context = UnknownBootstrapContext::Refuse);
    assert_eq!(refused, Err("HST-TOKEN-BOOTSTRAP"));
    let kept = read(case, |policy| policy.unknown_bootstrap_context = UnknownBootstrapContext::KeepText).unwrap();
    assert_eq!(TokenDescription::from(&kept), description(case));
}

#[test]
fn invalid_payloads_are_refused_with_their_codes() {
    let invalid = VECTORS["invalidCases"].as_array().unwrap().iter();
    let invalid: Vec<_> = invalid.filter(|case| case["level"] == "payload").collect();
    assert_eq!(invalid.len(), 13);
    for case in invalid {
        let code = read(case, |_| {}).unwrap_err();
        match case["error"].as_str().unwrap().rsplit_once(' ') {
            Some((_, golden)) => assert_eq!(code, golden, "{}", case["name"]),
            None => assert!(code.starts_with("HST-NBFX-"), "{}: {code}", case["name"]),
        }
    }
}

#[test]
fn st_12_limits_hold() {
    let case = case("two-hundred-claims");
    assert!(read(case, |policy| policy.max_claims = 200).is_ok());
    assert_eq!(read(case, |policy| policy.max_claims = 199), Err("HST-TOKEN-LIMIT"));
    assert_eq!(read(case, |policy| policy.max_bytes = 100), Err("HST-TOKEN-LIMIT"));
    assert_eq!(read(case, |policy| policy.max_depth = 5), Err("HST-NBFX-LIMIT"));
}

#[test]
fn st_19_the_worked_vector_of_the_specification() {
    let description: TokenDescription = serde_json::from_value(serde_json::json!({
        "id": "_00112233-4455-6677-8899-aabbccddeeff-00112233445566778899AABBCCDDEEFF",
        "contextId": "urn:uuid:01020304-0506-0708-090a-0b0c0d0e0f10",
        "key": "AAECAwQFBgcICQoLDA0ODw==",
        "validFrom": { "ticks": "640290528000000000" },
        "validTo": { "ticks": "640290888000000000" },
        "identities": [{
            "authenticationType": "Federation",
            "claims": [{
                "type": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
                "value": "alice", "issuer": "sts", "originalIssuer": "sts",
            }],
        }],
        "endpointId": "",
    }))
    .unwrap();
    let payload = description.to_payload().unwrap().write().unwrap();
    let sha256 =
        |bytes: &[u8]| handstamp_keys::sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(payload.len(), 546);
    assert_eq!(sha256(&payload), "65d35df149397fd1b65957696e287c567a277c938a9fb18693167e0ed662e2f7");
    let envelope = write_envelope(&payload).unwrap();
    assert_eq!(sha256(&envelope), "c233e6c1bca877f6fcbf7a2f966ae9d02025d054a766b03e1ce485ec08284389");
}

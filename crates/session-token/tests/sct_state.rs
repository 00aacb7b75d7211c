//! States of WCF's security context token, `vectors/sct_cookie.json` (ST-43, ST-44).

#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

use handstamp_keys::SystemRandom;
use handstamp_session_token::UniqueId;
use handstamp_session_token::json::{Codec, Encoding, Format, SctStateDescription};
use handstamp_session_token::sct_state::SctState;
use handstamp_testkit::vectors;
use handstamp_time::Timestamp;
use serde_json::Value as Json;
use std::sync::LazyLock;

static VECTORS: LazyLock<Json> = LazyLock::new(|| vectors::load("sct_cookie"));

fn cases(list: &str) -> &'static [Json] {
    VECTORS[list].as_array().unwrap()
}

fn state(case: &Json) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(case["state"].as_str().unwrap()).unwrap()
}

#[test]
fn st_43_every_description_gives_the_golden_state_and_back() {
    assert_eq!(cases("cases").len(), 34);
    for case in cases("cases") {
        let description: SctStateDescription = serde_json::from_value(case["token"].clone()).unwrap();
        let written = description.to_state().unwrap().write().unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
        assert!(written == state(case), "{}", case["name"]);
        let read = SctState::read(&state(case)).unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
        let described = serde_json::to_value(SctStateDescription::from(&read)).unwrap();
        assert_eq!(described, case["token"], "{}", case["name"]);
        assert!(read.write().unwrap() == state(case), "{}", case["name"]);
    }
}

#[test]
fn legal_states_that_no_writer_makes_are_read() {
    assert_eq!(cases("decodeCases").len(), 5);
    for case in cases("decodeCases") {
        let read = SctState::read(&state(case)).unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
        assert_eq!(Some(read.is_cookie_mode), case["isCookieMode"].as_bool(), "{}", case["name"]);
        let described = serde_json::to_value(SctStateDescription::from(&read)).unwrap();
        assert_eq!(described, case["token"], "{}", case["name"]);
    }
}

#[test]
fn every_invalid_case_is_refused() {
    assert_eq!(cases("invalidCases").len(), 18);
    for case in cases("invalidCases") {
        let id = |name: &str| case[name].as_str().map(|text| text.parse::<UniqueId>().unwrap());
        let result = SctState::read(&state(case)).and_then(|state| {
            state.check(&id("contextId").unwrap(), id("keyGeneration").as_ref(), case["id"].as_str())
        });
        assert!(result.is_err(), "{}", case["name"]);
    }
}

#[test]
fn states_cut_or_changed_anywhere_never_panic() {
    for case in cases("cases").iter().filter(|case| case["name"] != "fifty-role-claims") {
        let state = state(case);
        for length in 0..state.len() {
            assert!(SctState::read(&state[..length]).is_err(), "{} cut at {length}", case["name"]);
        }
        for at in 0..state.len() {
            let mut changed = state.clone();
            changed[at] ^= 0x81;
            let _ = SctState::read(&changed);
        }
    }
}

#[test]
fn st_44_values_of_other_types_are_refused() {
    let case = cases("cases").iter().find(|case| case["name"] == "data-contract-claim-string").unwrap();
    let state = state(case);
    let at = state.windows(8).position(|window| window == b"a:string").unwrap();
    let mut changed = state;
    changed[at..at + 8].copy_from_slice(b"a:type00");
    assert_eq!(SctState::read(&changed).unwrap_err().code(), "ID4289");
}

#[test]
fn states_are_recognized_and_written_by_the_codec() {
    let case = &cases("cases")[12];
    let decoded = Codec::default().decode(case["state"].as_str().unwrap().as_bytes(), None, Timestamp::MIN, None);
    assert_eq!(serde_json::to_value(decoded.unwrap()).unwrap(), case["token"]);
    let mut codec = Codec::default();
    codec.format = Some(Format::SctState);
    let json = serde_json::to_vec(&case["token"]).unwrap();
    let written = codec.encode(&json, Encoding::Base64, Timestamp::MIN, &SystemRandom).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), case["state"].as_str().unwrap());
}

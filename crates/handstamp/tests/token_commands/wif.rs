//! Every session token of the golden data, in every form, through the program.

use handstamp_testkit::vectors;
use serde_json::Value as Json;

use crate::support::{Folder, base64, cases, cookie, for_all, json_bytes, text};

const CHAINS: [(&str, &str); 4] = [
    ("none", "--transforms none"),
    ("deflate", "--transforms deflate"),
    ("deflateRsaSha256", "--transforms deflate,rsa-sign,rsa-encrypt --rsa-key farm.pem"),
    ("deflateRsaSha1", "--transforms deflate,rsa-sign,rsa-encrypt --rsa-key farm.pem --rsa-hash sha1"),
];

fn farm(vectors: &Json) -> Folder {
    Folder::with("farm.pem", vectors["keys"]["rsa2048Pkcs8Pem"].as_str().unwrap())
}

/// The description as it comes back: an empty context is not written, so it reads as none, and Windows supplies SIDs
/// itself.
fn as_read(case: &Json) -> Json {
    let mut token = case["token"].clone();
    if token["context"] == "" {
        token["context"] = Json::Null;
    }
    for identity in token["identities"].as_array_mut().into_iter().flatten() {
        if identity.get("windowsLogonName").is_some() {
            let claims = identity["claims"].as_array_mut().unwrap();
            claims.retain(|claim| !claim["type"].as_str().unwrap().ends_with("sid"));
        }
    }
    if token["isSctWrapper"] == true {
        token["context"] = Json::Null;
    }
    token
}

/// Its golden description leaves out what the writer drops but leaves a trace of.
fn writable(case: &Json) -> bool {
    case["name"] != "claim-properties-with-empty-entries"
}

#[test]
fn st_11_every_payload_goes_both_ways_in_every_form() {
    let vectors = vectors::load("session_token");
    let folder = Folder::new();
    for_all(cases(&vectors, "cases"), |case| {
        let (payload, expected) = (text(case, "payload"), as_read(case));
        let raw = base64(payload);
        for arguments in ["", "--format wif-payload", "--format wif-payload --input base64"] {
            let arguments = format!("token decode --no-validate {arguments}");
            assert_eq!(folder.json(&arguments, payload.as_bytes()), expected, "{} {arguments}", case["name"]);
        }
        for arguments in ["--input raw", "--format wif-payload"] {
            let arguments = format!("token decode --no-validate {arguments}");
            assert_eq!(folder.json(&arguments, &raw), expected, "{} {arguments}", case["name"]);
        }
        if writable(case) {
            let json = json_bytes(&case["token"]);
            let encode = "token encode --format wif-payload";
            assert!(folder.ok(encode, &json) == payload.as_bytes(), "{}", case["name"]);
            assert!(folder.ok(&format!("{encode} --output raw"), &json) == raw, "{}", case["name"]);
        }
    });
}

#[test]
fn st_7_every_cookie_reads_in_every_form_through_every_chain() {
    let vectors = vectors::load("session_token");
    let folder = farm(&vectors);
    for_all(cases(&vectors, "cases"), |case| {
        let (name, expected) = (text(case, "name"), as_read(case));
        for (chain, options) in CHAINS {
            // Of the largest tokens there is one chain.
            let Some(xml) = case["tokenXml"][chain].as_str() else { continue };
            let (cookie, with_mark) = (cookie(xml), format!("\u{feff}{xml}"));
            let forms =
                [("--input xml", xml), ("--input cookie", cookie.as_str()), ("", &with_mark), ("--format wif", xml)];
            // Those that need keys are slow without optimization; which form each gets changes from case to case.
            let forms = if chain.starts_with("deflateRsa") { &forms[name.len() % 4..][..1] } else { &forms[..] };
            for (form, input) in forms {
                let arguments = format!("token decode --no-validate {options} {form}");
                if case["token"]["isReferenceMode"] == true {
                    assert_eq!(folder.refusal(&arguments, input.as_bytes()), "ID4243", "{name} {chain} {form}");
                } else {
                    assert_eq!(folder.json(&arguments, input.as_bytes()), expected, "{name} {chain} {form}");
                }
            }
        }
    });
}

#[test]
fn chains_without_keys_need_not_be_told() {
    let vectors = vectors::load("session_token");
    let folder = Folder::new();
    let cases: Vec<&Json> = cases(&vectors, "cases").iter().filter(|case| case["nrbf"].is_string()).collect();
    for_all(&cases, |case| {
        let refers = case["token"]["isReferenceMode"] == true;
        let envelope = text(case, "nrbf");
        let mut inputs = vec![envelope.as_bytes().to_vec(), base64(envelope)];
        if !refers {
            inputs.extend(["none", "deflate"].map(|chain| cookie(text(&case["tokenXml"], chain)).into_bytes()));
        }
        for input in inputs {
            assert_eq!(folder.json("token decode --no-validate", &input), as_read(case), "{}", case["name"]);
        }
    });
}

#[test]
fn st_16_what_is_deterministic_is_written_byte_for_byte() {
    let vectors = vectors::load("session_token");
    let folder = farm(&vectors);
    let cases: Vec<&Json> = cases(&vectors, "cases").iter().filter(|case| writable(case)).collect();
    for_all(&cases, |case| {
        let json = json_bytes(&case["token"]);
        let encode = "token encode --format wif --transforms none --output";
        let Some(xml) = case["tokenXml"]["none"].as_str() else { return };
        assert!(folder.ok(&format!("{encode} xml"), &json) == xml.as_bytes(), "{}", case["name"]);
        assert!(folder.ok(&format!("{encode} cookie"), &json) == cookie(xml).as_bytes(), "{}", case["name"]);
        if case["token"]["isReferenceMode"] == true {
            assert_eq!(folder.refusal(&format!("{encode} raw"), &json), "HST-TOKEN-OUTPUT");
        } else if let Some(envelope) = case["nrbf"].as_str() {
            assert!(folder.ok(&format!("{encode} base64"), &json) == envelope.as_bytes(), "{}", case["name"]);
        }
    });
}

#[test]
fn what_the_program_writes_it_reads_in_every_form() {
    let vectors = vectors::load("session_token");
    let folder = farm(&vectors);
    let cases: Vec<&Json> =
        cases(&vectors, "cases").iter().filter(|case| case["token"]["isReferenceMode"] == false).collect();
    for_all(&cases, |case| {
        let json = json_bytes(&case["token"]);
        let form = ["raw", "base64", "cookie", "xml"][text(case, "name").len() % 4];
        // Keys are slow without optimization, so every other token meets them.
        let chains = if text(case, "name").len().is_multiple_of(2) { &CHAINS[1..3] } else { &CHAINS[1..2] };
        for (_, options) in chains {
            let token = folder.ok(&format!("token encode --format wif {options} --output {form}"), &json);
            for told in [format!("--format wif --input {form}"), String::new()] {
                let arguments = format!("token decode --no-validate {options} {told}");
                assert_eq!(folder.json(&arguments, &token), as_read(case), "{} {form} {arguments}", case["name"]);
            }
        }
    });
}

#[test]
fn st_8_every_invalid_token_is_refused_with_its_code() {
    let vectors = vectors::load("session_token");
    let folder = Folder::new();
    for_all(cases(&vectors, "invalidCases"), |case| {
        let golden = text(case, "error").split_once(' ').map(|(_, code)| code);
        let (format, input) = match text(case, "level") {
            "payload" => ("wif-payload", text(case, "payload")),
            _ => ("wif", text(case, "tokenXml")),
        };
        let code = folder.refusal(&format!("token decode --no-validate --format {format}"), input.as_bytes());
        match golden {
            // An empty file is no base64, whatever it would have been.
            _ if input.is_empty() => assert!(["ID4272", "HST-TOKEN-BASE64"].contains(&code.as_str()), "{code}"),
            Some(golden) => assert_eq!(code, golden, "{}", case["name"]),
            None => assert!(code.starts_with("HST-"), "{}: {code}", case["name"]),
        }
        folder.refusal("token decode --no-validate", input.as_bytes());
    });
}

#[test]
fn st_27_every_transform_failure_is_refused_with_its_code() {
    let vectors = vectors::load("session_token");
    let folder = farm(&vectors);
    for_all(cases(&vectors, "transformFailures"), |case| {
        let hash = case["hashName"].as_str().unwrap_or("SHA256").to_ascii_lowercase();
        // Encryption is not accepted without a signature; decoding meets the encryption first.
        let options = match text(case, "transform") {
            "Deflate" => "--transforms deflate".to_owned(),
            "RsaSignature" => format!("--transforms rsa-sign --rsa-key farm.pem --rsa-hash {hash}"),
            _ => format!("--transforms rsa-sign,rsa-encrypt --rsa-key farm.pem --rsa-hash {hash}"),
        };
        let encoded = base64(text(case, "encoded"));
        let arguments = format!("token decode --no-validate --format wif --input raw {options}");
        let code = folder.refusal(&arguments, &encoded);
        match text(case, "error").split_once(' ') {
            Some((_, golden)) => assert_eq!(code, golden, "{}", case["name"]),
            None => assert_eq!(code, "HST-TOKEN-CRYPTOGRAPHIC", "{}", case["name"]),
        }
    });
}

#[test]
fn st_23_any_of_several_rsa_keys_reads_and_the_first_writes() {
    use handstamp_keys::{KeyKind, PrivateKey};
    let vectors = vectors::load("session_token");
    let folder = farm(&vectors);
    let new = PrivateKey::generate(KeyKind::Rsa { bits: 2048 }).unwrap().to_pkcs8().unwrap();
    let base64 = base64_simd::STANDARD.encode_to_string(&*new);
    folder.put("new.pem", format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n"));
    let case = &cases(&vectors, "cases")[3];
    let xml = text(&case["tokenXml"], "deflateRsaSha256").as_bytes();
    let decode = "token decode --no-validate --transforms deflate,rsa-sign,rsa-encrypt";
    for keys in ["--rsa-key new.pem --rsa-key farm.pem", "--rsa-key farm.pem --rsa-key new.pem"] {
        assert_eq!(folder.json(&format!("{decode} {keys}"), xml), case["token"], "{keys}");
    }
    assert_eq!(folder.refusal(&format!("{decode} --rsa-key new.pem"), xml), "ID6040");
    let encode = "token encode --format wif --rsa-key new.pem --rsa-key farm.pem";
    let written = folder.ok(encode, &json_bytes(&case["token"]));
    assert_eq!(folder.json(&format!("{decode} --rsa-key new.pem"), &written), case["token"]);
    assert_eq!(folder.refusal(&format!("{decode} --rsa-key farm.pem"), &written), "ID6040");
    // The order that the documentation of WIF gives: encrypt, then sign.
    let chain = "--transforms deflate,rsa-encrypt,rsa-sign --rsa-key farm.pem";
    let written = folder.ok(&format!("token encode --format wif {chain}"), &json_bytes(&case["token"]));
    assert_eq!(folder.json(&format!("token decode --no-validate {chain}"), &written), case["token"]);
    assert!(folder.refusal(&format!("{decode} --rsa-key farm.pem"), &written).starts_with("ID"));
}

#[test]
fn st_32_validity_has_its_skew_at_both_ends() {
    let vectors = vectors::load("session_token");
    let folder = Folder::new();
    let mut token = cases(&vectors, "cases")[0]["token"].clone();
    token["validTo"] = serde_json::json!({ "iso": "2024-03-01T18:30:00Z" });
    token["keyExpirationTime"] = token["validTo"].clone();
    let payload = folder.ok("token encode --format wif-payload", &json_bytes(&token));
    for (at, code) in [
        ("2024-03-01T08:24:59.9999999Z", Some("ID4255")),
        ("2024-03-01T08:25:00Z", None),
        ("2024-03-01T18:35:00Z", None),
        ("2024-03-01T18:35:00.0000001Z", Some("ID4255")),
    ] {
        let arguments = format!("token decode --at {at}");
        match code {
            Some(code) => assert_eq!(folder.refusal(&arguments, &payload), code, "{at}"),
            None => assert_eq!(folder.json(&arguments, &payload)["id"], token["id"], "{at}"),
        }
    }
    assert_eq!(folder.refusal("token decode", &payload), "ID4255", "it is over, whatever the time is");
    folder.ok("token decode --no-validate", &payload);
    assert_eq!(folder.run("token decode --at yesterday", &payload).code, 2);
    assert_eq!(folder.run("token decode --no-validate --at 2024-03-01T08:25:00Z", &payload).code, 2);
}

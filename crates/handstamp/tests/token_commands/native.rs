//! The native format through the program.

use handstamp_testkit::vectors;
use serde_json::Value as Json;

use crate::support::{Folder, cases, for_all, json_bytes};

/// What no native token holds: it wraps nothing of WCF, and its bootstrap contexts are text or bytes.
fn has_no_native_form(case: &Json) -> bool {
    case["token"]["isSctWrapper"] == true
        || case["token"]["sctAuthorizationPolicyClaim"].is_object()
        || ["windows-identity", "bootstrap-raw-string-object", "bootstrap-security-token"]
            .contains(&case["name"].as_str().unwrap())
}

#[test]
fn native_tokens_go_both_ways_and_turn_into_wifs_and_back() {
    let vectors = vectors::load("session_token");
    let folder = Folder::new();
    folder.ok("keys init --ring ring.json", b"");
    let cases: Vec<&Json> = cases(&vectors, "cases")
        .iter()
        .filter(|case| !has_no_native_form(case) && case["token"]["isReferenceMode"] == false)
        .collect();
    assert!(cases.len() > 40);
    for_all(&cases, |case| {
        let scope = match case["token"]["endpointId"].as_str() {
            Some(scope) if !scope.is_empty() => format!("--audience {scope}"),
            _ => String::new(),
        };
        let keys = format!("--ring ring.json {scope}");
        let sealed = folder.ok(&format!("token encode --format native {keys}"), &json_bytes(&case["token"]));
        for told in ["", "--format native", "--format native --input cookie"] {
            let json = folder.json(&format!("token decode --no-validate {keys} {told}"), &sealed);
            assert_eq!(json["identities"], case["token"]["identities"], "{} {told}", case["name"]);
            assert_eq!(json["contextId"], case["token"]["contextId"], "{} {told}", case["name"]);
            assert_eq!(json["validTo"], case["token"]["validTo"], "{} {told}", case["name"]);
        }
    });
}

#[test]
fn native_tokens_are_bound_to_their_cookie_and_scope_and_ring() {
    let vectors = vectors::load("session_token");
    let folder = Folder::new();
    folder.ok("keys init --ring ring.json", b"");
    folder.ok("keys init --ring other.json", b"");
    let json = json_bytes(&cases(&vectors, "cases")[3]["token"]);
    let sealed = folder.ok("token encode --format native --ring ring.json", &json);
    folder.ok("token decode --ring ring.json", &sealed);
    assert_eq!(folder.refusal("token decode --ring other.json", &sealed), "HST-TOKEN-UNAUTHENTIC");
    assert_eq!(folder.refusal("token decode --ring ring.json --cookie-name other", &sealed), "HST-TOKEN-UNAUTHENTIC");
    assert_eq!(folder.refusal("token decode --format native", &sealed), "HST-TOKEN-KEYS");
    assert_eq!(folder.refusal("token encode --format native", &json), "HST-TOKEN-KEYS");
}

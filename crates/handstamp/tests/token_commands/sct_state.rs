//! Every state of a WCF security context token, through the program.

use handstamp_testkit::vectors;

use crate::support::{Folder, base64, cases, for_all, json_bytes, text};

#[test]
fn st_43_every_state_goes_both_ways_in_every_form() {
    let vectors = vectors::load("sct_cookie");
    let folder = Folder::new();
    for_all(cases(&vectors, "cases"), |case| {
        let state = text(case, "state");
        for (form, input) in [("base64", state.as_bytes().to_vec()), ("raw", base64(state))] {
            for told in [String::new(), format!("--format sct-state --input {form}")] {
                let json = folder.json(&format!("token decode --no-validate {told}"), &input);
                assert_eq!(json, case["token"], "{} {form} {told}", case["name"]);
            }
            let written =
                folder.ok(&format!("token encode --format sct-state --output {form}"), &json_bytes(&case["token"]));
            assert!(written == input, "{} {form}", case["name"]);
        }
    });
    for case in cases(&vectors, "decodeCases") {
        let json = folder.json("token decode --no-validate --format sct-state", text(case, "state").as_bytes());
        assert_eq!(json, case["token"], "{}", case["name"]);
    }
}

#[test]
fn every_state_that_is_wrong_in_itself_is_refused() {
    let vectors = vectors::load("sct_cookie");
    let folder = Folder::new();
    // These states are good; they contradict the element they came in.
    let only_beside_its_element = [
        "other-context-id",
        "other-generation",
        "generation-missing-in-request",
        "other-id",
        "id-null-in-request",
        "generation-missing-in-state",
    ];
    for_all(cases(&vectors, "invalidCases"), |case| {
        let arguments = "token decode --no-validate --format sct-state --input raw";
        let state = base64(text(case, "state"));
        if only_beside_its_element.contains(&text(case, "name")) {
            folder.ok(arguments, &state);
        } else {
            folder.refusal(arguments, &state);
        }
    });
}

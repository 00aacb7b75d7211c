//! Sign-in from end to end.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_saml::Version;
use handstamp_ws_federation::{
    ContextMode, FormPost, Parameters, ReturnUrl, SignInOptions, TrustVersion, Unsolicited, WifContext,
};
use support::{Pair, REPLY, query_of, to};

#[test]
fn sm_24_to_sm_29_a_sign_in_in_every_combination_of_versions() {
    for token_version in [Version::Saml11, Version::Saml20] {
        for trust_version in [TrustVersion::Feb2005, TrustVersion::V13] {
            for context_mode in [ContextMode::Opaque, ContextMode::Wif] {
                let mut pair = Pair::with(
                    |settings| settings.context_mode = context_mode,
                    |trust| {
                        trust.token_version = token_version;
                        trust.trust_version = trust_version;
                    },
                );
                let options =
                    SignInOptions { remember: true, sign_in_context: Some("basket=3".into()), ..to("/orders/7?x=1") };
                let challenge = pair.challenge(options).unwrap();
                pair.advance(30);
                let form = pair.issue(&challenge.location).unwrap();
                assert_eq!(form.action, REPLY);
                pair.advance(1);
                let sign_in = pair.post(&form).unwrap();
                assert_eq!(sign_in.principal.name(), Some("Alice"));
                assert!(sign_in.principal.is_in_role("Order Clerk"));
                assert_eq!(sign_in.principal.claims().next().unwrap().issuer(), "our-sts");
                assert_eq!(sign_in.issuer, "our-sts");
                assert_eq!(sign_in.return_url.as_str(), "/orders/7?x=1");
                assert_eq!(sign_in.sign_in_context.as_deref(), Some("basket=3"));
                assert!(sign_in.remember && sign_in.solicited);
                assert_eq!(sign_in.expires_at.unwrap().to_string(), "2030-01-01T09:00:30Z");
                assert_eq!(sign_in.sign_out.name_identifier.as_deref(), Some("u-1"));
                assert!(pair.cookies.keys().all(|name| name.ends_with("-guard")), "the state is gone");
            }
        }
    }
}

#[test]
fn sm_30_what_the_issuer_encrypts_the_relying_party_reads() {
    for version in [Version::Saml11, Version::Saml20] {
        let mut pair = Pair::encrypting(version);
        let challenge = pair.challenge(to("/orders")).unwrap();
        let form = pair.issue(&challenge.location).unwrap();
        let result = form.parameters.get("wresult").unwrap();
        assert!(result.contains("EncryptedData") && !result.contains("Alice"), "{result}");
        let sign_in = pair.post(&form).unwrap();
        assert_eq!(sign_in.principal.name(), Some("Alice"));

        let form = Pair::encrypting(version).issue(&challenge.location).unwrap();
        let mut other = pair;
        let challenge = other.challenge(to("/orders")).unwrap();
        let mut stolen = other.issue(&challenge.location).unwrap();
        stolen.parameters.set("wresult", form.parameters.get("wresult").unwrap());
        assert_eq!(Pair::code(other.post(&stolen)), if version == Version::Saml11 { "ID4036" } else { "ID4022" });
    }
}

#[test]
fn sm_24_wctx_is_readable_for_an_original_in_wif_mode_and_tells_nothing_otherwise() {
    let mut pair = Pair::with(|settings| settings.context_mode = ContextMode::Wif, |_| ());
    let location = pair.challenge(to("/orders")).unwrap().location;
    let context = WifContext::parse(query_of(&location).get("wctx").unwrap()).unwrap();
    assert_eq!(context.return_url.as_deref(), Some("/orders"));
    assert!(!context.remember);
    let location = Pair::new().challenge(to("/orders")).unwrap().location;
    assert!(!location.contains("orders"));
    let names: Vec<_> = query_of(&location).iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["wa", "wtrealm", "wctx", "wct"]);
}

#[test]
fn sm_26_only_posts_are_responses() {
    let mut pair = Pair::new();
    let location = pair.challenge(to("/")).unwrap().location;
    let form = pair.issue(&location).unwrap();
    let pairs: Vec<(&str, &str)> = vec![];
    for method in ["GET", "HEAD", "PUT", "post"] {
        let result =
            pair.relying_party.receive_sign_in_response(method, &form.parameters, pairs.iter().copied(), pair.now);
        assert_eq!(Pair::code(result), "HST-WSFED-METHOD");
    }
}

#[test]
fn sm_33_a_response_in_another_browser_is_refused() {
    let mut pair = Pair::new();
    let location = pair.challenge(to("/")).unwrap().location;
    let form = pair.issue(&location).unwrap();
    let cookies = std::mem::take(&mut pair.cookies);
    assert_eq!(Pair::code(pair.post(&form)), "HST-WSFED-STATE", "no cookie");
    // The victim's browser has a sign-in of its own under way.
    pair.challenge(to("/")).unwrap();
    assert_eq!(Pair::code(pair.post(&form)), "HST-WSFED-STATE", "another cookie");
    // The value under the name of the victim's own state.
    let (own, _) = pair.cookies.iter().find(|(name, _)| !name.ends_with("guard")).unwrap();
    let (_, value) = cookies.iter().find(|(name, _)| !name.ends_with("guard")).unwrap();
    let own_id = own.rsplit_once("signin-").unwrap().1.to_owned();
    pair.cookies.insert(own.clone(), value.clone());
    let mut moved = form.clone();
    moved.parameters.set("wctx", own_id);
    assert_eq!(Pair::code(pair.post(&moved)), "HST-WSFED-STATE", "a cookie under another name");
    pair.cookies = cookies;
    assert_eq!(Pair::code(pair.post(&form)), "accepted");
}

#[test]
fn sm_33_a_state_serves_once() {
    let mut pair = Pair::new();
    let location = pair.challenge(to("/")).unwrap().location;
    let form = pair.issue(&location).unwrap();
    let cookies = pair.cookies.clone();
    pair.post(&form).unwrap();
    let second = pair.issue(&location).unwrap();
    assert_eq!(Pair::code(pair.post(&second)), "HST-WSFED-STATE", "the cookie is gone");
    pair.cookies = cookies; // somebody kept a copy
    assert_eq!(Pair::code(pair.post(&second)), "ID1066");
}

/// Whoever asks for a fresh authentication (`wfresh`, SM §3.1) gets one, or nobody in.
#[test]
fn an_authentication_that_is_older_than_was_asked_for_signs_nobody_in() {
    const SKEW: u64 = 300;
    for version in [Version::Saml11, Version::Saml20] {
        // Minutes asked for, and seconds between the authentication and the challenge.
        for (freshness, before, expected) in [
            (None, 30_000, "accepted"),
            (Some(60), 3600, "accepted"),
            (Some(60), 3600 + SKEW - 30, "accepted"),
            (Some(60), 3600 + SKEW - 29, "HST-WSFED-FRESHNESS"),
            (Some(0), SKEW, "accepted"),
            (Some(0), SKEW + 1, "HST-WSFED-FRESHNESS"),
        ] {
            let mut pair = Pair::with(|settings| settings.freshness = freshness, |trust| trust.token_version = version);
            let authenticated_at = pair.now;
            pair.advance(before);
            let location = pair.challenge(to("/")).unwrap().location;
            pair.advance(30);
            let mut request = query_of(&location);
            // The browser is the user's, who can leave out what was asked.
            if freshness.is_some() {
                assert_eq!(request.get("wfresh").map(str::to_owned), freshness.map(|minutes| minutes.to_string()));
                request.set("wfresh", "100000");
            }
            let form = pair.issue_to(&request, authenticated_at).unwrap();
            assert_eq!(Pair::code(pair.post(&form)), expected, "{version} {freshness:?} {before}");
        }
    }
}

#[test]
fn a_token_that_says_no_time_of_authentication_is_not_fresh() {
    let mut pair = Pair::with(|settings| settings.freshness = Some(60), |_| ());
    let location = pair.challenge(to("/")).unwrap().location;
    let task = pair.issuer.receive_sign_in_request(&query_of(&location)).unwrap();
    let nameless = ClaimsIdentity::new("Password").with_claim(Claim::new(claim_types::NAME, "Alice"));
    let form = pair.issuer.respond(&task, &nameless, pair.now, &pair.random).unwrap();
    let refused = pair.post(&form).unwrap_err();
    assert_eq!(refused.code(), "HST-WSFED-FRESHNESS");
    assert!(refused.to_string().starts_with("the token does not say when"), "{refused}");
}

#[test]
fn sm_38_a_token_signs_in_once() {
    let mut pair = Pair::new();
    let first = pair.challenge(to("/")).unwrap().location;
    let form = pair.issue(&first).unwrap();
    pair.post(&form).unwrap();
    let second = pair.challenge(to("/")).unwrap().location;
    let mut again = form;
    again.parameters.set("wctx", query_of(&second).get("wctx").unwrap());
    assert_eq!(Pair::code(pair.post(&again)), "ID1066");
}

#[test]
fn sm_33_a_state_is_good_for_fifteen_minutes() {
    for (seconds, expected) in [(900, "accepted"), (901, "HST-WSFED-STATE")] {
        let mut pair = Pair::new();
        let location = pair.challenge(to("/")).unwrap().location;
        pair.advance(seconds);
        let form = pair.issue(&location).unwrap();
        assert_eq!(Pair::code(pair.post(&form)), expected, "{seconds} s");
    }
}

#[test]
fn sm_33_two_tabs_do_not_disturb_each_other() {
    let mut pair = Pair::new();
    let one = pair.challenge(to("/one")).unwrap().location;
    let two = pair.challenge(to("/two")).unwrap().location;
    let form_two = pair.issue(&two).unwrap();
    assert_eq!(pair.post(&form_two).unwrap().return_url.as_str(), "/two");
    let form_one = pair.issue(&one).unwrap();
    assert_eq!(pair.post(&form_one).unwrap().return_url.as_str(), "/one");
}

#[test]
fn sm_33_abandoned_sign_ins_do_not_pile_up() {
    let mut pair = Pair::new();
    let mut last = String::new();
    for _ in 0..40 {
        last = pair.challenge(to("/")).unwrap().location;
        pair.advance(20);
        assert!(pair.cookies.len() <= 9, "eight states and the guard");
    }
    let form = pair.issue(&last).unwrap();
    assert_eq!(Pair::code(pair.post(&form)), "accepted", "the newest one is kept");
    pair.advance(3600);
    pair.challenge(to("/")).unwrap();
    assert_eq!(pair.cookies.len(), 2, "old states are deleted");
}

#[test]
fn sm_35_unsolicited_responses_are_refused_unless_allowed() {
    let mut pair = Pair::with(
        |settings| {
            settings.unsolicited = Unsolicited::Accept { return_urls: vec![ReturnUrl::new("/start").unwrap()] };
        },
        |_| (),
    );
    let request = "https://sts/?wa=wsignin1.0&wtrealm=https%3a%2f%2frp.example%2f";
    for (wctx, expected) in [
        (None, "/"),
        (Some("rm=1&id=passive&ru=%2fstart"), "/start"),
        (Some("rm=0&id=passive&ru=%2fother"), "/"),
        (Some("rm=0&id=passive&ru=https%3a%2f%2fevil.example%2f"), "/"),
        (Some("AAAAAAAAAAAAAAAAAAAAAA"), "/"),
        (Some("\u{0}%&=&="), "/"),
    ] {
        let mut form = pair.issue(request).unwrap();
        if let Some(wctx) = wctx {
            form.parameters.set("wctx", wctx);
        }
        let sign_in = pair.post(&form).unwrap();
        assert_eq!(sign_in.return_url.as_str(), expected, "{wctx:?}");
        assert!(!sign_in.solicited && !sign_in.remember);
    }
    let mut strict = Pair::new();
    let form = strict.issue(request).unwrap();
    assert_eq!(Pair::code(strict.post(&form)), "HST-WSFED-STATE");
}

#[test]
fn sm_31_the_sixth_challenge_within_a_minute_is_a_page() {
    let mut pair = Pair::new();
    for _ in 0..5 {
        let location = pair.challenge(to("/")).unwrap().location;
        let form = pair.issue(&location).unwrap();
        pair.post(&form).unwrap(); // the issuer signs in silently, and the session cookie never sticks
        pair.advance(2);
    }
    assert_eq!(Pair::code(pair.challenge(to("/"))), "HST-WSFED-LOOP");
    pair.advance(60);
    assert_eq!(Pair::code(pair.challenge(to("/"))), "accepted");
}

#[test]
fn sm_27_the_response_holds_one_token() {
    let mut pair = Pair::new();
    let location = pair.challenge(to("/")).unwrap().location;
    let genuine = pair.issue(&location).unwrap();
    let result = genuine.parameters.get("wresult").unwrap().to_owned();
    let token = &result[result.find("<Assertion").unwrap()..result.find("</t:RequestedSecurityToken>").unwrap()];
    let signature = &token[token.find("<Signature").unwrap()..token.find("<Subject>").unwrap()];
    let forged = token.replace("Alice", "Mallory");
    let with = |result: String| {
        let mut form = genuine.clone();
        form.parameters.set("wresult", result);
        form
    };
    let t = "http://schemas.xmlsoap.org/ws/2005/02/trust";
    for (name, result, expected) in [
        ("two tokens", result.replace(token, &token.repeat(2)), "HST-XML-DUPLICATE-ID"),
        (
            "a forged one beside",
            result.replace(token, &format!("{forged}{token}").replacen("ID=\"_", "ID=\"_f", 1)),
            "HST-WSFED-RSTR",
        ),
        ("a forged one instead", result.replace(token, &forged), "HST-XSEC-UNAUTHENTIC"),
        (
            "the genuine one elsewhere",
            result.replace(token, &forged.replacen("ID=\"_", "ID=\"_f", 1)).replacen(
                "<t:Lifetime>",
                &format!("<t:Entropy>{}</t:Entropy><t:Lifetime>", token.replace(signature, "")),
                1,
            ),
            "HST-SAML-WRAPPED",
        ),
        ("no token", result.replace(token, ""), "HST-WSFED-RSTR"),
        ("the bare token", token.to_owned(), "ID3032"),
        (
            "a SAML response",
            format!("<p:Response xmlns:p='urn:oasis:names:tc:SAML:2.0:protocol'>{token}</p:Response>"),
            "ID3032",
        ),
        ("a document type", format!("<!DOCTYPE x>{result}"), "HST-XML-DTD"),
        ("no XML", "x".into(), "HST-XML-SYNTAX"),
        ("another trust namespace", result.replace(t, "urn:t"), "ID3032"),
    ] {
        assert_eq!(Pair::code(pair.post(&with(result))), expected, "{name}");
    }
    assert_eq!(Pair::code(pair.post(&genuine)), "accepted");
}

#[test]
fn sm_28_other_realms_and_other_times() {
    let mut pair = Pair::new();
    let location = pair.challenge(to("/")).unwrap().location;
    let for_other = location.replace("https%3a%2f%2frp.example%2f", "urn%3aother");
    let form = pair.issue(&for_other).unwrap();
    assert_eq!(Pair::code(pair.post(&form)), "ID1038", "a token for another application");
    let early = pair.issue(&location).unwrap();
    pair.now = pair.now.saturating_sub(std::time::Duration::from_secs(301));
    assert_eq!(Pair::code(pair.post(&early)), "ID4147", "our clock is five minutes and a second behind");
}

#[test]
fn forms_are_bounded() {
    let mut pair = Pair::with(|settings| settings.limits.bytes = 10_000, |_| ());
    let location = pair.challenge(to("/")).unwrap().location;
    let mut form = pair.issue(&location).unwrap();
    form.parameters.set("x", "a".repeat(10_000));
    assert_eq!(Pair::code(pair.post(&form)), "HST-WSFED-SIZE");
}

#[test]
fn the_form_post_page_carries_the_message() {
    let mut pair = Pair::new();
    let location = pair.challenge(to("/")).unwrap().location;
    let FormPost { action, parameters } = pair.issue(&location).unwrap();
    let names: Vec<_> = parameters.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["wa", "wresult", "wctx"]);
    let html = FormPost { action, parameters: parameters.clone() }.to_html();
    let value = html.split("name=\"wresult\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let unescaped = value
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#13;", "\r")
        .replace("&#10;", "\n")
        .replace("&amp;", "&");
    assert_eq!(unescaped, parameters.get("wresult").unwrap());
    let digest = handstamp_keys::DigestAlgorithm::Sha256.digest(FormPost::SCRIPT.as_bytes());
    let hash = base64_simd::STANDARD.encode_to_string(digest.as_bytes());
    assert_eq!(FormPost::SCRIPT_CSP_SOURCE, format!("'sha256-{hash}'"));
    assert!(Parameters::from_pairs(parameters.iter()).is_ok());
}

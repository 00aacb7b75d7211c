//! Settings, sign-out and clean-up of the relying party.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, ValidationSettings};
use handstamp_ws_federation::{CleanupResponse, Parameters, RelyingParty, RelyingPartySettings, SIGN_OUT_IMAGE};
use std::sync::Arc;
use support::{Pair, REALM, STS, query_of};

#[test]
fn sm_25_configurations_that_cannot_work_are_refused_at_the_start() {
    let code = |change: &dyn Fn(&mut RelyingPartySettings)| {
        let mut settings = RelyingPartySettings::new(STS, REALM);
        change(&mut settings);
        let now = "2030-01-01T00:00:00Z".parse().unwrap();
        let keys = KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom).unwrap();
        let handler = SamlTokenHandler::new(IssuerNameRegistry::new(), ValidationSettings::new([REALM]));
        Pair::code(RelyingParty::new(settings, handler, Arc::new(keys)))
    };
    assert_eq!(code(&|_| ()), "accepted");
    assert_eq!(code(&|s| s.realm = "urn:app".into()), "accepted");
    assert_eq!(code(&|s| s.issuer.clear()), "HST-WSFED-CONFIG");
    assert_eq!(code(&|s| s.issuer = "/wsfed".into()), "HST-WSFED-CONFIG");
    assert_eq!(code(&|s| s.issuer = "ftp://sts.example/".into()), "HST-WSFED-CONFIG");
    assert_eq!(code(&|s| s.issuer = "http://sts.example/".into()), "HST-WSFED-CONFIG");
    assert_eq!(code(&|s| s.realm.clear()), "HST-WSFED-CONFIG");
    assert_eq!(code(&|s| s.realm = "app".into()), "HST-WSFED-CONFIG");
    assert_eq!(code(&|s| s.reply = Some("/signin".into())), "HST-WSFED-CONFIG");
    assert_eq!(code(&|s| s.reply = Some("http://rp.example/".into())), "HST-WSFED-CONFIG");
    assert_eq!(code(&|s| s.sign_out_reply = Some("bye".into())), "HST-WSFED-CONFIG");
    assert_eq!(code(&|s| s.state_cookie = "a b".into()), "HST-WSFED-CONFIG");
    let both = |s: &mut RelyingPartySettings| {
        s.request = Some("<x/>".into());
        s.request_ptr = Some("https://x/".into());
    };
    assert_eq!(code(&both), "HST-WSFED-EXCLUSIVE");
    let plain = |s: &mut RelyingPartySettings| {
        s.require_https = false;
        s.issuer = "http://localhost:8080/wsfed".into();
    };
    assert_eq!(code(&plain), "accepted");
}

#[test]
fn sm_24_every_setting_reaches_the_request() {
    let mut pair = Pair::with(
        |s| {
            s.reply = Some("https://rp.example/signin".into());
            s.home_realm = Some("urn:home".into());
            s.freshness = Some(0);
            s.authentication_type = Some("urn:auth".into());
            s.policy = Some("urn:policy".into());
            s.resource = Some("urn:resource".into());
            s.request = Some("<rst/>".into());
            s.sign_in_query = Parameters::from_pairs([("pr", "x"), ("wtrealm", "urn:not-this")]).unwrap();
        },
        |_| (),
    );
    let query = query_of(&pair.challenge(support::to("/")).unwrap().location);
    let without_state: Vec<_> = query.iter().filter(|(name, _)| *name != "wctx").collect();
    assert_eq!(
        without_state,
        [
            ("wa", "wsignin1.0"),
            ("wtrealm", "https://rp.example/"),
            ("wct", "2030-01-01T08:00:00Z"),
            ("wfresh", "0"),
            ("wreply", "https://rp.example/signin"),
            ("wauth", "urn:auth"),
            ("whr", "urn:home"),
            ("wp", "urn:policy"),
            ("wres", "urn:resource"),
            ("wreq", "<rst/>"),
            ("pr", "x"),
        ]
    );
}

#[test]
fn sm_33_state_cookies_are_host_cookies_unless_the_site_is_plain_http() {
    let challenge = Pair::new().challenge(support::to("/")).unwrap();
    for cookie in &challenge.cookies {
        let text = cookie.to_string();
        assert!(text.starts_with("__Host-signin-"), "{text}");
        assert!(text.ends_with("; HttpOnly; Secure; SameSite=None") && text.contains("; Path=/;"), "{text}");
        assert!(!text.contains("Domain"), "{text}");
    }
    let plain = Pair::with(|s| s.secure_cookies = false, |_| ()).challenge(support::to("/")).unwrap();
    for cookie in &plain.cookies {
        let text = cookie.to_string();
        assert!(text.starts_with("signin-") && text.ends_with("; HttpOnly"), "{text}");
    }
}

#[test]
fn sm_39_sign_out_replies_stay_on_own_origins() {
    let pair = Pair::with(
        |s| {
            s.sign_out_reply = Some("https://www.rp.example/bye".into());
            s.sign_out_query = Parameters::from_pairs([("hint", "a b")]).unwrap();
        },
        |_| (),
    );
    let url = |reply| pair.relying_party.sign_out_url(reply);
    assert_eq!(
        url(None).unwrap(),
        "https://sts.example/wsfed?wa=wsignout1.0&wreply=https%3a%2f%2fwww.rp.example%2fbye&hint=a+b"
    );
    for (reply, expected) in
        [("/bye", "https%3a%2f%2fwww.rp.example%2fbye"), ("https://rp.example/x", "https%3a%2f%2frp.example%2fx")]
    {
        assert!(url(Some(reply)).unwrap().contains(&format!("wreply={expected}&")), "{reply}");
    }
    for reply in [
        "https://evil.example/",
        "http://rp.example/",
        "//evil.example/",
        "/\\evil.example/",
        "bye",
        "https://rp.example:444/",
    ] {
        assert_eq!(Pair::code(url(Some(reply))), "HST-WSFED-FOREIGN-REPLY", "{reply}");
    }
    assert_eq!(Pair::new().relying_party.sign_out_url(None).unwrap(), "https://sts.example/wsfed?wa=wsignout1.0");
}

#[test]
fn sm_40_clean_up_redirects_to_the_issuer_and_its_subdomains_only() {
    let pair = Pair::new();
    let answer = |reply: &str| {
        let query = Parameters::from_pairs([("wa", "wsignoutcleanup1.0"), ("wreply", reply)]).unwrap();
        match pair.relying_party.receive_sign_out_cleanup(&query).unwrap() {
            CleanupResponse::Redirect(url) => url,
            other => panic!("{other:?}"),
        }
    };
    for good in ["https://sts.example/done", "https://a.b.sts.example/", "https://sts.example:443/x?y=z"] {
        assert_eq!(answer(good), good.replace(":443", ""));
    }
    for bad in [
        "",
        "/done",
        "//sts.example/",
        "http://sts.example/",
        "https://sts.example:8443/",
        "https://evilsts.example/",
        "https://sts.example.evil.example/",
        "https://example/",
        "https://sts.example@evil.example/",
        "https://user@sts.example/",
        "https://evil.example\\@sts.example/",
        "javascript:alert(1)",
    ] {
        assert_eq!(answer(bad), STS, "{bad}");
    }
}

#[test]
fn sm_41_clean_up_without_reply_is_a_picture() {
    let pair = Pair::new();
    let query = Parameters::from_pairs([("wa", "wsignoutcleanup1.0")]).unwrap();
    assert_eq!(pair.relying_party.receive_sign_out_cleanup(&query).unwrap(), CleanupResponse::Image);
    assert_eq!(&SIGN_OUT_IMAGE[..6], b"GIF89a");
    assert_eq!(SIGN_OUT_IMAGE.last(), Some(&b';'));
    let other = Parameters::from_pairs([("wa", "wsignin1.0")]).unwrap();
    assert_eq!(Pair::code(pair.relying_party.receive_sign_out_cleanup(&other)), "HST-WSFED-ACTION");
}

#[test]
fn sm_40_an_issuer_by_address_has_no_subdomains() {
    let pair = Pair::with(|s| s.issuer = "https://192.0.2.1/wsfed".into(), |_| ());
    for (reply, expected) in
        [("https://192.0.2.1/x", "https://192.0.2.1/x"), ("https://1.192.0.2.1.example/", "https://192.0.2.1/wsfed")]
    {
        let query = Parameters::from_pairs([("wa", "wsignoutcleanup1.0"), ("wreply", reply)]).unwrap();
        let answer = pair.relying_party.receive_sign_out_cleanup(&query).unwrap();
        assert_eq!(answer, CleanupResponse::Redirect(expected.into()));
    }
}

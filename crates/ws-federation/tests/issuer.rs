//! What the issuer serves, and what it does not.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_ws_federation::{Issuer, IssuerSettings, RelyingPartyTrust};
use std::sync::Arc;
use support::{Pair, REPLY, STS, query_of};

const REALM: &str = "wtrealm=https%3a%2f%2frp.example%2f";

#[test]
fn only_registered_realms_and_replies_are_served() {
    let pair = Pair::new();
    let code =
        |query: &str| Pair::code(pair.issuer.receive_sign_in_request(&query_of(&format!("https://sts/?{query}"))));
    for (query, expected) in [
        (format!("wa=wsignin1.0&{REALM}"), "accepted"),
        (format!("wa=wsignin1.0&{REALM}&wreply=https%3a%2f%2frp.example%2fsignin"), "accepted"),
        (format!("wa=wsignin1.0&{REALM}&wreply=https%3a%2f%2frp.example%2fsignin%2f"), "HST-WSFED-REPLY"),
        (format!("wa=wsignin1.0&{REALM}&wreply=https%3a%2f%2fevil.example%2f"), "HST-WSFED-REPLY"),
        (format!("wa=wsignin1.0&{REALM}&wreply=https%3a%2f%2fother.example%2f"), "HST-WSFED-REPLY"),
        ("wa=wsignin1.0&wtrealm=https%3a%2f%2frp.example".into(), "HST-WSFED-REALM"),
        ("wa=wsignin1.0&wreply=https%3a%2f%2frp.example%2fsignin".into(), "HST-WSFED-MISSING"),
        (format!("wa=wsignin1.0&{REALM}&wreqptr=https%3a%2f%2fevil.example%2f"), "HST-WSFED-POINTER"),
        (format!("wa=wsignout1.0&{REALM}"), "HST-WSFED-VALUE"),
        (REALM.to_owned(), "HST-WSFED-MISSING"),
    ] {
        assert_eq!(code(&query), expected, "{query}");
    }
}

#[test]
fn wfresh_asks_for_credentials_again() {
    let pair = Pair::new();
    let needs = |wfresh: &str, age: u64| {
        let query = query_of(&format!("https://sts/?wa=wsignin1.0&{REALM}{wfresh}"));
        let task = pair.issuer.receive_sign_in_request(&query).unwrap();
        task.needs_credentials(pair.now.saturating_sub(std::time::Duration::from_secs(age)), pair.now)
    };
    assert!(!needs("", 1_000_000));
    assert!(needs("&wfresh=0", 0));
    assert!(!needs("&wfresh=10", 600));
    assert!(needs("&wfresh=10", 601));
}

#[test]
fn the_token_lifetime_is_the_relying_partys_if_it_has_one() {
    let mut pair = Pair::with(|_| (), |trust| trust.token_lifetime = Some(std::time::Duration::from_secs(60)));
    let location = pair.challenge(support::to("/")).unwrap().location;
    let form = pair.issue(&location).unwrap();
    assert_eq!(pair.post(&form).unwrap().expires_at.unwrap().to_string(), "2030-01-01T08:01:00Z");
}

#[test]
fn sm_39_sign_out_reaches_every_relying_party_and_leads_nowhere_else() {
    let pair = Pair::new();
    let sign_out = |query: &str, realms: &[&str]| {
        pair.issuer.receive_sign_out_request(&query_of(&format!("https://sts/?{query}")), realms.iter().copied())
    };
    let task =
        sign_out("wa=wsignout1.0&wctx=c", &["https://rp.example/", "urn:other", "https://rp.example/", "urn:gone"]);
    let task = task.unwrap();
    assert_eq!(
        task.cleanup_urls,
        ["https://rp.example/signin?wa=wsignoutcleanup1.0", "https://other.example/?wa=wsignoutcleanup1.0"]
    );
    assert_eq!((task.reply, task.context.as_deref()), (None, Some("c")));
    for (reply, expected) in [
        ("https%3a%2f%2frp.example%2fbye%3fa%3db", Some("https://rp.example/bye?a=b")),
        ("https%3a%2f%2fother.example", Some("https://other.example/")),
        ("https%3a%2f%2frp.example.evil.example%2f", None),
        ("https%3a%2f%2frp.example%40evil.example%2f", None),
        ("https%3a%2f%2fevil.example%5c%40rp.example%2f", None),
        ("http%3a%2f%2frp.example%2f", None),
        ("%2f%2frp.example%2f", None),
        ("javascript%3aalert(1)", None),
    ] {
        let task = sign_out(&format!("wa=wsignout1.0&wreply={reply}"), &[]).unwrap();
        assert_eq!(task.reply.as_deref(), expected, "{reply}");
    }
    assert_eq!(Pair::code(sign_out("wa=wsignin1.0", &[])), "HST-WSFED-ACTION");
}

#[test]
fn configurations_that_cannot_work_are_refused_at_the_start() {
    let signing = {
        let pair = Pair::new();
        Arc::new(pair.issuer.signing_identity().clone())
    };
    let code = |settings: IssuerSettings, parties: Vec<RelyingPartyTrust>| {
        Pair::code(Issuer::new(settings, Arc::clone(&signing), parties))
    };
    let settings = || IssuerSettings::new("https://sts.example/trust", STS);
    let party = || RelyingPartyTrust::new("urn:a", [REPLY]);
    assert_eq!(code(settings(), vec![party()]), "accepted");
    assert_eq!(code(settings(), vec![party(), party()]), "HST-WSFED-CONFIG");
    assert_eq!(code(IssuerSettings::new("", STS), vec![]), "HST-WSFED-CONFIG");
    assert_eq!(code(IssuerSettings::new("urn:sts", "/wsfed"), vec![]), "HST-WSFED-CONFIG");
    for replies in [vec!["/relative"], vec!["javascript:alert(1)"], vec![REPLY, "mailto:a@b"]] {
        assert_eq!(code(settings(), vec![RelyingPartyTrust::new("urn:a", replies)]), "HST-WSFED-CONFIG");
    }
    assert_eq!(code(settings(), vec![RelyingPartyTrust::new("", [REPLY])]), "HST-WSFED-CONFIG");

    // A party of programs only: no browser is ever sent anywhere with its tokens.
    let nowhere: [&str; 0] = [];
    let issuer = Issuer::new(settings(), Arc::clone(&signing), vec![RelyingPartyTrust::new("urn:a", nowhere)]).unwrap();
    for query in ["wa=wsignin1.0&wtrealm=urn:a".to_owned(), format!("wa=wsignin1.0&wtrealm=urn:a&wreply={REPLY}")] {
        let request = query_of(&format!("https://sts/?{query}"));
        assert_eq!(Pair::code(issuer.receive_sign_in_request(&request)), "HST-WSFED-REPLY", "{query}");
    }
}

//! SM-29: assertions as AD FS makes them, signed by xmlsec1, and the claims that they become.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_claims::claim_types;
use handstamp_saml::Version;
use support::{accept, assert_golden, handler, to_json, vector};

fn matches_golden_file(name: &str, version: Version) {
    let token = accept(&handler(), &vector(&format!("{name}.xml"))).unwrap();
    assert_eq!(token.assertion.version, version);
    assert_eq!(token.issuer, "contoso");
    let claims = serde_json::to_string_pretty(&to_json(&token.identity)).unwrap();
    assert_golden(&format!("{name}.claims.json"), &claims);
}

#[test]
fn sm_29_saml_11_as_ad_fs_sends_it() {
    matches_golden_file("adfs-saml11", Version::Saml11);
}

#[test]
fn sm_29_saml_20_with_everything_in_it() {
    matches_golden_file("adfs-saml20", Version::Saml20);
}

#[test]
fn sm_29_the_session_is_capped_by_the_issuer() {
    let token = accept(&handler(), &vector("adfs-saml11.xml")).unwrap();
    assert_eq!(token.expires_at.unwrap().to_string(), "2030-01-01T09:00:00Z");
    let token = accept(&handler(), &vector("adfs-saml20.xml")).unwrap();
    assert_eq!(token.expires_at.unwrap().to_string(), "2030-01-01T08:45:00Z", "SessionNotOnOrAfter is earlier");
    assert_eq!(token.identity.name(), None, "the vector has no name claim");
    assert!(token.identity.is_in_role("Auditor"));
    assert!(token.identity.find_first(&claim_types::NAME_IDENTIFIER).is_some());
}

#[test]
fn sm_29_the_bootstrap_token_is_the_assertion_and_still_verifies() {
    let keeping = handler().saving_bootstrap_context();
    for name in ["adfs-saml11.xml", "adfs-saml20.xml"] {
        let token = accept(&keeping, &vector(name)).unwrap();
        let Some(handstamp_claims::BootstrapContext::Text(text)) = token.identity.bootstrap_context() else {
            panic!("no bootstrap token");
        };
        assert_eq!(to_json(&accept(&handler(), text).unwrap().identity), to_json(&token.identity));
    }
}

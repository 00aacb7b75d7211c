//! ST §1.4: the claims model through its public face.

use handstamp_claims::{
    ArcStr, BootstrapContext, Claim, ClaimsIdentity, ClaimsPrincipal, Error, authentication_types, claim_types,
    value_types,
};
use proptest::prelude::*;

fn identity(name: &str) -> ClaimsIdentity {
    ClaimsIdentity::new(authentication_types::FEDERATION).with_claim(Claim::new(claim_types::NAME, name))
}

#[test]
fn an_identity_is_authenticated_exactly_when_it_has_an_authentication_type() {
    assert!(identity("alice").is_authenticated());
    assert!(!ClaimsIdentity::new("").is_authenticated());
    assert_eq!(ClaimsIdentity::new(""), ClaimsIdentity::anonymous());
    assert!(!ClaimsIdentity::default().is_authenticated());
}

#[test]
fn st_6_empty_label_and_authentication_type_read_as_none_and_empty_values_survive() {
    let identity = ClaimsIdentity::new("").with_label("").with_claim(Claim::new(claim_types::NAME, ""));
    assert_eq!((identity.label(), identity.authentication_type()), (None, None));
    assert_eq!(identity.name(), Some(""));
    assert_eq!(ClaimsIdentity::new("x").with_label("desk").label().unwrap(), "desk");
}

#[test]
fn empty_name_and_role_claim_types_mean_the_defaults() {
    let identity = ClaimsIdentity::anonymous().with_name_claim_type("").with_role_claim_type("");
    assert_eq!(identity.name_claim_type(), &claim_types::NAME);
    assert_eq!(identity.role_claim_type(), &claim_types::ROLE);
}

#[test]
fn name_and_roles_follow_the_configured_types_without_case() {
    let identity = ClaimsIdentity::new("Federation")
        .with_name_claim_type("urn:Given")
        .with_role_claim_type("urn:duty")
        .with_claim(Claim::new("URN:GIVEN", "first"))
        .with_claim(Claim::new("urn:given", "second"))
        .with_claim(Claim::new("urn:Duty", "Clerk"))
        .with_claim(Claim::new(claim_types::ROLE, "Ignored"));
    assert_eq!(identity.name(), Some("first"));
    assert_eq!(identity.roles().collect::<Vec<_>>(), ["Clerk"]);
    assert!(identity.is_in_role("Clerk"));
    assert!(!identity.is_in_role("clerk"), "values keep their case");
    assert!(!identity.is_in_role("Ignored"));
}

#[test]
fn finding_disregards_the_case_of_types_and_keeps_that_of_values() {
    let identity = identity("alice").with_claims([Claim::new("t", "1"), Claim::new("T", "2")]);
    assert_eq!(identity.find_first("T").map(|c| c.value().as_str()), Some("1"));
    assert_eq!(identity.find_all("t").count(), 2);
    assert!(identity.has_claim("T", "1") && identity.has_claim("t", "2"));
    assert!(!identity.has_claim("t", "3"));
    assert!(identity.find_first("none").is_none());
}

#[test]
fn order_and_duplicates_are_kept_and_removal_is_exact() {
    let mut identity = ClaimsIdentity::new("x");
    identity.add_claims([Claim::new("a", "1"), Claim::new("b", "2"), Claim::new("a", "1")]);
    assert_eq!(identity.claims().len(), 3);
    assert_eq!(identity.remove_claim(0), Some(Claim::new("a", "1")));
    assert_eq!(identity.remove_claim(9), None);
    assert_eq!(identity.claims(), [Claim::new("b", "2"), Claim::new("a", "1")]);
    identity.retain_claims(|claim| !claim.is("A"));
    assert_eq!(identity.claims(), [Claim::new("b", "2")]);
}

#[test]
fn an_actor_chain_is_bounded() {
    let mut chain = identity("0");
    for n in 1..=ClaimsIdentity::MAX_ACTOR_DEPTH {
        chain = identity(&n.to_string()).with_actor(chain).expect("within the bound");
    }
    assert_eq!(chain.actor_depth(), ClaimsIdentity::MAX_ACTOR_DEPTH);
    assert_eq!(chain.actors().last().and_then(ClaimsIdentity::name), Some("0"));
    let mut outer = identity("outer").with_actor(identity("kept")).unwrap();
    assert_eq!(outer.set_actor(Some(chain)), Err(Error::ActorChainTooDeep));
    assert_eq!(outer.actor().and_then(ClaimsIdentity::name), Some("kept"));
    outer.set_actor(None).unwrap();
    assert_eq!(outer.actor(), None);
    assert_eq!(Error::ActorChainTooDeep.code(), "HST-CLAIMS-ACTOR-DEPTH");
}

#[test]
fn the_primary_identity_is_the_first_windows_identity_or_the_first() {
    assert_eq!(ClaimsPrincipal::anonymous().identity(), None);
    assert!(!ClaimsPrincipal::default().is_authenticated());
    let two = ClaimsPrincipal::new(vec![identity("alice"), identity("bob")]);
    assert_eq!(two.name(), Some("alice"));
    let windows = identity("carol").with_windows_logon_name("CONTOSO\\carol");
    assert_eq!(windows.windows_name_claim(), Some(Claim::new(claim_types::NAME, "CONTOSO\\carol")));
    let three = ClaimsPrincipal::from_iter([identity("alice"), windows, identity("bob")]);
    assert_eq!(three.name(), Some("carol"));
    assert_eq!(three.clone().with_primary_selector(|all| all.len().checked_sub(1)).name(), Some("bob"));
    assert_eq!(three.clone().with_primary_selector(|_| Some(7)).identity(), None);
    assert_eq!(three, three.clone().with_primary_selector(|_| None), "the selector is no part of equality");
}

#[test]
fn a_principal_searches_all_identities_each_by_its_own_role_type() {
    let principal = ClaimsPrincipal::new(vec![
        identity("alice").with_claim(Claim::new(claim_types::ROLE, "Reader")),
        ClaimsIdentity::new("x").with_role_claim_type("duty").with_claim(Claim::new("duty", "Clerk")),
    ]);
    assert!(principal.is_in_role("Reader") && principal.is_in_role("Clerk"));
    assert_eq!(principal.claims().count(), 3);
    assert_eq!(principal.find_first("DUTY").map(|c| c.value().as_str()), Some("Clerk"));
    assert_eq!(principal.find_all(&claim_types::NAME).count(), 1);
    assert!(principal.has_claim("duty", "Clerk") && !principal.has_claim("duty", "clerk"));
}

#[test]
fn a_bootstrap_context_never_shows_its_content() {
    let mut identity = identity("alice").with_bootstrap_context(BootstrapContext::Text("<secret/>".into()));
    assert!(!format!("{identity:?}").contains("secret"));
    assert!(!format!("{:?}", BootstrapContext::Bytes(b"secret".to_vec())).contains("115"));
    assert_eq!(identity.take_bootstrap_context(), Some(BootstrapContext::Text("<secret/>".into())));
    assert_eq!(identity.bootstrap_context(), None);
}

#[test]
fn well_known_names_are_those_of_the_original() {
    assert_eq!(claim_types::NAME, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name");
    assert_eq!(claim_types::ROLE, "http://schemas.microsoft.com/ws/2008/06/identity/claims/role");
    assert_eq!(claim_types::ACTOR, "http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor");
    assert_eq!(value_types::UPN_NAME, "http://schemas.xmlsoap.org/claims/UPN");
    assert!(ArcStr::is_static(&claim_types::NAME), "cloning a well-known name counts nothing");
}

proptest! {
    #[test]
    fn every_claim_is_found_by_its_type_in_any_case(types in prop::collection::vec("[a-zA-Z:/]{1,8}", 1..20)) {
        let identity = ClaimsIdentity::new("x")
            .with_claims(types.iter().enumerate().map(|(n, t)| Claim::new(t.as_str(), n.to_string())));
        for (n, claim_type) in types.iter().enumerate() {
            prop_assert!(identity.has_claim(&claim_type.to_uppercase(), &n.to_string()));
            let first = types.iter().position(|t| t.eq_ignore_ascii_case(claim_type)).unwrap();
            prop_assert_eq!(identity.find_first(claim_type).unwrap().value(), &first.to_string());
        }
    }
}

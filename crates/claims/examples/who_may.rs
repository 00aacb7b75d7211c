//! Who may approve an order? Claims say who somebody is; the application decides what that means.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, Error, claim_types};

const ISSUER: &str = "https://sts.example/trust";
/// A claim type of one's own is a URI of one's own.
const LIMIT: &str = "https://shop.example/claims/approval-limit";

/// A manager, up to a limit that the issuer states; claims of other issuers do not count.
fn may_approve(principal: &ClaimsPrincipal, amount: u64) -> bool {
    let limit = principal.find_all(LIMIT).find(|claim| claim.issuer() == ISSUER);
    let limit = limit.and_then(|claim| claim.value().parse::<u64>().ok()).unwrap_or(0);
    principal.is_in_role("Manager") && amount <= limit
}

fn main() -> Result<(), Error> {
    let claim = |claim_type: &str, value: &str| Claim::new(claim_type, value).with_issuer(ISSUER);
    let ada = ClaimsIdentity::new("Federation")
        .with_claim(claim(&claim_types::NAME, "Ada"))
        .with_claim(claim(&claim_types::ROLE, "Manager"))
        .with_claim(claim(LIMIT, "1000"));

    let principal = ClaimsPrincipal::from(ada.clone());
    println!("{} may approve 1000: {}", principal.name().unwrap_or("?"), may_approve(&principal, 1000));
    assert!(may_approve(&principal, 1000) && !may_approve(&principal, 1001));

    // What somebody says of himself is a claim as well, with another issuer.
    let boastful = ClaimsIdentity::new("Federation")
        .with_claim(claim(&claim_types::ROLE, "Manager"))
        .with_claim(Claim::new(LIMIT, "1000000"));
    assert!(!may_approve(&boastful.into(), 1));

    // A service acts for Ada: the identity is hers, and says who really calls.
    let service = ClaimsIdentity::new("Certificate").with_claim(claim(&claim_types::NAME, "CN=billing"));
    let delegated = ada.with_actor(service)?;
    for actor in delegated.actors() {
        println!("on behalf of {}: {}", delegated.name().unwrap_or("?"), actor.name().unwrap_or("?"));
    }
    assert_eq!(delegated.actor_depth(), 1);
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}

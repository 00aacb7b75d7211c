//! A session in a cookie's text: sealed, opened by any node with the keys, and worthless after a sign-out.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{Opened, Revocation, RevocationList, SessionSecurityTokenHandler};
use handstamp_time::{Clock, SystemClock};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemClock.now();
    let ring = Arc::new(KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom)?);
    let revocations = Arc::new(RevocationList::new());
    let handler = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(ring)))
        .audience("https://shop.example/")
        .revocations(Arc::clone(&revocations))
        .build()?;

    // Sign-in.
    let ada = ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, "Ada"));
    let token = handler.token(ada.into()).lifetime(Duration::from_secs(3600)).build(now, &SystemRandom)?;
    let text = handler.write_text(&token, now, &SystemRandom)?;
    println!("{} characters: {text}", text.len());

    // Every request, on any node.
    let Opened::Token(opened) = handler.open_text(&text, now)? else { return Err("a reference".into()) };
    handler.validate(&opened, now)?;
    assert_eq!(opened.principal().name(), Some("Ada"));

    // Copies of the cookie end with the session, and all of them with time.
    for revocation in Revocation::of_sign_out(&opened, handler.clock_skew()) {
        revocations.apply(&revocation, now)?;
    }
    println!("{}", handler.validate(&opened, now).expect_err("signed out"));
    let tomorrow = now.saturating_add(Duration::from_secs(24 * 3600));
    println!("{}", handler.validate(&opened, tomorrow).expect_err("over"));
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}

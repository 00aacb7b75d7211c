//! Sessions in a file: they survive the process, can be listed by user, and are ended by an operator.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_session_store::{SessionDirectory, SessionFilter, SqliteOptions, SqliteStore};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{NewEntry, ReplayCache, SessionSecurityToken, SessionTokenCache, SessionTokenCacheKey};
use handstamp_time::{Clock, SystemClock};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (now, folder) = (SystemClock.now(), tempfile::tempdir()?);
    // What is in the file is sealed with the ring: a copy of it is worth nothing.
    let ring = Arc::new(KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom)?);
    let open = || {
        let format = NativeFormat::new(Arc::clone(&ring));
        SqliteStore::open(&folder.path().join("sessions.db"), format, SqliteOptions::default())
    };

    let ada = ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, "Ada"));
    let token = SessionSecurityToken::builder(ada.into()).reference_mode(true).build(now, &SystemRandom)?;
    let key = SessionTokenCacheKey::of(&token);
    open()?.add(&key, NewEntry::new(Arc::new(token)), now).await?;

    // The store was closed, as if the process had ended.
    let store = open()?;
    let found = store.get(&key, now).await?.ok_or("lost")?;
    println!("found the session of {}", found.token.principal().name().unwrap_or("?"));

    for session in store.sessions(&SessionFilter::All, 10, now).await? {
        println!("signed in at {}, ends at {}", session.signed_in_at, session.expires);
    }
    assert_eq!(store.end_sessions(&SessionFilter::All, now).await?, 1);
    assert!(store.get(&key, now).await?.is_none());

    // The same store remembers what must not be used twice.
    let expires = now.saturating_add(Duration::from_secs(300));
    assert!(store.add_if_absent([7; 32], expires, now).await?);
    assert!(!store.add_if_absent([7; 32], expires, now).await?, "a replay");
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}

//! The session cookie, changed byte by byte.

use crate::support::{COOKIE, Demo, is_in};
use handstamp_testkit::agent::Agent;

#[tokio::test(flavor = "multi_thread")]
async fn sm_6_every_changed_byte_of_a_session_in_the_cookie_is_a_clean_sign_in() {
    every_changed_byte_is_a_clean_sign_in(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sm_6_every_changed_byte_of_a_session_handle_is_a_clean_sign_in() {
    every_changed_byte_is_a_clean_sign_in(&["--reference-mode"]).await;
}

async fn every_changed_byte_is_a_clean_sign_in(options: &[&str]) {
    let demo = Demo::start(options).await;
    let mut agent = Agent::new();
    demo.sign_in(&mut agent).await;
    let cookie = agent.cookie("localhost", COOKIE).expect("the session's cookie").to_owned();

    for position in 0..cookie.len() {
        let mut changed = cookie.clone().into_bytes();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        expect_sign_in(&demo, &String::from_utf8(changed).expect("still ASCII"), position).await;
    }
    for length in [0, 1, 2, 10, cookie.len() / 2, cookie.len() - 1] {
        expect_sign_in(&demo, &cookie[..length], length).await;
    }
    expect_sign_in(&demo, &format!("{cookie}A"), cookie.len()).await;
    expect_sign_in(&demo, &cookie.repeat(2), cookie.len()).await;

    let mut untouched = Agent::new();
    untouched.set_cookie("localhost", COOKIE, &cookie);
    assert!(is_in(&untouched.get(&demo.web()).await), "the cookie itself is still good");
}

/// One redirect to the token service, which deletes the bad cookie on the way.
async fn expect_sign_in(demo: &Demo, cookie: &str, position: usize) {
    let mut agent = Agent::new();
    agent.set_cookie("localhost", COOKIE, cookie);
    let answer = agent.get(&demo.web()).await;
    assert!(answer.status.is_redirection(), "changed at {position}: {} {}", answer.status, answer.body);
    assert!(answer.location().unwrap_or_default().starts_with(demo.sts()), "changed at {position}: {answer:?}");
    assert_eq!(agent.cookie("localhost", COOKIE), None, "changed at {position}: the bad cookie stays");
}

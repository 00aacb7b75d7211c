//! One session, from the first page to the back button after its end.

use crate::support::{COOKIE, Demo, REFERENCE, SELF_CONTAINED, SIGN_IN_FORM, open_sign_in, sign_in};
use handstamp_testkit::browser::{Browser, Screen};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_the_cookie_survives_everything_until_sign_out() {
    a_session_survives_everything_until_sign_out(SELF_CONTAINED, "the cookie").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_the_database_survives_everything_until_sign_out() {
    a_session_survives_everything_until_sign_out(REFERENCE, "the database").await;
}

async fn a_session_survives_everything_until_sign_out(options: &'static [&'static str], mode: &str) {
    let demo = Demo::start(options).await;
    let browser = Browser::start(Screen::Desktop).await;
    sign_in(&browser, &demo).await;
    assert_eq!(browser.text("#mode").await, mode);
    let cookie = browser.get_named_cookie(COOKIE).await.expect("the session's cookie");
    assert_eq!(cookie.http_only(), Some(true));

    browser.refresh().await.unwrap();
    assert_eq!(browser.text("#who").await, "Ada Lovelace");

    let demo = demo.kill_and_restart().await;
    browser.refresh().await.unwrap();
    assert_eq!(browser.text("#who").await, "Ada Lovelace", "still signed in after kill -9");
    assert!(browser.url().await.starts_with(&demo.web()));

    let first = browser.window().await.unwrap();
    let second = browser.new_window(true).await.unwrap();
    browser.switch_to_window(second.handle).await.unwrap();
    browser.goto(&demo.web()).await.unwrap();
    assert_eq!(browser.text("#who").await, "Ada Lovelace", "a second tab has the session too");
    browser.close_window().await.unwrap();
    browser.switch_to_window(first).await.unwrap();

    browser.click("#sign-out").await;
    browser.wait_for_url(&format!("{}signed-out", demo.web())).await;
    assert_eq!(browser.text("h1").await, "You are signed out");

    browser.back().await.unwrap();
    browser.text(SIGN_IN_FORM).await;
    assert!(!browser.source().await.unwrap().contains("Lovelace"), "the back button shows nothing private");

    // A copy that somebody made before.
    browser.goto(&format!("{}signed-out", demo.web())).await.unwrap();
    plant(&browser, cookie.value()).await;
    open_sign_in(&browser, &demo).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_service_remembers_its_user_across_kill() {
    let demo = Demo::start(SELF_CONTAINED).await;
    let browser = Browser::start(Screen::Desktop).await;
    sign_in(&browser, &demo).await;
    let demo = demo.kill_and_restart().await;
    // Without the application's session the way leads through the token service, which asks nothing.
    browser.delete_cookie(COOKIE).await.unwrap();
    browser.goto(&demo.web()).await.unwrap();
    browser.wait_for_url(&demo.web()).await;
    assert_eq!(browser.text("#who").await, "Ada Lovelace");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_cookie_gives_a_clean_sign_in() {
    let demo = Demo::start(SELF_CONTAINED).await;
    let browser = Browser::start(Screen::Desktop).await;
    sign_in(&browser, &demo).await;
    let cookie = browser.get_named_cookie(COOKIE).await.unwrap();
    let length = cookie.value().len();
    // The token service would sign its user in again without a word.
    browser.goto(demo.sts()).await.unwrap();
    browser.click("a.button").await;
    assert_eq!(browser.text("h1").await, "You are signed out");
    // Few enough not to look like a loop of redirects; over plain HTTP every position is tried.
    for position in [0, length / 3, length / 2, length - 1] {
        let mut value = cookie.value().to_owned().into_bytes();
        value[position] = if value[position] == b'A' { b'B' } else { b'A' };
        plant(&browser, &String::from_utf8(value).unwrap()).await;
        open_sign_in(&browser, &demo).await;
        assert!(browser.get_named_cookie(COOKIE).await.is_err(), "the bad cookie is gone");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_leads_to_the_sign_in_page() {
    const LIFETIME: Duration = Duration::from_secs(6);
    let demo = Demo::start(&["--session-lifetime", "6s"]).await;
    let browser = Browser::start(Screen::Desktop).await;
    sign_in(&browser, &demo).await;
    // The one wait of these tests: a real browser and a real process have a real clock.
    tokio::time::sleep(LIFETIME + Duration::from_secs(1)).await;
    open_sign_in(&browser, &demo).await;
    assert!(!browser.source().await.unwrap().contains("Lovelace"));
    browser.close().await;
}

/// Puts a session cookie into the browser, as somebody who found it would.
async fn plant(browser: &Browser, value: &str) {
    browser.delete_cookie(COOKIE).await.unwrap();
    let script = format!("document.cookie = '{COOKIE}={value}; Path=/'");
    browser.execute(&script, Vec::new()).await.unwrap();
    assert_eq!(browser.get_named_cookie(COOKIE).await.unwrap().value(), value);
}

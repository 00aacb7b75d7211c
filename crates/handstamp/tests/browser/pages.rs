//! What people see when something is not as it should be, on a large and on a small screen.

use crate::support::{Demo, SELF_CONTAINED, enter, look, open_sign_in, sign_in};
use handstamp_testkit::browser::{Browser, Screen};

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_a_desktop() {
    every_page(Screen::Desktop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_a_phone() {
    every_page(Screen::Phone).await;
}

async fn every_page(screen: Screen) {
    let demo = Demo::start(SELF_CONTAINED).await;
    let browser = Browser::start(screen).await;

    open_sign_in(&browser, &demo).await;
    shown(&browser, screen, "sign-in").await;

    enter(&browser, demo.user_name(), "not the password").await;
    let refusal = browser.text("#alert").await;
    assert_eq!(refusal, "User name or password is wrong.");
    shown(&browser, screen, "wrong-password").await;

    enter(&browser, "nobody", "not the password").await;
    assert_eq!(browser.text("#alert").await, refusal, "an unknown user hears the same");
    assert!(browser.find(fantoccini::Locator::Css("input[value=nobody]")).await.is_ok());

    sign_in(&browser, &demo).await;
    shown(&browser, screen, "application").await;

    browser.goto(demo.sts()).await.unwrap();
    shown(&browser, screen, "token-service").await;

    browser.goto(&format!("{}auditors", demo.web())).await.unwrap();
    assert_eq!(browser.text(".status").await, "403");
    assert!(browser.url().await.ends_with("/auditors"), "no redirect: signing in again would not help");
    shown(&browser, screen, "forbidden").await;

    browser.goto(&format!("{}nowhere", demo.web())).await.unwrap();
    assert_eq!(browser.text(".status").await, "404");
    shown(&browser, screen, "not-found").await;

    browser.goto(&format!("{}/wsfed?wa=wsignin1.0&wtrealm=urn:nobody", demo.sts())).await.unwrap();
    assert_eq!(browser.text(".status").await, "400");
    shown(&browser, screen, "unknown-application").await;

    browser.goto(&demo.web()).await.unwrap();
    browser.click("#sign-out").await;
    browser.wait_for_url(&format!("{}signed-out", demo.web())).await;
    assert_eq!(browser.text("h1").await, "You are signed out");
    shown(&browser, screen, "signed-out").await;
    browser.close().await;
}

/// Checks what every page must hold: a heading, a language, nothing that sticks out, and no complaint of the browser.
async fn shown(browser: &Browser, screen: Screen, name: &str) {
    look(browser, screen, name).await;
    let fits = "return document.documentElement.scrollWidth <= window.innerWidth && document.documentElement.lang === 'en' \
                && document.querySelectorAll('h1').length === 1 && document.title !== ''";
    let fits = browser.execute(fits, Vec::new()).await.expect("a script runs");
    assert_eq!(fits, true, "{name} sticks out, or has no language, title or single heading");
}

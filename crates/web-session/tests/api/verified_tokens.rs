//! Cookies that were verified a moment ago are not opened again, and nothing but that changes.

use crate::fixture::{Fixture, MINUTE, Way, in_memory, native_format};
use handstamp_keys::SecureRandom;
use handstamp_session_token::{
    Carrier, Error as TokenError, Expected, Opened, SessionSecurityToken, TextEncoding, TokenFormat,
};
use handstamp_time::Timestamp;
use handstamp_web_session::cookie::{ChunkedCookieHandler, CookieSettings};
use handstamp_web_session::{Session, SessionMode, SessionSettings};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

thread_local! {
    static OPENED: Cell<usize> = const { Cell::new(0) };
    static KEY_IS_REVOKED: Cell<bool> = const { Cell::new(false) };
}

/// The native format, which counts and can lose its key.
#[derive(Debug)]
struct Counting(Arc<dyn TokenFormat>);

impl TokenFormat for Counting {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn text_encoding(&self) -> TextEncoding {
        self.0.text_encoding()
    }

    fn recognizes(&self, bytes: &[u8]) -> bool {
        self.0.recognizes(bytes)
    }

    fn recognizes_text(&self, text: &str) -> bool {
        self.0.recognizes_text(text)
    }

    fn write(
        &self,
        token: &SessionSecurityToken,
        carrier: &Carrier,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, TokenError> {
        self.0.write(token, carrier, now, random)
    }

    fn read(&self, bytes: Vec<u8>, expected: &Expected<'_>) -> Result<Opened, TokenError> {
        OPENED.set(OPENED.get() + 1);
        if KEY_IS_REVOKED.get() { Err(TokenError::Unauthentic) } else { self.0.read(bytes, expected) }
    }
}

const COUNTED: Way = Way {
    cookies: || ChunkedCookieHandler::native(CookieSettings::default()),
    format: || Arc::new(Counting(native_format())),
    mode: SessionMode::SelfContained,
    store: in_memory,
};

async fn signed_in(settings: SessionSettings) -> Fixture {
    OPENED.set(0);
    KEY_IS_REVOKED.set(false);
    let mut app = Fixture::new(COUNTED, settings);
    app.sign_in().await.unwrap();
    app
}

async fn is_known(app: &mut Fixture) -> bool {
    !app.visit().await.session.is_anonymous()
}

#[tokio::test]
async fn the_same_cookie_is_opened_once_in_ten_seconds() {
    let mut app = signed_in(SessionSettings::default()).await;
    for _ in 0..100 {
        assert!(is_known(&mut app).await);
        app.clock.advance(Duration::from_millis(99));
    }
    assert_eq!(OPENED.get(), 1);
    app.clock.advance(Duration::from_millis(100));
    assert!(is_known(&mut app).await);
    assert_eq!(OPENED.get(), 2);
}

#[tokio::test]
async fn with_nothing_remembered_every_request_opens_its_cookie() {
    let mut app = signed_in(SessionSettings::builder().verified_tokens(0).build().unwrap()).await;
    for _ in 0..5 {
        assert!(is_known(&mut app).await);
    }
    assert_eq!(OPENED.get(), 5);
}

#[tokio::test]
async fn a_revoked_key_counts_after_ten_seconds() {
    let mut app = signed_in(SessionSettings::default()).await;
    let headers = app.browser.request("/");
    assert!(is_known(&mut app).await);
    KEY_IS_REVOKED.set(true);
    app.clock.advance(Duration::from_millis(9_999));
    assert!(is_known(&mut app).await);
    app.clock.advance(Duration::from_millis(1));
    assert!(!is_known(&mut app).await);
    assert!(app.send(headers, async |_| ()).await.0.session.is_anonymous());
}

#[tokio::test]
async fn st_32_the_end_of_a_session_counts_at_once() {
    let settings = SessionSettings::builder().absolute_timeout(MINUTE).build().unwrap();
    let mut app = signed_in(settings).await;
    // The tolerance of the fixture's clocks is half a minute.
    app.clock.advance(Duration::from_millis(89_999));
    assert!(is_known(&mut app).await);
    assert!(is_known(&mut app).await);
    app.clock.advance(Duration::from_millis(2));
    assert!(!is_known(&mut app).await);
    assert_eq!(OPENED.get(), 1);
}

#[tokio::test]
async fn sm_13_a_sign_out_counts_at_once_for_whoever_kept_the_cookie() {
    let mut app = signed_in(SessionSettings::default()).await;
    let kept = app.browser.request("/");
    assert!(is_known(&mut app).await);
    app.sign_out().await.1.unwrap();
    assert!(app.send(kept, async |_| ()).await.0.session.is_anonymous());
    assert_eq!(OPENED.get(), 1, "the token was remembered, and refused all the same");
}

#[tokio::test]
async fn one_changed_character_is_another_cookie() {
    let mut app = signed_in(SessionSettings::default()).await;
    assert!(is_known(&mut app).await);
    let sent = app.browser.request("/");
    let cookie = sent[http::header::COOKIE].to_str().unwrap().to_owned();
    let start = cookie.find('=').unwrap() + 1;
    for at in (start..cookie.len()).step_by(7) {
        let mut changed = cookie.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let mut headers = sent.clone();
        headers.insert(http::header::COOKIE, http::HeaderValue::from_bytes(&changed).unwrap());
        assert!(app.send(headers, async |_| ()).await.0.session.is_anonymous(), "at {at}");
    }
    assert!(is_known(&mut app).await);
}

#[tokio::test]
async fn what_a_server_keeps_beside_a_session_is_there_for_the_very_same_cookies() {
    let mut app = signed_in(SessionSettings::default()).await;
    let count = async |session: Session| {
        session.active().unwrap().memo(|visits: &mut usize| {
            *visits += 1;
            *visits
        })
    };
    let mut with_another = app.browser.request("/");
    let line = format!("theme=dark; {}", with_another[http::header::COOKIE].to_str().unwrap());
    with_another.insert(http::header::COOKIE, line.try_into().unwrap());
    for visit in 1..=3 {
        assert_eq!(app.visit_with(count).await.1, visit);
        assert_eq!(app.send(with_another.clone(), count).await.1, visit, "other cookies, counted apart");
    }
    assert_eq!(
        app.visit_with(async |session: Session| session.active().unwrap().memo(|text: &mut String| text.len())).await.1,
        0
    );
    app.clock.advance(Duration::from_secs(10));
    assert_eq!(app.visit_with(count).await.1, 1, "read anew");
}

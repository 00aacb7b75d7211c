//! Any `Cookie` headers: looking cookies up, joining and decoding pieces, expiring what is left over.
//!
//! Whatever a handler reads, it must be able to write and read again, unless it is too large.
#![no_main]

use handstamp_web_session::cookie::{
    ChunkedCookieHandler, CookieHandler, CookieLifetime, CookieSettings, MAX_DUPLICATES, RequestCookies,
};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, value);
        }
    }
    let cookies = RequestCookies::new(&headers);
    let settings = CookieSettings::builder("N").build().expect("a good name");
    for handler in [ChunkedCookieHandler::native(settings.clone()), ChunkedCookieHandler::wif(settings.clone())] {
        for duplicate in 0..MAX_DUPLICATES {
            let mut token = Vec::new();
            if handler.read(cookies, duplicate, &mut token) == Ok(true) {
                assert!(handler.contains(cookies));
                write_and_read(&handler, &token, cookies);
            }
        }
        handler.delete(cookies).expect("deletion needs nothing");
    }
});

fn write_and_read(handler: &ChunkedCookieHandler, token: &[u8], cookies: RequestCookies<'_>) {
    let Ok(written) = handler.write(token, CookieLifetime::BrowserSession, cookies) else { return };
    let sent: HeaderMap = written
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split("; ").next()?.parse().ok())
        .map(|pair| (COOKIE, pair))
        .collect();
    let mut read = Vec::new();
    assert_eq!(handler.read(RequestCookies::new(&sent), 0, &mut read), Ok(true));
    assert_eq!(read, token);
}

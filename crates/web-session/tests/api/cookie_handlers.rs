//! One suite that every cookie format passes, and what is special to each.

use crate::browser::Browser;
use handstamp_time::Timestamp;
use handstamp_web_session::cookie::{
    ChunkedCookieHandler, CookieHandler, CookieLifetime, CookieSettings, RequestCookies,
};
use handstamp_web_session::{Error, Unreadable};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use std::time::Duration;

fn read(handler: &dyn CookieHandler, headers: &HeaderMap) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut token = vec![0xee; 3];
    Ok(handler.read(RequestCookies::new(headers), 0, &mut token)?.then_some(token))
}

fn write(handler: &dyn CookieHandler, browser: &mut Browser, token: &[u8]) -> usize {
    let request = browser.request("/app/page");
    let headers =
        handler.write(token, CookieLifetime::BrowserSession, RequestCookies::new(&request)).expect("the token fits");
    headers.iter().for_each(|header| browser.set(header));
    headers.len()
}

fn header(text: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(text).unwrap())])
}

/// What every handler does. `$handler` makes one from settings; it needs at least `$long` bytes for three pieces.
macro_rules! cookie_handler_suite {
    ($module:ident, $handler:expr, $long:expr) => {
        mod $module {
            use super::*;

            fn handler() -> ChunkedCookieHandler {
                $handler(CookieSettings::builder("N").path("/app").domain("example.com").build().unwrap())
            }

            #[test]
            fn what_was_written_is_read() {
                for len in [1, 2, 3, 700, $long / 2, $long] {
                    let (handler, mut browser) = (handler(), Browser::default());
                    let token: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
                    write(&handler, &mut browser, &token);
                    assert_eq!(read(&handler, &browser.request("/app/page")).unwrap(), Some(token), "{len}");
                }
            }

            #[test]
            fn sm_16_pieces_are_named_n_n1_n2() {
                let mut browser = Browser::default();
                write(&handler(), &mut browser, &vec![1; $long]);
                assert_eq!(browser.names(), ["N", "N1", "N2"]);
            }

            #[test]
            fn sm_1_no_cookie_is_no_session() {
                assert_eq!(read(&handler(), &HeaderMap::new()), Ok(None));
                assert_eq!(read(&handler(), &header("X=AAAA; n=AAAA")), Ok(None));
                assert!(!handler().contains(RequestCookies::new(&header("X=1"))));
            }

            #[test]
            fn sm_17_a_lone_follower_is_no_session() {
                assert_eq!(read(&handler(), &header("N1=AAAA; N2=AAAA")), Ok(None));
                assert!(!handler().contains(RequestCookies::new(&header("N1=AAAA"))));
            }

            #[test]
            fn sm_18_a_shrinking_value_expires_surplus_pieces_in_the_same_response() {
                let (handler, mut browser) = (handler(), Browser::default());
                write(&handler, &mut browser, &vec![1; $long]);
                let headers = write(&handler, &mut browser, &[2; 10]);
                assert_eq!(headers, 3, "one piece set, two expired");
                assert_eq!(browser.names(), ["N"]);
                assert_eq!(read(&handler, &browser.request("/app/page")).unwrap(), Some(vec![2; 10]));
            }

            #[test]
            fn sm_19_all_pieces_and_deletions_share_their_attributes() {
                let (handler, mut browser) = (handler(), Browser::default());
                write(&handler, &mut browser, &vec![1; $long]);
                for cookie in browser.cookies() {
                    assert_eq!(cookie.attributes, "Path=/app; Domain=example.com; Secure; HttpOnly; SameSite=Lax");
                }
                let request = browser.request("/app/page");
                for header in handler.delete(RequestCookies::new(&request)).unwrap() {
                    let text = header.to_str().unwrap();
                    assert!(
                        text.ends_with("Max-Age=0; Path=/app; Domain=example.com; Secure; HttpOnly; SameSite=Lax"),
                        "{text}"
                    );
                }
            }

            #[test]
            fn sm_20_persistence_is_written_on_every_piece() {
                let now = Timestamp::UNIX_EPOCH;
                let lifetime = CookieLifetime::Persistent { now, expires: now.saturating_add(Duration::from_secs(60)) };
                let headers =
                    handler().write(&vec![1; $long], lifetime, RequestCookies::new(&HeaderMap::new())).unwrap();
                for header in headers {
                    assert!(header.to_str().unwrap().contains("; Expires=Thu, 01 Jan 1970 00:01:00 GMT; Max-Age=60;"));
                }
            }

            #[test]
            fn sm_11_deletion_expires_every_piece_in_the_request() {
                let (handler, mut browser) = (handler(), Browser::default());
                write(&handler, &mut browser, &vec![1; $long]);
                browser.set(&HeaderValue::from_static("N9=stale; Path=/app"));
                browser.set(&HeaderValue::from_static("Nx=foreign; Path=/app"));
                browser.set(&HeaderValue::from_static("N01=foreign; Path=/app"));
                let request = browser.request("/app/page");
                for header in handler.delete(RequestCookies::new(&request)).unwrap() {
                    browser.set(&header);
                }
                assert_eq!(browser.names(), ["Nx", "N01"]);
                let unseen = handler.delete(RequestCookies::new(&HeaderMap::new())).unwrap();
                let names: Vec<_> =
                    unseen.iter().map(|header| header.to_str().unwrap().split('=').next().unwrap()).collect();
                assert_eq!(names, ["N", "N1"]);
            }

            #[test]
            fn sm_21_small_pieces_and_impossible_limits_are_refused() {
                assert_eq!(handler().with_chunk_size(999).unwrap_err().code(), "HST-COOKIE-CHUNK-SIZE");
                assert!(handler().with_chunk_size(1000).is_ok());
                for count in [0, 17] {
                    assert_eq!(handler().with_limits(count, 1).unwrap_err().code(), "HST-COOKIE-CHUNK-COUNT");
                }
            }

            #[test]
            fn sm_22_a_token_too_large_is_refused_with_the_remedy() {
                let request = HeaderMap::new();
                for handler in [handler().with_limits(2, 14_336).unwrap(), handler().with_limits(8, 5_000).unwrap()] {
                    let error = handler
                        .write(&vec![1; $long], CookieLifetime::BrowserSession, RequestCookies::new(&request))
                        .unwrap_err();
                    assert!(matches!(error, Error::SessionTooLarge { chunks: 3, .. }), "{error:?}");
                    assert!(error.to_string().contains("reference mode"));
                }
            }

            #[test]
            fn duplicates_are_read_in_the_order_sent() {
                let (handler, mut browser) = (handler(), Browser::default());
                write(&handler, &mut browser, b"ours");
                let ours = browser.cookie_header("/app").unwrap();
                let headers = header(&format!("N=%%%; {}", ours.to_str().unwrap()));
                let cookies = RequestCookies::new(&headers);
                let mut token = Vec::new();
                assert_eq!(handler.read(cookies, 0, &mut token), Err(Unreadable::NotBase64));
                assert_eq!(handler.read(cookies, 1, &mut token), Ok(true));
                assert_eq!(token, b"ours");
                assert_eq!(handler.read(cookies, 2, &mut token), Ok(false));
            }

            #[test]
            fn duplicates_of_several_pieces_are_kept_apart() {
                let (handler, mut browser) = (handler(), Browser::default());
                write(&handler, &mut browser, &vec![1; $long]);
                let first = browser.cookie_header("/app").unwrap();
                let mut other = Browser::default();
                write(&handler, &mut other, &vec![2; $long]);
                let second = other.cookie_header("/app").unwrap();
                let headers = header(&format!("{}; {}", first.to_str().unwrap(), second.to_str().unwrap()));
                let mut token = Vec::new();
                for (duplicate, byte) in [(0, 1), (1, 2)] {
                    assert_eq!(handler.read(RequestCookies::new(&headers), duplicate, &mut token), Ok(true));
                    assert_eq!(token, vec![byte; $long]);
                }
            }

            #[test]
            fn an_empty_cookie_is_unreadable_and_an_empty_token_is_not_written() {
                assert_eq!(read(&handler(), &header("N=")), Err(Unreadable::Empty));
                let none = HeaderMap::new();
                let error = handler().write(b"", CookieLifetime::BrowserSession, RequestCookies::new(&none));
                assert!(matches!(error, Err(Error::EmptyToken)));
            }

            #[test]
            fn it_knows_its_own_cookies() {
                let handler = handler();
                for (name, owns) in
                    [("N", true), ("N1", true), ("N12", true), ("N0", false), ("Nn", false), ("M", false)]
                {
                    assert_eq!(handler.owns(name.as_bytes()), owns, "{name}");
                }
            }

            #[test]
            fn very_many_pieces_do_not_make_very_many_headers() {
                let text: Vec<_> = (0..900).map(|i| format!("N{i}=x")).collect();
                let headers = header(&text.join(";"));
                assert!(handler().delete(RequestCookies::new(&headers)).unwrap().len() <= 66);
            }

            proptest! {
                #[test]
                fn any_token_round_trips(token in proptest::collection::vec(any::<u8>(), 1..9000)) {
                    let (handler, mut browser) = (handler().with_chunk_size(2000).unwrap(), Browser::default());
                    write(&handler, &mut browser, &token);
                    prop_assert_eq!(read(&handler, &browser.request("/app")).unwrap(), Some(token));
                }

                #[test]
                fn any_cookies_are_read_or_refused(text in "((N[0-9]{0,2}|X)=[ -~]{0,60}; ?){0,6}") {
                    let headers = header(&text);
                    let _ = read(&handler(), &headers);
                    prop_assert!(handler().delete(RequestCookies::new(&headers)).is_ok());
                }
            }
        }
    };
}

cookie_handler_suite!(wif, ChunkedCookieHandler::wif, 4_000);
cookie_handler_suite!(native, ChunkedCookieHandler::native, 6_500);

#[test]
fn sm_17_wif_reading_stops_at_the_first_gap() {
    let handler = ChunkedCookieHandler::wif(CookieSettings::wif());
    let headers = header("FedAuth=AAAA; FedAuth1=BBBB; FedAuth3=DDDD");
    assert_eq!(read(&handler, &headers).unwrap(), Some(vec![0, 0, 0, 4, 16, 65]));
}

#[test]
fn wif_pieces_beyond_the_limit_are_ignored() {
    let handler = ChunkedCookieHandler::wif(CookieSettings::wif()).with_limits(2, 14_336).unwrap();
    let headers = header("FedAuth=AAAA; FedAuth1=BBBB; FedAuth2=CCCC");
    assert_eq!(read(&handler, &headers).unwrap().unwrap().len(), 6);
}

#[test]
fn wif_cuts_ignore_base64_groups() {
    let handler = ChunkedCookieHandler::wif(CookieSettings::wif());
    assert_eq!(read(&handler, &header("FedAuth=AA; FedAuth1=AAB; FedAuth2=BBB")).unwrap().unwrap().len(), 6);
}

#[test]
fn native_stale_pieces_are_detected_before_cryptography() {
    let handler = ChunkedCookieHandler::native(CookieSettings::default());
    let (mut old, mut new) = (Browser::default(), Browser::default());
    write(&handler, &mut old, &[1; 6_500]);
    write(&handler, &mut new, &[2; 6_500]);
    new.cookies_mut()[1] = old.cookies()[1].clone();
    assert_eq!(read(&handler, &new.request("/")), Err(Unreadable::StalePiece { index: 1, count: 3 }));
    new.cookies_mut().remove(1);
    assert_eq!(read(&handler, &new.request("/")), Err(Unreadable::MissingPiece { index: 1, count: 3 }));
}

#[test]
fn native_single_piece_ignores_stale_followers() {
    let handler = ChunkedCookieHandler::native(CookieSettings::default());
    let mut browser = Browser::default();
    write(&handler, &mut browser, b"short");
    browser.set(&HeaderValue::from_static("__Host-session1=left-over; Path=/; Secure"));
    assert_eq!(read(&handler, &browser.request("/")).unwrap(), Some(b"short".to_vec()));
}

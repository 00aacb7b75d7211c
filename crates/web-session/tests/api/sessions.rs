//! One suite that every way of keeping sessions passes.

use crate::fixture::{AUDIENCE, Fixture, HOUR, SKEW, Way, alice, cookie_headers, many_claims, named};
use crate::ways::{for_every_way, reissued};
use handstamp_claims::ClaimsPrincipal;
use handstamp_web_session::cookie::CookieHandler;
use handstamp_web_session::module::Received;
use handstamp_web_session::{OnUnreadable, SessionMode, SessionSettings, SignIn, Transport};
use http::Request;
use http::header::CACHE_CONTROL;
use std::sync::atomic::Ordering;
use std::time::Duration;

macro_rules! session_suite {
    ($module:ident, $way:expr) => {
        mod $module {
            use super::*;

            const WAY: Way = $way;

            fn settings() -> handstamp_web_session::module::SessionSettingsBuilder {
                SessionSettings::builder().mode(WAY.mode)
            }

            fn fixture() -> Fixture {
                Fixture::new(WAY, settings().build().unwrap())
            }

            fn reference() -> bool {
                WAY.mode == SessionMode::Reference
            }

            #[tokio::test]
            async fn sm_1_without_a_cookie_a_request_is_anonymous_and_nothing_happens() {
                let mut app = fixture();
                let visit = app.visit().await;
                assert!(visit.session.is_anonymous());
                assert!(visit.set_cookies.is_empty());
                assert!(visit.headers.get(CACHE_CONTROL).is_none());
                assert!(app.events.take().is_empty());
                assert!(app.cache.calls.lock().unwrap().is_empty());
            }

            #[tokio::test]
            async fn a_session_lasts_from_request_to_request() {
                let mut app = fixture();
                let signed_in = app.sign_in().await.unwrap();
                app.clock.advance(HOUR);
                let visit = app.visit().await;
                let active = visit.session.active().unwrap();
                assert_eq!(active.principal(), &alice());
                assert_eq!(active.mode(), WAY.mode);
                assert_eq!((active.age(), active.remaining()), (HOUR, 9 * HOUR));
                assert_eq!(active.size(), signed_in.size());
                assert!(visit.set_cookies.is_empty());
            }

            #[tokio::test]
            async fn sm_2_received_comes_before_created_and_both_before_the_principal() {
                let mut app = fixture();
                app.sign_in().await.unwrap();
                assert_eq!(app.events.take(), ["claims", "created"]);
                app.visit().await;
                assert_eq!(app.events.take(), ["received"]);
                app.events.when_received(|token, now| reissued(token, now));
                let visit = app.visit().await;
                assert_eq!(app.events.take(), ["received", "created"]);
                assert_eq!(visit.name().as_deref(), Some("alice"));
            }

            #[tokio::test]
            async fn sm_2_received_may_replace_the_token_for_this_request() {
                let mut app = fixture();
                app.sign_in().await.unwrap();
                app.events.when_received(|token, now| {
                    let bob = token.reissue().principal(named("bob")).build(now, &handstamp_keys::SystemRandom);
                    Received::Replace(Box::new(bob.unwrap()))
                });
                let visit = app.visit().await;
                assert_eq!(visit.name().as_deref(), Some("bob"));
                assert!(visit.set_cookies.is_empty());
            }

            #[tokio::test]
            async fn sm_3_cancel_makes_the_request_anonymous_and_leaves_the_cookie() {
                let mut app = fixture();
                app.sign_in().await.unwrap();
                app.events.when_received(|_, _| Received::Cancel);
                let visit = app.visit().await;
                assert!(visit.session.is_anonymous());
                assert!(visit.set_cookies.is_empty());
            }

            #[tokio::test]
            async fn sm_4_reissue_writes_once_with_a_new_context_id_and_retires_the_old_entry() {
                let mut app = fixture();
                let old = app.sign_in().await.unwrap();
                // An application that reuses the context id does not get its way.
                app.events.when_received(|token, _| Received::Reissue(Box::new(token.clone())));
                let visit = app.visit().await;
                let new = visit.session.active().unwrap();
                assert_eq!((visit.set(), visit.deleted()), (1, 0));
                assert_ne!(new.token().context_id(), old.token().context_id());
                assert_eq!(app.cached(&new).await.is_some(), reference());
                *app.events.on_received.lock().unwrap() = None;
                app.clock.advance(21 * Duration::from_secs(1));
                assert!(app.cached(&old).await.is_none());
                assert_eq!(app.visit().await.session.active().unwrap().token(), new.token());
            }

            #[tokio::test]
            async fn sm_5_an_expired_session_is_signed_out_and_never_an_error() {
                let mut app = Fixture::new(WAY, settings().absolute_timeout(HOUR).build().unwrap());
                app.sign_in().await.unwrap();
                app.events.take();
                app.clock.advance(HOUR + SKEW + Duration::from_nanos(100));
                let visit = app.visit().await;
                assert!(visit.session.is_anonymous());
                assert!(visit.session.rejection().is_none());
                assert!(visit.deleted() > 0);
                assert!(app.browser.names().is_empty());
                if !reference() {
                    let events = app.events.take();
                    assert_eq!(events, ["received", "signing out: Expired", "signed out: Expired"]);
                }
            }

            #[tokio::test]
            async fn sm_6_what_cannot_be_used_is_dropped_and_the_request_goes_on() {
                let name = (WAY.cookies)().settings().name().to_owned();
                let mut foreign = Fixture::new(WAY, settings().build().unwrap());
                foreign.sign_in().await.unwrap();
                let foreign = foreign.browser.request("/");
                let encodings = ["AAAA", "%", "", "c2.00000000.AAAA", "77u/PD94bWw"];
                let malformed = encodings.map(|value| cookie_headers(&format!("{name}={value}")));
                for headers in malformed.into_iter().chain([foreign]) {
                    let app = fixture();
                    let (visit, ()) = app.send(headers.clone(), async |_| ()).await;
                    assert!(visit.session.is_anonymous(), "{headers:?}");
                    assert!(visit.session.rejection().is_none());
                    assert!(visit.deleted() >= 2 && visit.set() == 0);
                    assert!(app.events.take().is_empty());
                }
            }

            #[tokio::test]
            async fn sm_6_the_strict_policy_tells_why_and_keeps_the_cookie() {
                let app = Fixture::new(WAY, settings().on_unreadable(OnUnreadable::Strict).build().unwrap());
                let name = (WAY.cookies)().settings().name().to_owned();
                for (value, code) in [("AAAA", "HST-TOKEN-FORMAT"), ("%", "HST-COOKIE-UNREADABLE")] {
                    let headers = cookie_headers(&format!("{name}={value}"));
                    let (visit, ()) = app.send(headers, async |_| ()).await;
                    assert!(visit.session.is_anonymous());
                    assert_eq!(visit.session.rejection().unwrap().code(), code);
                    assert!(visit.set_cookies.is_empty());
                }
            }

            #[tokio::test]
            async fn sm_6_a_token_for_another_endpoint_or_time_is_dropped() {
                let mut app = fixture();
                app.events.when_created(|event| {
                    let builder = event.token.reissue().endpoint("https://other.example/");
                    event.token = builder.build(event.token.valid_from(), &handstamp_keys::SystemRandom).unwrap();
                });
                let error = app.sign_in().await.unwrap_err();
                assert_eq!(error.code(), "ID4291");

                let mut app = fixture();
                app.sign_in().await.unwrap();
                app.clock.set(app.now().saturating_sub(SKEW + Duration::from_nanos(100)));
                let visit = app.visit().await;
                assert!(visit.session.is_anonymous() && visit.deleted() > 0);
            }

            #[tokio::test]
            async fn sm_7_validity_boundaries_are_inclusive_and_skewed() {
                let mut app = Fixture::new(WAY, settings().absolute_timeout(HOUR).build().unwrap());
                let start = app.now();
                app.sign_in().await.unwrap();
                let headers = app.browser.request("/");
                // A cache entry has one expiry; the skew at the end is for tokens that travel.
                let end = start.saturating_add(if reference() { HOUR } else { HOUR + SKEW });
                for instant in [start.saturating_sub(SKEW), end] {
                    app.clock.set(instant);
                    assert!(!app.send(headers.clone(), async |_| ()).await.0.session.is_anonymous(), "{instant}");
                }
                app.clock.set(end.saturating_add(Duration::from_nanos(100)));
                assert!(app.send(headers.clone(), async |_| ()).await.0.session.is_anonymous());
            }

            #[tokio::test]
            async fn sm_8_created_may_replace_the_token_that_is_validated_cached_and_written() {
                let mut app = fixture();
                app.events.when_created(|event| {
                    let builder = event.token.reissue().principal(named("bob"));
                    event.token = builder.build(event.token.valid_from(), &handstamp_keys::SystemRandom).unwrap();
                });
                let active = app.sign_in().await.unwrap();
                assert_eq!(active.principal().name(), Some("bob"));
                assert_eq!(app.cached(&active).await.is_some(), reference());
                assert_eq!(app.visit().await.name().as_deref(), Some("bob"));

                app.events.when_created(|event| {
                    let builder = event.token.reissue().principal(ClaimsPrincipal::new(Vec::new()));
                    event.token = builder.build(event.token.valid_from(), &handstamp_keys::SystemRandom).unwrap();
                });
                assert_eq!(app.sign_in().await.unwrap_err().code(), "HST-TOKEN-NO-IDENTITY");
            }

            #[tokio::test]
            async fn sm_9_without_a_cookie_the_principal_is_for_this_request_only() {
                let mut app = fixture();
                app.events.when_created(|event| event.write_cookie = false);
                let (visit, active) =
                    app.visit_with(async |session| session.sign_in(SignIn::new(alice())).await.unwrap()).await;
                assert_eq!(visit.name().as_deref(), Some("alice"));
                assert_eq!(active.size(), 0);
                assert!(visit.set_cookies.is_empty());
                assert!(app.visit().await.session.is_anonymous());
            }

            #[tokio::test]
            async fn sm_10_the_token_is_stored_before_the_cookie_exists() {
                let mut app = fixture();
                app.cache.fails.store(true, Ordering::Relaxed);
                let (visit, result) = app.visit_with(async |session| session.sign_in(SignIn::new(alice())).await).await;
                if reference() {
                    assert_eq!(result.unwrap_err().code(), "HST-STORE-FAILED");
                    assert!(visit.session.is_anonymous());
                    assert!(visit.set_cookies.is_empty());
                } else {
                    assert_eq!(visit.name().as_deref(), Some("alice"));
                }
            }

            #[tokio::test]
            async fn sm_10_a_stored_token_whose_cookie_fails_is_taken_back() {
                let mut app = fixture();
                let plain = Request::builder().uri("http://app.example/").body(()).unwrap();
                let (visit, result) =
                    app.send_request(plain, async |session| session.sign_in(SignIn::new(alice())).await).await;
                assert_eq!(result.unwrap_err().code(), "HST-COOKIE-PLAIN-HTTP");
                assert!(visit.set_cookies.is_empty());
                assert_eq!(app.cache.len(app.now()).await, 0);
                assert!(app.visit().await.session.is_anonymous());
            }

            #[tokio::test]
            async fn sm_11_sign_out_deletes_every_cookie_the_entry_and_the_principal() {
                let mut app = fixture();
                let session = app.sign_in_as(SignIn::new(many_claims())).await.unwrap();
                assert_eq!(app.browser.names().len() > 2, !reference());
                app.events.take();
                let (visit, result) = app.sign_out().await;
                result.unwrap();
                assert!(visit.session.is_anonymous());
                assert_eq!(visit.set(), 0);
                assert!(app.browser.names().is_empty());
                assert!(app.cached(&session).await.is_none());
                let events = app.events.take();
                assert_eq!(events, ["received", "signing out: Application", "signed out: Application"]);
            }

            #[tokio::test]
            async fn sm_11_sign_out_is_idempotent() {
                let mut app = fixture();
                app.sign_in().await.unwrap();
                let (visit, result) = app
                    .visit_with(async |session| {
                        session.sign_out().await?;
                        session.sign_out().await
                    })
                    .await;
                result.unwrap();
                assert_eq!(visit.deleted(), 2, "one sequence of cookies");
                app.sign_out().await.1.unwrap();
            }

            #[tokio::test]
            async fn sm_12_an_error_at_sign_out_is_reported_or_swallowed_and_the_cookie_goes_either_way() {
                for swallow in [false, true] {
                    let mut app = fixture();
                    app.sign_in().await.unwrap();
                    app.events.take();
                    app.events.swallow_errors.store(swallow, Ordering::Relaxed);
                    let cache = app.cache.clone();
                    let (visit, result) = app
                        .visit_with(async move |session| {
                            cache.fails.store(true, Ordering::Relaxed);
                            session.sign_out().await
                        })
                        .await;
                    assert!(visit.session.is_anonymous());
                    assert!(app.browser.names().is_empty());
                    assert_eq!(result.is_err(), reference() && !swallow);
                    let noted = app.events.take().contains(&"sign-out error: HST-STORE-FAILED".to_owned());
                    assert_eq!(noted, reference());
                }
            }

            #[tokio::test]
            async fn sm_13_a_copied_cookie_is_dead_after_sign_out() {
                let mut app = fixture();
                app.sign_in().await.unwrap();
                let copy = app.browser.request("/");
                app.sign_out().await.1.unwrap();
                let (visit, ()) = app.send(copy, async |_| ()).await;
                assert!(visit.session.is_anonymous() && visit.deleted() > 0);
            }

            #[tokio::test]
            async fn sm_14_everything_survives_the_browser() {
                let mut app = fixture();
                let sign_in = SignIn::new(many_claims()).persistent(true).context("from the application");
                let signed_in = app.sign_in_as(sign_in).await.unwrap();
                let active = app.visit().await.session.active().unwrap();
                assert_eq!(active.token(), signed_in.token());
                assert_eq!(active.principal(), &many_claims());
                assert_eq!(active.context().map(|context| context.as_str()), Some("from the application"));
                assert!(active.token().is_persistent());
                assert_eq!(active.token().endpoint().as_str(), AUDIENCE);
            }

            #[tokio::test]
            async fn sm_20_persistence_reaches_the_cookie() {
                let mut app = fixture();
                app.sign_in_as(SignIn::new(alice()).persistent(true)).await.unwrap();
                let cookie = app.browser.cookies().first().unwrap().attributes.clone();
                assert!(cookie.contains("Expires=Tue, 01 Jan 2030 19:00:00 GMT; Max-Age=36000"), "{cookie}");
                app.sign_in().await.unwrap();
                assert!(!app.browser.cookies().first().unwrap().attributes.contains("Expires"));
            }

            #[tokio::test]
            async fn sm_23_a_secure_cookie_is_refused_over_plain_http() {
                let app = fixture();
                for (uri, transport, refused) in [
                    ("http://app.example/", None, true),
                    ("http://app.example/", Some(Transport::Tls), false),
                    ("https://app.example/", Some(Transport::Plain), true),
                    ("http://localhost:8080/", None, false),
                    ("/", None, false),
                ] {
                    let mut request = Request::builder().uri(uri).body(()).unwrap();
                    request.extensions_mut().extend(
                        transport
                            .map(|transport| {
                                let mut extensions = http::Extensions::new();
                                extensions.insert(transport);
                                extensions
                            })
                            .unwrap_or_default(),
                    );
                    let action = async |session: handstamp_web_session::Session| {
                        session.sign_in(SignIn::new(alice())).await.map_err(|error| error.code())
                    };
                    let (_, result) = app.send_request(request, action).await;
                    assert_eq!(result.is_err(), refused, "{uri} {transport:?}");
                    assert!(result.is_ok() || result.unwrap_err() == "HST-COOKIE-PLAIN-HTTP");
                }
            }

            #[tokio::test]
            async fn sm_36_signing_in_ends_the_previous_session_and_starts_with_a_fresh_context_id() {
                let mut app = fixture();
                let old = app.sign_in().await.unwrap();
                let copy = app.browser.request("/");
                // The same user in the same instant: the old session ends, the new one does not.
                let new = app.sign_in().await.unwrap();
                assert_ne!(new.token().context_id(), old.token().context_id());
                assert!(app.cached(&old).await.is_none());
                assert!(app.send(copy, async |_| ()).await.0.session.is_anonymous());
                assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
            }

            #[tokio::test]
            async fn the_issuers_lifetime_caps_the_session_unless_told_otherwise() {
                for (cap, remaining) in [(true, HOUR), (false, 10 * HOUR)] {
                    let mut app = Fixture::new(WAY, settings().cap_to_issuer_lifetime(cap).build().unwrap());
                    let issuer_expiry = app.now().saturating_add(HOUR);
                    let session = app.sign_in_as(SignIn::new(alice()).issuer_expiry(issuer_expiry)).await.unwrap();
                    assert_eq!(session.remaining(), remaining);
                }
            }

            #[tokio::test]
            async fn a_good_cookie_is_found_behind_a_bad_one_of_the_same_name() {
                let mut app = fixture();
                app.sign_in().await.unwrap();
                let good = app.browser.cookie_header("/").unwrap();
                let name = (WAY.cookies)().settings().name().to_owned();
                let headers = cookie_headers(&format!("{name}=AAAA; {}", good.to_str().unwrap()));
                let (visit, ()) = app.send(headers, async |_| ()).await;
                assert_eq!(visit.name().as_deref(), Some("alice"));
                assert!(visit.set_cookies.is_empty());
            }

            #[tokio::test]
            async fn every_changed_bit_of_a_cookie_is_noticed() {
                let mut app = fixture();
                let session = app.sign_in().await.unwrap();
                let cookie = app.browser.cookies().first().unwrap().clone();
                // The XML around a WIF token is not protected: a change there may go unnoticed, and changes nothing.
                let (wrapped, step) = if cookie.value.starts_with("77u/") { (true, 7) } else { (false, 1) };
                for at in (0..cookie.value.len()).step_by(step) {
                    for bit in [1, 2, 16] {
                        let mut value = cookie.value.clone().into_bytes();
                        value[at] ^= bit;
                        if !value[at].is_ascii_alphanumeric() {
                            continue;
                        }
                        let value = String::from_utf8(value).unwrap();
                        let headers = cookie_headers(&format!("{}={value}", cookie.name));
                        let (visit, ()) = app.send(headers, async |_| ()).await;
                        if let Some(same) = visit.session.active().filter(|_| wrapped) {
                            assert_eq!(same.token(), session.token());
                            continue;
                        }
                        assert!(visit.session.is_anonymous(), "position {at}, bit {bit}");
                        assert_eq!(visit.set(), 0);
                        assert!(visit.deleted() > 0);
                    }
                }
            }

            #[tokio::test]
            async fn refusals_look_alike_from_outside() {
                let mut app = fixture();
                app.sign_in().await.unwrap();
                let revoked = app.browser.request("/");
                app.sign_out().await.1.unwrap();
                let name = (WAY.cookies)().settings().name().to_owned();
                let mut responses = Vec::new();
                for headers in [revoked, cookie_headers(&format!("{name}=AAAA")), cookie_headers(&format!("{name}=%"))]
                {
                    responses.push(app.send(headers, async |_| ()).await.0.headers);
                }
                assert_eq!(responses[0], responses[1]);
                assert_eq!(responses[1], responses[2]);
            }

            #[tokio::test]
            async fn responses_with_session_cookies_are_not_for_shared_caches() {
                let mut app = fixture();
                let (visit, _) =
                    app.visit_with(async |session| session.sign_in(SignIn::new(alice())).await.is_ok()).await;
                assert_eq!(visit.headers.get(CACHE_CONTROL).unwrap(), "no-store");
            }

            #[tokio::test]
            async fn the_last_change_of_a_request_is_the_one_that_counts() {
                let mut app = fixture();
                let (visit, ()) = app
                    .visit_with(async |session| {
                        session.sign_in(SignIn::new(many_claims())).await.unwrap();
                        session.sign_in(SignIn::new(alice())).await.unwrap();
                    })
                    .await;
                assert_eq!(visit.set(), 1);
                assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
            }
        }
    };
}

for_every_way!(session_suite);

//! One suite about sessions that slide, which every way of keeping sessions passes.

use crate::fixture::{Fixture, HOUR, MINUTE, SKEW, Way, many_claims, named};
use crate::ways::{for_every_way, reissued};
use handstamp_web_session::module::Received;
use handstamp_web_session::{SessionMode, SessionSettings, SignIn};
use http::Request;
use std::sync::atomic::Ordering;
use std::time::Duration;

macro_rules! sliding_suite {
    ($module:ident, $way:expr) => {
        mod $module {
            use super::*;

            const WAY: Way = $way;

            fn sliding() -> Fixture {
                let settings = SessionSettings::builder().mode(WAY.mode);
                let settings = settings.idle_timeout(30 * MINUTE).absolute_timeout(2 * HOUR);
                Fixture::new(WAY, settings.build().unwrap())
            }

            fn reference() -> bool {
                WAY.mode == SessionMode::Reference
            }

            /// How many cookies a slide writes: a session in the cache slides where it lies.
            fn slid() -> usize {
                if reference() { 0 } else { 1 }
            }

            #[tokio::test]
            async fn sm_13_cookies_from_before_a_slide_are_dead_too() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                let copy = app.browser.request("/");
                app.clock.advance(16 * MINUTE);
                assert_eq!(app.visit().await.set(), slid());
                app.sign_out().await.1.unwrap();
                assert!(app.send(copy, async |_| ()).await.0.session.is_anonymous());
            }

            #[tokio::test]
            async fn sm_15_claims_are_transformed_at_sign_in_only() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                app.clock.advance(16 * MINUTE);
                app.visit().await;
                let claims = app.events.take().iter().filter(|event| *event == "claims").count();
                assert_eq!(claims, 1);
            }

            #[tokio::test]
            async fn a_session_slides_while_it_is_used() {
                let mut app = sliding();
                let first = app.sign_in().await.unwrap();
                assert_eq!(first.remaining(), 30 * MINUTE);
                app.clock.advance(14 * MINUTE);
                assert!(app.visit().await.set_cookies.is_empty(), "half of the idle timeout has not passed");
                app.clock.advance(MINUTE);
                let visit = app.visit().await;
                assert_eq!((visit.set(), visit.deleted()), (slid(), 0));
                let second = visit.session.active().unwrap();
                assert_eq!(second.remaining(), 30 * MINUTE);
                assert_eq!(second.token().context_id() == first.token().context_id(), reference());
                app.clock.advance(MINUTE);
                assert_eq!(app.visit().await.session.active().unwrap().token(), second.token());
                app.clock.advance(14 * MINUTE);
                assert_eq!(app.visit().await.session.active().unwrap().remaining(), 30 * MINUTE);
                assert_eq!((second.mode(), second.signed_in_at()), (first.mode(), first.signed_in_at()));
                app.clock.advance(30 * MINUTE + SKEW + MINUTE);
                assert!(app.visit().await.session.is_anonymous(), "nobody was there for the idle timeout");
            }

            #[tokio::test]
            async fn no_sliding_passes_the_absolute_timeout() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                for _ in 0..6 {
                    app.clock.advance(19 * MINUTE);
                    assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
                }
                let visit = app.visit().await;
                assert_eq!(visit.session.active().unwrap().remaining(), 6 * MINUTE);
                assert!(visit.set_cookies.is_empty(), "there is nothing to gain any more");
                app.clock.advance(6 * MINUTE + SKEW + MINUTE);
                assert!(app.visit().await.session.is_anonymous());
            }

            #[tokio::test]
            async fn background_polling_does_not_keep_a_session_alive() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                app.events.background.store(true, Ordering::Relaxed);
                app.clock.advance(29 * MINUTE);
                assert!(app.visit().await.set_cookies.is_empty());
                app.clock.advance(2 * MINUTE);
                assert!(app.visit().await.session.is_anonymous());
            }

            #[tokio::test]
            async fn a_session_within_the_skew_after_its_end_does_not_slide() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                app.clock.advance(30 * MINUTE + Duration::from_secs(1));
                assert!(app.visit().await.set() == 0);
            }

            #[tokio::test]
            async fn sliding_keeps_persistence_context_and_claims() {
                let mut app = sliding();
                app.sign_in_as(SignIn::new(many_claims()).persistent(true).context("ours")).await.unwrap();
                app.clock.advance(20 * MINUTE);
                let active = app.visit().await.session.active().unwrap();
                assert!(active.token().is_persistent());
                assert_eq!(active.context().map(|context| context.as_str()), Some("ours"));
                assert_eq!(active.principal(), &many_claims());
                let attributes = app.browser.cookies().first().unwrap().attributes.clone();
                assert!(attributes.contains("Expires=Tue, 01 Jan 2030 09:50:00 GMT; Max-Age=1800"), "{attributes}");
            }

            #[tokio::test]
            async fn an_answer_that_gets_lost_loses_nothing() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                app.clock.advance(16 * MINUTE);
                let (lost, ()) = app.send(app.browser.request("/"), async |_| ()).await;
                assert_eq!(lost.set(), slid());
                app.clock.advance(13 * MINUTE);
                for _ in 0..3 {
                    assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
                    app.clock.advance(16 * MINUTE);
                }
            }

            #[tokio::test]
            async fn requests_on_their_way_survive_a_slide() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                let in_flight = app.browser.request("/");
                app.clock.advance(16 * MINUTE);
                assert_eq!(app.visit().await.set(), slid());
                app.clock.advance(MINUTE);
                let (visit, ()) = app.send(in_flight, async |_| ()).await;
                assert_eq!(visit.name().as_deref(), Some("alice"));
            }

            #[tokio::test]
            async fn st_37_requests_on_their_way_survive_a_reissue() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                let in_flight = app.browser.request("/");
                app.clock.advance(16 * MINUTE);
                app.events.when_received(|token, now| reissued(token, now));
                assert_eq!(app.visit().await.set(), 1);
                *app.events.on_received.lock().unwrap() = None;
                app.clock.advance(Duration::from_secs(20));
                let (visit, ()) = app.send(in_flight.clone(), async |_| ()).await;
                assert_eq!(visit.name().as_deref(), Some("alice"));
                if reference() {
                    assert!(visit.set_cookies.is_empty(), "a replaced session is not renewed again");
                    app.clock.advance(Duration::from_secs(1));
                    assert!(app.send(in_flight, async |_| ()).await.0.session.is_anonymous());
                }
            }

            #[tokio::test]
            async fn a_token_replaced_for_one_request_does_not_slide() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                app.clock.advance(16 * MINUTE);
                app.events.when_received(|token, now| {
                    let bob = token.reissue().principal(named("bob")).valid_from(token.valid_from());
                    let bob = bob.valid_to(token.valid_to()).build(now, &handstamp_keys::SystemRandom);
                    Received::Replace(Box::new(bob.unwrap()))
                });
                let visit = app.visit().await;
                assert_eq!((visit.name().as_deref(), visit.set_cookies.len()), (Some("bob"), 0));
                *app.events.on_received.lock().unwrap() = None;
                assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
            }

            #[tokio::test]
            async fn a_renewal_that_fails_keeps_the_session() {
                let mut app = sliding();
                app.sign_in().await.unwrap();
                app.clock.advance(16 * MINUTE);
                let mut request = Request::builder().uri("http://app.example/").body(()).unwrap();
                *request.headers_mut() = app.browser.request("/");
                let (visit, ()) = app.send_request(request, async |_| ()).await;
                assert_eq!(visit.name().as_deref(), Some("alice"));
                assert!(visit.set_cookies.is_empty());
            }
        }
    };
}

for_every_way!(sliding_suite);

//! What people see, and what is counted, when something around the gateway fails.

use std::time::Duration;

use handstamp_time::{Clock, SystemClock};

use super::browser::{Browser, Options, Site};
use super::support::{Application, Running, exchange, status};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

async fn metrics(gateway: &Running) -> String {
    let admin = gateway.admin.expect("an admin listener");
    exchange(admin, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("connected")
}

/// The number behind a metric; zero when it is not there.
async fn counted(gateway: &Running, metric: &str) -> u64 {
    let text = metrics(gateway).await;
    let line = text.lines().find_map(|line| line.strip_prefix(metric));
    line.map_or(0, |number| number.trim().parse().expect("a number"))
}

#[tokio::test]
async fn an_issuer_whose_clock_is_ten_minutes_off_is_refused_with_a_page_and_a_code() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options { rest: ADMIN, ..Options::default() }).await;
    let ten_minutes = Duration::from_secs(600);
    let now = SystemClock.now();
    // A token lasts an hour: one from the past must be that old to be over.
    let past = now.saturating_sub(Duration::from_secs(3600) + ten_minutes);
    for (issued, code) in [(now.saturating_add(ten_minutes), "ID4147"), (past, "ID4148")] {
        let mut browser = Browser::default();
        let challenge = browser.open(&gateway, "/").await;
        let form = site.answer_at(challenge.location(), "alice", &["staff"], issued);
        let answer = browser.post(&gateway, "/signin-wsfed", &form).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body.contains(code) && answer.body.contains("Try again"), "{answer:?}");
        assert!(browser.session().is_none());
        assert_eq!(counted(&gateway, &format!("handstamp_rejections_total{{code=\"{code}\"}}")).await, 1);
    }
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn ten_thousand_garbage_cookies_are_ten_thousand_clean_sign_ins() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options { rest: ADMIN, ..Options::default() }).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let good = browser.session().expect("a session").to_owned();
    let mut rejected = 0;
    let mut stream = gateway.connect().await;
    for index in 0..10_000_usize {
        // Random-looking text, cut-off cookies and changed ones, by turns.
        let cookie = match index % 3 {
            0 => format!("{:064x}", (index as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
            1 => good[..good.len() * (index % 97) / 97].to_owned(),
            _ => {
                let at = index % good.len();
                let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
                format!("{}{other}{}", &good[..at], &good[at + 1..])
            }
        };
        let request = format!(
            "GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-Proto: https\r\nAccept: text/html\r\nCookie: __Host-session={cookie}\r\n\r\n"
        );
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.expect("written");
        let answer = super::support::read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!(status(&answer), 302, "{cookie}: {answer}");
        rejected += 1;
    }
    assert_eq!(rejected, 10_000);
    assert!(application.received().is_empty());
    assert_eq!(browser.open(&gateway, "/").await.status, 200, "the session it was made from goes on");
    let text = metrics(&gateway).await;
    let counted: u64 = text
        .lines()
        .filter(|line| line.starts_with("handstamp_rejections_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum();
    // An empty cookie is none.
    assert!((9_900..=10_000).contains(&counted), "{counted}");
}

#[tokio::test]
async fn a_store_that_is_locked_lets_nobody_in_and_says_so() {
    let (site, application) = (Site::new(), Application::hello().await);
    let store = site.folder.path().join("store.db");
    let rest = format!("{ADMIN}[store]\nkind = \"sqlite\"\npath = \"{}\"\n", store.display());
    let options = Options { session: "mode = \"reference\"", rest: &rest, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut known = Browser::default();
    known.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;

    let lock = rusqlite::Connection::open(&store).expect("the store");
    lock.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let mut newcomer = Browser::default();
    let answer = newcomer.sign_in(&site, &gateway, "/", "bob", &["staff"]).await;
    assert!((500..=503).contains(&answer.status), "{answer:?}");
    assert!(newcomer.session().is_none() && answer.body.contains("HST-"), "{answer:?}");
    lock.execute_batch("ROLLBACK").expect("unlocked");

    assert_eq!(known.open(&gateway, "/").await.status, 200);
    assert_eq!(newcomer.sign_in(&site, &gateway, "/", "bob", &["staff"]).await.status, 303, "and then it goes on");
}

#[tokio::test]
async fn a_store_that_is_full_lets_nobody_in_and_forgets_nothing() {
    let (site, application) = (Site::new(), Application::hello().await);
    let store = site.folder.path().join("store.db");
    let rest = format!("{ADMIN}[store]\nkind = \"sqlite\"\npath = \"{}\"\n", store.display());
    let options = Options { session: "mode = \"reference\"", rest: &rest, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut known = Browser::default();
    known.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    // A database that another hand closed to writing is as good as a full disk.
    let lock = rusqlite::Connection::open(&store).expect("the store");
    lock.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON session BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
    )
    .expect("a trigger");
    let mut newcomer = Browser::default();
    let answer = newcomer.sign_in(&site, &gateway, "/", "bob", &["staff"]).await;
    assert!((500..=503).contains(&answer.status), "{answer:?}");
    assert!(newcomer.session().is_none());
    assert_eq!(known.open(&gateway, "/").await.status, 200, "sessions that are there go on");
    lock.execute_batch("DROP TRIGGER full").expect("dropped");
    assert_eq!(newcomer.sign_in(&site, &gateway, "/", "bob", &["staff"]).await.status, 303);
}

//! What people see, and what is counted, when something around the gateway fails.

use std::time::Duration;

use handstamp_testkit::ports::ReservedPort;
use handstamp_time::{Clock, SystemClock};

use super::browser::{Browser, Options, Site};
use super::support::{Application, Running, exchange, raw_application, read_to_end, status};

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

#[tokio::test]
async fn requests_that_two_servers_could_understand_differently_are_counted() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "", "", ADMIN).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (request, code) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "HST-GATEWAY-HEAD"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "HST-GATEWAY-HEAD"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HST-GATEWAY-HOST"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "HST-GATEWAY-METHOD"),
        ("GET /public/%2e%2e/admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HST-GATEWAY-TARGET"),
    ] {
        let metric = format!("handstamp_rejections_total{{code=\"{code}\"}}");
        let before = counted(&gateway, &metric).await;
        let answer = gateway.exchange(format!("{request}{smuggled}")).await;
        assert!(matches!(status(&answer), 400 | 501), "{request}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request}: {answer}");
        assert_eq!(counted(&gateway, &metric).await, before + 1, "{request}");
    }
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn huge_heads_are_refused_and_counted() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "max_headers = 50", "", ADMIN).await;
    let metric = "handstamp_rejections_total{code=\"HST-GATEWAY-HEAD-SIZE\"}";
    let long = format!("X-Long: {}\r\n", "a".repeat(1 << 20));
    let cookies = format!("Cookie: {}\r\n", "__Host-session1=a; ".repeat(100_000));
    for (count, lines) in [long, "X-More: 1\r\n".repeat(200), cookies].iter().enumerate() {
        assert_eq!(status(&gateway.get("/", lines).await), 431, "{count}");
        assert_eq!(counted(&gateway, metric).await, count as u64 + 1);
    }
    assert!(application.received().is_empty());
    assert_eq!(status(&gateway.get("/", "").await), 200, "others go on");
}

#[tokio::test]
async fn an_issuer_that_is_down_is_a_page_a_code_and_a_metric() {
    let (site, application) = (Site::new(), Application::hello().await);
    let toml = site.toml(application.address, Options { rest: ADMIN, ..Options::default() }).replace(
        &format!("certificates = [\"{}/sts.pem\"]", site.folder.path().display()),
        "metadata = \"http://127.0.0.1:1/metadata.xml\"",
    );
    let gateway = Running::from_toml(&toml).await;
    let page = Browser::default().open(&gateway, "/").await;
    assert_eq!((page.status, page.header("retry-after")), (503, Some("5")), "{page:?}");
    assert!(page.body.contains("HST-METADATA-NONE") && page.body.contains("<h1>"), "{page:?}");
    let answer = Browser::default().send(&gateway, "GET", "/", "Accept: application/json\r\n", "").await;
    assert_eq!(answer.status, 401, "programs need no issuer to be told that they are not signed in");
    assert_eq!(counted(&gateway, "handstamp_rejections_total{code=\"HST-METADATA-NONE\"}").await, 1);
    let failed = "handstamp_metadata_refreshes_total{issuer=\"sts\",result=\"failed\"}";
    super::metadata::until("the failure is counted", async || counted(&gateway, failed).await == 1).await;
    // Nobody can sign in with an answer that came before, either.
    let form = site.answer(
        &format!("{}?wa=wsignin1.0&wtrealm=https%3a%2f%2fshop.example%2f", super::browser::STS),
        "eve",
        &[],
    );
    let posted = Browser::default().post(&gateway, "/signin-wsfed", &form).await;
    assert_eq!(posted.status, 503, "{posted:?}");
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn an_application_that_is_slow_or_gone_is_a_page_a_code_and_a_metric() {
    let silent = raw_application(|mut stream| async move {
        read_to_end(&mut stream).await;
    })
    .await;
    let gone = ReservedPort::new();
    for (application, expected, code) in
        [(silent, 504, "HST-GATEWAY-TIMEOUT"), (gone.address(), 502, "HST-GATEWAY-CONNECT")]
    {
        let gateway = Running::with(application, "", "response_timeout = \"50ms\"", ADMIN).await;
        let page = gateway.get("/", "Accept: text/html\r\n").await;
        assert_eq!(status(&page), expected);
        assert!(page.contains(code) && page.contains("<h1>"), "{page}");
        assert_eq!(counted(&gateway, &format!("handstamp_rejections_total{{code=\"{code}\"}}")).await, 1);
    }
}

#[tokio::test]
async fn metadata_of_an_attacker_signs_nobody_in_and_is_counted() {
    let (site, attacker, application) = (Site::new(), Site::with_key(2), Application::hello().await);
    let publisher = super::metadata::Publisher::of(site.issuer.metadata(&[], &[]).expect("metadata")).await;
    let rest = format!("{ADMIN}[issuer.sts2]\nname = \"urn:sts2\"\nmetadata = \"http://{}/\"\n", publisher.address());
    let federation = "issuer = \"sts2\"";
    let gateway = site.gateway(application.address, Options { federation, rest: &rest, ..Options::default() }).await;
    let known = async || Browser::default().open(&gateway, "/").await.status == 302;
    super::metadata::until("the issuer is known", known).await;
    // The attacker's keys, under the issuer's name: signed by the attacker, so that its signature holds.
    publisher.publish(attacker.issuer.metadata(&[], &[]).expect("metadata").replace("urn:sts", "urn:other"));
    let refused = Browser::default().sign_in(&attacker, &gateway, "/", "eve", &[]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("ID4175") && refused.body.contains("Try again"), "{refused:?}");
    assert_eq!(counted(&gateway, "handstamp_rejections_total{code=\"ID4175\"}").await, 1);
    assert_eq!(counted(&gateway, "handstamp_metadata_refreshes_total{issuer=\"sts2\",result=\"failed\"}").await, 1);
    assert_eq!(Browser::default().sign_in(&site, &gateway, "/", "alice", &[]).await.status, 303);
}

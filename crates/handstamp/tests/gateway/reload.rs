//! Another configuration while the gateway serves: all of it or nothing, and nobody is thrown out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use handstamp::Error;
use handstamp::config::Config;
use handstamp_testkit::ports::ReservedPort;
use http::Response;
use tokio::io::AsyncWriteExt;

use super::browser::{Browser, Options, Site};
use super::support::{Application, Running, raw_application, read_to_end, read_until, status};

fn parse(toml: &str) -> Config {
    Config::parse(toml, Path::new("handstamp.toml")).expect("a good configuration")
}

#[tokio::test]
async fn another_application_takes_over_while_a_request_to_the_old_one_finishes() {
    let (asked, mut was_asked) = tokio::sync::watch::channel(false);
    let (end, may_end) = tokio::sync::watch::channel(false);
    let old = raw_application(move |mut stream| {
        let (asked, mut may_end) = (asked.clone(), may_end.clone());
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            asked.send_replace(true);
            let _ = may_end.wait_for(|may| *may).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold").await;
        }
    })
    .await;
    let new = Application::answering(|_| Response::new("new".to_owned())).await;
    let site = Site::new();
    let open_to_all = Options { route: "public_paths = [\"/\"]", ..Options::default() };
    let gateway = site.gateway(old, open_to_all).await;
    let mut running = gateway.connect().await;
    running.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("written");
    was_asked.wait_for(|asked| *asked).await.expect("asked");

    gateway.reloader.reload(parse(&site.toml(new.address, open_to_all))).await.expect("taken over");
    assert!(gateway.get("/", "").await.ends_with("new"));
    end.send_replace(true);
    assert!(read_to_end(&mut running).await.ends_with("old"));
}

#[tokio::test]
async fn sessions_go_on_and_new_demands_hold_at_once() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let demanding = Options { route: "required_roles = [\"boss\"]", ..Options::default() };
    gateway.reloader.reload(parse(&site.toml(application.address, demanding))).await.expect("taken over");
    assert_eq!(browser.open(&gateway, "/").await.status, 403, "the session holds, the role is missing");
    gateway.reloader.reload(parse(&site.toml(application.address, Options::default()))).await.expect("taken over");
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_taken_over_changes_nothing() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let toml = site.toml(application.address, Options { route: "required_roles = [\"boss\"]", ..Options::default() });
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address");
    for (addition, code) in [
        (format!("[listener.more]\naddress = \"{taken}\""), "HST-LISTEN"),
        ("[store]\nkind = \"sqlite\"\npath = \"x.db\"".to_owned(), "HST-RELOAD-RESTART"),
        ("[admin]\naddress = \"127.0.0.1:0\"".to_owned(), "HST-RELOAD-RESTART"),
    ] {
        let refused: Result<(), Error> = gateway.reloader.reload(parse(&format!("{toml}\n{addition}"))).await;
        let refused = refused.expect_err(&addition);
        assert_eq!(refused.code(), code, "{addition}: {refused}");
        let mut browser = Browser::default();
        browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
        assert_eq!(browser.open(&gateway, "/").await.status, 200, "{addition}: no role is asked for yet");
    }
}

#[tokio::test]
async fn clients_have_no_more_of_their_allowance_than_before() {
    let application = Application::hello().await;
    let toml = |more: &str| {
        format!(
            "[listener.public]\naddress = \"127.0.0.1:0\"\n[web.app]\nupstream = \"http://{}\"\n{more}\
             [web.app.rate_limit]\nrequests = 2\nper = \"1h\"",
            application.address
        )
    };
    let gateway = Running::from_toml(&toml("")).await;
    assert_eq!([status(&gateway.get("/", "").await), status(&gateway.get("/", "").await)], [200, 200]);
    gateway.reloader.reload(parse(&toml("max_body_size = \"1MiB\"\n"))).await.expect("taken over");
    assert_eq!(status(&gateway.get("/", "").await), 429);
}

#[tokio::test]
async fn connections_to_an_application_go_on_unless_something_about_it_changed() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let application = raw_application(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            loop {
                read_until(&mut stream, "\r\n\r\n").await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
    })
    .await;
    let toml = |more: &str| {
        format!("[listener.public]\naddress = \"127.0.0.1:0\"\n[web.app]\nupstream = \"http://{application}\"\n{more}")
    };
    let gateway = Running::from_toml(&toml("")).await;
    for (more, expected) in [("", 1), ("max_body_size = \"1MiB\"", 1), ("response_timeout = \"9s\"", 2)] {
        gateway.reloader.reload(parse(&toml(more))).await.expect("taken over");
        for _ in 0..3 {
            assert_eq!(status(&gateway.get("/", "").await), 200);
        }
        assert_eq!(connections.load(Ordering::SeqCst), expected, "{more:?}");
    }
}

#[tokio::test]
async fn listeners_come_and_go() {
    let application = Application::hello().await;
    let ports = ReservedPort::in_a_row::<3>();
    let [kept, gone, new] = ports.each_ref().map(ReservedPort::address);
    let toml = |other: std::net::SocketAddr| {
        format!(
            "[listener.public]\naddress = \"{kept}\"\n[listener.other]\naddress = \"{other}\"\n\
             [web.app]\nupstream = \"http://{}\"",
            application.address
        )
    };
    let gateway = Running::from_toml(&toml(gone)).await;
    let ask = async |address| {
        super::support::exchange(address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await
    };
    assert_eq!(status(&ask(gone).await.expect("connected")), 200);
    gateway.reloader.reload(parse(&toml(new))).await.expect("taken over");
    for address in [kept, new] {
        assert_eq!(status(&ask(address).await.expect("connected")), 200, "{address}");
    }
    for _ in 0..200 {
        if ask(gone).await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the old listener is still there");
}

#[tokio::test]
async fn the_admin_listener_reads_the_file_again_but_not_for_a_page_in_somebodys_browser() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "", "", "[admin]\naddress = \"127.0.0.1:0\"").await;
    let admin = gateway.admin.expect("an admin listener");
    let ask = async |method: &str, lines: &str| {
        let request =
            format!("{method} /reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n{lines}\r\n");
        super::support::exchange(admin, request).await.expect("connected")
    };
    let answer = ask("POST", "").await;
    assert!(status(&answer) == 422 && answer.contains("not started from a file"), "{answer}");
    assert_eq!(status(&ask("GET", "").await), 405);
    assert_eq!(status(&ask("POST", "Origin: https://evil.example\r\n").await), 403);
    assert_eq!(status(&ask("POST", "Sec-Fetch-Site: cross-site\r\n").await), 403);
}

//! Unix domain sockets, before the gateway and behind it.

#![cfg(unix)]

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use handstamp::config::Config;
use handstamp::gateway::Gateway;
use handstamp::shutdown::{self, Trigger};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::support::{Application, Running, status};

/// A gateway at `public.sock` of a folder.
struct Local {
    folder: TempDir,
    trigger: Trigger,
    served: JoinHandle<()>,
}

/// A configuration for it.
fn configuration(folder: &Path, application: &Application, listener: &str) -> Config {
    let text = format!(
        "[listener.public]\naddress = \"unix:public.sock\"\n{listener}\n\
         [admin]\naddress = \"unix:admin.sock\"\n\
         [web.app]\nupstream = \"http://{}\"\n",
        application.address
    );
    Config::parse(&text, &folder.join("handstamp.toml")).expect("a good configuration")
}

impl Local {
    async fn start(application: &Application, listener: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = configuration(folder.path(), application, listener);
        let gateway = Gateway::bind(&config).await.expect("a gateway");
        assert!(gateway.address("public").is_none() && gateway.admin_address().is_none(), "no port at all");
        let (trigger, shutdown) = shutdown::channel();
        let served = tokio::spawn(gateway.serve(shutdown));
        Self { folder, trigger, served }
    }

    async fn get(&self, socket: &str, path: &str, lines: &str) -> String {
        let mut stream = UnixStream::connect(self.folder.path().join(socket)).await.expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("readable");
        answer
    }
}

#[tokio::test]
async fn requests_come_and_go_by_unix_domain_sockets() {
    let application = Application::hello().await;
    let inner = Local::start(&application, "").await;
    let socket = inner.folder.path().join("public.sock");
    let outer = Running::from_toml(&format!(
        "[listener.public]\naddress = \"127.0.0.1:0\"\n\
         [web.plain]\npath = \"/plain\"\nupstream = \"unix:{socket}\"\nhost_header = \"upstream\"\n\
         [web.named]\npath = \"/named\"\nhost_header = \"upstream\"\n\
         upstream = [{{ url = \"http://orders.internal:8000\", socket = \"{socket}\" }}, {{ socket = \"{socket}\" }}]\n\
         [web.named.balance]\nstrategy = \"client-address\"\n\
         [admin]\naddress = \"127.0.0.1:0\"",
        socket = socket.display()
    ))
    .await;
    for path in ["/plain/1", "/plain/2", "/named/3"] {
        let answer = outer.get(path, "").await;
        assert!(status(&answer) == 200 && answer.ends_with("hello"), "{answer}");
    }
    let hosts: Vec<String> = application
        .received()
        .iter()
        .map(|request| request.headers()["host"].to_str().expect("text").to_owned())
        .collect();
    assert_eq!(hosts[..2], ["localhost", "localhost"]);
    assert!(["localhost", "orders.internal:8000"].contains(&&*hosts[2]), "{hosts:?}");

    let admin = inner.get("admin.sock", "/healthz", "").await;
    assert_eq!(status(&admin), 200, "{admin}");
    let address = outer.admin.expect("an admin listener");
    let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let metrics = super::support::exchange(address, request).await.expect("connected");
    assert!(metrics.contains(&format!("upstream=\"plain unix:{}\"", socket.display())), "{metrics}");
    assert!(metrics.contains("upstream=\"named http://orders.internal:8000 at unix:"), "{metrics}");
}

#[tokio::test]
async fn whoever_connects_counts_as_this_machine() {
    let application = Application::hello().await;
    let claims = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    for (listener, expected, scheme) in
        [("", "127.0.0.1", "http"), ("trusted_proxies = [\"127.0.0.1\"]", "203.0.113.9, 127.0.0.1", "https")]
    {
        let gateway = Local::start(&application, listener).await;
        assert_eq!(status(&gateway.get("public.sock", "/", claims).await), 200);
        let request = application.received().pop().expect("a request");
        assert_eq!(request.headers()["x-forwarded-for"], expected);
        assert_eq!(request.headers()["x-forwarded-proto"], scheme);
    }
}

#[tokio::test]
async fn the_file_is_for_those_it_is_for_and_goes_with_the_gateway() {
    let application = Application::hello().await;
    for (listener, expected) in [("", 0o660), ("socket_mode = \"0600\"", 0o600), ("socket_mode = \"666\"", 0o666)] {
        let gateway = Local::start(&application, listener).await;
        let socket = gateway.folder.path().join("public.sock");
        let file = socket.symlink_metadata().expect("a file");
        assert!(file.file_type().is_socket());
        assert_eq!(file.permissions().mode() & 0o777, expected);

        let second = Gateway::bind(&configuration(gateway.folder.path(), &application, listener)).await;
        let refused = second.err().expect("it is taken").to_string();
        assert!(refused.starts_with("HST-LISTEN: cannot listen on unix:") && refused.contains("in use"), "{refused}");
        assert_eq!(status(&gateway.get("public.sock", "/", "").await), 200, "the first is not disturbed");

        gateway.trigger.pull();
        gateway.served.await.expect("no panic");
        assert!(!socket.exists());
    }
}

#[tokio::test]
async fn what_a_killed_program_left_is_no_obstacle_and_other_files_are_kept() {
    let application = Application::hello().await;
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("public.sock");
    // The file stays when nobody listens any more.
    drop(UnixListener::bind(&socket).expect("a socket"));
    assert!(socket.exists());
    let config = configuration(folder.path(), &application, "");
    let gateway = Gateway::bind(&config).await.expect("it begins anew");
    drop(gateway);

    std::fs::write(&socket, "something else").expect("written");
    let refused = Gateway::bind(&config).await.err().expect("this is no socket").to_string();
    assert!(refused.contains("a file that is no socket"), "{refused}");
    assert_eq!(std::fs::read_to_string(&socket).expect("still there"), "something else");
}

#[test]
fn addresses_that_are_none_are_named() {
    for (address, path) in [
        ("unix:", "listener.public.address"),
        ("/run/public.sock", "listener.public.address"),
        ("localhost:80", "listener.public.address"),
    ] {
        let text = format!("[listener.public]\naddress = \"{address}\"\n[web.app]\nupstream = \"unix:/run/app.sock\"");
        let refused = Config::parse(&text, Path::new("handstamp.toml")).expect_err("no address").to_string();
        assert!(refused.contains(path) && refused.contains("\"unix:\" and the path"), "{refused}");
    }
    for mode in ["0999", "01000", "rw", ""] {
        let text = format!("[listener.public]\naddress = \"unix:a\"\nsocket_mode = \"{mode}\"");
        let refused = Config::parse(&text, Path::new("handstamp.toml")).expect_err("no mode").to_string();
        assert!(refused.contains("octal"), "{refused}");
    }
    let text = "[listener.public]\naddress = \"unix:a\"\n[web.app]\nupstream = [{ weight = 2 }]";
    let refused = Config::parse(text, Path::new("handstamp.toml")).expect_err("no server").to_string();
    assert!(refused.contains("web.app.upstream[0].url"), "{refused}");
}

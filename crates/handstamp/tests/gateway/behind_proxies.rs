//! Sign-in behind nginx, Caddy and Traefik, with the configurations of the documentation. A proxy that is not installed is passed
//! over; `cargo xtask test` installs the first two.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use handstamp_keys::tls::ClientSettings;
use handstamp_testkit::ports::ReservedPort;
use http::Request;
use tempfile::TempDir;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpListener;

use super::browser::{Browser, Options, STS, Site};
use super::forward_auth::gateway;
use super::support::{Application, Running, exchange, raw_application, read_to_end, read_until, status};
use super::tls::{certificate, client, connect};

const PLAIN: &str = "[forward_auth.proxy]\npublic_paths = [\"/assets\"]\n";

#[tokio::test]
async fn nginx_asks_before_it_passes_a_request_on() {
    behind_a_proxy(Front::nginx).await;
}

#[tokio::test]
async fn caddy_asks_before_it_passes_a_request_on() {
    behind_a_proxy(Front::caddy).await;
}

#[tokio::test]
async fn traefik_asks_before_it_passes_a_request_on() {
    behind_a_proxy(Front::traefik).await;
}

async fn behind_a_proxy(start: fn(SocketAddr, SocketAddr) -> Option<Front>) {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = gateway(&site, &application).await;
    let Some(proxy) = start(gateway.address, application.address) else { return };
    let front = Running { address: proxy.ready().await, ..gateway };
    let mut browser = Browser::default();

    assert_eq!(browser.open(&front, "/assets/logo.svg").await.status, 200);
    let program = browser.send(&front, "GET", "/orders", "X-Requested-With: XMLHttpRequest\r\n", "").await;
    assert_eq!((program.status, program.header("location")), (401, None), "{program:?}");
    let challenge = browser.open(&front, "/orders?id=7").await;
    assert_eq!(challenge.status, 302, "{challenge:?}");
    let form = site.answer(challenge.location(), "alice", &["staff"]);
    let signed_in = browser.post(&front, "/signin-wsfed", &form).await;
    assert_eq!((signed_in.status, signed_in.location()), (303, "/orders?id=7"), "{signed_in:?}");
    application.received();

    let spoofed = "Accept: text/html\r\nX-User: root\r\nX_User: root\r\nX-Jwt: forged\r\nX_Jwt: forged\r\n";
    let page = browser.send(&front, "GET", "/orders?id=7", spoofed, "").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("hello"), "{page:?}");
    let received = application.received();
    assert_eq!(told(&received[0], "x-user"), ["alice"]);
    let tokens = told(&received[0], "x-jwt");
    assert!(tokens.len() == 1 && tokens[0].split('.').count() == 3, "{tokens:?}");

    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(browser.send(&front, "POST", "/orders", form, "id=8").await.status, 200);
    assert_eq!(application.received()[0].body().as_ref(), b"id=8");

    let mut stranger = Browser::default();
    stranger.send(&front, "GET", "/assets/logo.svg", spoofed, "").await;
    let received = application.received();
    assert!(told(&received[0], "x-user").is_empty() && told(&received[0], "x-jwt").is_empty(), "{received:?}");
    // Which request it is about, only the proxy says.
    let elsewhere = "Accept: text/html\r\nX-Forwarded-Uri: /assets/logo.svg\r\nX-Forwarded-Method: OPTIONS\r\n";
    assert_eq!(stranger.send(&front, "GET", "/orders", elsewhere, "").await.status, 302);

    let mut guest = Browser::default();
    let challenge = guest.open(&front, "/").await;
    guest.post(&front, "/signin-wsfed", &site.answer(challenge.location(), "bob", &["guest"])).await;
    assert_eq!(guest.open(&front, "/").await.status, 403);

    let copy = browser.clone();
    assert!(browser.open(&front, "/signout").await.location().starts_with(STS));
    for mut browser in [browser, copy] {
        assert_eq!(browser.open(&front, "/orders").await.status, 302);
    }
    application.received();

    // Without an answer nobody passes.
    front.trigger.pull();
    front.served.await.expect("it ends");
    let answer = exchange(proxy.ready().await, guest.request("GET", "/orders", "", "")).await.expect("connected");
    assert!(status(&answer) >= 500, "{answer}");
    assert!(application.received().is_empty());
}

/// What an application reads under this name if it cannot tell `_` from `-`, as those behind CGI and its like.
fn told(request: &Request<Bytes>, name: &str) -> Vec<String> {
    let lines = request.headers().iter().filter(|(header, _)| header.as_str().replace('_', "-") == name);
    lines.map(|(_, value)| value.to_str().expect("text").to_owned()).collect()
}

#[tokio::test]
async fn caddy_passes_websockets_of_those_who_are_signed_in() {
    websockets_behind_a_proxy(Front::caddy).await;
}

#[tokio::test]
async fn traefik_passes_websockets_of_those_who_are_signed_in() {
    websockets_behind_a_proxy(Front::traefik).await;
}

async fn websockets_behind_a_proxy(start: fn(SocketAddr, SocketAddr) -> Option<Front>) {
    let application = raw_application(|mut stream| async move {
        let head = read_until(&mut stream, "\r\n\r\n").await.to_ascii_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("x-user: alice"), "{head}");
        // The answer to the key of RFC 6455 §1.3.
        let accepted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nwelcome";
        stream.write_all(accepted.as_bytes()).await.expect("written");
        read_until(&mut stream, "ping").await;
        stream.write_all(b"pong").await.expect("written");
    })
    .await;
    let site = Site::new();
    let gateway = gateway(&site, &Application::hello().await).await;
    let Some(proxy) = start(gateway.address, application) else { return };
    let front = Running { address: proxy.ready().await, ..gateway };
    let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let ask = |browser: &Browser| {
        browser.request("GET", "/chat", upgrade, "").replace("Connection: close", "Connection: Upgrade")
    };

    let mut browser = Browser::default();
    let mut stranger = front.connect().await;
    stranger.write_all(ask(&browser).as_bytes()).await.expect("written");
    assert_eq!(status(&read_until(&mut stranger, "\r\n\r\n").await), 401);

    browser.sign_in(&site, &front, "/", "alice", &["staff"]).await;
    let mut socket = front.connect().await;
    socket.write_all(ask(&browser).as_bytes()).await.expect("written");
    assert_eq!(status(&read_until(&mut socket, "welcome").await), 101);
    socket.write_all(b"ping").await.expect("written");
    assert_eq!(read_to_end(&mut socket).await, "pong");
}

#[tokio::test]
async fn sessions_slide_behind_nginx() {
    sessions_slide_behind_a_proxy(Front::nginx, 1).await;
}

#[tokio::test]
async fn sessions_slide_behind_caddy() {
    sessions_slide_behind_a_proxy(Front::caddy, 1).await;
}

/// In several cookies it goes on as a whole, or it would be lost.
#[tokio::test]
async fn sessions_of_any_size_slide_behind_traefik() {
    sessions_slide_behind_a_proxy(Front::traefik, 400).await;
}

async fn sessions_slide_behind_a_proxy(start: fn(SocketAddr, SocketAddr) -> Option<Front>, roles: usize) {
    let (site, application) = (Site::new(), Application::hello().await);
    let session = "idle_timeout = \"20s\"\nslide_after = 1";
    let options = Options { route: "hosts = [\"own.example\"]", session, rest: PLAIN, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let Some(proxy) = start(gateway.address, application.address) else { return };
    let front = Running { address: proxy.ready().await, ..gateway };
    let mut browser = Browser::default();
    // Names that cannot be compressed well.
    let roles: Vec<String> =
        (1..=roles as u64).map(|number| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    browser.sign_in(&site, &front, "/", "alice", &roles).await;
    browser.cookies.retain(|name, _| name.starts_with("__Host-session"));
    let before = browser.cookies.clone();
    assert_eq!(before.len() > 1, roles.len() > 1, "{before:?}");
    while browser.cookies == before {
        assert_eq!(browser.open(&front, "/").await.status, 200);
    }
    assert!(before.iter().all(|(name, value)| browser.cookies.get(name).is_some_and(|now| now != value)));
    assert_eq!(browser.open(&front, "/").await.status, 200);
}

#[tokio::test]
async fn people_choose_an_issuer_behind_nginx() {
    people_choose_behind_a_proxy(Front::nginx).await;
}

#[tokio::test]
async fn people_choose_an_issuer_behind_caddy() {
    people_choose_behind_a_proxy(Front::caddy).await;
}

#[tokio::test]
async fn people_choose_an_issuer_behind_traefik() {
    people_choose_behind_a_proxy(Front::traefik).await;
}

/// Where they choose is on the site, wherever the answer came from.
async fn people_choose_behind_a_proxy(start: fn(SocketAddr, SocketAddr) -> Option<Front>) {
    let (site, application) = (Site::new(), Application::hello().await);
    let other = format!(
        "{PLAIN}[issuer.other]\nname = \"urn:other\"\nsign_in_url = \"https://other.example/\"\ncertificates = [\"{}/sts.pem\"]\n",
        site.folder.path().display()
    );
    let (route, federation) = ("hosts = [\"own.example\"]", "issuer = [\"sts\", \"other\"]");
    let gateway =
        site.gateway(application.address, Options { route, federation, rest: &other, ..Options::default() }).await;
    let Some(proxy) = start(gateway.address, application.address) else { return };
    let front = Running { address: proxy.ready().await, ..gateway };
    let mut browser = Browser::default();
    let challenge = browser.open(&front, "/orders?id=7").await;
    assert_eq!((challenge.status, challenge.location()), (302, "/signin-wsfed?ru=%2Forders%3Fid%3D7"));
    let choice = browser.open(&front, challenge.location()).await;
    assert!(choice.status == 200 && choice.body.contains("other"), "{choice:?}");
}

/// Another proxy in front, as a process of the test's own.
struct Front {
    process: Child,
    port: ReservedPort,
    _folder: TempDir,
    /// Its certificate, where it speaks TLS.
    certificate: Option<PathBuf>,
}

impl Front {
    fn nginx(gateway: SocketAddr, application: SocketAddr) -> Option<Self> {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), ReservedPort::new());
        let path = folder.path().display();
        let server: String = documented("nginx", gateway, application)
            .replace("listen 443 ssl;", &format!("listen {};", port.address()))
            .replace("$scheme", "https")
            .lines()
            .filter(|line| !line.contains("ssl_certificate"))
            .collect::<Vec<_>>()
            .join("\n");
        let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {path}/{kind};\n"))
            .collect();
        let configuration = format!(
            "daemon off; master_process off; pid {path}/pid; error_log {path}/error.log;\nevents {{}}\nhttp {{ access_log off;\n{folders}{server}\n}}\n"
        );
        let arguments = ["-p", ".", "-e", "error.log", "-c", "configuration"];
        Self::start("/usr/sbin/nginx", &arguments, ("configuration", &configuration), (folder, port))
    }

    fn caddy(gateway: SocketAddr, application: SocketAddr) -> Option<Self> {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), ReservedPort::new());
        // Without a certificate there is no https here; what matters behind it is told by a header.
        let site = documented("caddy", gateway, application)
            .replace("shop.example {", &format!("http://shop.example:{} {{", port.number()))
            .replace("header_up X-Forwarded-Uri", "header_up X-Forwarded-Proto https\nheader_up X-Forwarded-Uri")
            .replace("X-Roles", "X-Jwt")
            .replace("X_Roles", "X_Jwt")
            .replace(
                &format!("reverse_proxy {gateway}\n"),
                &format!("reverse_proxy {gateway} {{\nheader_up X-Forwarded-Proto https\n}}\n"),
            );
        let configuration = format!("{{\nadmin off\nauto_https off\n}}\n{site}");
        let arguments = ["run", "--adapter", "caddyfile", "--config", "configuration"];
        Self::start("/usr/bin/caddy", &arguments, ("configuration", &configuration), (folder, port))
    }

    /// With TLS, as it is without a proxy before it: it believes no header about that.
    fn traefik(gateway: SocketAddr, application: SocketAddr) -> Option<Self> {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), ReservedPort::new());
        let shop = certificate(folder.path(), "shop.pem", "shop.example");
        let pem = shop.display();
        let routes = documented("yaml", gateway, application).replace("X-Roles", "X-Jwt").replace("X_Roles", "X_Jwt");
        let configuration = format!(
            "{routes}\ntls:\n  stores:\n    default:\n      defaultCertificate: {{ certFile: {pem}, keyFile: {pem} }}\n"
        );
        let arguments = [
            &format!("--entryPoints.websecure.address={}", port.address()),
            "--providers.file.filename=configuration.yaml",
        ];
        let mut front = Self::start("traefik", &arguments, ("configuration.yaml", &configuration), (folder, port))?;
        front.certificate = Some(shop);
        Some(front)
    }

    fn start(
        program: &str,
        arguments: &[&str],
        (file, configuration): (&str, &str),
        (folder, port): (TempDir, ReservedPort),
    ) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let Some(program) = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
        else {
            eprintln!("{program} is not installed");
            return None;
        };
        std::fs::write(folder.path().join(file), configuration).expect("written");
        let process = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut front = Self { process, port, _folder: folder, certificate: None };
        while TcpStream::connect(front.port.address()).is_err() {
            assert!(front.process.try_wait().expect("a child").is_none(), "it does not run with\n{configuration}");
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(front)
    }

    /// Where it answers in plain HTTP, once it has read its routes and certificates: Traefik listens before.
    async fn ready(&self) -> SocketAddr {
        let address = match &self.certificate {
            Some(certificate) => without_tls(self.port.address(), client(certificate)).await,
            None => self.port.address(),
        };
        let question = "GET /assets/logo.svg HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
        loop {
            let answer = exchange(address, question).await.expect("connected");
            if !answer.is_empty() && status(&answer) != 404 {
                return address;
            }
        }
    }
}

/// An address before one that speaks TLS, for clients that do not.
async fn without_tls(address: SocketAddr, settings: ClientSettings) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let plain = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = socket.accept().await {
            if let Ok(mut server) = connect(address, "shop.example", &settings, &[]).await {
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        }
    });
    plain
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The configuration that the documentation shows, with the addresses of this test.
fn documented(language: &str, gateway: SocketAddr, application: SocketAddr) -> String {
    let page = include_str!("../../../../docs/forward-auth.md");
    let (_, block) = page.split_once(&format!("```{language}\n")).expect("it is shown");
    let (block, _) = block.split_once("```").expect("a whole block");
    block.replace("127.0.0.1:8080", &gateway.to_string()).replace("127.0.0.1:3000", &application.to_string())
}

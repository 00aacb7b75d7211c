//! Two applications and their issuer in a real browser: choosing where to sign in, signing in once for both, signing out everywhere.

use handstamp::config::Config;
use handstamp::gateway::Gateway;
use handstamp::shutdown::{self, Trigger};
use handstamp_testkit::browser::{Browser, Screen};
use handstamp_testkit::ports::ReservedPort;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{enter, look};

const PASSWORD: &str = "correct horse battery";

/// A token service, and two applications on sites of their own behind one gateway.
struct Town {
    sts: String,
    shop: String,
    wiki: String,
    _end: Trigger,
    _folder: TempDir,
}

impl Town {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let application = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = application.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = application.accept().await {
                tokio::spawn(async move {
                    let user = user_of(&mut stream).await;
                    greet(&user, stream).await;
                });
            }
        });
        // Every end has to know the others' addresses before they are bound.
        let ports = ReservedPort::in_a_row::<3>();
        let [sts, shop, wiki] = ports.each_ref().map(|port| format!("http://localhost:{}", port.number()));
        let mut toml = format!(
            r#"
            [keys]
            path = "keys.json"
            [issuer.corp]
            display_name = "Example Corp"
            name = "urn:handstamp:sts"
            sign_in_url = "{sts}/wsfed"
            certificates = ["handstamp-sts.crt"]
            [issuer.partners]
            display_name = "Partners of Example Corp"
            name = "urn:partners"
            sign_in_url = "https://login.partners.example/wsfed"
            fingerprints = ["{}"]
            [issuer.away]
            name = "urn:away"
            metadata = "http://127.0.0.1:1/"
            [sts]
            listeners = ["sts"]
            public_url = "{sts}"
            path = "/"
            entity_id = "urn:handstamp:sts"
            cookie_name = "sts"
            cookie_secure = false
            "#,
            "00".repeat(32)
        );
        for (index, (name, site)) in [("sts", &sts), ("shop", &shop), ("wiki", &wiki)].into_iter().enumerate() {
            toml.push_str(&format!("[listener.{name}]\naddress = \"127.0.0.1:{}\"\n", ports[index].number()));
            if name == "sts" {
                continue;
            }
            let issuers = if name == "shop" { r#"["corp", "partners", "away"]"# } else { r#""corp""# };
            toml.push_str(&format!(
                "[federation.{name}]\nrealm = \"{site}/\"\nissuer = {issuers}\n\
                 [federation.{name}.cookie]\nname = \"{name}\"\nsecure = false\n\
                 [web.{name}]\nlisteners = [\"{name}\"]\nupstream = \"http://{upstream}\"\nsign_in = \"required\"\n\
                 federation = \"{name}\"\nclaims_to_headers = {{ X-User = \"name\" }}\n\
                 [sts.relying_party.{name}]\nrealm = \"{site}/\"\nreply_urls = [\"{site}/signin-wsfed\"]\n"
            ));
        }
        let file = folder.path().join("handstamp.toml");
        std::fs::write(&file, toml).unwrap();
        run(folder.path(), &["keys", "init"], "").await;
        run(folder.path(), &["account", "add", "ada"], &format!("{PASSWORD}\n")).await;
        let gateway = Gateway::bind(&Config::load(&file).unwrap()).await.unwrap();
        let (end, shutdown) = shutdown::channel();
        tokio::spawn(gateway.serve(shutdown));
        Self { sts, shop, wiki, _end: end, _folder: folder }
    }
}

/// The name of the user that a request came for.
async fn user_of(stream: &mut tokio::net::TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let user = head.lines().find_map(|line| line.strip_prefix("x-user: "));
    user.unwrap_or("nobody").to_owned()
}

async fn greet(user: &str, mut stream: tokio::net::TcpStream) {
    let page = format!("<!doctype html><html lang=en><title>Hello</title><h1 id=who>{user}</h1>");
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

async fn run(folder: &Path, arguments: &[&str], input: &str) {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_handstamp"))
        .args(arguments)
        .args(["--config", "handstamp.toml"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    assert!(child.wait().await.unwrap().success(), "{arguments:?}");
}

async fn enter_shop(browser: &Browser, town: &Town) {
    browser.goto(&format!("{}/orders", town.shop)).await.unwrap();
    browser.click("a.choice").await;
    browser.text("form input[name=password]").await;
    enter(browser, "ada", PASSWORD).await;
    browser.wait_for_url(&format!("{}/orders", town.shop)).await;
    assert_eq!(browser.text("#who").await, "ada");
}

/// Whether an application lets its user in without a question.
async fn is_in(browser: &Browser, site: &str) -> bool {
    browser.goto(&format!("{site}/")).await.unwrap();
    browser.find(fantoccini::Locator::Css("#who")).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn sm_42_people_choose_where_they_sign_in() {
    for screen in [Screen::Desktop, Screen::Phone] {
        let town = Town::start().await;
        let browser = Browser::start(screen).await;
        browser.goto(&format!("{}/orders", town.shop)).await.unwrap();
        browser.wait_for_url(&format!("{}/signin-wsfed?ru=%2Forders", town.shop)).await;
        assert_eq!(browser.text("h1").await, "Where do you sign in?");
        look(&browser, screen, "choose-issuer").await;
        let fits = "return document.documentElement.scrollWidth <= window.innerWidth && document.title !== '' \
                    && document.querySelectorAll('a.choice').length === 2";
        assert_eq!(browser.execute(fits, Vec::new()).await.unwrap(), true);
        // The keyboard is enough.
        let focus = "document.querySelector('a.choice').focus(); return document.activeElement.textContent";
        let focused = browser.execute(focus, Vec::new()).await.unwrap();
        assert!(focused.as_str().unwrap().starts_with("Example Corp"), "{focused}");
        enter_shop(&browser, &town).await;
        browser.goto(&format!("{}/signin-wsfed", town.shop)).await.unwrap();
        assert_eq!(browser.text(".pill").await, "used last");
        look(&browser, screen, "choose-issuer-again").await;
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sm_40_signing_out_at_one_application_ends_the_sessions_of_all() {
    let town = Town::start().await;
    let browser = Browser::start(Screen::Desktop).await;
    enter_shop(&browser, &town).await;
    assert!(is_in(&browser, &town.wiki).await, "signed in once for both");
    browser.goto(&format!("{}/signout", town.shop)).await.unwrap();
    browser.wait_for_url(&format!("{}/signed-out", town.shop)).await;
    assert_eq!(browser.text("h1").await, "You are signed out");
    assert!(!is_in(&browser, &town.wiki).await, "its image on the issuer's page ended that session");
    assert!(browser.url().await.starts_with(&town.sts), "the issuer asks for a password");
    assert!(!is_in(&browser, &town.shop).await);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sm_41_signing_out_at_the_issuer_ends_the_sessions_of_all() {
    let town = Town::start().await;
    let browser = Browser::start(Screen::Desktop).await;
    enter_shop(&browser, &town).await;
    assert!(is_in(&browser, &town.wiki).await);
    browser.goto(&format!("{}/", town.sts)).await.unwrap();
    browser.click("a.button").await;
    assert_eq!(browser.text("h1").await, "You are signed out");
    let images = "return Array.from(document.images).map(image => image.complete && image.naturalWidth)";
    assert_eq!(
        browser.execute(images, Vec::new()).await.unwrap(),
        serde_json::json!([1, 1]),
        "both answered with a picture"
    );
    look(&browser, Screen::Desktop, "signed-out-at-the-issuer").await;
    assert!(!is_in(&browser, &town.wiki).await);
    assert!(!is_in(&browser, &town.shop).await);
    browser.close().await;
}

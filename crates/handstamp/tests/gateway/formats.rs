//! One gateway, two formats: sessions of WIF and native ones, and nobody signs in again.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use base64_simd::STANDARD;
use handstamp_testkit::vectors;
use serde_json::Value;

use super::browser::{Answer, Browser, Options, REALM, Site};
use super::support::{Application, Running, exchange};

/// How the .NET side is set up: its keys, and a cookie it wrote for somebody.
pub(super) struct Original {
    /// Keys of the table `wif`.
    pub(super) keys: String,
    pub(super) user: String,
    pub(super) cookie: String,
}

impl Original {
    /// A session behind ASP.NET's machine key.
    pub(super) fn of_machine_key(site: &Site, case: usize) -> Self {
        let vectors = vectors::load("machine_key");
        let case = &vectors["sessionTokenCases"][case];
        let attribute = |name: &str| format!("{name}=\"{}\"", text(&case[name]));
        let attributes = ["validation", "decryption", "validationKey", "decryptionKey"].map(attribute).join(" ");
        let file = private_file(site, "machine-key.xml", &format!("<machineKey {attributes} />"));
        Self {
            keys: format!("machine_keys = [\"{}\"]", file.display()),
            user: text(&case["token"]["identities"][0]["claims"][0]["value"]),
            cookie: cookie(&text(&case["tokenXml"])),
        }
    }

    /// A session behind RSA signature and encryption.
    pub(super) fn of_rsa(site: &Site, chain: &str, hash: &str) -> Self {
        let vectors = vectors::load("session_token");
        let case = vectors["cases"].as_array().expect("cases").iter().find(|case| case["name"] == "forms-login");
        let case = case.expect("the case");
        let file = private_file(site, "farm.pem", &text(&vectors["keys"]["rsa2048Pkcs8Pem"]));
        Self {
            keys: format!("rsa_keys = [\"{}\"]\nrsa_hash = \"{hash}\"", file.display()),
            user: text(&case["token"]["identities"][0]["claims"][0]["value"]),
            cookie: cookie(&text(&case["tokenXml"][chain])),
        }
    }

    /// A browser that has this session.
    pub(super) fn browser(&self) -> Browser {
        let mut browser = Browser::default();
        for (index, piece) in self.cookie.as_bytes().chunks(2000).enumerate() {
            let name = if index == 0 { "FedAuth".to_owned() } else { format!("FedAuth{index}") };
            browser.cookies.insert(name, String::from_utf8(piece.to_vec()).expect("ASCII"));
        }
        browser
    }

    /// A gateway beside the original.
    async fn gateway(&self, site: &Site, application: &Application, session: &str, wif: &str, rest: &str) -> Running {
        Running::from_toml(&self.toml(site, application, session, wif, rest)).await
    }

    fn toml(&self, site: &Site, application: &Application, session: &str, wif: &str, rest: &str) -> String {
        let rest = format!("[federation.shop.wif]\n{}\n{wif}\n{rest}", self.keys);
        site.toml(application.address, Options { session, rest: &rest, ..Options::default() })
    }
}

const TO_NATIVE: &str = "format = \"native\"\naccept = [\"wif\"]";
const BACK_TO_WIF: &str = "format = \"wif\"\naccept = [\"native\"]";

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// The text of a cookie, as the original's cookie handler makes it (SM-16).
fn cookie(xml: &str) -> String {
    STANDARD.encode_to_string(format!("\u{feff}{xml}"))
}

pub(super) fn private_file(site: &Site, name: &str, content: &str) -> PathBuf {
    let file = site.folder.path().join(name);
    std::fs::write(&file, content).expect("written");
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("made private");
    file
}

fn names(browser: &Browser) -> Vec<&str> {
    browser.cookies.keys().map(String::as_str).collect()
}

fn set_cookies(answer: &Answer) -> Vec<&str> {
    answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str()).collect()
}

#[tokio::test]
async fn sessions_of_wif_go_on_as_native_ones() {
    for original in [
        |site: &Site| Original::of_machine_key(site, 0),
        |site: &Site| Original::of_machine_key(site, 1),
        |site: &Site| Original::of_rsa(site, "deflateRsaSha256", "sha256"),
        |site: &Site| Original::of_rsa(site, "deflateRsaSha1", "sha1"),
    ] {
        let (site, application) = (Site::new(), Application::hello().await);
        let original = original(&site);
        let gateway = original.gateway(&site, &application, TO_NATIVE, "", "").await;
        let mut browser = original.browser();
        let pieces = browser.cookies.len();
        let page = browser.open(&gateway, "/orders").await;
        assert_eq!((page.status, page.body.as_str()), (200, "hello"), "{page:?}");
        assert_eq!(names(&browser), ["__Host-session"], "{page:?}");
        let deleted = set_cookies(&page).iter().filter(|line| line.starts_with("FedAuth")).count();
        assert!(deleted >= pieces.max(2), "{page:?}");
        let page = browser.open(&gateway, "/orders").await;
        assert_eq!((page.status, set_cookies(&page).len()), (200, 0), "{page:?}");
        for request in application.received() {
            assert_eq!(request.headers()["x-user"], original.user);
            assert!(!request.headers().contains_key("cookie"), "own cookies stay here: {request:?}");
        }
    }
}

#[tokio::test]
async fn a_switch_over_can_be_rolled_back_session_by_session() {
    let (site, application) = (Site::new(), Application::hello().await);
    let original = Original::of_machine_key(&site, 0);
    let new = original.gateway(&site, &application, TO_NATIVE, "", "").await;
    let back = original.gateway(&site, &application, BACK_TO_WIF, "", "").await;

    let (mut taken_over, mut fresh) = (original.browser(), Browser::default());
    assert_eq!(taken_over.open(&new, "/").await.status, 200);
    fresh.sign_in(&site, &new, "/", "alice", &["admin"]).await;
    for (browser, user) in [(&mut taken_over, original.user.as_str()), (&mut fresh, "alice")] {
        let page = browser.open(&back, "/").await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(browser.session().is_none() && browser.cookies.contains_key("FedAuth"), "{page:?}");
        let written = set_cookies(&page).iter().find(|line| line.starts_with("FedAuth=")).copied();
        let written = written.expect("a cookie of WIF").to_owned();
        for attribute in ["Path=/", "Secure", "HttpOnly"] {
            assert!(written.contains(attribute), "{attribute} is missing in {written}");
        }
        assert_eq!(browser.open(&back, "/").await.status, 200);

        // What the original would read.
        let value: String =
            ["FedAuth", "FedAuth1"].iter().filter_map(|name| browser.cookies.get(*name)).cloned().collect();
        let file = site.folder.path().join("cookie.txt");
        std::fs::write(&file, &value).expect("written");
        let key = site.folder.path().join("machine-key.xml");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_handstamp"))
            .args(["token", "decode", "--format", "wif", "--machine-key"])
            .args([&key, &file])
            .output()
            .expect("the program starts");
        let decoded: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(decoded["identities"][0]["claims"][0]["value"], user);

        // And forth again.
        assert_eq!(browser.open(&new, "/").await.status, 200);
        assert!(browser.session().is_some() && !browser.cookies.contains_key("FedAuth"));
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_in_both_formats_sm_13() {
    let (site, application) = (Site::new(), Application::hello().await);
    let original = Original::of_machine_key(&site, 0);
    let store = format!(
        "[store]\nkind = \"sqlite\"\npath = \"{}/store.db\"\n[admin]\naddress = \"127.0.0.1:0\"",
        site.folder.path().display()
    );
    let gateway = original.gateway(&site, &application, TO_NATIVE, "", &store).await;
    let mut browser = original.browser();
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
    let native_copy = browser.clone();
    assert_eq!(browser.open(&gateway, "/signout").await.status, 303);
    assert!(browser.cookies.is_empty());
    // Also for a process that starts afterwards.
    let other = original.gateway(&site, &application, TO_NATIVE, "", &store.replace(":0\"", ":0\"\n")).await;
    for gateway in [&gateway, &other] {
        for mut copy in [native_copy.clone(), original.browser()] {
            let answer = copy.open(gateway, "/").await;
            assert_eq!(answer.status, 302, "{answer:?}");
            assert!(!copy.cookies.contains_key("FedAuth") && copy.session().is_none(), "and the cookie is deleted");
        }
    }
    let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let metrics = exchange(gateway.admin.expect("an admin listener"), request).await.expect("connected");
    for line in [
        "handstamp_sessions_taken_over_total{federation=\"shop\"} 1",
        "handstamp_sign_outs_total{federation=\"shop\"} 1",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn a_tampered_cookie_of_wif_is_a_clean_sign_in_sm_6() {
    let (site, application) = (Site::new(), Application::hello().await);
    let original = Original::of_machine_key(&site, 0);
    let gateway = original.gateway(&site, &application, TO_NATIVE, "", "").await;
    let length = original.cookie.len();
    let mut refused = 0;
    for at in (0..length).step_by(13) {
        let mut value = original.cookie.clone().into_bytes();
        value[at] = if value[at] == b'A' { b'B' } else { b'A' };
        let mut browser = Browser::default();
        browser.cookies.insert("FedAuth".to_owned(), String::from_utf8(value).expect("ASCII"));
        let answer = browser.open(&gateway, "/").await;
        assert!(!browser.cookies.contains_key("FedAuth"), "byte {at}: the cookie is deleted");
        match answer.status {
            302 => {
                assert!(browser.session().is_none(), "byte {at}");
                refused += 1;
            }
            // The XML around the protected bytes is not protected, and says nothing that is believed.
            status => assert_eq!(status, 200, "byte {at}: {answer:?}"),
        }
    }
    assert!(refused > length / 13 * 2 / 3, "{refused} of {} refused", length / 13);
    assert!(application.received().iter().all(|request| request.headers()["x-user"] == original.user));

    for garbage in ["", "garbage", "77u/PD94bWw", &STANDARD.encode_to_string("\u{feff}<?xml version=\"1.0\"?><a/>")] {
        let mut browser = Browser::default();
        browser.cookies.insert("FedAuth".to_owned(), garbage.to_owned());
        assert_eq!(browser.open(&gateway, "/").await.status, 302, "{garbage:?}");
    }
    let mut without_its_end = original.browser();
    without_its_end.cookies.insert("FedAuth".to_owned(), original.cookie[..length / 2].to_owned());
    assert_eq!(without_its_end.open(&gateway, "/").await.status, 302);
}

#[tokio::test]
async fn references_of_wif_lead_to_the_shared_store_and_become_sealed_ones() {
    let (site, application) = (Site::new(), Application::hello().await);
    let original = Original::of_machine_key(&site, 0);
    let store = format!("[store]\nkind = \"sqlite\"\npath = \"{}/store.db\"", site.folder.path().display());
    let wif = format!("references = true\nscopes = [\"{REALM}\"]");
    let gateway = |session: &str| {
        let session = format!("mode = \"reference\"\n{session}");
        let toml = original.toml(&site, &application, &session, &wif, &store);
        async move { Running::from_toml(&toml).await }
    };
    let (old, new) = (gateway("format = \"wif\"").await, gateway(TO_NATIVE).await);
    let mut browser = Browser::default();
    browser.sign_in(&site, &old, "/", "alice", &["a-role-with-a-name-that-makes-the-token-long"; 20]).await;
    assert!(browser.cookies["FedAuth"].len() < 600, "a reference: {:?}", browser.cookies);
    let reference = browser.clone();
    assert_eq!(browser.open(&new, "/").await.status, 200);
    assert!(browser.session().expect("a session").len() < 200 && !browser.cookies.contains_key("FedAuth"));
    assert_eq!(browser.open(&new, "/").await.status, 200);
    assert_eq!(application.received().pop().expect("a request").headers()["x-user"], "alice");
    // One entry of the store, whichever cookie leads to it.
    assert_eq!(reference.clone().open(&old, "/").await.status, 200);
    browser.open(&new, "/signout").await;
    assert_eq!(reference.clone().open(&new, "/").await.status, 302);
    // The other process takes revocations over about once a second.
    while reference.clone().open(&old, "/").await.status == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    // Without the option a reference is no session.
    let careful = original.gateway(&site, &application, TO_NATIVE, "", &store).await;
    assert_eq!(reference.clone().open(&careful, "/").await.status, 302);
}

#[tokio::test]
async fn keys_are_rotated_without_losing_a_session() {
    let (site, application) = (Site::new(), Application::hello().await);
    let original = Original::of_machine_key(&site, 0);
    let mut digits = String::new();
    for byte in 0..32 {
        let _ = write!(digits, "{byte:02X}");
    }
    let xml = format!(
        "<machineKey validation=\"HMACSHA256\" decryption=\"AES\" validationKey=\"{digits}\" decryptionKey=\"{digits}\"/>"
    );
    let fresh = private_file(&site, "fresh.xml", &xml);
    let rotated = Original {
        keys: original.keys.replace('[', &format!("[\"{}\", ", fresh.display())),
        user: original.user.clone(),
        cookie: original.cookie.clone(),
    };
    let gateway = rotated.gateway(&site, &application, TO_NATIVE, "", "").await;
    assert_eq!(original.browser().open(&gateway, "/").await.status, 200);
    let only_new = Original { keys: format!("machine_keys = [\"{}\"]", fresh.display()), ..rotated };
    let gateway = only_new.gateway(&site, &application, TO_NATIVE, "", "").await;
    assert_eq!(original.browser().open(&gateway, "/").await.status, 302);
}

#[tokio::test]
async fn keys_that_others_can_read_are_refused() {
    let (site, application) = (Site::new(), Application::hello().await);
    let original = Original::of_machine_key(&site, 0);
    let key = site.folder.path().join("machine-key.xml");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("opened");
    let toml = original.toml(&site, &application, TO_NATIVE, "", "");
    let config = handstamp::config::Config::parse(&toml, "handstamp.toml".as_ref()).expect("a good configuration");
    let refused = handstamp::gateway::Gateway::bind(&config).await.err().expect("it is refused");
    assert_eq!(refused.code(), "HST-KEYS-FILE-EXPOSED");
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
}

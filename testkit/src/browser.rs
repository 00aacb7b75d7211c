//! A real Chromium, driven through chromedriver.

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use std::ops::Deref;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How long an element may take to appear. Only ever reached by a page that is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with an empty profile. It ends with this value.
///
/// Commands come from the [`Client`] it dereferences to.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    // Dropped in this order: the driver ends the browser before its profile goes.
    driver: Child,
    _profile: TempDir,
}

/// The sizes at which pages are looked at, in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// 1280 by 800.
    Desktop,
    /// 390 by 844, three device pixels each, with touch.
    Phone,
}

impl Browser {
    /// Starts chromedriver on a port of its choice, and a browser with it.
    ///
    /// # Panics
    /// When either cannot be started: `cargo xtask test --only browser` installs what is missing.
    pub async fn start(screen: Screen) -> Self {
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts; cargo xtask test --only browser installs it");
        let stdout = driver.stdout.take().expect("standard output is a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let port = loop {
            let line = lines.next_line().await.expect("its output can be read").expect("chromedriver names its port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // Somebody has to read on, or the driver stops when the pipe is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });

        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(&profile, screen))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("Chromium starts");
        Self { client, driver, _profile: profile }
    }

    /// The visible text of the first element that matches a CSS selector, waiting until there is one.
    pub async fn text(&self, css: &str) -> String {
        loop {
            let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
            let element = match found {
                Ok(element) => element,
                Err(error) => panic!("no {css} on {}: {error}", self.url().await),
            };
            match element.text().await {
                Ok(text) => return text,
                // It went with its page, and the next one is coming.
                Err(error) if error.is_stale_element_reference() => {}
                Err(error) => panic!("{css} has no text: {error}"),
            }
        }
    }

    /// Waits until the page's address starts with `prefix`.
    pub async fn wait_for_url(&self, prefix: &str) {
        let arrived = async {
            while !self.url().await.starts_with(prefix) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, arrived).await.is_err() {
            panic!("not at {prefix} but at {}:\n{}", self.url().await, self.source().await.unwrap_or_default());
        }
    }

    /// The address of the page.
    pub async fn url(&self) -> String {
        self.client.current_url().await.expect("a page has an address").to_string()
    }

    /// Types into an input, replacing what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        let element =
            self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await.expect("the input is there");
        element.clear().await.expect("an input can be cleared");
        element.send_keys(text).await.expect("an input takes text");
    }

    /// Clicks an element.
    pub async fn click(&self, css: &str) {
        let element =
            self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await.expect("the element is there");
        element.click().await.expect("the element can be clicked");
    }

    /// Ends the browser in an orderly way.
    pub async fn close(mut self) {
        // What is left is killed with the driver.
        let _ = self.client.clone().close().await;
        let _ = self.driver.kill().await;
    }
}

impl Deref for Browser {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

fn capabilities(profile: &TempDir, screen: Screen) -> Capabilities {
    let profile = profile.path().display();
    let mut options = json!({
        "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--no-proxy-server", "--window-size=1280,800", format!("--user-data-dir={profile}"),
        ],
    });
    if screen == Screen::Phone {
        options["mobileEmulation"] =
            json!({ "deviceMetrics": { "width": 390, "height": 844, "pixelRatio": 3.0, "touch": true } });
    }
    let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": options });
    match capabilities {
        serde_json::Value::Object(map) => map,
        _ => Capabilities::default(),
    }
}

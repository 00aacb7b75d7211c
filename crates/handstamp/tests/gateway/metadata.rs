//! Issuers whose metadata is followed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::Response;

use super::browser::{Browser, REALM, STS, Site};
use super::support::{Application, Running, exchange};
use super::tls;

/// Where an issuer publishes its metadata.
pub(crate) struct Publisher {
    server: Application,
    document: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    pub(crate) async fn of(document: String) -> Self {
        let (document, asked) = (Arc::new(Mutex::new(document)), Arc::<AtomicUsize>::default());
        let (shown, count) = (Arc::clone(&document), Arc::clone(&asked));
        let server = Application::answering(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            let text = shown.lock().expect("no panic").clone();
            let status = if text.is_empty() { 503 } else { 200 };
            Response::builder().status(status).body(text).expect("an answer")
        })
        .await;
        Self { server, document, asked }
    }

    pub(crate) fn publish(&self, document: String) {
        *self.document.lock().expect("no panic") = document;
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn metadata(site: &Site) -> String {
    site.issuer.metadata(&[], &[]).expect("metadata")
}

fn fingerprint(site: &Site) -> String {
    let digest = site.issuer.signing_identity().certificate().sha256_thumbprint();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A gateway that knows of its issuer only where it publishes.
async fn gateway(site: &Site, publisher: &Publisher, application: &Application, issuer: &str) -> Running {
    let origin = format!("http://{}", publisher.server.address);
    gateway_of(site, &origin, application, issuer).await
}

/// The same, for an issuer that publishes at this origin.
async fn gateway_of(site: &Site, origin: &str, application: &Application, issuer: &str) -> Running {
    let folder = site.folder.path().display();
    Running::from_toml(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        trusted_proxies = ["127.0.0.1"]
        [admin]
        address = "127.0.0.1:0"
        [keys]
        path = "{folder}/keys.json"
        [issuer.sts]
        metadata = "{origin}/FederationMetadata/2007-06/FederationMetadata.xml"
        {issuer}
        [federation.shop]
        realm = "{REALM}"
        [web.app]
        upstream = "http://{}"
        sign_in = "required"
        claims_to_headers = {{ X-User = "name" }}
        "#,
        application.address
    ))
    .await
}

/// Waits until the issuer is known.
async fn known(gateway: &Running) {
    until("the issuer is known", async || Browser::default().open(gateway, "/").await.status == 302).await;
}

pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let since = Instant::now();
    while !holds().await {
        assert!(since.elapsed() < Duration::from_secs(30), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn metrics(gateway: &Running) -> String {
    let admin = gateway.admin.expect("an admin listener");
    exchange(admin, "GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").await.expect("an answer")
}

#[tokio::test]
async fn an_issuer_is_known_by_its_metadata_alone_sm_42() {
    let (site, application) = (Site::new(), Application::hello().await);
    let publisher = Publisher::of(metadata(&site)).await;
    let gateway = gateway(&site, &publisher, &application, "").await;
    known(&gateway).await;
    let mut browser = Browser::default();
    let challenge = browser.open(&gateway, "/").await;
    assert!(challenge.location().starts_with(STS), "{challenge:?}");
    let form = site.answer(challenge.location(), "alice", &[]);
    assert_eq!(browser.post(&gateway, "/signin-wsfed", &form).await.status, 303);
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
    assert_eq!(application.received()[0].headers()["x-user"], "alice");
    let metrics = metrics(&gateway).await;
    assert!(metrics.contains("handstamp_metadata_age_seconds{issuer=\"sts\"}"), "{metrics}");
    assert!(metrics.contains("handstamp_metadata_refreshes_total{issuer=\"sts\",result=\"ok\"} 1"), "{metrics}");
}

#[tokio::test]
async fn metadata_comes_over_tls_from_whom_the_authorities_vouch_for_sm_42() {
    let (site, application) = (Site::new(), Application::hello().await);
    let publisher = Publisher::of(metadata(&site)).await;
    let issuers = tls::certificate(site.folder.path(), "issuer.pem", "localhost");
    let strangers = tls::certificate(site.folder.path(), "stranger.pem", "localhost");
    // A gateway of ours ends TLS in front of the issuer, too.
    let front = Running::from_toml(&tls::toml(publisher.server.address, &issuers, "", "")).await;
    let origin = format!("https://localhost:{}", front.address.port());

    let authorities = format!("metadata_authorities = [\"{}\"]", issuers.display());
    let trusting = gateway_of(&site, &origin, &application, &authorities).await;
    known(&trusting).await;

    let asked = publisher.asked();
    let authorities = format!("metadata_authorities = [\"{}\"]", strangers.display());
    let wary = gateway_of(&site, &origin, &application, &authorities).await;
    let failed = "handstamp_metadata_refreshes_total{issuer=\"sts\",result=\"failed\"} 1";
    until("the handshake fails", async || metrics(&wary).await.contains(failed)).await;
    let answer = Browser::default().open(&wary, "/").await;
    assert!(answer.status == 503 && answer.body.contains("HST-METADATA-NONE"), "{answer:?}");
    assert_eq!(publisher.asked(), asked, "nothing was asked of a server that nobody vouches for");
}

#[tokio::test]
async fn a_new_signing_key_is_accepted_without_a_restart_sm_43() {
    let (site, rolled, application) = (Site::new(), Site::with_key(2), Application::hello().await);
    let publisher = Publisher::of(metadata(&site)).await;
    let gateway = gateway(&site, &publisher, &application, "").await;
    known(&gateway).await;
    let mut before = Browser::default();
    assert_eq!(before.sign_in(&site, &gateway, "/", "alice", &[]).await.status, 303);

    publisher.publish(metadata(&rolled));
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&rolled, &gateway, "/", "bob", &[]).await.status, 303, "the first sign-in already");
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
    assert_eq!(before.open(&gateway, "/").await.status, 200, "sessions go on");
    assert_eq!(Browser::default().sign_in(&site, &gateway, "/", "carol", &[]).await.status, 403, "the old key is gone");

    // Tokens with keys that nobody knows do not make us ask again and again.
    let asked = publisher.asked();
    let stranger = Site::with_key(3);
    for _ in 0..5 {
        assert_eq!(Browser::default().sign_in(&stranger, &gateway, "/", "eve", &[]).await.status, 403);
    }
    assert_eq!(publisher.asked(), asked);
}

#[tokio::test]
async fn garbage_and_metadata_of_attackers_are_refused_and_the_last_good_one_stays_sm_43() {
    let (site, attacker, application) = (Site::new(), Site::with_key(2), Application::hello().await);
    for (bad, issuer) in [
        ("<html>We are back soon</html>".to_owned(), String::new()),
        (String::new(), String::new()),
        // Somebody else's, well signed by somebody else, under the issuer's name.
        (metadata(&attacker), format!("metadata_signers = [\"{}\"]", fingerprint(&site))),
        // The issuer's own, changed on the way.
        (metadata(&site).replace("https://sts.example/wsfed", "https://sts.attacker/wsfed"), String::new()),
        // Another issuer's.
        (metadata(&site).replace("urn:sts", "urn:attacker"), String::new()),
    ] {
        let publisher = Publisher::of(metadata(&site)).await;
        let gateway = gateway(&site, &publisher, &application, &issuer).await;
        known(&gateway).await;
        publisher.publish(bad.clone());
        // A token of the attacker makes the gateway look, and not believe.
        let refused = Browser::default().sign_in(&attacker, &gateway, "/", "eve", &[]).await;
        assert_eq!(refused.status, 403, "{bad}");
        assert!(publisher.asked() >= 2, "it looked");
        let mut browser = Browser::default();
        assert_eq!(browser.sign_in(&site, &gateway, "/", "alice", &[]).await.status, 303, "{bad}");
        let metrics = metrics(&gateway).await;
        assert!(
            metrics.contains("handstamp_metadata_refreshes_total{issuer=\"sts\",result=\"failed\"} 1"),
            "{metrics}"
        );
    }
}

#[tokio::test]
async fn a_gateway_starts_with_kept_metadata_while_the_issuer_is_away() {
    let (site, application) = (Site::new(), Application::hello().await);
    let publisher = Publisher::of(metadata(&site)).await;
    let cache = site.folder.path().join("sts-metadata.xml");
    let issuer = format!("metadata_cache = \"{}\"", cache.display());
    {
        let gateway = gateway(&site, &publisher, &application, &issuer).await;
        known(&gateway).await;
        until("it is kept", async || cache.exists()).await;
    }
    publisher.publish(String::new());
    let started = gateway(&site, &publisher, &application, &issuer).await;
    assert_eq!(Browser::default().sign_in(&site, &started, "/", "alice", &[]).await.status, 303);

    // Without a copy people are told to wait; the gateway runs, and learns.
    let other = gateway(&site, &publisher, &application, "").await;
    let answer = Browser::default().open(&other, "/").await;
    assert!(answer.status == 503 && answer.body.contains("HST-METADATA-NONE"), "{answer:?}");
    assert!(answer.header("retry-after").is_some());
}

//! What a relying party publishes about itself, and keys that change while it runs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use handstamp::config::Config;
use handstamp_keys::{KeyKind, KeyPolicy, SigningIdentity, SystemRandom};
use handstamp_saml::TokenEncryption;
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_federation::{Issuer, IssuerSettings, RelyingPartyTrust};
use handstamp_xml::{Document, ParseOptions};
use handstamp_xml_security::signature::{Signature, VerificationKey, VerifyPolicy};

use super::browser::{Browser, Options, REALM, STS, Site};
use super::metadata::until;
use super::support::{Application, Running};

const METADATA: &str = "/FederationMetadata/2007-06/FederationMetadata.xml";

fn identity(file: &Path) -> SigningIdentity {
    let (now, hour) = (SystemClock.now(), Duration::from_secs(3600));
    let (from, to) = (now.saturating_sub(hour), now.saturating_add(hour));
    let identity = SigningIdentity::self_signed("shop", KeyKind::Rsa { bits: 2048 }, from, to, &SystemRandom);
    let identity = identity.expect("an identity");
    std::fs::write(file, identity.to_pem().expect("PEM").as_bytes()).expect("written");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("private");
    identity
}

/// A site whose issuer has imported a document: it encrypts for the certificate there.
fn importing(site: Site, document: &str) -> Site {
    let (_, key) = document.split_once("use=\"encryption\"").expect("a key to encrypt for");
    let (_, rest) = key.split_once("<ds:X509Certificate>").expect("a certificate");
    let der = base64_simd::STANDARD.decode_to_vec(rest.split('<').next().expect("text")).expect("base64");
    let certificate = handstamp_keys::Certificate::from_der(&der).expect("a certificate");
    let mut trust = RelyingPartyTrust::new(REALM, ["https://shop.example/signin-wsfed"]);
    trust.encryption = Some(TokenEncryption::new(certificate, &KeyPolicy::default()).expect("usable"));
    let pem = site.issuer.signing_identity().to_pem().expect("PEM");
    let signing = SigningIdentity::from_pem(pem.as_bytes(), &KeyPolicy::default()).expect("an identity");
    let issuer = Issuer::new(IssuerSettings::new("urn:sts", STS), Arc::new(signing), vec![trust]).expect("an issuer");
    Site { issuer, ..site }
}

async fn document(gateway: &Running) -> String {
    let answer = Browser::default().open(gateway, METADATA).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/samlmetadata+xml")));
    answer.body
}

#[tokio::test]
async fn an_issuer_imports_what_the_relying_party_publishes_and_keys_change_while_it_runs() {
    let (site, application) = (Site::new(), Application::hello().await);
    let folder = site.folder.path().to_owned();
    let (current, previous, signing) =
        (folder.join("current.pem"), folder.join("previous.pem"), folder.join("signing.pem"));
    let first = identity(&current);
    std::fs::copy(&current, &previous).expect("copied");
    let signer = identity(&signing);
    let federation = format!(
        "decryption_keys = [\"{}\", \"{}\"]\naudiences = [\"{REALM}\", \"urn:shop\"]\n\
         [federation.shop.metadata]\nclaim_types = [\"email\", \"urn:level\"]\nsigning_key = \"{}\"",
        current.display(),
        previous.display(),
        signing.display()
    );
    let gateway = site.gateway(application.address, Options { federation: &federation, ..Options::default() }).await;
    let published = document(&gateway).await;
    for text in [
        "entityID=\"https://shop.example/\"",
        "https://shop.example/signin-wsfed",
        "urn:shop",
        "urn:level",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        &first.certificate().to_base64(),
    ] {
        assert!(published.contains(text), "{text}: {published}");
    }
    let parsed = Document::parse(published.as_str(), &ParseOptions::default()).expect("XML");
    let signature = Signature::of_child(parsed.root()).expect("well formed").expect("signed");
    let key = VerificationKey::Public(signer.certificate().public_key(&KeyPolicy::default()).expect("a key"));
    let verified = signature.verify(key, &VerifyPolicy::asymmetric()).expect("it holds");
    assert!(verified.element(parsed.root()).is_some());
    let posted = Browser::default().send(&gateway, "POST", METADATA, "", "").await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));

    let site = importing(site, &published);
    assert_eq!(Browser::default().sign_in(&site, &gateway, "/", "alice", &[]).await.status, 303, "encrypted for it");

    // Another key, without a restart: the issuer that has not noticed yet is understood, and so is the one that has.
    let second = identity(&current);
    let certificate = second.certificate().to_base64();
    until("the new certificate is published", async || document(&gateway).await.contains(&certificate)).await;
    assert_eq!(Browser::default().sign_in(&site, &gateway, "/", "alice", &[]).await.status, 303, "the previous key");
    let published = document(&gateway).await;
    let noticed = importing(site, &published);
    assert_eq!(Browser::default().sign_in(&noticed, &gateway, "/", "alice", &[]).await.status, 303, "the current key");

    // A file that is broken changes nothing.
    std::fs::write(&current, "no key").expect("written");
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(Browser::default().sign_in(&noticed, &gateway, "/", "alice", &[]).await.status, 303);
}

#[tokio::test]
async fn sm_30_the_next_certificate_is_announced_and_a_rollover_keeps_nobody_out() {
    let (site, application) = (Site::new(), Application::hello().await);
    let (old, new) = (site.folder.path().join("2026.pem"), site.folder.path().join("2027.pem"));
    let certificates = [identity(&old), identity(&new)].map(|identity| identity.certificate().to_base64());
    let (old, new) = (old.display(), new.display());
    let toml = |site: &Site, keys: &str| {
        let federation = format!("{keys}\n[federation.shop.metadata]");
        site.toml(application.address, Options { federation: &federation, ..Options::default() })
    };
    let published = |document: &str| {
        let mut there: Vec<_> = certificates.iter().filter_map(|one| Some((document.find(one)?, one))).collect();
        there.sort();
        there.into_iter().map(|(_, one)| certificates.iter().position(|other| other == one)).collect::<Vec<_>>()
    };
    let gateway = Running::from_toml(&toml(&site, &format!("decryption_keys = [\"{old}\"]"))).await;
    let before = document(&gateway).await;
    assert_eq!(published(&before), [Some(0)]);
    let reload = async |site: &Site, keys: &str| {
        let config = Config::parse(&toml(site, keys), Path::new("handstamp.toml")).expect("a good configuration");
        gateway.reloader.reload(config).await.expect("taken over");
        document(&gateway).await
    };
    // Of two certificates an issuer may take either.
    let announced = reload(&site, &format!("decryption_keys = [\"{old}\"]\nnext_decryption_key = \"{new}\"")).await;
    assert_eq!(published(&announced), [Some(0), Some(1)]);
    let (_, from_the_second) = announced.split_once("use=\"encryption\"").expect("a certificate");
    let mut site = site;
    for read in [&before, announced.as_str(), from_the_second] {
        site = importing(site, read);
        assert_eq!(Browser::default().sign_in(&site, &gateway, "/", "alice", &[]).await.status, 303);
    }
    let after = reload(&site, &format!("decryption_keys = [\"{new}\", \"{old}\"]")).await;
    assert_eq!(published(&after), [Some(1)], "nobody begins with the previous one");
    for read in [&before, &after] {
        site = importing(site, read);
        assert_eq!(Browser::default().sign_in(&site, &gateway, "/", "alice", &[]).await.status, 303);
    }
}

#[tokio::test]
async fn a_pkcs12_file_decrypts_what_was_encrypted_for_its_certificate() {
    let (site, application) = (Site::new(), Application::hello().await);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../keys/tests/data");
    let password = site.folder.path().join("password");
    std::fs::write(&password, "secret\n").expect("written");
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).expect("private");
    // As OpenSSL 1 and Windows write them, and as modern programs do.
    for file in ["tripledes.p12", "aes128.p12"] {
        let copy = site.folder.path().join(file);
        std::fs::copy(data.join(file), &copy).expect("copied");
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).expect("private");
        let federation = format!(
            "decryption_keys = [\"{}\"]\ndecryption_password_file = \"{}\"\n[federation.shop.metadata]",
            copy.display(),
            password.display()
        );
        let gateway =
            site.gateway(application.address, Options { federation: &federation, ..Options::default() }).await;
        let imported = importing(Site::new(), &document(&gateway).await);
        std::fs::copy(imported.folder.path().join("sts.pem"), site.folder.path().join("sts.pem")).expect("copied");
        let gateway =
            site.gateway(application.address, Options { federation: &federation, ..Options::default() }).await;
        assert_eq!(Browser::default().sign_in(&imported, &gateway, "/", "alice", &[]).await.status, 303, "{file}");
    }
}

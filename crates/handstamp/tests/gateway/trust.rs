//! Issuers whose certificates an authority vouches for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use handstamp_keys::{KeyPolicy, SigningIdentity};
use handstamp_ws_federation::{Issuer, IssuerSettings, RelyingPartyTrust};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair};

use super::browser::{Browser, REALM, STS, Site};
use super::support::{Application, Running};

/// An authority, in the files of a folder.
struct Authority {
    issuer: rcgen::Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name = named(name);
        let key = KeyPair::generate().expect("a key");
        let file = folder.join(format!("{name}.pem"));
        std::fs::write(&file, parameters.self_signed(&key).expect("a root").pem()).expect("written");
        Self { issuer: rcgen::Issuer::new(parameters, key), file }
    }

    /// A site whose issuer calls itself `entity_id` and signs with a certificate of this authority about `subject`, which holds
    /// from the first of these years to the other.
    fn site(&self, subject: &str, entity_id: &str, (from, to): (i32, i32)) -> Site {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = named(subject);
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
        let identity = SigningIdentity::from_pem(pem.as_bytes(), &KeyPolicy::default()).expect("an identity");
        let trust = RelyingPartyTrust::new(REALM, ["https://shop.example/signin-wsfed"]);
        let issuer = Issuer::new(IssuerSettings::new(entity_id, STS), Arc::new(identity), vec![trust]);
        Site { issuer: issuer.expect("an issuer"), ..Site::new() }
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// What becomes of a sign-in at a gateway that trusts `authority`.
async fn sign_in(authority: &Authority, site: &Site, issuer: &str) -> (u16, String) {
    let application = Application::hello().await;
    let gateway = Running::from_toml(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        trusted_proxies = ["127.0.0.1"]
        [keys]
        path = "{}/keys.json"
        [issuer.sts]
        name = "urn:sts"
        sign_in_url = "{STS}"
        authorities = ["{}"]
        {issuer}
        [federation.shop]
        realm = "{REALM}"
        [web.app]
        upstream = "http://{}"
        sign_in = "required"
        "#,
        site.folder.path().display(),
        authority.file.display(),
        application.address
    ))
    .await;
    let answer = Browser::default().sign_in(site, &gateway, "/", "alice", &[]).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn an_issuer_is_trusted_when_an_authority_vouches_for_its_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, other) = (Authority::new(folder.path(), "ours"), Authority::new(folder.path(), "other"));
    const NOW: (i32, i32) = (2020, 2080);
    let site = ours.site("sts.example", "urn:sts", NOW);
    let subjects = "subjects = [\"CN=old.example\", \"CN=sts.example\"]";
    let named = format!("{subjects}\nentity_id = \"urn:sts\"");
    assert_eq!(sign_in(&ours, &site, subjects).await.0, 303);
    assert_eq!(sign_in(&ours, &site, &named).await.0, 303);
    // A new certificate of the authority is as good: nothing has to be configured anew.
    assert_eq!(sign_in(&ours, &ours.site("sts.example", "urn:sts", NOW), &named).await.0, 303);
    for (site, issuer, code) in [
        (other.site("sts.example", "urn:sts", NOW), subjects, "ID4175"),
        (ours.site("www.example", "urn:sts", NOW), subjects, "ID4175"),
        (ours.site("sts.example", "urn:sts", (2080, 2081)), subjects, "ID4175"),
        (ours.site("sts.example", "urn:sts", (2001, 2002)), subjects, "ID4175"),
        (ours.site("sts.example", "urn:other", NOW), &named, "HST-SAML-ISSUER"),
        // Signed by itself, with the right name.
        (Site::new(), "subjects = [\"CN=sts\"]", "ID4175"),
    ] {
        let (status, page) = sign_in(&ours, &site, issuer).await;
        assert_eq!(status, 403, "{code}");
        assert!(page.contains(code), "{code}: {page}");
    }
}

//! A web.config, imported and served: sessions of the old site hold here, and the old site can read those made here.

use std::path::Path;
use std::process::Command;

use handstamp::config::import::Import;
use handstamp_keys::DigestAlgorithm;
use handstamp_testkit::vectors;
use serde_json::Value;

use super::browser::{Browser, REALM, STS, Site};
use super::formats::{Original, private_file};
use super::support::{Application, Running};

/// The handler that every list of handlers begins with, as web.config files name it to remove it.
const DEFAULT_HANDLER: &str = "System.IdentityModel.Tokens.SessionSecurityTokenHandler, System.IdentityModel, \
                               Version=4.0.0.0, Culture=neutral, PublicKeyToken=B77A5C561934E089";

/// An old site: its session handler, somebody's session, and the arguments with which its cookies can be read.
struct OldSite {
    handler: String,
    machine_key: String,
    original: Original,
    decode: String,
}

impl OldSite {
    fn with_machine_key(site: &Site, case: usize) -> Self {
        let original = Original::of_machine_key(site, case);
        let file = site.folder.path().join("machine-key.xml");
        let handler =
            "<add type='System.IdentityModel.Services.Tokens.MachineKeySessionSecurityTokenHandler, S'/>".to_owned();
        let machine_key = std::fs::read_to_string(&file).expect("the element");
        Self { handler, machine_key, original, decode: format!("--machine-key {}", file.display()) }
    }

    fn with_rsa(site: &Site, transforms: [&str; 3], names: &str) -> Self {
        let mut original = Original::of_rsa(site, "deflateRsaSha256", "sha256");
        let key = site.folder.path().join("farm.pem");
        let decode = format!("--transforms {names} --rsa-key {}", key.display());
        if names != "deflate,rsa-sign,rsa-encrypt" {
            // The golden cookies are all signed first; the other order differs in nothing but that.
            original.cookie = encode_forms_login(site, &decode);
        }
        let elements = transforms.map(|name| format!("<add type='System.IdentityModel.{name}CookieTransform, S'/>"));
        let handler = format!("<add type='Contoso.Sessions, C'><transforms>{}</transforms></add>", elements.concat());
        Self { handler, machine_key: String::new(), original, decode }
    }

    fn web_config(&self, thumbprint: &str) -> String {
        let Self { handler, machine_key, .. } = self;
        format!(
            r#"<configuration>
  <system.web>{machine_key}</system.web>
  <system.identityModel>
    <identityConfiguration>
      <audienceUris><add value="{REALM}"/></audienceUris>
      <issuerNameRegistry type="System.IdentityModel.Tokens.ConfigurationBasedIssuerNameRegistry, S">
        <trustedIssuers><add thumbprint="{thumbprint}" name="urn:sts"/></trustedIssuers>
      </issuerNameRegistry>
      <securityTokenHandlers>
        <remove type="{DEFAULT_HANDLER}"/>
        {handler}
      </securityTokenHandlers>
    </identityConfiguration>
  </system.identityModel>
  <system.identityModel.services>
    <federationConfiguration><wsFederation issuer="{STS}" realm="{REALM}"/></federationConfiguration>
  </system.identityModel.services>
</configuration>"#
        )
    }

    /// The gateway of the imported file, completed by what no web.config knows.
    async fn gateway(&self, site: &Site, application: &Application) -> Running {
        let folder = site.folder.path();
        let import = Import::read(self.web_config(&thumbprint(&folder.join("sts.pem")))).expect("a good web.config");
        if let Some(element) = import.machine_key() {
            assert_eq!(element, self.machine_key);
            private_file(site, "imported.xml", element);
        }
        let (application, place) = (application.address, folder.display());
        let imported = import
            .toml()
            .replace(Import::MACHINE_KEY_FILE, &format!("{place}/imported.xml"))
            .replace("service-certificate.pem", &format!("{place}/farm.pem"))
            .replace("address = \"127.0.0.1:8080\"", "address = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]");
        let rest = format!(
            r#"
            [keys]
            path = "{place}/keys.json"
            [web.app]
            upstream = "http://{application}"
            sign_in = "required"
            claims_to_headers = {{ X-User = "name" }}
            "#
        );
        Running::from_toml(&format!("{imported}{rest}")).await
    }

    /// What the old site sees in a browser's cookie.
    fn read(&self, site: &Site, browser: &Browser) -> Value {
        let names = ["FedAuth".to_owned()].into_iter().chain((1..8).map(|index| format!("FedAuth{index}")));
        let value: String = names.filter_map(|name| browser.cookies.get(&name).cloned()).collect();
        let file = site.folder.path().join("cookie.txt");
        std::fs::write(&file, value).expect("written");
        serde_json::from_str(&run(&format!("token decode --format wif {}", self.decode), &file)).expect("JSON")
    }
}

/// The golden session `forms-login` behind other transforms.
fn encode_forms_login(site: &Site, transforms: &str) -> String {
    let vectors = vectors::load("session_token");
    let case = vectors["cases"].as_array().expect("cases").iter().find(|case| case["name"] == "forms-login");
    let file = site.folder.path().join("token.json");
    std::fs::write(&file, case.expect("the case")["token"].to_string()).expect("written");
    run(&format!("token encode --format wif --output cookie {transforms}"), &file).trim_end().to_owned()
}

fn run(arguments: &str, file: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_handstamp"))
        .args(arguments.split(' '))
        .arg(file)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The thumbprint by which a web.config names a certificate.
fn thumbprint(pem: &Path) -> String {
    let pem = std::fs::read_to_string(pem).expect("the certificate");
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64_simd::STANDARD.decode_to_vec(base64).expect("base64");
    DigestAlgorithm::Sha1.digest(&der).as_bytes().iter().map(|byte| format!("{byte:02X}")).collect()
}

#[tokio::test]
async fn sm_44_an_imported_web_config_goes_on_with_the_old_sites_sessions() {
    let old_sites = [
        |site: &Site| OldSite::with_machine_key(site, 0),
        |site: &Site| OldSite::with_machine_key(site, 1),
        |site: &Site| {
            OldSite::with_rsa(site, ["Deflate", "RsaSignature", "RsaEncryption"], "deflate,rsa-sign,rsa-encrypt")
        },
        |site: &Site| {
            OldSite::with_rsa(site, ["Deflate", "RsaEncryption", "RsaSignature"], "deflate,rsa-encrypt,rsa-sign")
        },
    ];
    for old_site in old_sites {
        let (site, application) = (Site::new(), Application::hello().await);
        let old = old_site(&site);
        let gateway = old.gateway(&site, &application).await;

        let mut known = old.original.browser();
        let before = known.cookies.clone();
        let page = known.open(&gateway, "/orders").await;
        assert_eq!((page.status, page.body.as_str()), (200, "hello"), "{}: {page:?}", old.decode);
        assert_eq!(known.cookies, before, "the old site goes on with its own cookie");

        let mut fresh = Browser::default();
        let done = fresh.sign_in(&site, &gateway, "/orders", "alice", &["admin"]).await;
        assert_eq!(done.status, 303, "{}: {done:?}", old.decode);
        assert_eq!(fresh.open(&gateway, "/orders").await.status, 200, "{}", old.decode);
        let claims = &old.read(&site, &fresh)["identities"][0]["claims"];
        assert!(claims.as_array().expect("claims").iter().any(|claim| claim["value"] == "alice"), "{claims}");

        let users: Vec<_> = application.received().iter().map(|request| request.headers()["x-user"].clone()).collect();
        assert_eq!(users, [old.original.user.as_str(), "alice"], "{}", old.decode);

        // Another site's cookie is nobody's.
        let mut stranger = old.original.browser();
        let cookie = stranger.cookies.get_mut("FedAuth").expect("a cookie");
        let middle = cookie.len() / 2;
        let other = if cookie.as_bytes()[middle] == b'A' { "B" } else { "A" };
        cookie.replace_range(middle..=middle, other);
        assert_eq!(stranger.open(&gateway, "/orders").await.status, 302, "{}", old.decode);
    }
}

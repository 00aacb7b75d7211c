//! Other people's implementations of WS-Federation, in both roles: npm's `wsfed` and `saml` as issuers, and
//! `passport-wsfed-saml2` as relying party. `cargo xtask test --only interop` installs them and runs this.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]
#![allow(clippy::print_stdout, reason = "what the gateway logs explains a failure")]

use handstamp_keys::{KeyKind, SigningIdentity, SystemRandom};
use handstamp_testkit::agent::Agent;
use handstamp_testkit::ports::ReservedPort;
use handstamp_testkit::program::Program;
use handstamp_time::{Clock as _, SystemClock};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

const FORMS: [&str; 4] = ["saml11", "saml11-encrypted", "saml20", "saml20-encrypted"];
const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn sm_30_the_gateway_accepts_tokens_of_npms_issuers() {
    let site = Site::start().await;
    for form in FORMS {
        let mut agent = Agent::new();
        let page = agent.navigate(&format!("{}/{form}/orders", site.gateway)).await;
        assert!(page.url.to_string().starts_with(&format!("{}/issuer/{form}?", site.peer.ready("url"))), "{page:?}");
        assert_eq!(page.body.contains("EncryptedData"), form.ends_with("-encrypted"), "{form}: {}", page.body);
        let answer = agent.submit(&page, &[]).await;
        assert_eq!(answer.status, 200, "{form}: {}", answer.body);
        let headers: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(headers["x-user"], "Alice & Bob", "{form}");
        assert_eq!(headers["x-roles"], "clerk,reader", "{form}");
    }
}

#[tokio::test]
async fn sm_30_npms_relying_party_accepts_our_tokens() {
    let site = Site::start().await;
    for form in FORMS {
        let mut agent = Agent::new();
        let page = agent.navigate(&format!("{}/rp/{form}", site.peer.ready("url"))).await;
        let post = agent.submit(&page, &[("username", "ada"), ("password", PASSWORD)]).await;
        assert_eq!(post.body.contains("EncryptedData"), form.ends_with("-encrypted"), "{form}: {}", post.body);
        let answer = agent.submit(&post, &[]).await;
        assert_eq!(answer.status, 200, "{form}: {}", answer.body);
        let seen: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(seen["encrypted"], form.ends_with("-encrypted"), "{form}");
        assert_eq!(seen["user"]["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"], "ada", "{form}");
        assert_eq!(
            seen["user"]["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"],
            "ada@example.com"
        );
    }
}

#[tokio::test]
async fn sm_42_the_gateway_follows_the_metadata_of_npms_issuer() {
    let site = Site::start().await;
    let address = format!("{}/followed/orders", site.gateway);
    let page = loop {
        let page = Agent::new().navigate(&address).await;
        // Until the metadata has come.
        if page.status != 503 {
            break page;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(page.url.to_string().starts_with(&format!("{}/issuer/saml11?", site.peer.ready("url"))), "{page:?}");
    let mut agent = Agent::new();
    let page = agent.navigate(&address).await;
    let answer = agent.submit(&page, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let headers: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&headers["x-user"], &headers["x-roles"]), (&json!("Alice & Bob"), &json!("clerk,reader")));
}

#[tokio::test]
async fn sm_42_people_choose_between_two_of_npms_issuers() {
    let site = Site::start().await;
    for (issuer, form) in [("saml11", "saml11"), ("saml20-encrypted", "saml20-encrypted")] {
        let mut agent = Agent::new();
        let page = agent.navigate(&format!("{}/several/orders", site.gateway)).await;
        assert!(page.body.contains(&format!("whr={issuer}&#38;")), "{}", page.body);
        let page = agent.navigate(&format!("{}/several-signin?whr={issuer}&ru=/several/orders", site.gateway)).await;
        assert!(page.url.to_string().starts_with(&format!("{}/issuer/{form}?", site.peer.ready("url"))), "{page:?}");
        let answer = agent.submit(&page, &[]).await;
        assert_eq!(answer.status, 200, "{form}: {}", answer.body);
        let headers: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(headers["x-user"], "Alice & Bob", "{form}");
    }
}

/// A gateway with the token service, and the peer, each in a process of its own.
struct Site {
    gateway: String,
    peer: Program,
    _gateway: Child,
    _folder: TempDir,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        identity(&file("issuer.pem"));
        identity(&file("decryption.pem"));
        // Both ends have to know each other's address before either starts.
        let reserved = ReservedPort::new();
        let port = reserved.number();
        let gateway = format!("http://127.0.0.1:{port}");
        let settings = json!({
            "issuerKey": file("issuer.pem"),
            "issuerCertificate": file("issuer.crt"),
            "encryptionCertificate": file("decryption.crt"),
            "decryptionKey": file("decryption.pem"),
            "stsUrl": format!("{gateway}/sts/wsfed"),
            "stsCertificate": file("handstamp-sts.crt"),
        });
        std::fs::write(file("peer.json"), settings.to_string()).unwrap();
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/wsfed");
        let installed = peers.join("node_modules").exists();
        assert!(installed, "install the peers: `cargo xtask test --only interop`, or `npm ci` in interop/wsfed");
        let peer = Program::start("node", [peers.join("peer.js"), file("peer.json")]).await;
        std::fs::write(file("handstamp.toml"), configuration(port, &gateway, peer.ready("url"))).unwrap();
        run(folder.path(), &["keys", "init"], "").await;
        let password = format!("{PASSWORD}\n");
        run(folder.path(), &["account", "add", "ada", "--claim", "email=ada@example.com"], &password).await;
        Self { gateway, peer, _gateway: serve(folder.path()).await, _folder: folder }
    }
}

/// A key with a certificate in one file, and the certificate alone beside it.
fn identity(file: &Path) {
    let now = SystemClock.now();
    let hour = Duration::from_secs(3600);
    let (from, to) = (now.saturating_sub(hour), now.saturating_add(hour));
    let identity = SigningIdentity::self_signed("peer", KeyKind::Rsa { bits: 2048 }, from, to, &SystemRandom).unwrap();
    identity.create(file).unwrap();
    std::fs::write(file.with_extension("crt"), identity.certificate().to_pem()).unwrap();
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handstamp"));
    command.args(arguments).args(["--config", "handstamp.toml"]).current_dir(folder).env_remove("HANDSTAMP_LOG");
    command.kill_on_drop(true);
    command
}

async fn run(folder: &Path, arguments: &[&str], input: &str) {
    let mut command = command(folder, arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    assert!(child.wait().await.unwrap().success(), "{arguments:?}");
}

/// `handstamp serve`, once it listens.
async fn serve(folder: &Path) -> Child {
    let mut child = command(folder, &["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("it says where it listens");
        if line.contains("\"listener\":\"public\"") {
            break;
        }
        println!("{line}");
    }
    // Somebody has to read on, or the program waits when the pipe is full.
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            println!("{line}");
        }
    });
    child
}

fn configuration(port: u16, gateway: &str, peer: &str) -> String {
    let mut toml = format!(
        "[listener.public]\naddress = \"127.0.0.1:{port}\"\n\
         [log]\nformat = \"json\"\n\
         [sts]\npath = \"/sts\"\npublic_url = \"{gateway}\"\nentity_id = \"urn:handstamp:sts\"\n\
         cookie_name = \"sts\"\ncookie_secure = false\n"
    );
    for (name, issuer, keys) in [
        ("followed", "\"followed\"", ""),
        ("several", "[\"saml11\", \"saml20-encrypted\"]", "decryption_keys = [\"decryption.pem\"]\n"),
    ] {
        write!(
            toml,
            "[federation.{name}]\nrealm = \"urn:handstamp:{name}\"\nissuer = {issuer}\npublic_url = \"{gateway}\"\n\
             reply_path = \"/{name}-signin\"\nsign_out_path = \"/{name}-signout\"\nsigned_out_path = \"/{name}-bye\"\n{keys}\
             [federation.{name}.cookie]\nname = \"session-{name}\"\nsecure = false\n\
             [web.{name}]\npath = \"/{name}\"\nupstream = \"{peer}\"\nsign_in = \"required\"\nfederation = \"{name}\"\n\
             claims_to_headers = {{ X-User = \"name\", X-Roles = \"role\" }}\n"
        )
        .unwrap();
    }
    write!(
        toml,
        "[issuer.followed]\nentity_id = \"urn:peer:issuer\"\n\
         metadata = \"{peer}/followed/FederationMetadata/2007-06/FederationMetadata.xml\"\n"
    )
    .unwrap();
    for form in FORMS {
        let token = if form.starts_with("saml11") { "saml-1.1" } else { "saml-2.0" };
        let (decryption, encryption) = match form.ends_with("-encrypted") {
            true => (
                "decryption_keys = [\"decryption.pem\"]\n",
                "encryption_certificate = \"decryption.crt\"\nencryption = \"aes-256-cbc\"\n",
            ),
            false => ("", ""),
        };
        write!(
            toml,
            "[issuer.{form}]\nname = \"urn:peer:{form}\"\nsign_in_url = \"{peer}/issuer/{form}\"\ncertificates = [\"issuer.crt\"]\n\
             [federation.{form}]\nrealm = \"urn:handstamp:{form}\"\nissuer = \"{form}\"\npublic_url = \"{gateway}\"\n\
             reply_path = \"/{form}-signin\"\nsign_out_path = \"/{form}-signout\"\nsigned_out_path = \"/{form}-bye\"\n\
             {decryption}\
             [federation.{form}.cookie]\nname = \"session-{form}\"\nsecure = false\n\
             [web.{form}]\npath = \"/{form}\"\nupstream = \"{peer}\"\nsign_in = \"required\"\nfederation = \"{form}\"\n\
             claims_to_headers = {{ X-User = \"name\", X-Roles = \"role\" }}\n\
             [sts.relying_party.{form}]\nrealm = \"urn:peer:{form}\"\nreply_urls = [\"{peer}/rp/{form}/callback\"]\n\
             token = \"{token}\"\n{encryption}"
        )
        .unwrap();
    }
    toml
}

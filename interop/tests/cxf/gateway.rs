//! Gateway routes between the peer and programs that know nothing of WS-Security (`interop/soap`).

use handstamp::config::Config;
use handstamp::gateway::Gateway;
use handstamp::shutdown::{self, Trigger};
use handstamp::sts::{AccountStore, NewAccount, PasswordCost, PasswordHasher, PasswordText, UserName};
use handstamp_interop::endpoints::{Client, Endpoint};
use handstamp_interop::ours::Identities;
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_time::{Clock as _, SystemClock};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Both routes of an endpoint, until it is dropped.
pub(crate) struct Gateways {
    /// Where secure sessions end, before the plain service.
    pub(crate) secured: String,
    plain: String,
    credentials: Option<&'static str>,
    _trigger: Trigger,
}

/// What routes need besides WSDLs and certificates: keys of sessions, and accounts.
pub(crate) async fn prepare(folder: &Path) {
    let now = SystemClock.now();
    let policy = RotationPolicy::for_lifetime(Duration::from_secs(10 * 3600));
    KeyRing::init(&folder.join("handstamp-keys.json"), policy, now, &SystemRandom).unwrap();
    let identities = Identities::read(folder);
    for (name, identity) in [("alice", &identities.alice), ("bob", &identities.bob), ("tls", &identities.tls)] {
        std::fs::write(folder.join(format!("{name}.crt")), identity.certificate().to_pem()).unwrap();
    }
    let accounts = AccountStore::open(&folder.join("accounts.db")).unwrap();
    let hasher = PasswordHasher::new(PasswordCost { memory: 64, passes: 1 }, &SystemRandom).unwrap();
    for credentials in [ABCD, ALICE] {
        let (name, password) = credentials.split_once(':').unwrap();
        let password_hash = hasher.hash(PasswordText::new(password.to_owned()), &SystemRandom).await.unwrap();
        let (user_name, subject) = (UserName::parse(name).unwrap(), format!("subject-{name}"));
        accounts.create(&NewAccount { user_name, subject, password_hash, claims: Vec::new() }, now).unwrap();
    }
}

impl Gateways {
    /// A gateway before the plain service, and towards the peer's.
    pub(crate) async fn start(endpoint: &Endpoint, folder: &Path, service: &PlainService, theirs: &str) -> Self {
        let name = endpoint.name;
        let credentials = match (endpoint.client, endpoint.is_over_transport()) {
            (_, true) => Some(ALICE),
            (Client::UserName, false) => Some(ABCD),
            _ => None,
        };
        let callers = if credentials.is_some() { "basic" } else { "configured" };
        let toml = format!(
            r#"
            [listener.plain]
            address = "127.0.0.1:0"
            [listener.tls]
            address = "127.0.0.1:0"
            [listener.tls.tls.certificate.own]
            chain = "tls.pem"
            key = "tls.pem"

            [soap.secured]
            mode = "terminate"
            path = "/secured"
            upstream = "http://{}/"
            wsdl = "{name}.wsdl"
            identity = "bob.pem"
            peer_certificates = ["alice.crt"]
            accounts = "accounts.db"
            claims_to_headers = {{ X-User = "name" }}

            [soap.plain]
            mode = "initiate"
            path = "/plain"
            upstream = "{theirs}"
            upstream_tls = {{ authorities = ["tls.crt"] }}
            wsdl = "{name}.wsdl"
            identity = "alice.pem"
            peer_certificates = ["bob.crt"]
            callers = "{callers}"
            "#,
            service.address
        );
        let toml = if theirs.starts_with("https") { toml } else { toml.replace("upstream_tls", "# upstream_tls") };
        let config = Config::parse(&toml, &folder.join("handstamp.toml")).unwrap();
        let gateway = Gateway::bind(&config).await.unwrap();
        let address = |listener| gateway.address(listener).unwrap();
        let (plain, tls) = (address("plain"), address("tls"));
        let origin = if endpoint.is_over_transport() { format!("https://{tls}") } else { format!("http://{plain}") };
        let (trigger, end) = shutdown::channel();
        tokio::spawn(gateway.serve(end));
        Self {
            secured: format!("{origin}/secured"),
            plain: format!("http://{plain}/plain"),
            credentials,
            _trigger: trigger,
        }
    }

    /// Whether the plain service was told who called it, twice: the name that was signed in with, the subject and the thumbprint of the
    /// certificate, or nobody.
    pub(crate) fn told_caller(&self, endpoint: &Endpoint, service: &PlainService) -> Result<(), String> {
        let wanted = match (self.credentials, endpoint.client) {
            (Some(credentials), _) => credentials.split(':').next().unwrap(),
            (None, Client::Certificate) => "CN=alice; ",
            (None, _) => "-",
        };
        let callers = service.callers();
        let is_told = callers.len() == 2 && callers.iter().all(|caller| caller.starts_with(wanted));
        is_told.then_some(()).ok_or_else(|| format!("the service was called by {callers:?}"))
    }

    /// What each plain client has to say about two calls of the peer's service.
    pub(crate) fn call(&self) -> Vec<Result<(), String>> {
        let wsdl = format!("{}?wsdl", self.plain);
        let mut zeep = Command::new(programs().join("venv/bin/python"));
        zeep.arg(programs().join("ping.py")).args([&wsdl, "ping"]).args(self.credentials);
        let mut soap = Command::new("node");
        soap.arg(programs().join("ping.js")).args([&wsdl, "ping"]).args(self.credentials);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--compressed"]);
        curl.args(["--header", "Content-Type: application/soap+xml; charset=utf-8", "--data", ENVELOPE, &self.plain]);
        if let Some(credentials) = self.credentials {
            curl.args(["--user", credentials]);
        }
        let programs = [("zeep", zeep, "zeep : ping"), ("soap", soap, "soap : ping"), ("curl", curl, "curl : ping")];
        programs.map(|(name, program, wanted)| said(name, program, wanted)).into()
    }
}

const ABCD: &str = "abcd:dcba-dcba";
const ALICE: &str = "Alice:ecilA-ecilA";

/// What curl sends: no action, which is that of the body's element.
const ENVELOPE: &str = "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body>\
    <PingRequest xmlns=\"http://xmlsoap.org/Ping\"><origin>curl</origin><text>ping</text></PingRequest></e:Body></e:Envelope>";

/// Where `cargo xtask test --only interop` installs what plain programs need.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("soap")
}

fn said(name: &str, mut program: Command, wanted: &str) -> Result<(), String> {
    let output = program.output().map_err(|error| format!("{name} does not start: {error}"))?;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let is_wanted = output.status.success() && text.contains(wanted);
    is_wanted.then_some(()).ok_or_else(|| format!("{name}: {} {}", text.trim(), errors.trim()))
}

/// The plain service, a Python program. Dropping it ends it.
pub(crate) struct PlainService {
    child: Child,
    address: String,
}

impl PlainService {
    pub(crate) fn start() -> Self {
        let mut program = Command::new("python3");
        let mut child = program.arg(programs().join("service.py")).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    /// Whom it was told to be called by, since the last time.
    pub(crate) fn callers(&self) -> Vec<String> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.lines().map(str::to_owned).collect()
    }
}

impl Drop for PlainService {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

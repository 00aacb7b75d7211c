//! The proxies, and the application behind them: each a process of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use tempfile::TempDir;

use crate::BODY;
use crate::issuer::{CLIENT, Issuer};
use crate::sealed_session::REALM;

/// The folder that all of them are set up in.
pub(crate) struct Setting(TempDir);

/// A running process. It ends when this is dropped.
pub(crate) struct Program {
    process: Child,
    address: SocketAddr,
}

impl Setting {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// The gateway's key ring.
    pub(crate) fn keys(&self) -> PathBuf {
        self.0.path().join("keys.json")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }
}

impl Program {
    /// An application that costs as little as it can.
    pub(crate) fn application(setting: &Setting) -> Self {
        let address = free_address();
        let server = format!(
            "server {{ listen {address}; keepalive_requests 1000000000; \
             location / {{ default_type text/html; return 200 \"{BODY}\"; }} }}"
        );
        Self::run_nginx(setting, "application", Cores::Others, address, &server)
    }

    /// nginx passing everything on, with as many headers as are usual.
    pub(crate) fn nginx(setting: &Setting, application: &Self) -> Self {
        let address = free_address();
        let server = format!(
            "upstream application {{ server {}; keepalive 64; keepalive_requests 1000000000; }}\n\
             server {{ listen {address}; keepalive_requests 1000000000; location / {{\n\
             proxy_pass http://application; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
             proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;\n\
             proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;\n\
             proxy_set_header X-Request-Id $request_id; }} }}",
            application.address
        );
        Self::run_nginx(setting, "proxy", Cores::First, address, &server)
    }

    /// Our gateway, and the address of its listener that demands a session.
    pub(crate) fn handstamp(setting: &Setting, application: &Self) -> (Self, String) {
        KeyRing::init(&setting.keys(), RotationPolicy::default(), SystemClock.now(), &SystemRandom).expect("keys");
        let (open, guarded, upstream) = (free_address(), free_address(), application.address);
        let fingerprint = "ab".repeat(32);
        let configuration = format!(
            r#"
            [keys]
            path = "keys.json"
            [listener.open]
            address = "{open}"
            [listener.guarded]
            address = "{guarded}"
            trusted_proxies = ["192.0.2.1"]
            [issuer.sts]
            sign_in_url = "https://sts.example/"
            fingerprints = ["{fingerprint}"]
            [federation.shop]
            realm = "{REALM}"
            [web.open]
            listeners = ["open"]
            upstream = "http://{upstream}"
            [web.guarded]
            listeners = ["guarded"]
            upstream = "http://{upstream}"
            sign_in = "required"
            required_roles = ["role3"]
            claims_to_headers = {{ X-User = "name", X-Email = "email", X-Roles = "role" }}
            "#
        );
        let file = setting.write("handstamp.toml", &configuration);
        let mut command = Command::new(env!("CARGO_BIN_EXE_handstamp"));
        command.args(["serve", "--config"]).arg(file).env_remove("HANDSTAMP_LOG");
        (Self::start(command, Cores::First, open), format!("http://{guarded}"))
    }

    /// oauth2-proxy, which hands user, address and groups on in headers, too, and logs no requests either. None where it is not
    /// installed.
    pub(crate) fn oauth2_proxy(setting: &Setting, application: &Self, issuer: &Issuer) -> Option<Self> {
        let program = std::env::var_os("OAUTH2_PROXY").map_or_else(|| "oauth2-proxy".into(), PathBuf::from);
        Command::new(&program).arg("--version").output().ok()?;
        let address = free_address();
        let secret = setting.write("secret", "0123456789abcdef0123456789abcdef");
        let mut command = Command::new(program);
        command.args([
            "--provider=oidc",
            "--client-secret=secret",
            "--email-domain=*",
            "--cookie-secure=false",
            "--skip-provider-button",
            "--skip-auth-route=^/open",
            "--pass-user-headers",
            "--request-logging=false",
            "--auth-logging=false",
            "--standard-logging=false",
        ]);
        command.arg(format!("--client-id={CLIENT}"));
        command.arg(format!("--oidc-issuer-url={}", issuer.url()));
        command.arg(format!("--http-address={address}"));
        command.arg(format!("--upstream=http://{}", application.address));
        command.arg(format!("--redirect-url=http://{address}/oauth2/callback"));
        command.arg(format!("--cookie-secret-file={}", secret.display()));
        Some(Self::start(command, Cores::First, address))
    }

    fn run_nginx(setting: &Setting, name: &str, cores: Cores, address: SocketAddr, server: &str) -> Self {
        let path = setting.0.path().display();
        let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {path}/{name}-{kind};\n"))
            .collect();
        let configuration = format!(
            "daemon off; master_process off; pid {path}/{name}.pid; error_log {path}/{name}.log;\n\
             events {{}}\nhttp {{ access_log off;\n{folders}{server}\n}}\n"
        );
        let file = setting.write(&format!("{name}.conf"), &configuration);
        let mut command = Command::new("/usr/sbin/nginx");
        command.args(["-p", ".", "-e", "stderr", "-c"]).arg(file).current_dir(setting.0.path());
        Self::start(command, cores, address)
    }

    fn start(command: Command, cores: Cores, address: SocketAddr) -> Self {
        let mut command = cores.keep(command);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut program = Self { process: process.expect("it starts"), address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = program.process.try_wait().expect("a child");
            assert!(ended.is_none() && began.elapsed() < Duration::from_secs(60), "{command:?} does not serve");
            std::thread::sleep(Duration::from_millis(10));
        }
        program
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the process spent so far, all threads together, in user space and in the kernel.
    pub(crate) fn processor_time(&self) -> Duration {
        let status = self.read("stat");
        // The name, in parentheses, may hold anything; the third field follows it.
        let (_, fields) = status.rsplit_once(')').expect("a name");
        let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// What it holds in memory, in mebibytes.
    pub(crate) fn memory(&self) -> f64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(Path::new("/proc").join(self.process.id().to_string()).join(file)).expect("a process")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a program runs. A proxy has a core of its own, so that it never waits for its load and its application, nor they for it: how
/// often a program sleeps and wakes changes what a request costs it more than what it does for the request.
#[derive(Clone, Copy)]
pub(crate) enum Cores {
    /// The proxies, of which one works at a time.
    First,
    /// The load, and the application.
    Others,
}

impl Cores {
    /// Keeps a program there, if there is more than one core.
    pub(crate) fn keep(self, command: Command) -> Command {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        if count == 1 {
            return command;
        }
        let cores = match self {
            Self::First => "0".to_owned(),
            Self::Others => format!("1-{}", count - 1),
        };
        let mut kept = Command::new("taskset");
        kept.args(["--cpu-list", &cores]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => kept.env(name, value),
                None => kept.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            kept.current_dir(folder);
        }
        kept
    }
}

/// An address that was free a moment ago, for programs that cannot be given a socket.
fn free_address() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("an address")
}

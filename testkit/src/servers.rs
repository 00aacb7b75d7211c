//! Servers that stores keep their data in: each in a folder and on a port of its own, gone when it is dropped.

use crate::ports::ReservedPort;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A Redis without persistence: what is in it ends with it.
#[derive(Debug)]
pub struct RedisServer {
    process: Option<Child>,
    port: ReservedPort,
    folder: TempDir,
    tls: bool,
}

impl RedisServer {
    /// Starts one; none where Redis is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(None)
    }

    /// The same, speaking nothing but TLS with the certificate for `localhost` and the key of this PEM text.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start_with_tls(identity: &str) -> Option<Self> {
        Self::start_with(Some(identity))
    }

    fn start_with(identity: Option<&str>) -> Option<Self> {
        let program = installed("redis-server", &["/usr/bin"])?;
        let mut server = Self { process: None, port: ReservedPort::new(), folder: folder(), tls: identity.is_some() };
        if let Some(identity) = identity {
            fs::write(server.folder.path().join(IDENTITY), identity).expect("written");
        }
        server.run(&program);
        Some(server)
    }

    /// Its address.
    pub fn url(&self) -> String {
        match self.tls {
            true => format!("rediss://localhost:{}/0", self.port.number()),
            false => format!("redis://127.0.0.1:{}/0", self.port.number()),
        }
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        end(self.process.take());
    }

    /// Starts it again after [`kill`](Self::kill), empty, at the same address.
    pub fn restart(&mut self) {
        self.kill();
        let program = installed("redis-server", &["/usr/bin"]).expect("it was there before");
        self.run(&program);
    }

    fn run(&mut self, program: &Path) {
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let port = self.port.number().to_string();
        match self.tls {
            true => {
                command.args(["--port", "0", "--tls-auth-clients", "no", "--tls-port", &port]);
                for option in ["--tls-cert-file", "--tls-key-file"] {
                    command.arg(option).arg(self.folder.path().join(IDENTITY));
                }
            }
            false => drop(command.args(["--port", &port])),
        }
        command.arg("--dir").arg(self.folder.path());
        self.process = Some(started(command, &self.port));
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A PostgreSQL cluster with the user and the database `handstamp`, which needs no password.
#[derive(Debug)]
pub struct PostgresServer {
    process: Option<Child>,
    port: ReservedPort,
    folder: TempDir,
    tls: bool,
}

impl PostgresServer {
    /// Makes a cluster and starts it; none where PostgreSQL is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(None)
    }

    /// The same, with TLS for those who ask for it: with the certificate for `localhost` and the key of this PEM text.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start_with_tls(identity: &str) -> Option<Self> {
        Self::start_with(Some(identity))
    }

    fn start_with(identity: Option<&str>) -> Option<Self> {
        let init = Self::program("initdb")?;
        let folder = folder();
        if is_root() {
            // PostgreSQL does not run as root, and its own user has to be able to enter the folder.
            succeed(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let mut command = unprivileged(&init);
        command.args([
            "--auth=trust",
            "--username=handstamp",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--pgdata",
        ]);
        succeed(command.arg(folder.path().join("data")));
        if let Some(identity) = identity {
            let file = folder.path().join(IDENTITY);
            fs::write(&file, identity).expect("written");
            // It takes keys of its own only, which nobody else can read.
            succeed(Command::new("chmod").arg("600").arg(&file));
            if is_root() {
                succeed(Command::new("chown").arg("postgres").arg(&file));
            }
        }
        let mut server = Self { process: None, port: ReservedPort::new(), folder, tls: identity.is_some() };
        server.run();
        server.administer("CREATE DATABASE handstamp", "postgres");
        Some(server)
    }

    /// Its address.
    pub fn url(&self) -> String {
        match self.tls {
            true => format!("postgresql://handstamp@localhost:{}/handstamp?sslmode=require", self.port.number()),
            false => format!("postgresql://handstamp@127.0.0.1:{}/handstamp", self.port.number()),
        }
    }

    /// Removes all that is in the database.
    pub fn empty(&self) {
        self.administer("DROP SCHEMA public CASCADE; CREATE SCHEMA public", "handstamp");
    }

    /// Ends it with SIGKILL, with everybody who is connected.
    pub fn kill(&mut self) {
        end(self.process.take());
        // Those who served the connections notice a little later, and the next start waits for them.
    }

    /// Starts it again after [`kill`](Self::kill), with what was committed.
    pub fn restart(&mut self) {
        self.kill();
        self.run();
        self.wait();
    }

    fn program(name: &str) -> Option<PathBuf> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let folders: Vec<String> = versions.map(|version| version.path().join("bin").display().to_string()).collect();
        installed(name, &folders.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn run(&mut self) {
        let program = Self::program("postgres").expect("it was there before");
        let sockets = format!("unix_socket_directories={}", self.folder.path().display());
        let mut command = unprivileged(&program);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", &sockets, "-c", "fsync=off", "-p"]);
        command.arg(self.port.number().to_string()).arg("-D").arg(self.folder.path().join("data"));
        if self.tls {
            let identity = self.folder.path().join(IDENTITY);
            command.args(["-c", "ssl=on"]);
            for option in ["ssl_cert_file", "ssl_key_file"] {
                command.arg("-c").arg(format!("{option}={}", identity.display()));
            }
        }
        self.process = Some(started(command, &self.port));
        self.wait();
    }

    /// A socket that listens is not yet a database that answers.
    fn wait(&self) {
        let since = Instant::now();
        while !self.psql("SELECT 1", "postgres").status().is_ok_and(|status| status.success()) {
            assert!(since.elapsed() < PATIENCE, "PostgreSQL does not answer");
            std::thread::sleep(PAUSE);
        }
    }

    fn administer(&self, sql: &str, database: &str) {
        succeed(&mut self.psql(sql, database));
    }

    fn psql(&self, sql: &str, database: &str) -> Command {
        let mut command = Command::new(Self::program("psql").unwrap_or_else(|| "psql".into()));
        command.args([
            "-q",
            "-h",
            "127.0.0.1",
            "-U",
            "handstamp",
            "-c",
            sql,
            "-p",
            &self.port.number().to_string(),
            database,
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Certificate and key of a server that speaks TLS, in its folder.
const IDENTITY: &str = "server.pem";

/// Only ever reached by a server that hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("handstamp-server-").tempdir().expect("a folder")
}

fn installed(name: &str, folders: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().map(PathBuf::from).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    // The folder the tests run in may be closed to that user.
    command.current_dir("/");
    command
}

fn started(mut command: Command, port: &ReservedPort) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn().expect("the server starts");
    let since = Instant::now();
    while TcpStream::connect(port.address()).is_err() {
        let ended = process.try_wait().expect("the server can be asked");
        assert!(ended.is_none() && since.elapsed() < PATIENCE, "the server does not listen: {ended:?}, {command:?}");
        std::thread::sleep(PAUSE);
    }
    process
}

fn end(process: Option<Child>) {
    if let Some(mut process) = process {
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

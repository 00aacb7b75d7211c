//! Under a service manager: sockets that it opened, and what it is told.

#![cfg(target_os = "linux")]

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;

use super::support::{Application, Process, exchange, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Starts the program as a service manager does that hands two sockets over: the shell puts them where they belong.
fn handing_over(first: impl Into<OwnedFd>, second: impl Into<OwnedFd>) -> Command {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_handstamp");
    let script = "exec 3<&0 4<&1 0</dev/null 1>/dev/null; \
                  LISTEN_FDS=2 LISTEN_PID=$$ exec \"$0\" serve --config handstamp.toml";
    command.args(["-c", script, program]).stdin(Stdio::from(first.into())).stdout(Stdio::from(second.into()));
    command
}

fn configure(folder: &Path, public: SocketAddr, application: &Application) {
    let text = format!(
        "[log]\nformat = \"json\"\n[listener.public]\naddress = \"{public}\"\n\
         [listener.local]\naddress = \"unix:local.sock\"\n\
         [web.app]\nlisteners = [\"public\", \"local\"]\nupstream = \"http://{}\"\n",
        application.address
    );
    std::fs::write(folder.join("handstamp.toml"), text).expect("written");
}

struct Sockets {
    folder: TempDir,
    public: TcpListener,
    local: UnixListener,
}

impl Sockets {
    fn open(application: &Application) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let public = TcpListener::bind("127.0.0.1:0").expect("a port");
        let local = UnixListener::bind(folder.path().join("local.sock")).expect("a socket");
        configure(folder.path(), public.local_addr().expect("an address"), application);
        Self { folder, public, local }
    }

    fn command(&self) -> Command {
        handing_over(self.public.try_clone().expect("a copy"), self.local.try_clone().expect("a copy"))
    }
}

#[tokio::test]
async fn clients_wait_while_the_program_is_killed_and_started_again() {
    let application = Application::hello().await;
    let sockets = Sockets::open(&application);
    let address = sockets.public.local_addr().expect("an address");
    let mut process = Process::start_by(sockets.command(), sockets.folder.path()).await;
    for _ in 0..3 {
        let answer = exchange(address, GET).await.expect("connected");
        assert!(status(&answer) == 200 && answer.ends_with("hello"), "{answer}");
        process.kill().await;
        // Nobody is there to answer, and nobody is refused.
        let mut early = TcpStream::connect(address).await.expect("the manager's socket takes it");
        early.write_all(GET.as_bytes()).await.expect("written");
        let mut local = UnixStream::connect(sockets.folder.path().join("local.sock")).await.expect("as does the other");
        local.write_all(GET.as_bytes()).await.expect("written");

        process = Process::start_by(sockets.command(), sockets.folder.path()).await;
        let mut answers = [String::new(), String::new()];
        early.read_to_string(&mut answers[0]).await.expect("readable");
        local.read_to_string(&mut answers[1]).await.expect("readable");
        assert!(answers.iter().all(|answer| status(answer) == 200 && answer.ends_with("hello")), "{answers:?}");
    }
    assert!(sockets.folder.path().join("local.sock").exists(), "the file is the manager's");
}

#[tokio::test]
async fn a_socket_that_no_listener_is_for_is_refused() {
    let application = Application::hello().await;
    let sockets = Sockets::open(&application);
    let other = "127.0.0.1:1".parse().expect("an address");
    configure(sockets.folder.path(), other, &application);
    let program = sockets.command().current_dir(sockets.folder.path()).stderr(Stdio::piped()).spawn();
    let ended = program.expect("it starts").wait_with_output();
    let output = tokio::time::timeout(Duration::from_secs(60), ended).await.expect("in time").expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let address = sockets.public.local_addr().expect("an address").to_string();
    assert!(said.contains("HST-LISTEN-INHERITED") && said.contains(&address) && said.contains("127.0.0.1:1"), "{said}");
}

/// READY=1 when requests are answered, RELOADING=1 and READY=1 around a new configuration, WATCHDOG=1 again and again, STOPPING=1.
#[tokio::test]
async fn the_manager_is_told_what_it_wants_to_know() {
    let application = Application::hello().await;
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), "127.0.0.1:0".parse().expect("an address"), &application);
    let path = folder.path().join("notify.sock");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let next = |wanted: &str| {
        let mut buffer = [0; 512];
        loop {
            let length = manager.recv(&mut buffer).expect("something is told");
            let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if said.starts_with(wanted) {
                return said;
            }
            assert!(said.starts_with("WATCHDOG=1"), "{said:?} instead of {wanted}");
        }
    };

    let mut command = Command::new(env!("CARGO_BIN_EXE_handstamp"));
    command.args(["serve", "--config", "handstamp.toml"]).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let process = Process::start_by(command, folder.path()).await;
    next("READY=1");
    assert_eq!(status(&exchange(process.address, GET).await.expect("connected")), 200);
    for _ in 0..3 {
        next("WATCHDOG=1");
    }

    signal("HUP", &process).await;
    let reloading = next("RELOADING=1");
    let clock = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("the time");
    assert!(clock.parse::<u64>().expect("microseconds") > 0);
    next("READY=1");

    signal("TERM", &process).await;
    next("STOPPING=1");
}

async fn signal(name: &str, process: &Process) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.id()]).status().await.expect("kill runs");
    assert!(sent.success());
}

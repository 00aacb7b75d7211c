//! The Java process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Apache CXF behind its line protocol (`interop/cxf`). Dropping it ends it.
pub struct Peer {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Where `cargo xtask test --only interop` puts what it builds of `interop/cxf`.
fn build() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/interop-cxf")
}

impl Peer {
    /// Whether it was built.
    pub fn is_there() -> bool {
        build().join("lib").is_dir()
    }

    /// Starts it with the keys and WSDLs of a folder, for few calls: on a small machine a good compiler takes longer than it gives.
    pub fn start(folder: &Path) -> Self {
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
        Self::started(java, folder)
    }

    /// Starts it to be fast in the end.
    pub fn start_for_speed(folder: &Path) -> Self {
        Self::started(Command::new("java"), folder)
    }

    fn started(mut java: Command, folder: &Path) -> Self {
        let (classes, lib) = (build().join("classes"), build().join("lib/*"));
        let mut child = java
            // A small machine: a collector of one thread.
            .arg("-XX:+UseSerialGC")
            .arg("-cp")
            .arg(format!("{}:{}", classes.display(), lib.display()))
            .arg("handstamp.Peer")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if std::env::var_os("PEER_TRACE").is_some() { Stdio::inherit() } else { Stdio::null() })
            .spawn()
            .expect("java starts");
        let (commands, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut peer = Self { child, commands, answers: BufReader::new(answers) };
        assert_eq!(peer.answer(), Ok("ready".to_owned()));
        peer
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives a command; what came of it.
    pub fn tell(&mut self, command: &str) -> Result<String, String> {
        writeln!(self.commands, "{command}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        match line.trim_end().split_once(' ') {
            Some(("ok", answer)) => Ok(answer.to_owned()),
            Some(("failed", reason)) => Err(reason.to_owned()),
            _ => panic!("the peer says neither ok nor failed, but {line:?}"),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A process under test.

use serde_json::Value;
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long a program may take until it says it is ready. Only ever reached by a program that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the program logs.
const LOG: &str = "HANDSTAMP_LOG";

/// A running program that printed one line of JSON when it was ready. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    ready: Value,
}

impl Program {
    /// Starts `program` and waits for its line.
    ///
    /// # Panics
    /// When it cannot be started, ends early, or prints something else.
    pub async fn start<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(program);
        if std::env::var_os(LOG).is_none() {
            // What the tests do to it is worth a thousand warnings.
            command.env(LOG, "error");
        }
        let mut child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let mut stdout = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(PATIENCE, stdout.next_line()).await.expect("the program gets ready in time");
        let line = line.expect("its output can be read").expect("the program says when it is ready");
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("not a line of JSON: {error}: {line}"));
        Self { child, stdout, ready }
    }

    /// A member of the line the program printed.
    ///
    /// # Panics
    /// When there is no such text.
    pub fn ready(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("no \"{name}\" in {}", self.ready))
    }

    /// The whole line.
    pub fn ready_line(&self) -> &Value {
        &self.ready
    }

    /// The id of the process.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it with SIGKILL: no handler runs, nothing is flushed. Gives what else it had printed.
    ///
    /// # Panics
    /// When the process cannot be killed.
    pub async fn kill(mut self) -> Vec<String> {
        self.child.kill().await.expect("the process can be killed");
        let mut rest = Vec::new();
        while let Ok(Some(line)) = self.stdout.next_line().await {
            rest.push(line);
        }
        rest
    }
}

//! The programs of `interop/mono`: the class library of Mono as a peer, one command a line, one answer a line.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it leaves out"
)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// A program that is compiled when it is needed first.
#[derive(Debug)]
pub struct Program {
    source: &'static str,
    assemblies: &'static [&'static str],
    folder: &'static str,
    compiled: OnceLock<Option<PathBuf>>,
}

impl Program {
    /// The program `source`, which refers to `assemblies` besides the usual ones; what is compiled goes into `folder`.
    pub const fn new(source: &'static str, assemblies: &'static [&'static str], folder: &'static str) -> Self {
        Self { source, assemblies, folder, compiled: OnceLock::new() }
    }

    /// Starts it. None, and a word about it, where Mono is not installed.
    pub fn start(&self) -> Option<Peer> {
        let program = self.compiled.get_or_init(|| self.compile()).as_ref()?;
        let mut child = Command::new("mono").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (commands, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Peer { child, commands, answers })
    }

    fn compile(&self) -> Option<PathBuf> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop/mono");
        let program = Path::new(self.folder).join(self.source).with_extension("exe");
        let output = Command::new("mcs")
            .arg(format!("-out:{}", program.display()))
            .args(self.assemblies.iter().map(|assembly| format!("-r:{assembly}")))
            .args([sources.join(self.source), sources.join("Lines.cs")])
            .output();
        match output {
            Ok(output) if output.status.success() => Some(program),
            // CS0006: an assembly, and so a package, is missing.
            Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("CS0006") => {
                panic!("{} does not compile: {}", self.source, String::from_utf8_lossy(&output.stderr))
            }
            _ => {
                println!("skipped: Mono is not installed");
                None
            }
        }
    }
}

/// A program, waiting for commands.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// What a command answers, or why it failed.
    ///
    /// # Errors
    /// What the program threw.
    pub fn ask(&mut self, command: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, String> {
        let mut line = command.to_owned();
        for argument in arguments {
            line.push(' ');
            line.push_str(&word(argument));
        }
        line.push('\n');
        self.commands.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        match answer.trim_end().split_once(' ') {
            Some(("ok", words)) => Ok(words.split(' ').map(bytes).collect()),
            Some((_, why)) => Err(why.to_owned()),
            None => panic!("the peer said {answer:?}"),
        }
    }

    /// The one result of a command that must succeed.
    pub fn get(&mut self, command: &str, arguments: &[&[u8]]) -> Vec<u8> {
        let answer = self.ask(command, arguments).unwrap_or_else(|why| panic!("{command}: {why}"));
        answer.into_iter().next().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nothing is left to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes as the protocol has them.
pub fn word(bytes: &[u8]) -> String {
    let mut word = "x".to_owned();
    for byte in bytes {
        write!(word, "{byte:02x}").unwrap();
    }
    word
}

/// The bytes of such a word.
pub fn bytes(word: &str) -> Vec<u8> {
    let digits = &word[1..];
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

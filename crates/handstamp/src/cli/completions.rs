//! `handstamp completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, print};
use crate::Error;

/// Print the completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp completions bash > /etc/bash_completion.d/handstamp")]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "handstamp", &mut script);
        print(String::from_utf8_lossy(&script).trim_end())
    }
}

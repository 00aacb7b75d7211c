//! `handstamp config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::print;
use crate::{Error, config};

/// Check a configuration, or list what can be configured.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    Check(Check),
    Options(Options),
}

/// Check a configuration file and say in words what it means.
///
/// Every mistake is one line: file, line, column, code, key, and what to do.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp config check handstamp.toml\n\nExit codes: 0 it is good, 3 it is not")]
pub(super) struct Check {
    /// The configuration file.
    #[arg(default_value = "handstamp.toml")]
    file: PathBuf,
}

/// List every option with its default, as Markdown.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp config options | less")]
pub(super) struct Options {}

impl Config {
    pub(super) fn run(self) -> Result<(), Error> {
        match self {
            Self::Check(Check { file }) => {
                let config = config::Config::load(&file)?;
                print(format_args!("{}{} is good.", config.explain(), file.display()))
            }
            Self::Options(Options {}) => print(config::reference().trim()),
        }
    }
}

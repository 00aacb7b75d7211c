//! `handstamp config`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::print;
use crate::config::import::{Import, Outcome};
use crate::{Error, config, gateway, private_file};

/// Check a configuration, list what can be configured, or make one from a web.config.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    Check(Check),
    Options(Options),
    Import(ImportFile),
}

/// Check a configuration file and say in words what it means.
///
/// Every mistake is one line: file, line, column, code, key, and what to do.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  handstamp config check --config handstamp.toml\n\nExit codes: 0 it is good, perhaps with warnings on standard error, 3 it is not"
)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "handstamp.toml")]
    config: PathBuf,
    /// The same, shorter.
    #[arg(conflicts_with = "config")]
    file: Option<PathBuf>,
}

/// List every option with its default, as Markdown.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp config options | less")]
pub(super) struct Options {}

/// Make a configuration from the web.config or app.config of an application that uses Windows Identity Foundation (WIF) or
/// Windows Communication Foundation (WCF).
///
/// Sign-in and sessions of WIF become a relying party, services and clients of WCF become SOAP routes. What could not be carried
/// over is listed on standard error, with its line, the reason and what to do; and so is what a person has to do next.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  handstamp config import web.config --explain\n  handstamp config import web.config --output handstamp.toml\n\nExit codes: 0 done, 1 the file is refused, 4 a file cannot be read or written"
)]
pub(super) struct ImportFile {
    /// The web.config or app.config.
    file: PathBuf,
    /// Print the table of all settings and what became of each, instead of the configuration.
    #[arg(long)]
    explain: bool,
    /// The federationConfiguration of this name; in WIF 3.5, the service. Default: the one without a name, or the only one.
    #[arg(long, value_name = "NAME")]
    federation: Option<String>,
    /// Write the configuration to this file, which must not exist yet; and beside it the bindings of WCF and the certificates that it
    /// names, as far as the old file holds them, and the <machineKey> element, where sessions are shared with the old site.
    #[arg(long)]
    output: Option<PathBuf>,
}

impl ImportFile {
    fn run(&self) -> Result<(), Error> {
        let name = self.file.display();
        let bytes = std::fs::read(&self.file).map_err(|error| Error::system(format!("cannot read {name}"), error))?;
        let import = Import::read_named(bytes, self.federation.as_deref()).map_err(|error| Error::Refused {
            code: error.code(),
            message: format!("{name}: {}", error.to_string().replace('\n', &format!("\n{name}: "))),
        })?;
        if let Some(output) = &self.output {
            let beside = |file: &str| output.with_file_name(file);
            let secret = import.machine_key().map(|element| (beside(Import::MACHINE_KEY_FILE), element));
            let files = import.files().map(|(file, content)| (beside(file), content));
            let files: Vec<_> = std::iter::once((output.clone(), import.toml())).chain(secret).chain(files).collect();
            if let Some((taken, _)) = files.iter().find(|(file, _)| file.exists()) {
                let problem = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
                return Err(Error::system(format!("cannot write {}", taken.display()), problem));
            }
            files.iter().try_for_each(|(file, content)| write_new(file, content))?;
        }
        if self.explain {
            return print(import.report());
        }
        for entry in import.report().unsupported() {
            if let Outcome::Unsupported(why) = &entry.outcome {
                let line = entry.line.map_or_else(|| "default".to_owned(), |line| line.to_string());
                let what = format!("{} {}", entry.setting, entry.value);
                let _ = writeln!(std::io::stderr().lock(), "{name}:{line}: {}: {why}", what.trim_end());
            }
        }
        for step in import.report().steps() {
            let _ = writeln!(std::io::stderr().lock(), "next: {step}");
        }
        if self.output.is_none() { print(import.toml().trim_end()) } else { Ok(()) }
    }
}

/// Writes a file that must not exist: nobody loses a configuration by importing twice. Only its owner may read it.
fn write_new(file: &Path, text: &str) -> Result<(), Error> {
    private_file::options()
        .create_new(true)
        .open(file)
        .and_then(|mut new| new.write_all(text.as_bytes()))
        .map_err(|error| Error::system(format!("cannot write {}", file.display()), error))
}

impl Config {
    pub(super) fn run(self) -> Result<(), Error> {
        match self {
            Self::Check(Check { config, file }) => {
                let file = file.unwrap_or(config);
                let config = config::Config::load(&file)?;
                let soap = gateway::soap::explain(&config)?;
                for warning in config.warnings() {
                    // As above: standard error may be closed.
                    let _ = writeln!(std::io::stderr().lock(), "warning: {warning}");
                }
                print(format_args!("{}{soap}{} is good.", config.explain(), file.display()))
            }
            Self::Import(import) => import.run(),
            Self::Options(Options {}) => print(config::reference().trim()),
        }
    }
}

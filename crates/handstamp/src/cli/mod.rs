//! The command line.

mod account;
mod completions;
mod config;
mod demo;
mod doctor;
mod input;
mod keys;
mod serve;
mod session;
mod soap;
mod token;
mod xml;

use clap::{Parser, Subcommand};

use crate::{Error, ExitCode};

/// Parses the arguments of the process, runs the command, and says how it ended. Errors are one line
/// on standard error each.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) => {
            let _ = help.print();
            return if help.use_stderr() { ExitCode::Usage } else { ExitCode::Ok };
        }
    };
    match cli.command.run() {
        Ok(()) => ExitCode::Ok,
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    }
}

/// Prove who you are once, at the door; the stamp on your hand lets you back in.
///
/// Handstamp puts sign-in and sessions in front of web applications, with claims from a WS-Federation security token service, and
/// ends or begins the secure sessions of WCF for SOAP services and their clients. Sessions are sealed tokens that survive any restart.
#[derive(Debug, Parser)]
#[command(name = "handstamp", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the input was refused, or the check found something
  2  the command line makes no sense
  3  the configuration is wrong
  4  the system said no: a port in use, a file not readable

Example:
  handstamp serve --config handstamp.toml";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoCommand),
    Serve(serve::Serve),
    #[command(subcommand)]
    Config(config::Config),
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Account(account::Account),
    #[command(subcommand)]
    Session(session::Session),
    Doctor(doctor::Doctor),
    #[command(subcommand)]
    Soap(soap::Soap),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand)]
    Xml(xml::Xml),
    Completions(completions::Completions),
}

impl Command {
    fn run(self) -> Result<(), Error> {
        match self {
            Self::Demo(command) => command.run(),
            Self::Serve(command) => command.run(),
            Self::Config(command) => command.run(),
            Self::Keys(command) => command.run(),
            Self::Account(command) => command.run(),
            Self::Session(command) => command.run(),
            Self::Doctor(command) => command.run(),
            Self::Soap(command) => command.run(),
            Self::Token(command) => command.run(),
            Self::Xml(command) => command.run(),
            Self::Completions(command) => command.run(),
        }
    }
}

/// Runs `task` on a fresh runtime with all cores.
fn block_on<T>(task: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::system("cannot start the runtime", source))?
        .block_on(task)
}

/// Writes a line to standard output; a reader that has gone away is no error.
fn print(text: impl std::fmt::Display) -> Result<(), Error> {
    use std::io::Write;
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::system("cannot write to standard output", error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn visit(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} says nothing", command.get_name());
            if command.get_subcommands().next().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{} shows no example", command.get_name());
            }
            command.get_subcommands().for_each(visit);
        }
        visit(&Cli::command());
    }
    /// The commands of ours in a text: what a shell would make of lines that begin with our name, or have it behind a pipe.
    fn commands(text: &str) -> Vec<Vec<String>> {
        let joined = text.replace("\\\n", " ");
        let ours = |words: &Vec<String>| words.first().is_some_and(|word| word == "handstamp");
        joined.lines().flat_map(pipeline).filter(ours).collect()
    }

    /// The commands of a line. Quotes hold words together; comments and redirections are left out.
    fn pipeline(line: &str) -> Vec<Vec<String>> {
        let mut commands = vec![vec![String::new()]];
        let (mut quote, mut is_redirected) = (None, false);
        for character in line.trim().chars() {
            let command = commands.last_mut().expect("there is one");
            let word = command.last_mut().expect("there is one");
            match (quote, character) {
                (Some(open), _) if open == character => quote = None,
                (Some(_), _) => word.push(character),
                (None, '\'' | '"') => quote = Some(character),
                (None, '#') if word.is_empty() => break,
                (None, '|' | ';') => {
                    commands.push(vec![String::new()]);
                    is_redirected = false;
                }
                (None, '<' | '>') => is_redirected = true,
                (None, ' ') => command.push(String::new()),
                (None, _) if is_redirected => {}
                (None, _) => word.push(character),
            }
        }
        let full = |command: Vec<String>| command.into_iter().filter(|word| !word.is_empty()).collect();
        commands.into_iter().map(full).collect()
    }

    #[test]
    fn every_command_in_documents_and_examples_is_one() {
        fn examples(command: &clap::Command, found: &mut Vec<Vec<String>>) {
            found.extend(commands(&command.get_after_help().map(ToString::to_string).unwrap_or_default()));
            command.get_subcommands().for_each(|command| examples(command, found));
        }
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let documents =
            std::fs::read_dir(root.join("docs")).expect("documents").map(|entry| entry.expect("a file").path());
        let documents = documents.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        let mut found = Vec::new();
        for path in documents.chain([root.join("README.md")]) {
            let text = std::fs::read_to_string(&path).expect("a text");
            // Between fences, every other part is code.
            found.extend(
                text.split("```").skip(1).step_by(2).filter(|code| code.starts_with("sh\n")).flat_map(commands),
            );
        }
        assert!(found.len() >= 10, "{found:?}");
        examples(&Cli::command(), &mut found);
        assert!(found.len() >= 40, "{found:?}");
        for command in found {
            if let Err(error) = Cli::try_parse_from(&command) {
                panic!("{}: {error}", command.join(" "));
            }
        }
    }
}

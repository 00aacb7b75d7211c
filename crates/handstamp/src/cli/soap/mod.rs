//! `handstamp soap`.

mod call;
mod open;

use clap::Subcommand;

use crate::Error;

/// Call services through secure sessions, and look at protected messages.
#[derive(Debug, Subcommand)]
pub(super) enum Soap {
    Call(call::Call),
    Open(open::Open),
}

impl Soap {
    pub(super) fn run(self) -> Result<(), Error> {
        match self {
            Self::Call(command) => command.run(),
            Self::Open(command) => command.run(),
        }
    }
}

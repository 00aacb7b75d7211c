//! `handstamp soap`.

mod open;

use clap::Subcommand;

use crate::Error;

/// Look at protected SOAP messages.
#[derive(Debug, Subcommand)]
pub(super) enum Soap {
    Open(open::Open),
}

impl Soap {
    pub(super) fn run(self) -> Result<(), Error> {
        match self {
            Self::Open(command) => command.run(),
        }
    }
}

//! `cargo xtask test --only interop`: other people's implementations, alive, in both roles. One module for each peer.

mod cxf;
mod npm;
mod soap;

use crate::report::Outcome;

pub(crate) fn run() -> Outcome {
    npm::run().and(soap::run()).and(cxf::run())
}

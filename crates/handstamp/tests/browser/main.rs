//! The demo in a real Chromium. `cargo xtask test --only browser` installs what this needs and runs it.
//!
//! With `HANDSTAMP_SCREENSHOTS` naming a folder, every page is also saved there as it looks.

#![allow(clippy::unwrap_used, reason = "what a test expects and does not get ends it, in its helper functions too")]

mod federation;
mod pages;
mod session;
mod support;

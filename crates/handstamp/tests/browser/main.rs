//! The demo in a real Chromium. `cargo xtask test --only browser` installs what this needs and runs it.
//!
//! With `HANDSTAMP_SCREENSHOTS` naming a folder, every page is also saved there as it looks.

mod pages;
mod session;
mod support;

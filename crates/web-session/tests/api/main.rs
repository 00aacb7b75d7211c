//! The crate through its public face, by theme.

// Helpers of tests fail by panicking; clippy exempts only the tests themselves.
#![allow(clippy::unwrap_used)]

mod browser;
mod cookie_handlers;
mod fake_format;
mod fixture;
mod sessions;

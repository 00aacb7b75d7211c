//! The crate through its public face, by theme.

// Helpers of tests fail by panicking; clippy exempts only the tests themselves.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "axum")]
mod axum_extractors;
mod browser;
mod cookie_handlers;
mod fixture;
mod module;
mod sessions;
mod sliding;
mod take_over;
mod verified_tokens;
mod ways;

//! The crate through its public face, a file for each theme.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod caches;
mod construction;
mod handler;
mod native_format;
mod support;
mod vectors;

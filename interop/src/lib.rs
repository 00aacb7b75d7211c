//! The workspace's crates against implementations by others: what the tests of this package and its benchmarks have in common.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

pub mod endpoints;
pub mod ours;
pub mod peer;
mod wsdl;

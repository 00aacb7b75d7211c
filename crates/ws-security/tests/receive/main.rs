//! Opening messages: what WCF recorded, and what attackers try.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod attacks;
mod conversations;
mod recorded;

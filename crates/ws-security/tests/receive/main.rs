//! Opening messages: what WCF recorded, and what attackers try.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod conversations;
mod encrypted_tokens;
mod recorded;
mod settings;
mod trusted;

//! The program's configuration, by its files: the whole program would take long to build with counters in it.

// What the rest of the program uses is not used here.
#![allow(dead_code, unused_imports)]

#[path = "../../crates/handstamp/src/claim_rules.rs"]
mod claim_rules;
#[path = "../../crates/handstamp/src/config/mod.rs"]
pub mod config;

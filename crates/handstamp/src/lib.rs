//! Handstamp, the program: gateway, security token service and command line.
//!
//! This is the only crate that talks to the world: it reads the configuration, accepts connections,
//! forwards requests, keeps the store and writes logs. What a token, a session or a sign-in *is* is
//! decided in the crates below, which know neither sockets nor clocks.
//!
//! | Module | Holds |
//! |---|---|
//! | [`config`] | `handstamp.toml`: reading, checking, explaining |
//! | [`gateway`] | listeners, routes, reverse proxy |
//! | [`sts`] | the built-in security token service |
//! | [`demo`] | both of them with a sample application |
//! | [`doctor`] | why a cookie or a sign-in fails, in words |
//! | [`soap`] | SOAP messages: their encodings, and opening captured ones |
//! | [`pages`] | what people see |
//! | [`admin`] | health and metrics |
//! | [`audit`] | who signed in, and what became of sessions |
//! | [`application_token`] | signed statements of who is there, for applications |
//! | [`claim_rules`] | which claims go further |
//! | [`cli`] | the command line |
//!
//! The library exists for the program's own tests and demo; its interface may change at any time.

// These pages are for people who work on the program: their map leads inside.
#![allow(rustdoc::private_intra_doc_links)]

pub mod admin;
mod application_token;
mod audit;
pub mod claim_rules;
pub mod cli;
pub mod config;
pub mod demo;
mod doctor;
mod error;
pub mod gateway;
pub mod logging;
pub mod pages;
mod password_file;
mod private_file;
pub mod service_manager;
mod session_desk;
pub mod shutdown;
pub mod soap;
mod store;
pub mod sts;
mod wif_keys;

pub use error::{Error, ExitCode};

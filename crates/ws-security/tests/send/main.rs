//! Protecting messages: what we send, our receiver opens; and it looks like what WCF sends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_body;
mod as_wcf;
mod ends;
mod round_trip;
mod samples;
mod skeleton;
mod xmlsec1;

// The recorded conversations, with the settings and the secrets of both ends.
#[allow(dead_code, reason = "shared with the tests of receiving")]
#[path = "../receive/recorded.rs"]
mod recorded;
#[path = "../receive/settings.rs"]
mod settings;
#[allow(dead_code, reason = "shared with the tests of receiving")]
#[path = "../receive/trusted.rs"]
mod trusted;

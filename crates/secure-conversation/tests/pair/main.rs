//! Both ends of secure conversations in one process and in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod client;
mod configuration;
mod issued;
mod layout;
mod limits;
mod negotiated;
mod negotiation;
mod requests;
mod stateful;
mod stateless;
mod support;
mod token_service;

//! The demo over plain HTTP: what a browser is too slow for.

mod kill;
mod ledger;
mod sign_in;
mod support;
mod tampering;

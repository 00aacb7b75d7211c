//! Session cookies and the session module as a tower layer.

pub mod cookie;
mod error;

pub use error::{Error, SettingsError, Unreadable};

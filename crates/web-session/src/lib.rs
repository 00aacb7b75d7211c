//! Session cookies and the session module as a tower layer.

pub mod cookie;
mod error;
#[cfg(feature = "axum")]
mod extract;
pub mod layer;
mod log_once;
pub mod module;
mod request;
mod session;

pub use error::{Error, SettingsError, Unreadable};
#[cfg(feature = "axum")]
pub use extract::NoSession;
pub use layer::SessionLayer;
pub use module::{ActiveSession, OnUnreadable, SessionEvents, SessionMode, SessionModule, SessionSettings, SignIn};
pub use request::{RequestHead, Transport, TransportDetection};
pub use session::Session;

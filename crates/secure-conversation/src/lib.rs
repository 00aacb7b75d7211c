//! WS-SecureConversation as WCF speaks it: security contexts and their tokens, without I/O.
//!
//! | | |
//! |---|---|
//! | [`trust`] | requests for security contexts and the answers, as values |
//! | [`NativeCookies`], [`WcfStateCookies`] | what makes a session survive its service: it travels in its token |

mod cookie;
mod error;
mod identity;
pub mod trust;

pub use cookie::{ContextCookies, NativeCookies, WcfStateCookies};
pub use error::Error;

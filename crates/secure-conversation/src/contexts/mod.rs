//! What a service remembers of its security contexts: everything, or next to nothing.

mod stateful;
mod stateless;

pub(crate) use stateful::{CookieKeys, StatefulContexts};
pub(crate) use stateless::{Admission, SessionKey, StatelessContexts};

use handstamp_time::Timestamp;
use std::sync::Arc;

/// A session as an operator sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The context id.
    pub context_id: Arc<str>,
    /// The name of the caller; none when anonymous.
    pub caller: Option<String>,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it or its current key ends.
    pub expires: Timestamp,
    /// When its last message came; none before the first, and for contexts that are cookies.
    pub last_message: Option<Timestamp>,
    /// How many times its key was renewed and taken into use.
    pub renewals: u32,
    /// How many renewed keys wait to be used.
    pub pending_keys: usize,
    /// Whether it is a cookie, of which the service holds a copy for speed only.
    pub is_cookie: bool,
}

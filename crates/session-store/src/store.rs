//! Everything that a store is.

use crate::SessionDirectory;
use handstamp_session_token::{ReplayCache, RevocationStore, SessionTokenCache};

/// Sessions, the list of them, replays and revocations, kept in one place.
pub trait Store: SessionTokenCache + SessionDirectory + ReplayCache + RevocationStore {}

impl<S: SessionTokenCache + SessionDirectory + ReplayCache + RevocationStore + ?Sized> Store for S {}

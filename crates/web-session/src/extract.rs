//! Extractors for axum (feature `axum`).

use crate::{ActiveSession, Session};
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::{StatusCode, request::Parts};
use std::convert::Infallible;
use std::fmt;

/// The session, anonymous or not.
impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = NoSession;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoSession> {
        parts.extensions.get::<Self>().cloned().ok_or(NoSession::NoLayer)
    }
}

/// The session of a user who is signed in; `401 Unauthorized` for everybody else.
impl<S: Sync> FromRequestParts<S> for ActiveSession {
    type Rejection = NoSession;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoSession> {
        let session = parts.extensions.get::<Session>().ok_or(NoSession::NoLayer)?;
        session.active().ok_or(NoSession::Anonymous)
    }
}

/// The session, if somebody is signed in.
impl<S: Sync> OptionalFromRequestParts<S> for ActiveSession {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Session>().and_then(Session::active))
    }
}

/// Why a handler that asked for a session was not called.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSession {
    /// Nobody is signed in: `401 Unauthorized`.
    Anonymous,
    /// The route is not inside a [`SessionLayer`](crate::SessionLayer): `500 Internal Server Error`.
    NoLayer,
}

impl fmt::Display for NoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "sign in first",
            Self::NoLayer => "this route has no session layer",
        })
    }
}

impl std::error::Error for NoSession {}

impl IntoResponse for NoSession {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Anonymous => StatusCode::UNAUTHORIZED,
            Self::NoLayer => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.to_string()).into_response()
    }
}

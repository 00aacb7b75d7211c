//! Extractors for axum (feature `axum`).

use axum_core::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use handstamp_claims::ClaimsPrincipal;
use http::StatusCode;
use http::request::Parts;

use crate::{Error, GatewayClaims};

/// Who is there, as the gateway says; `401 Unauthorized` when it says nothing, or nothing that can be believed. As
/// `Option<Caller>` it is none when the gateway says nothing.
///
/// The state of the router is, or holds, [`GatewayClaims`].
#[derive(Debug, Clone)]
pub struct Caller(pub ClaimsPrincipal);

/// Why a handler that asked for a [`Caller`] was not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCaller {
    /// The gateway says nothing: nobody signed in.
    #[error("sign in first")]
    Anonymous,
    /// What the headers say cannot be believed. Clients learn no more than from [`Anonymous`](Self::Anonymous).
    #[error("{0}")]
    Unbelievable(#[from] Error),
}

impl<S: Sync> FromRequestParts<S> for Caller
where
    GatewayClaims: FromRef<S>,
{
    type Rejection = NoCaller;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NoCaller> {
        let principal = GatewayClaims::from_ref(state).principal(&parts.headers)?;
        principal.map(Self).ok_or(NoCaller::Anonymous)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Caller
where
    GatewayClaims: FromRef<S>,
{
    type Rejection = NoCaller;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, NoCaller> {
        Ok(GatewayClaims::from_ref(state).principal(&parts.headers)?.map(Self))
    }
}

impl IntoResponse for NoCaller {
    fn into_response(self) -> Response {
        (StatusCode::UNAUTHORIZED, "sign in first").into_response()
    }
}

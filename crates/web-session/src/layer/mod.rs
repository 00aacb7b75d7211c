//! The session module as a tower layer.
//!
//! [`SessionLayer`] reads the session cookie before the inner service sees a request, puts a
//! [`Session`](crate::Session) into the request's extensions, and adds the cookies that came of it to the response.
//! Requests are never refused: what an anonymous user may not see is the inner service's to say.
//!
//! A self-contained session is decided about without waiting for anything and without a lock. Only references wait for
//! the cache. A response that sets a session cookie is kept out of shared caches.

mod future;
#[expect(clippy::module_inception, reason = "the shape of tower layers: layer.rs, service.rs, future.rs")]
mod layer;
mod service;

pub use future::SessionFuture;
pub use layer::SessionLayer;
pub use service::SessionService;

//! The service.

use crate::layer::future::SessionFuture;
use crate::{RequestHead, Session, SessionModule};
use http::{Request, Response};
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// Gives every request its [`Session`] and passes it on. Made by [`SessionLayer`](crate::SessionLayer).
#[derive(Debug, Clone)]
pub struct SessionService<S> {
    inner: S,
    module: Arc<SessionModule>,
}

impl<S> SessionService<S> {
    /// A service that leaves sessions to `module`.
    pub fn new(inner: S, module: Arc<SessionModule>) -> Self {
        Self { inner, module }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = SessionFuture<S, ReqBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> SessionFuture<S, ReqBody> {
        let head = RequestHead::from(&request);
        let now = self.module.now();
        match Session::at_once(&self.module, self.module.decide(head, now), head, now) {
            Ok(session) => {
                if session.is_anonymous()
                    && let Some(location) = self.module.path_correction(head)
                {
                    return SessionFuture::redirecting(location);
                }
                request.extensions_mut().insert(session.clone());
                SessionFuture::serving(self.inner.call(request), session)
            }
            Err(unsettled) => {
                // The service that was polled ready is the one to call.
                let next = self.inner.clone();
                let inner = mem::replace(&mut self.inner, next);
                let (mut parts, body) = request.into_parts();
                let module = self.module.clone();
                let admission = Box::pin(async move {
                    let session = unsettled.session(module, RequestHead::from(&parts)).await;
                    parts.extensions.insert(session.clone());
                    (parts, session)
                });
                SessionFuture::admitting(admission, body, inner)
            }
        }
    }
}

//! The future.

use crate::Session;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

pin_project! {
    /// The response of a [`SessionService`](super::SessionService).
    pub struct SessionFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, S::Future, ReqBody>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F, ReqBody> {
        /// The cache is being asked.
        Admitting { admission: Admitting, rest: Option<(ReqBody, S)> },
        /// The inner service is at work.
        Serving { #[pin] response: F, session: Session },
        /// The path is to be spelled as the cookie's.
        Redirecting { location: Option<HeaderValue> },
    }
}

pub(super) type Admitting = Pin<Box<dyn Future<Output = (Parts, Session)> + Send>>;

impl<S, ReqBody> SessionFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn admitting(admission: Admitting, body: ReqBody, inner: S) -> Self {
        Self { state: State::Admitting { admission, rest: Some((body, inner)) } }
    }

    pub(super) fn serving(response: S::Future, session: Session) -> Self {
        Self { state: State::Serving { response, session } }
    }

    pub(super) fn redirecting(location: HeaderValue) -> Self {
        Self { state: State::Redirecting { location: Some(location) } }
    }
}

impl<S, ReqBody, ResBody> Future for SessionFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Admitting { admission, rest } => {
                    let (parts, session) = ready!(admission.as_mut().poll(context));
                    let (body, mut inner) = rest.take().expect("a future is not polled after it is done");
                    let response = inner.call(Request::from_parts(parts, body));
                    state.set(State::Serving { response, session });
                }
                StateProjection::Serving { response, session } => {
                    let mut response = ready!(response.poll(context))?;
                    session.write_cookies(response.headers_mut());
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Redirecting { location } => {
                    let mut response = Response::new(ResBody::default());
                    *response.status_mut() = StatusCode::FOUND;
                    if let Some(location) = location.take() {
                        response.headers_mut().insert(header::LOCATION, location);
                    }
                    return Poll::Ready(Ok(response));
                }
            }
        }
    }
}

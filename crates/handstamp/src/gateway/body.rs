//! The body of a message on its way through: never held whole, never larger than allowed, never
//! standing still for longer than allowed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::session_life::{SessionLife, SessionOver};
use super::upstream::Lease;

/// Why a body ended early.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than allowed.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: u64,
    },
    /// Nothing moved for too long.
    #[error("the body stood still for {0:?}")]
    Idle(Duration),
    /// The connection broke, or what came was not HTTP.
    #[error("the body was cut off: {0}")]
    Connection(#[from] hyper::Error),
    /// The session is over in which a stream of events was asked for.
    #[error("the session is over")]
    SessionOver,
}

impl BodyError {
    /// The body error somewhere in the chain of causes of `error`.
    pub fn in_chain<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

/// The body of a request or response.
#[derive(Debug, Default)]
pub struct Body(Kind);

#[derive(Debug, Default)]
enum Kind {
    #[default]
    Empty,
    Whole(Bytes),
    Relayed(Box<Relayed>),
}

impl Body {
    /// No body.
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body that is already here.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self(Kind::Whole(bytes)) }
    }

    /// The body of a request from a client, at most `limit` bytes. Its trailers are dropped: an
    /// application must not take for a header what passed no check.
    pub fn request(incoming: Incoming, limit: u64, idle: Duration) -> Self {
        Self::relayed(incoming, Some(limit), idle, None)
    }

    /// Other bounds for the body of a request.
    pub(super) fn bound(&mut self, limit: u64, idle: Duration) {
        if let Kind::Relayed(relayed) = &mut self.0 {
            relayed.limit = Some(limit);
            relayed.idle = IdleTimer::new(idle);
        }
    }

    /// The body of an answer from an application, and what is to be kept until it has passed.
    pub(super) fn response(incoming: Incoming, idle: Duration, mut lease: Lease) -> Self {
        if incoming.is_end_stream() {
            lease.finish();
            return Self::empty();
        }
        Self::relayed(incoming, None, idle, Some(lease))
    }

    /// Ends the body, before its end, when the session does.
    pub(super) fn end_with(&mut self, life: SessionLife) {
        if let Kind::Relayed(relayed) = &mut self.0 {
            relayed.session_over = Some(life.over());
        }
    }

    /// A view of how the body moves, for a deadline that begins when the body has passed.
    pub fn progress(&mut self) -> Progress {
        match &mut self.0 {
            Kind::Relayed(relayed) => {
                Progress(Some(Arc::clone(relayed.movement.get_or_insert_with(|| Arc::new(Movement::begin())))))
            }
            _ => Progress(None),
        }
    }

    /// The same body with `first` before it, which was read of it or stands in the place of what was.
    pub(super) fn preceded_by(self, first: Bytes) -> Self {
        match self.0 {
            Kind::Empty => Self::whole(first),
            Kind::Whole(bytes) => Self::whole([first, bytes].concat()),
            Kind::Relayed(mut relayed) => {
                relayed.first = if relayed.first.is_empty() {
                    first
                } else {
                    [first, std::mem::take(&mut relayed.first)].concat().into()
                };
                Self(Kind::Relayed(relayed))
            }
        }
    }

    fn relayed(incoming: Incoming, limit: Option<u64>, idle: Duration, lease: Option<Lease>) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        Self(Kind::Relayed(Box::new(Relayed {
            first: Bytes::new(),
            incoming,
            limit,
            passed: 0,
            trailers: lease.is_some(),
            idle: IdleTimer::new(idle),
            movement: None,
            lease,
            session_over: None,
        })))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let kind = &mut self.get_mut().0;
        match kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *kind = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Relayed(relayed) => relayed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Whole(_) => false,
            Kind::Relayed(relayed) => relayed.first.is_empty() && relayed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Relayed(relayed) => relayed.size_hint(),
        }
    }
}

#[derive(Debug)]
struct Relayed {
    /// What comes before the rest.
    first: Bytes,
    incoming: Incoming,
    limit: Option<u64>,
    passed: u64,
    trailers: bool,
    idle: IdleTimer,
    movement: Option<Arc<Movement>>,
    lease: Option<Lease>,
    session_over: Option<SessionOver>,
}

impl Relayed {
    fn size_hint(&self) -> SizeHint {
        let (first, rest) = (self.first.len() as u64, self.incoming.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(first.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(first.saturating_add(upper));
        }
        hint
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        if let Some(over) = &mut self.session_over
            && Pin::new(over).poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(BodyError::SessionOver)));
        }
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
                return match self.idle.poll_expired(cx) {
                    Poll::Ready(idle) => Poll::Ready(Some(Err(BodyError::Idle(idle)))),
                    Poll::Pending => Poll::Pending,
                };
            };
            self.idle.moved();
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    self.finish();
                    return Poll::Ready(None);
                }
            };
            if let Some(movement) = &self.movement {
                movement.note();
            }
            if self.incoming.is_end_stream() {
                self.finish();
            }
            if let Some(data) = frame.data_ref() {
                self.passed = self.passed.saturating_add(data.len() as u64);
                if let Some(limit) = self.limit
                    && self.passed > limit
                {
                    return Poll::Ready(Some(Err(BodyError::TooLarge { limit })));
                }
            } else if !self.trailers {
                continue;
            }
            return Poll::Ready(Some(Ok(frame)));
        }
    }

    /// All of it has passed.
    fn finish(&mut self) {
        if let Some(movement) = &self.movement {
            movement.finish();
        }
        if let Some(mut lease) = self.lease.take() {
            lease.finish();
        }
    }
}

/// Fires when nothing moved for a while. The timer exists only while somebody waits.
#[derive(Debug)]
pub(super) struct IdleTimer {
    after: Duration,
    moved: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    pub(super) fn new(after: Duration) -> Self {
        Self { after, moved: false, sleep: None }
    }

    /// Something moved: the wait begins anew.
    pub(super) fn moved(&mut self) {
        self.moved = true;
    }

    /// Waits, from the last movement on; ready with the length of the wait when it was too long.
    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let after = self.after;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        if std::mem::take(&mut self.moved) {
            sleep.as_mut().reset(Instant::now() + after);
        }
        sleep.as_mut().poll(cx).map(|()| after)
    }
}

/// How a body moves, seen from outside.
#[derive(Debug, Clone)]
pub struct Progress(Option<Arc<Movement>>);

impl Progress {
    /// Waits until `after` has gone by since the body last moved.
    pub async fn stalled_for(&self, after: Duration) {
        let Some(movement) = &self.0 else {
            return tokio::time::sleep(after).await;
        };
        loop {
            let deadline = movement.last() + after;
            tokio::time::sleep_until(deadline).await;
            if movement.last() + after <= Instant::now() {
                return;
            }
        }
    }

    /// Whether all of the body has passed.
    pub fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(|movement| movement.finished.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
struct Movement {
    began: Instant,
    milliseconds: AtomicU64,
    finished: AtomicBool,
}

impl Movement {
    fn begin() -> Self {
        Self { began: Instant::now(), milliseconds: AtomicU64::new(0), finished: AtomicBool::new(false) }
    }

    fn note(&self) {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(passed, Ordering::Relaxed);
    }

    fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }
}

//! An answer's body on its way to the caller.
//!
//! The connection is given back when the body has ended, and closed if the body is dropped before
//! that (over HTTP/2, its stream is reset), so that the next request cannot read the rest of this
//! answer. A body that stops moving for the read time-out breaks off with an error, so that the
//! caller never takes a short body for a whole one. hyper reads only when the caller polls, which
//! gives back-pressure.

use super::received::Received;
use crate::http::error::UpstreamError;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep};
use tower::BoxError;

/// Called when a body has ended; dropped without a call if it breaks off.
pub(super) type AtEnd = Box<dyn FnOnce() + Send>;

/// What upstream sends.
pub(super) enum Source {
    /// Over HTTP/1.1, where the framing tells a whole body.
    Http1(Incoming),
    /// Over HTTP/2, where only the end of the stream does. Boxed: every body would be larger.
    Http2(Box<Received>),
}

impl From<Incoming> for Source {
    fn from(body: Incoming) -> Self {
        Self::Http1(body)
    }
}

impl From<Received> for Source {
    fn from(body: Received) -> Self {
        Self::Http2(Box::new(body))
    }
}

impl Source {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Http1(body) => {
                Pin::new(body).poll_frame(context).map(|frame| Some(frame?.map_err(Into::into)))
            }
            Self::Http2(body) => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }
}

/// A body that upstream sends.
pub(super) struct Download {
    body: Source,
    at_end: Option<AtEnd>,
    read_timeout: Duration,
    alarm: Alarm,
}

/// Rings when upstream has been silent for too long.
enum Alarm {
    /// There has been no wait for upstream yet; small answers never have one.
    Unset,
    /// There was a wait before; its timer is kept for the next one.
    Stopped(Pin<Box<Sleep>>),
    /// There is a wait now.
    Running(Pin<Box<Sleep>>),
}

impl Alarm {
    fn stop(&mut self) {
        *self = match mem::replace(self, Self::Unset) {
            Self::Running(sleep) => Self::Stopped(sleep),
            other => other,
        };
    }

    /// Completes `timeout` after the first poll since the last stop.
    fn poll(&mut self, timeout: Duration, context: &mut Context<'_>) -> Poll<()> {
        let mut sleep = match mem::replace(self, Self::Unset) {
            Self::Running(sleep) => sleep,
            Self::Stopped(mut sleep) => {
                sleep.as_mut().reset(Instant::now() + timeout);
                sleep
            }
            Self::Unset => Box::pin(tokio::time::sleep(timeout)),
        };
        let polled = sleep.as_mut().poll(context);
        *self = Self::Running(sleep);
        polled
    }
}

impl Download {
    /// Makes a body of what upstream sends, with at most `read_timeout` between two frames.
    pub(super) fn new(body: Source, read_timeout: Duration, at_end: AtEnd) -> Self {
        Self { body, at_end: Some(at_end), read_timeout, alarm: Alarm::Unset }
    }

    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.body.poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.alarm.stop();
                if self.body.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.at_end = None;
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(self.alarm.poll(self.read_timeout, context));
                self.at_end = None;
                Poll::Ready(Some(Err(UpstreamError::TimedOut { sent: true }.into())))
            }
        }
    }

    fn end(&mut self) {
        if let Some(at_end) = self.at_end.take() {
            at_end();
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match &self.body {
            Source::Http1(body) => body.size_hint(),
            Source::Http2(body) => body.size_hint(),
        }
    }
}

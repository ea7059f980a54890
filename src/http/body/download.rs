//! An answer's body on its way to the caller, and the connection it comes over.
//!
//! The connection goes back to the pool when the body has ended, and is closed when it has not: an
//! answer that was given up in the middle leaves nothing on the wire that the next request could
//! read. A body that stops moving for the idle time-out breaks off, so that the caller
//! sees a broken body, never a short one that looks whole. Back-pressure is the caller's: what it
//! does not poll, hyper does not read.

use super::BoxError;
use crate::http::UpstreamError;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// What is done when a body has ended; dropped undone when it has not.
pub(super) type AtEnd = Box<dyn FnOnce() + Send>;

/// See the module.
pub(super) struct Download {
    body: Incoming,
    at_end: Option<AtEnd>,
    idle: Duration,
    /// Made when upstream keeps us waiting for the first time, which small answers never do.
    alarm: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Download {
    /// `idle`: how long upstream may be silent between two frames.
    pub(super) fn new(body: Incoming, idle: Duration, at_end: AtEnd) -> Self {
        Download { body, at_end: Some(at_end), idle, alarm: None, waiting: false }
    }

    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = false;
                if self.body.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.at_end = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Pending => self.poll_alarm(context),
        }
    }

    fn poll_alarm(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let due = || Instant::now() + self.idle;
        let alarm = match &mut self.alarm {
            Some(alarm) => {
                if !self.waiting {
                    alarm.as_mut().reset(due());
                }
                alarm
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(due()))),
        };
        self.waiting = true;
        if alarm.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.at_end = None;
        Poll::Ready(Some(Err(UpstreamError::TimedOut { sent: true }.into())))
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
        self.body.size_hint()
    }
}

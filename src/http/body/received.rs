//! A body as a caller sends it, or upstream over HTTP/2: it is whole only if its end says so.
//!
//! HTTP/2 has two ends that hyper does not tell apart from a whole body. A stream that brings all
//! the bytes that it announced may still bring more, or be reset; so the part that completes the
//! length is held back until the end of the stream. And a stream that its sender resets without an
//! error looks as if it had ended. Neither may be passed on as a whole message.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower::BoxError;

/// A body that a peer sends.
pub(super) struct Received {
    body: Incoming,
    /// Whether it comes over HTTP/2, where the end of a whole body is marked.
    marks_its_end: bool,
    held: Option<Box<Held>>,
}

/// What is handed on once the body has ended well.
struct Held {
    content: Bytes,
    trailers: Option<HeaderMap>,
    /// Whether the end was seen.
    is_free: bool,
}

/// The peer reset its stream before the end of its body.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the stream was reset before its end")]
struct Reset;

impl Received {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, marks_its_end: false, held: None }
    }

    /// Takes an end for the end of a whole body only if the stream says so.
    pub(super) fn over_http2(&mut self) {
        self.marks_its_end = true;
    }

    /// Returns true for a body that announced no content and may still bring some.
    pub(super) fn is_doubtful(&self) -> bool {
        self.is_complete() && !self.body.is_end_stream()
    }

    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(frame) = self.freed() {
                return Poll::Ready(Some(Ok(frame)));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Some(frame) = self.pass_or_hold(frame) {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
                Some(Err(error)) => return self.broken(error),
                None if self.marks_its_end && !self.body.is_end_stream() => {
                    return self.broken(Reset);
                }
                None => match &mut self.held {
                    Some(held) => held.is_free = true,
                    None => return Poll::Ready(None),
                },
            }
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.is_end_stream()
    }

    /// Announces no length that the body might still exceed before anything was read of it.
    pub(super) fn size_hint(&self) -> SizeHint {
        match &self.held {
            Some(held) => SizeHint::with_exact(held.content.len() as u64),
            None if self.is_doubtful() => SizeHint::default(),
            None => self.body.size_hint(),
        }
    }

    /// Returns whether all announced bytes have come.
    fn is_complete(&self) -> bool {
        self.body.size_hint().exact() == Some(0)
    }

    /// Returns the frame, unless it completes the length of a body that goes on.
    fn pass_or_hold(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let ended = self.body.is_end_stream();
        if let Some(held) = &mut self.held {
            held.is_free = ended;
            // Content after the last byte is empty; hyper has refused all other.
            held.trailers = frame.into_trailers().ok();
            return None;
        }
        if ended || !self.is_complete() || !frame.is_data() {
            return Some(frame);
        }
        let content = frame.into_data().unwrap_or_default();
        self.held = Some(Box::new(Held { content, trailers: None, is_free: false }));
        None
    }

    /// Hands on what was held, once the body has ended well.
    fn freed(&mut self) -> Option<Frame<Bytes>> {
        let mut held = self.held.take_if(|held| held.is_free)?;
        if !held.content.is_empty() {
            let content = std::mem::take(&mut held.content);
            if held.trailers.is_some() {
                self.held = Some(held);
            }
            return Some(Frame::data(content));
        }
        held.trailers.map(Frame::trailers)
    }

    fn broken(
        &mut self,
        error: impl Into<BoxError>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.held = None;
        Poll::Ready(Some(Err(error.into())))
    }
}

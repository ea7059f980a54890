//! What is sent of an answer: all of it, half of it, or less or more than its length says.

use bytes::Bytes;
use http::{Response, header};
use http_body::{Body, Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// Sends all of an answer.
pub(crate) fn whole(body: Bytes) -> SentBody {
    SentBody {
        rest: Some(body).filter(|body| !body.is_empty()),
        end: End::Close,
        has_true_length: true,
        is_flushed: false,
    }
}

/// Sends half of an answer, and then breaks off.
pub(crate) fn cut(response: Response<Bytes>) -> Response<SentBody> {
    half(response, End::Fail)
}

/// Sends half of an answer, and then nothing more.
pub(crate) fn stalled(response: Response<Bytes>) -> Response<SentBody> {
    half(response, End::Wait)
}

/// Sends an answer whose declared length is off by `by`.
pub(crate) fn mismeasured(mut response: Response<Bytes>, by: i64) -> Response<SentBody> {
    let length = i64::try_from(response.body().len()).unwrap_or_default().saturating_add(by).max(0);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response.map(|body| SentBody {
        rest: Some(body),
        end: End::Close,
        has_true_length: false,
        is_flushed: false,
    })
}

fn half(mut response: Response<Bytes>, end: End) -> Response<SentBody> {
    let length = response.body().len();
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response.map(|body| SentBody {
        rest: Some(body.slice(..length / 2)),
        end,
        has_true_length: false,
        is_flushed: false,
    })
}

/// The body of an answer.
pub(crate) struct SentBody {
    rest: Option<Bytes>,
    end: End,
    /// Whether hyper may know the length; otherwise the header holds one that is not true.
    has_true_length: bool,
    is_flushed: bool,
}

/// What happens after the last byte.
#[derive(Clone, Copy)]
enum End {
    Close,
    /// Breaks the connection off.
    Fail,
    /// Sends nothing more.
    Wait,
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        // hyper sends what it holds when a body is pending, and throws it away when a body fails.
        if !self.has_true_length && !self.is_flushed {
            self.is_flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.end {
            End::Close => Poll::Ready(None),
            End::Fail => Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into()))),
            End::Wait => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.has_true_length && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.rest.as_ref().map_or(0, |rest| rest.len() as u64);
        if self.has_true_length { SizeHint::with_exact(length) } else { SizeHint::new() }
    }
}

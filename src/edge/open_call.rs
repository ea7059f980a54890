//! A call from the moment at which its head is read to the last byte of its answer.
//!
//! In: the service's future, and what the call counts against. Out: its answer, whose body ends the
//! call when it is dropped.

use super::{activity::Activity, bounds::Place, stalled::StreamWatch};
use crate::http::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower::BoxError;

/// A call that is open until this is dropped.
pub(super) struct OpenCall {
    activity: Arc<Activity>,
    /// Its place among the calls in flight.
    _place: Option<Place>,
    /// Its stream, over HTTP/2.
    stream: Option<Arc<StreamWatch>>,
}

impl OpenCall {
    pub(super) fn begin(
        activity: &Arc<Activity>,
        place: Option<Place>,
        stream: Option<Arc<StreamWatch>>,
    ) -> Self {
        activity.begin_call();
        Self { activity: activity.clone(), _place: place, stream }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.activity.end_call();
    }
}

/// How much of an answer is handed out at once over HTTP/2. What is handed out is queued, and the
/// call counts as answered with its last part: so parts are small.
const PART: usize = 16 << 10;

pin_project! {
    /// The body of an open call's answer.
    pub(super) struct Answer {
        #[pin]
        body: Body,
        // The rest of a frame of which a part was handed out.
        rest: Bytes,
        call: OpenCall,
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let Some(stream) = &this.call.stream else { return this.body.poll_frame(context) };
        if this.rest.is_empty() {
            let poll = this.body.poll_frame(context);
            stream.poll(&poll);
            match ready!(poll).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => *this.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        } else {
            stream.poll(&Poll::Ready(()));
        }
        let part = this.rest.split_to(this.rest.len().min(PART));
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

pin_project! {
    /// The answer to an open call, when it comes.
    pub(super) struct Answering<F> {
        #[pin]
        response: F,
        call: Option<OpenCall>,
    }
}

impl<F> Answering<F> {
    pub(super) fn new(response: F, call: OpenCall) -> Self {
        Self { response, call: Some(call) }
    }
}

impl<F: Future<Output = Result<Response<Body>, Infallible>>> Future for Answering<F> {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.response.poll(context));
        match this.call.take() {
            Some(call) => {
                if let Some(stream) = &call.stream {
                    stream.begin();
                }
                Poll::Ready(Ok(response.map(|body| Answer { body, rest: Bytes::new(), call })))
            }
            // It is not polled again after its answer.
            None => Poll::Pending,
        }
    }
}

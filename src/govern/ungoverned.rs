//! Counts a call that no rule is about, and how long upstream took.

use crate::{
    http::Body,
    metrics::{Begun, Metrics, UnderWay},
};
use http::Response;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

pin_project! {
    /// Such a call under way. One whose caller hangs up before the answer is not counted.
    pub struct Ungoverned<F> {
        #[pin]
        sent: F,
        since: Instant,
        begun: Begun,
    }
}

impl<F> Ungoverned<F> {
    pub(super) fn new(sent: F, metrics: &Metrics) -> Self {
        let since = Instant::now();
        Self { sent, since, begun: metrics.begin(UnderWay::Passed, since) }
    }
}

impl<E, F: Future<Output = Result<Response<Body>, E>>> Future for Ungoverned<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answered = ready!(this.sent.poll(context));
        let status = answered.as_ref().ok().map(|response| response.status().as_u16());
        this.begun.metrics().ungoverned(status, this.since.elapsed());
        Poll::Ready(answered)
    }
}

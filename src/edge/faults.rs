//! The outermost layer: turns every failure into a response.
//!
//! It answers requests that a proxy may not forward (see `admit`), and turns an exchange that
//! failed into an error answer and a line in the log. The `Problem` stays in the response's
//! extensions for layers outside this one.

use super::{
    admit::{Admission, admit},
    limited::Limited,
};
use crate::{
    http::{ALLOWED, Body, Chain, Overload, Problem, TRACEPARENT, UpstreamError, read_trace_id},
    metrics::Metrics,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version, header};
use pin_project_lite::pin_project;
use smallvec::SmallVec;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower::{Layer, Service};

/// Answers a problem in the form that the caller expects, which depends on the request's URI and
/// its `Accept`.
pub trait ErrorForm: Fn(&Uri, &HeaderMap, Problem) -> Response<Body> + Copy {}

impl<F: Fn(&Uri, &HeaderMap, Problem) -> Response<Body> + Copy> ErrorForm for F {}

/// Mounts [`Faults`].
#[derive(Clone, Debug)]
pub struct FaultsLayer<A> {
    answer: A,
    metrics: Option<Metrics>,
}

impl<A: ErrorForm> FaultsLayer<A> {
    /// Makes a layer that answers with this function, which gets only `Accept` of the request's
    /// headers.
    pub fn new(answer: A) -> Self {
        Self { answer, metrics: None }
    }

    /// Counts here what is refused.
    pub fn counted(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }
}

impl<S, A: ErrorForm> Layer<S> for FaultsLayer<A> {
    type Service = Faults<S, A>;

    fn layer(&self, inner: S) -> Faults<S, A> {
        Faults { inner, answer: self.answer, metrics: self.metrics.clone() }
    }
}

/// A service that turns the failures of the inner one into responses.
#[derive(Clone, Debug)]
pub struct Faults<S, A> {
    inner: S,
    answer: A,
    metrics: Option<Metrics>,
}

impl<S, A> Service<Request<Body>> for Faults<S, A>
where
    A: ErrorForm,
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = FaultsFuture<S::Future, A>;

    /// Waits for the inner service. Ignores its error, which its `call` will return again.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context).map(|_| Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if request.version() == Version::HTTP_2 {
            request.body_mut().over_http2();
        }
        let admission = match request.extensions().get::<Overload>() {
            Some(Overload) => overloaded(),
            None => admit(&mut request),
        };
        let state = match admission {
            Admission::Pass => {
                let asked = ReplyContext::by(&request, self.answer);
                State::Forwarded { response: self.inner.call(request), asked }
            }
            Admission::Options => State::Answered { response: Some(options()) },
            Admission::Refuse(problem) => {
                // One that is one too many is counted as a bound that was met.
                let is_refused = !matches!(problem, Problem::Overloaded);
                if let Some(metrics) = self.metrics.as_ref().filter(|_| is_refused) {
                    metrics.refused(problem.code());
                }
                tracing::debug!(problem = problem.code(), "a request was not taken");
                let response = ReplyContext::by(&request, self.answer).answer(problem);
                State::Answered { response: Some(response) }
            }
        };
        FaultsFuture { state }
    }
}

/// Refuses a call that is one too many.
fn overloaded() -> Admission {
    static LINES: Limited = Limited::new();
    if let Some(held_back) = LINES.pass() {
        tracing::warn!(held_back, "a call was not taken: there are too many in flight");
    }
    Admission::Refuse(Problem::Overloaded)
}

/// Answers an `OPTIONS` whose last hop this is (RFC 9110 section 9.3.7).
fn options() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::ALLOW, ALLOWED);
    response
}

/// The parts of a request that are kept to answer a failure. The form is worked out only then:
/// most requests do not fail.
struct ReplyContext<A> {
    method: Method,
    uri: Uri,
    request_id: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
    accept: SmallVec<[HeaderValue; 1]>,
    answer: A,
}

impl<A: ErrorForm> ReplyContext<A> {
    fn by(request: &Request<Body>, answer: A) -> Self {
        let accept = request.headers().get_all(header::ACCEPT).iter().cloned().collect();
        let request_id = request.headers().get("x-request-id").cloned();
        let traceparent = request.headers().get(TRACEPARENT).cloned();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Self { method, uri, request_id, traceparent, accept, answer }
    }

    /// Logs that upstream gave no answer: with the path, and not with the query, which may hold a
    /// token.
    fn log(&self, problem: Problem, error: &UpstreamError) {
        let request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok());
        let parent = self.traceparent.as_ref();
        let trace = parent.and_then(|parent| read_trace_id(parent.as_bytes()));
        tracing::warn!(
            request_id = request_id.filter(|id| id.len() <= 128),
            trace_id = trace.map(|trace| format!("{trace:032x}")),
            method = %self.method,
            path = self.uri.path(),
            problem = problem.code(),
            error = %Chain(error),
            "an exchange failed"
        );
    }

    fn answer(&mut self, problem: Problem) -> Response<Body> {
        let mut headers = HeaderMap::new();
        for accept in self.accept.drain(..) {
            headers.append(header::ACCEPT, accept);
        }
        (self.answer)(&self.uri, &headers, problem)
    }
}

pin_project! {
    /// The future of [`Faults`].
    pub struct FaultsFuture<F, A> {
        #[pin]
        state: State<F, A>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, A> {
        Answered { response: Option<Response<Body>> },
        Forwarded { #[pin] response: F, asked: ReplyContext<A> },
    }
}

impl<F, A> Future for FaultsFuture<F, A>
where
    A: ErrorForm,
    F: Future<Output = Result<Response<Body>, UpstreamError>>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Answered { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
            StateProjection::Forwarded { response, asked } => {
                let response = ready!(response.poll(context));
                Poll::Ready(Ok(response.unwrap_or_else(|error| {
                    let problem = Problem::from(&error);
                    asked.log(problem, &error);
                    asked.answer(problem)
                })))
            }
        }
    }
}

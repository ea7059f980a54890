//! Writes the span of a call, or of a request that goes up, from its head to its answer's head.

use super::{context, writer::Traces};
use crate::http::{Body, Problem, UpstreamError};
use http::{Method, Request, Response, StatusCode};
use opentelemetry::{
    Array, KeyValue, StringValue, Value,
    trace::{Span as _, SpanKind, Status, Tracer},
};
use opentelemetry_sdk::trace::Span;
use pin_project_lite::pin_project;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower::{Layer, Service};

/// What Weir decided about a governed call; the layer takes it from the answer's extensions.
#[derive(Clone)]
pub(crate) struct Told {
    pub dialect: &'static str,
    pub call: &'static str,
    pub mode: &'static str,
    pub decision: &'static str,
    pub decision_id: String,
    pub session: Option<String>,
    pub rule: Option<&'static str>,
    pub reason: Option<&'static str>,
    pub steps: Vec<String>,
}

/// Why a request goes up; the layer takes it from the request's extensions.
#[derive(Clone)]
pub(crate) struct Why(pub String);

/// Mounts [`Traced`].
#[derive(Clone)]
pub(crate) struct TraceLayer {
    traces: Traces,
    kind: SpanKind,
}

impl Traces {
    /// Returns the layer that writes a span for each call of a caller.
    pub(crate) fn of_callers(&self) -> TraceLayer {
        TraceLayer { traces: self.clone(), kind: SpanKind::Server }
    }

    /// Returns the layer that writes a span for each request that goes up.
    pub(crate) fn of_requests(&self) -> TraceLayer {
        TraceLayer { traces: self.clone(), kind: SpanKind::Client }
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced { inner, of: self.clone() }
    }
}

/// A service whose requests have a span each.
#[derive(Clone)]
pub(crate) struct Traced<S> {
    inner: S,
    of: TraceLayer,
}

impl<S, E: Fault> Service<Request<Body>> for Traced<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = E>,
{
    type Response = Response<Body>;
    type Error = E;
    type Future = TracedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let span = self.of.begin(&mut request);
        TracedFuture { answer: self.inner.call(request), span }
    }
}

impl TraceLayer {
    /// Begins the span of a request, and makes it the parent of whatever the request leads to.
    fn begin(&self, request: &mut Request<Body>) -> Running {
        let parent = context::parent(request.headers());
        let method = method_name(request.method());
        let tracer = self.traces.tracer();
        let is_call = self.kind == SpanKind::Server;
        let name = if is_call { method.to_owned() } else { format!("upstream {method}") };
        let builder = tracer.span_builder(name).with_kind(self.kind.clone());
        let mut span = builder.start_with_context(tracer, &parent);
        let why = request.extensions_mut().remove::<Why>();
        if span.is_recording() {
            span.set_attribute(KeyValue::new("http.request.method", method));
            if let Some(Why(why)) = why {
                span.set_attribute(KeyValue::new("weir.step", why));
            }
        }
        context::put(span.span_context(), &parent, request.headers_mut());
        Running { span, is_call, is_over: false }
    }
}

/// A span whose answer has not come.
struct Running {
    span: Span,
    is_call: bool,
    is_over: bool,
}

impl Running {
    /// Ends it with an answer.
    fn answered(&mut self, response: &mut Response<Body>) {
        let told = response.extensions_mut().remove::<Told>();
        if self.span.is_recording() {
            let status = response.status();
            self.set("http.response.status_code", i64::from(status.as_u16()));
            if let Some(told) = told {
                self.tell(told);
            } else if self.is_call {
                self.set("weir.governed", false);
            }
            let problem = response.extensions().get::<Problem>().map(|problem| problem.code());
            if self.is_call
                && let Some(code) = problem
            {
                self.set("error.type", code);
            }
            if is_error(self.is_call, status) {
                self.span.set_status(Status::error(""));
            }
        }
        self.end();
    }

    /// Ends it without one.
    fn failed(&mut self, code: &'static str) {
        self.set("error.type", code);
        self.span.set_status(Status::error(""));
        self.end();
    }

    fn tell(&mut self, told: Told) {
        self.span.update_name(format!("{} {}", told.dialect, told.call));
        self.set("weir.governed", true);
        self.set("weir.dialect", told.dialect);
        self.set("weir.call", told.call);
        self.set("weir.mode", told.mode);
        self.set("weir.decision", told.decision);
        self.set("weir.decision_id", told.decision_id);
        let named = [("weir.rule", told.rule), ("weir.reason", told.reason)];
        for (key, value) in named.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            self.set(key, value);
        }
        if let Some(session) = told.session {
            self.set("weir.session", session);
        }
        if !told.steps.is_empty() {
            let steps: Vec<StringValue> = told.steps.into_iter().map(StringValue::from).collect();
            self.set("weir.steps", Value::Array(Array::String(steps)));
        }
    }

    fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.span.set_attribute(KeyValue::new(key, value));
    }

    fn end(&mut self) {
        self.is_over = true;
        self.span.end();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.failed("dropped");
        }
    }
}

/// Whether a status is an error: of a server only what is its own fault, of a client all.
fn is_error(is_call: bool, status: StatusCode) -> bool {
    status.is_server_error() || (!is_call && status.is_client_error())
}

/// Returns the name of a method, which callers choose freely.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// Why there is no answer.
pub(crate) trait Fault {
    /// Returns its stable name.
    fn code(&self) -> &'static str;
}

impl Fault for Infallible {
    fn code(&self) -> &'static str {
        match *self {}
    }
}

impl Fault for UpstreamError {
    fn code(&self) -> &'static str {
        Problem::from(self).code()
    }
}

pin_project! {
    /// The future of [`Traced`].
    pub(crate) struct TracedFuture<F> {
        #[pin]
        answer: F,
        span: Running,
    }
}

impl<F, E: Fault> Future for TracedFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = ready!(this.answer.poll(context));
        match &mut answer {
            Ok(response) => this.span.answered(response),
            Err(error) => this.span.failed(error.code()),
        }
        Poll::Ready(answer)
    }
}

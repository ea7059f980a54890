//! The outermost layer: nothing gets past it that is no response.
//!
//! In flow: every request. Requests that a proxy may not take are answered here (see `admit`); an
//! exchange that failed becomes the dialect's error answer and a line in the log. The `Problem`
//! stays in the response's extensions for layers outside of this one.

use super::admit::{Admission, admit};
use crate::http::{ALLOWED, Body, Problem, Render, UpstreamError};
use http::{Request, Response, header};
use pin_project_lite::pin_project;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower::{Layer, Service};

/// The layer; see the module.
#[derive(Debug)]
pub struct FaultsLayer<R>(Arc<R>);

/// The service; see the module.
#[derive(Debug)]
pub struct Faults<S, R> {
    inner: S,
    render: Arc<R>,
}

impl Faults<(), ()> {
    /// Answers faults in the form that `render` gives them.
    pub fn layer<R: Render>(render: R) -> FaultsLayer<R> {
        FaultsLayer(Arc::new(render))
    }
}

impl<R> Clone for FaultsLayer<R> {
    fn clone(&self) -> Self {
        FaultsLayer(self.0.clone())
    }
}

impl<S: Clone, R> Clone for Faults<S, R> {
    fn clone(&self) -> Self {
        Faults { inner: self.inner.clone(), render: self.render.clone() }
    }
}

impl<S, R> Layer<S> for FaultsLayer<R> {
    type Service = Faults<S, R>;

    fn layer(&self, inner: S) -> Faults<S, R> {
        Faults { inner, render: self.0.clone() }
    }
}

impl<S, R> Service<Request<Body>> for Faults<S, R>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError>,
    R: Render,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<S::Future, R>;

    /// Upstream's client is always ready; one that is not would be asked again when it is called.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context).map(|_| Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let form = self.render.form(&request);
        let state = match admit(&mut request) {
            Admission::Pass => {
                State::Asked { asked: self.inner.call(request), form, render: self.render.clone() }
            }
            Admission::Options => State::Answered { response: Some(options()) },
            Admission::Refuse(problem) => {
                tracing::debug!(problem = problem.code(), "a request was not taken");
                State::Answered {
                    response: Some(
                        problem.into_response(|problem| self.render.render(form, problem)),
                    ),
                }
            }
        };
        Answering { state }
    }
}

/// The end of the road for an `OPTIONS` (RFC 9110 section 9.3.7).
fn options() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::ALLOW, ALLOWED);
    response
}

pin_project! {
    /// The future of `Faults`.
    pub struct Answering<F, R: Render> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R: Render> {
        Answered { response: Option<Response<Body>> },
        Asked { #[pin] asked: F, form: R::Form, render: Arc<R> },
    }
}

impl<F, R> Future for Answering<F, R>
where
    F: Future<Output = Result<Response<Body>, UpstreamError>>,
    R: Render,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Answered { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
            StateProjection::Asked { asked, form, render } => {
                Poll::Ready(Ok(ready!(asked.poll(context))
                    .unwrap_or_else(|error| failed(&error, *form, &**render))))
            }
        }
    }
}

fn failed<R: Render>(error: &UpstreamError, form: R::Form, render: &R) -> Response<Body> {
    let problem = Problem::from(error);
    tracing::warn!(problem = problem.code(), %error, "an exchange failed");
    problem.into_response(|problem| render.render(form, problem))
}

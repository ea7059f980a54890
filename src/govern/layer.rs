//! The Tower layer and its service.

use super::{
    asker::BoxClient,
    governor::Governor,
    handle::{self, Forward, Handled},
    ungoverned::Ungoverned,
};
use crate::{
    dialects::{Base, Classified, classify_below},
    http::{Body, UpstreamError},
    metrics::UnderWay,
    rules::{Mode, Policy},
};
use futures_util::future::{BoxFuture, Either};
use http::{Request, Response};
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};
use tokio_util::task::TaskTracker;
use tower::{BoxError, Layer, Service, ServiceExt};

/// A service that the layer can stand before: a client that can be cloned and whose requests may
/// outlive their callers. An `UpstreamError` among its errors says whether a request was sent; for
/// any other error Weir assumes that it was.
pub trait Client:
    Service<Request<Body>, Response = Response<Body>, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Client for T where
    T: Service<Request<Body>, Response = Response<Body>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Mounts [`Govern`] before a client.
///
/// ```
/// use weir::{Body, GovernLayer, GovernSettings, Governor, SessionSettings, Sessions};
/// use tower::{Layer, service_fn};
/// use http::{Request, Response};
///
/// // Any client that takes and gives `weir::Body`; yours would send the request.
/// let client = service_fn(|_request: Request<Body>| async {
///     Ok::<_, std::io::Error>(Response::new(Body::empty()))
/// });
/// let sessions = Sessions::in_memory(SessionSettings::default());
/// let governor = Governor::new(weir::policy(), sessions, GovernSettings::default());
/// let _governed = GovernLayer::new(governor).layer(client);
/// ```
#[derive(Clone)]
pub struct GovernLayer {
    governor: Arc<Governor>,
    work: TaskTracker,
    base: Arc<Base>,
}

impl GovernLayer {
    /// Creates a layer that decides and remembers with this governor. All workers must share one
    /// governor.
    pub fn new(governor: Arc<Governor>) -> Self {
        Self { governor, work: TaskTracker::new(), base: Arc::default() }
    }

    /// Judges calls by the path that upstream will see, where the client puts this path before
    /// every other.
    pub fn base_path(self, path: &str) -> Self {
        let base = Arc::new(self.governor.dialects().base(path));
        Self { base, ..self }
    }

    /// Counts the calls that outlive their callers in `work`, so that a shutdown can wait for them.
    pub fn work(self, work: TaskTracker) -> Self {
        Self { work, ..self }
    }
}

impl<S> Layer<S> for GovernLayer {
    type Service = Govern<S>;

    fn layer(&self, inner: S) -> Govern<S> {
        let (governor, work) = (self.governor.clone(), self.work.clone());
        Govern { inner, governor, work, base: self.base.clone() }
    }
}

/// A client that keeps the rules. Ungoverned calls reach the inner service unchanged; governed ones
/// are answered here where a rule demands it. Its errors are those of the inner service for calls
/// that are not understood; a governed call that fails has an answer in the vendor's form.
#[derive(Clone)]
pub struct Govern<S> {
    inner: S,
    governor: Arc<Governor>,
    work: TaskTracker,
    base: Arc<Base>,
}

impl<S: Client> Service<Request<Body>> for Govern<S> {
    type Response = Response<Body>;
    type Error = S::Error;
    type Future =
        Either<Ungoverned<S::Future>, BoxFuture<'static, Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let policy = self.governor.policy.load();
        // Deferred attaches are sent even in mode `off`.
        if policy.mode == Mode::Off && self.governor.sessions().pinned() == 0 {
            return Either::Left(self.pass(request));
        }
        let dialects = self.governor.dialects();
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        match classify_below(dialects, &self.base, method, uri, headers) {
            Classified::Ungoverned => {
                if dialects.holds_word(uri.path()) {
                    self.governor.count_misplaced();
                }
                Either::Left(self.pass(request))
            }
            classified => {
                let inner = self.take_ready();
                let (governor, work) = (self.governor.clone(), self.work.clone());
                let policy = Arc::clone(&policy);
                let governed = govern(inner, governor, work, policy, classified, request);
                Either::Right(Box::pin(governed))
            }
        }
    }
}

impl<S: Client> Govern<S> {
    fn pass(&mut self, request: Request<Body>) -> Ungoverned<S::Future> {
        Ungoverned::new(self.inner.call(request), self.governor.metrics())
    }
}

impl<S: Clone> Govern<S> {
    /// Returns the service that was polled ready, leaving a fresh one in its place.
    fn take_ready(&mut self) -> S {
        let fresh = self.inner.clone();
        std::mem::replace(&mut self.inner, fresh)
    }
}

/// Handles a governed call, or passes it to the inner service where it is forwarded without being
/// understood.
async fn govern<S: Client>(
    inner: S,
    governor: Arc<Governor>,
    work: TaskTracker,
    policy: Arc<Policy>,
    classified: Classified,
    request: Request<Body>,
) -> Result<Response<Body>, S::Error> {
    let metrics = governor.metrics().clone();
    let handled = match classified {
        Classified::Ungoverned => return Ungoverned::new(inner.oneshot(request), &metrics).await,
        Classified::Governed(call) => {
            let client = inner.clone().map_err(|error| UpstreamError::from(error.into()));
            let client = BoxClient::new(client);
            handle::handle(client, governor, work, policy, call, request).await
        }
        Classified::Ambiguous(call, violation) => {
            handle::ambiguous(governor, &policy, call, request, violation)
        }
    };
    match handled {
        Handled::Answered(response) => Ok(response),
        Handled::Forward(forward) => {
            let Forward { request, marks } = *forward;
            if marks.are_none() {
                return Ungoverned::new(inner.oneshot(request), &metrics).await;
            }
            let since = Instant::now();
            let _begun = metrics.begin(UnderWay::Passed, since);
            let answered = inner.oneshot(request).await;
            let took = since.elapsed();
            // The client's own error goes on to the caller, and says why.
            answered
                .inspect_err(|_| metrics.upstream_fault("unread"))
                .map(|response| marks.finish(response, took))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects,
        govern::GovernSettings,
        sessions::{Sessions, Settings},
    };
    use tower::service_fn;

    /// The most bytes of a governed call's future. It is copied when it is boxed, and its parts
    /// when they are awaited, so what it seldom needs is boxed apart.
    const MOST: usize = 5 << 10;

    #[test]
    fn the_future_of_a_governed_call_is_small() {
        let client = service_fn(async |_: Request<Body>| {
            Ok::<_, UpstreamError>(Response::new(Body::empty()))
        });
        let sessions = Sessions::in_memory(Settings::default());
        let governor = Governor::new(dialects::policy(), sessions, GovernSettings::default());
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/checkouts/1".parse().unwrap();
        let Either::Right(governed) = GovernLayer::new(governor).layer(client).call(request) else {
            panic!("a governed call");
        };
        let size = size_of_val(&*governed);
        assert!(size <= MOST, "{size} bytes");
    }
}

//! The proxy without the rules, between a scripted caller and a scripted upstream.

use super::{
    Body, Drained, FaultsLayer, Listener, Problem, ServeOptions, Server, Upstream,
    UpstreamSettings, serve,
};
use http::{HeaderMap, Request, Response, Uri};
use std::convert::Infallible;
use tower::{Layer, Service};

/// A proxy between the test's caller and the test's upstream.
pub(crate) type Proxy = Server<Drained>;

impl Proxy {
    pub(crate) async fn before(upstream: &Listener) -> Self {
        Self::with(&format!("http://{}", upstream.address()), |_| {}).await
    }

    pub(crate) async fn with(url: &str, change: impl FnOnce(&mut UpstreamSettings)) -> Self {
        let mut settings = UpstreamSettings::new(url.parse().unwrap());
        change(&mut settings);
        let options =
            ServeOptions { caller_address: settings.forwarded, ..ServeOptions::default() };
        Self::serving(proxying(settings), options).await
    }

    pub(crate) async fn serving<S>(service: S, options: ServeOptions) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + 'static,
    {
        Self::start(|listener, stopped| serve(listener, service, options, stopped)).await
    }
}

/// The service that forwards to this upstream, with faults as plain text.
pub(crate) fn proxying(
    settings: UpstreamSettings,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    before(Upstream::new(settings).unwrap())
}

/// Everything of the proxy but the rules, before this upstream.
pub(crate) fn before(
    upstream: Upstream,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let faults = FaultsLayer::new(in_plain_text);
    faults.layer(upstream.hygiene().layer(upstream))
}

/// Answers a problem as plain text.
pub(crate) fn in_plain_text(_: &Uri, _: &HeaderMap, problem: Problem) -> Response<Body> {
    let text = format!("{}: {}\n", problem.code(), problem.message());
    problem.into_response("text/plain; charset=utf-8", text.into())
}

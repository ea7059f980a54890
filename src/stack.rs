//! Builds the whole proxy, in the order in which a request passes its layers.
//!
//! ```text
//!   caller ─▶ serve ─────▶ Faults ─────▶ Govern ────▶ Hygiene ─▶ Upstream ────▶ upstream
//!             listeners,   admission,    the rules,   headers    connections,
//!             drain        error answers turns                   time-outs, upgrades
//! ```

#[cfg(feature = "otlp")]
use crate::traces::Traces;
use crate::{
    dialects::{self, Dialects},
    edge::FaultsLayer,
    govern::{GovernLayer, Governor},
    http::{ANY_ORIGIN, Body, Problem},
    upstream::Upstream,
};
use http::{HeaderMap, Request, Response, Uri, header};
use std::{convert::Infallible, sync::Arc};
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceBuilder, service_fn};

/// Builds everything between a caller's connection and upstream's. Each worker has its own stack:
/// they share the governor, but no connections. `work` counts the calls that outlive their callers.
pub fn stack(
    governor: Arc<Governor>,
    upstream: Upstream,
    work: TaskTracker,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    let dialects = governor.dialects();
    let in_form = move |uri: &Uri, headers: &HeaderMap, problem| {
        in_vendors_form(dialects, uri, headers, problem)
    };
    let layers = ServiceBuilder::new();
    // Outside all others, so that its span has the answer that the caller gets.
    #[cfg(feature = "otlp")]
    let layers = layers.option_layer(governor.traces().map(Traces::of_callers));
    #[cfg(feature = "otlp")]
    let requests = governor.traces().map(Traces::of_requests);
    let layers = layers
        // Turns every failure into a response in the vendor's error format.
        .layer(FaultsLayer::new(in_form).counted(governor.metrics().clone()))
        // The rules. Ungoverned calls pass untouched.
        .layer(GovernLayer::new(governor).base_path(upstream.base_path()).work(work));
    // Inside the rules: each request that they send has a span of its own.
    #[cfg(feature = "otlp")]
    let layers = layers.option_layer(requests);
    layers
        // Inside the rules, so that Weir's own look-ups get the same hygiene as callers' calls.
        .layer(upstream.hygiene().keeping(dialects.version_headers()))
        // One exchange with upstream. A function, since `Upstream` as a service boxes its future.
        .service(service_fn(move |request| {
            let upstream = upstream.clone();
            async move { upstream.send(request).await }
        }))
}

/// Answers a problem in the error form of the API that the request addresses.
fn in_vendors_form(
    dialects: &Dialects,
    uri: &Uri,
    headers: &HeaderMap,
    problem: Problem,
) -> Response<Body> {
    let form = dialects.form_for(uri, headers);
    let rendered = dialects::error(form, problem.status(), problem.code(), &problem.message());
    let mut response = problem.into_response(rendered.content_type, rendered.body);
    if rendered.any_origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    }
    response
}

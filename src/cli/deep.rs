//! Asks upstream for `/ready?deep`: one new connection, one cheap request.

use crate::{
    admin::AskUpstream,
    http::{Body, Chain},
    upstream::Upstream,
};
use http::{Method, Request, StatusCode, Uri};
use std::sync::Arc;
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// Returns what asks this upstream, each time over a connection of its own.
pub(super) fn asks(upstream: &Upstream) -> AskUpstream {
    let upstream = upstream.another();
    Arc::new(move || Box::pin(ask(upstream.another())))
}

/// Sends a `HEAD` without credentials for the root of the API. Whatever upstream answers, it
/// answers, unless a gateway says that it is not there.
async fn ask(upstream: Upstream) -> Result<(), String> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::HEAD;
    *request.uri_mut() = Uri::from_static("/");
    let client =
        ServiceBuilder::new().layer(upstream.hygiene()).service(service_fn(move |request| {
            let upstream = upstream.clone();
            async move { upstream.send(request).await }
        }));
    match client.oneshot(request).await {
        Ok(response) => match response.status() {
            status @ (StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => Err(format!("upstream answered {}", status.as_u16())),
            _ => Ok(()),
        },
        Err(error) => Err(Chain(&error).to_string()),
    }
}

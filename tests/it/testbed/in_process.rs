//! The transport without sockets: thousands of calls a second.

use super::{Ask, Body, BoxError, Emulator, GovernLayer, Governor, Reply, TaskTracker, collect};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use serde_json::Value;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service, ServiceExt};

/// Changes an answer of upstream's before Weir sees it: the path of the request, and the body.
pub(crate) type Bend = Arc<dyn Fn(&str, &mut Value) + Send + Sync>;

/// An emulator, and Weir before it where there is one.
#[derive(Clone)]
pub(crate) struct InProcess {
    pub(super) emulator: Emulator,
    pub(super) bend: Option<Bend>,
    pub(super) weir: Option<(Arc<Governor>, TaskTracker)>,
}

impl InProcess {
    /// Returns the emulator without Weir.
    pub(crate) fn upstream(emulator: Emulator) -> Self {
        Self { emulator, bend: None, weir: None }
    }

    pub(super) async fn ask(&self, ask: &Ask, headers: &[(String, String)]) -> Reply {
        let request = ask.request("", headers, Body::full);
        let upstream = Self { weir: None, ..self.clone() };
        let response = match &self.weir {
            None => upstream.oneshot(request).await,
            Some((governor, work)) => {
                let layer = GovernLayer::new(governor.clone()).work(work.clone());
                layer.layer(upstream).oneshot(request).await
            }
        };
        let (head, body) = response.expect("an answer").into_parts();
        let body = collect(body, usize::MAX).await.map(|whole| whole.bytes).unwrap_or_default();
        Reply { status: head.status, headers: head.headers, body }
    }
}

/// The emulator as a client. A call that has begun goes on when its caller is gone, as over a
/// socket.
impl Service<Request<Body>> for InProcess {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (emulator, bend) = (self.emulator.clone(), self.bend.clone());
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let (head, body) = request.into_parts();
            let body =
                collect(body, usize::MAX).await.map_err(|_| "the request is not whole")?.bytes;
            let answered =
                tokio::spawn(async move { emulator.handle(Request::from_parts(head, body)).await })
                    .await?;
            let answered = answered.ok_or("reset")?;
            Ok(answered.map(|body| Body::full(bent(body, &path, bend.as_ref()))))
        })
    }
}

fn bent(body: Bytes, path: &str, bend: Option<&Bend>) -> Bytes {
    let Some((bend, mut json)) = bend.zip(serde_json::from_slice::<Value>(&body).ok()) else {
        return body;
    };
    bend(path, &mut json);
    json.to_string().into()
}

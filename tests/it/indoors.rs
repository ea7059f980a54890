//! Weir before an emulator without sockets: thousands of calls a second, for the tests that try
//! everything.

use crate::house::{PUBLIC, Reply, SECRET};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use std::{
    env,
    sync::Arc,
    task::{Context, Poll},
};
use tokio_util::task::TaskTracker;
use tower::BoxError;
use tower::{Layer, Service, ServiceExt};
use weir::{
    Body, GovernLayer, GovernSettings, Governor,
    emulator::{Emulator, Options},
    http::collect,
    rules::Policy,
    sessions::{Sessions, Settings},
};

/// The emulator as a client. A call that has begun goes on when nobody waits for it, as over a
/// socket.
#[derive(Clone)]
pub struct Upstream(pub Emulator);

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let emulator = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body =
                collect(body, usize::MAX).await.map_err(|_| "the request is not whole")?.bytes;
            let answered =
                tokio::spawn(async move { emulator.handle(Request::from_parts(head, body)).await })
                    .await?;
            Ok(answered.ok_or("reset")?.map(Body::full))
        })
    }
}

/// A vendor, and what stands before it: nothing, or Weir.
pub struct Side {
    pub emulator: Emulator,
    pub governor: Option<Arc<Governor>>,
    pub work: TaskTracker,
}

impl Side {
    /// The vendor itself.
    pub fn plain(seed: u64) -> Self {
        Self {
            emulator: Emulator::new(Options { seed: Some(seed), ..Options::default() }),
            governor: None,
            work: TaskTracker::new(),
        }
    }

    /// The vendor behind Weir.
    pub fn governed(seed: u64, policy: Policy) -> Self {
        let mut side = Self::plain(seed);
        side.governor = Some(Governor::new(policy, sessions(), GovernSettings::default()));
        side
    }

    pub fn governor(&self) -> &Arc<Governor> {
        self.governor.as_ref().expect("a side with Weir")
    }

    /// Weir is started again, and remembers nothing.
    pub fn forget(&mut self) {
        if let Some(governor) = &self.governor {
            let policy = Policy::clone(&governor.policy());
            self.governor = Some(Governor::new(policy, sessions(), GovernSettings::default()));
        }
    }

    /// Weir is started again with what it remembered.
    pub fn restart(&mut self) {
        if let Some(governor) = &self.governor {
            let policy = Policy::clone(&governor.policy());
            self.governor =
                Some(Governor::new(policy, governor.sessions().clone(), GovernSettings::default()));
        }
    }

    /// One call, through Weir where there is one.
    pub async fn send(&self, ask: &Ask) -> Reply {
        let upstream = Upstream(self.emulator.clone());
        let response = match &self.governor {
            None => upstream.oneshot(ask.request()).await,
            Some(governor) => {
                GovernLayer::new(governor.clone())
                    .work(self.work.clone())
                    .layer(upstream)
                    .oneshot(ask.request())
                    .await
            }
        };
        reply(response.expect("an answer")).await
    }

    /// One call that Weir does not see.
    pub async fn behind(&self, ask: &Ask) -> Reply {
        reply(Upstream(self.emulator.clone()).oneshot(ask.request()).await.expect("an answer"))
            .await
    }

    /// A primary source as the shopper's browser creates it.
    pub async fn primary(&self, body: &Value) -> String {
        let created = self.behind(&Ask::post("/sources", body.clone()).key(PUBLIC)).await;
        assert_eq!(created.status, 201, "{}", created.text());
        created.id()
    }

    /// A shopper's access token.
    pub async fn token(&self) -> String {
        let ask = Ask {
            body: "grant_type=anonymous&client_id=pk_acme".into(),
            ..Ask::post("/oauth20/token", Value::Null)
        };
        self.behind(&ask).await.json()["access_token"].as_str().expect("a token").to_owned()
    }
}

pub fn sessions() -> Sessions {
    Sessions::in_memory(Settings { capacity: 10_000, ..Settings::default() })
}

async fn reply(response: Response<Body>) -> Reply {
    let (head, body) = response.into_parts();
    let body = collect(body, usize::MAX).await.map_or_else(|_| Bytes::new(), |whole| whole.bytes);
    Reply { status: head.status, headers: head.headers, body }
}

/// A request that can be sent more than once.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Ask {
    pub fn new(method: Method, path: impl Into<String>, body: Value) -> Self {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Self {
            method,
            path: path.into(),
            headers: vec![("authorization", SECRET.to_owned())],
            body,
        }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Value::Null)
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, body)
    }

    pub fn delete(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::DELETE, path, body)
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.with("authorization", key)
    }

    /// As a shopper who wants JSON.
    pub fn shopper(self, token: &str) -> Self {
        self.key(&format!("bearer {token}")).with("accept", "application/json")
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Body::full(self.body.clone())).expect("a valid request")
    }
}

/// The body that creates store credit.
pub fn credit(amount: f64) -> Value {
    json!({ "type": "customerCredit", "amount": amount, "customerCredit": {} })
}

/// The body with which the shopper's browser creates a source.
pub fn primary(kind: &str) -> Value {
    json!({ "type": kind, kind: {} })
}

/// So many random cases from a seed that stays the same, unless `PROPTEST_CASES` or
/// `PROPTEST_RNG_SEED` say otherwise.
pub fn cases(usual: u32) -> proptest::test_runner::Config {
    let mut config =
        proptest::test_runner::Config { failure_persistence: None, ..Default::default() };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = usual;
    }
    if env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = proptest::test_runner::RngSeed::Fixed(20_260_601);
    }
    config
}

/// Runs one case on a runtime of its own.
pub fn on_a_runtime<T>(case: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(case)
}

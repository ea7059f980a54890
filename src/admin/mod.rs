//! Shows health, sessions, decisions, rules and configuration to operators on a trusted address.
//!
//! ```text
//!   GET /live                       200 as long as the process runs
//!   GET /ready                      200 while new calls are taken, 503 while it drains
//!   GET /sessions                   ?dialect=checkouts|carts &limit=1..1000 &after=<kind>:<id>
//!   GET /sessions/{dialect}/{id}    one session: what is known of it and since when, its queue,
//!                                   what is pending, its latest decisions
//!   GET /decisions                  ?limit=1..1000 &session=<kind>:<id>, newest first
//!   GET /decisions/{id}             one of the latest decisions
//!   GET /rules                      every rule and what the policy in force makes of it
//!   GET /config                     the configuration in force
//!   GET /stats                      counts
//!   GET /metrics                    counts and times, as OpenMetrics text
//! ```
//! In: what `sessions` and `govern` publish. Out: JSON, and the text of the metrics. Deliberately
//! absent: changing anything, and every secret: records hold none, and credentials are shown as a
//! count.

#[cfg(feature = "cli")]
mod metrics;
mod page;
mod sessions;
mod show;

use crate::{
    edge::{Drained, ServeOptions, serve},
    govern::Governor,
    http::Body,
};
use arc_swap::ArcSwap;
use http::{Method, Request, Response, StatusCode, header};
use page::Page;
use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;

/// What the admin address shows.
#[derive(Clone)]
pub struct Admin(Arc<State>);

struct State {
    governor: Arc<Governor>,
    config: ArcSwap<String>,
    draining: AtomicBool,
}

impl Admin {
    /// Makes pages of this governor; `config` is the configuration in force, as JSON.
    pub fn new(governor: Arc<Governor>, config: String) -> Self {
        Self(Arc::new(State {
            governor,
            config: ArcSwap::from_pointee(config),
            draining: AtomicBool::new(false),
        }))
    }

    /// Makes `/ready` answer 503, so that a load balancer sends new calls elsewhere.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Makes `/config` show this, which is JSON.
    pub fn show_config(&self, config: String) {
        self.0.config.store(Arc::new(config));
    }

    /// Answers until `shutdown`, then finishes what it has begun, for at most a second.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Drained {
        let service = tower::service_fn(move |request: Request<Body>| {
            let admin = self.clone();
            let asked = request.map(drop);
            async move { Ok::<_, Infallible>(admin.answer(&asked).await) }
        });
        let options = ServeOptions {
            header_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(1),
            ..ServeOptions::default()
        };
        serve(listener, service, options, shutdown).await
    }

    /// Answers one request.
    pub async fn answer(&self, request: &Request<()>) -> Response<Body> {
        let page = match *request.method() {
            Method::GET | Method::HEAD => {
                self.page(request.uri().path(), request.uri().query().unwrap_or_default()).await
            }
            _ => Page::error(StatusCode::METHOD_NOT_ALLOWED, "this address only shows: use GET"),
        };
        let mut response = Response::new(Body::full(page.text));
        *response.status_mut() = page.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(page.content_type));
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        if page.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    async fn page(&self, path: &str, query: &str) -> Page {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let known: &[&str] = match segments.as_slice() {
            // No probe fails for what is added to its address.
            ["live"] => return Page::ok(&serde_json::json!({ "live": true })),
            ["ready"] => return self.ready(),
            ["sessions"] => &["dialect", "limit", "after"],
            ["decisions"] => &["limit", "session"],
            _ => &[],
        };
        if let Err(page) = page::takes(query, known) {
            return page;
        }
        match segments.as_slice() {
            ["sessions"] => sessions::list(&self.0.governor, query).await,
            ["sessions", dialect, id] => sessions::one(&self.0.governor, dialect, id).await,
            ["decisions"] => show::decisions(&self.0.governor, query),
            ["decisions", id] => show::decision(&self.0.governor, id),
            ["rules"] => show::rules(&self.0.governor),
            ["config"] => Page::json(StatusCode::OK, String::clone(&self.0.config.load())),
            ["stats"] => show::stats(&self.0.governor),
            #[cfg(feature = "cli")]
            ["metrics"] => metrics::page(&self.0.governor),
            _ => Page::error(
                StatusCode::NOT_FOUND,
                "no such page: there are /live, /ready, /sessions, /sessions/{dialect}/{id}, \
                 /decisions, /decisions/{id}, /rules, /config, /stats, /metrics",
            ),
        }
    }

    fn ready(&self) -> Page {
        let ready = !self.0.draining.load(Ordering::Relaxed);
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Page { status, ..Page::ok(&serde_json::json!({ "ready": ready })) }
    }
}

//! Shows health, sessions, decisions, rules and configuration to operators on a trusted address.
//!
//! ```text
//!   GET /live                       200 as long as every worker runs, else 503
//!   GET /ready                      200 while new calls are taken, 503 while it drains; with
//!                                   ?deep also 503 while upstream does not answer
//!   GET /sessions                   ?dialect=checkouts|carts &limit=1..1000 &after=<kind>:<id>
//!   GET /sessions/{dialect}/{id}    one session: what is known of it and since when, its queue,
//!                                   what is pending, its latest decisions
//!   GET /decisions                  ?limit=1..1000, newest first
//!   GET /decisions/{id}             one of the latest decisions
//!   GET /rules                      every rule and what the policy in force makes of it
//!   GET /config                     the configuration in force
//!   GET /stats                      counts
//! ```
//! In: what `sessions` and `govern` publish. Out: JSON. Deliberately absent: changing anything,
//! and every secret: records hold none, credentials are shown as a count.

mod health;
mod page;
mod sessions;
mod show;

use crate::{
    edge::{Drained, Pulses, ServeOptions, serve},
    govern::Governor,
    http::Body,
};
use arc_swap::ArcSwap;
use health::Health;
use http::{Method, Request, Response, StatusCode, header};
use page::Page;
use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};
use tokio::net::TcpListener;

pub use health::AskUpstream;

/// What the admin address needs beside the governor.
#[derive(Clone)]
pub struct AdminSettings {
    /// Where the workers note that they run.
    pub pulses: Pulses,
    /// After what time a worker that has not run fails `/live`.
    pub stalled_after: Duration,
    /// Asks upstream, for `/ready?deep`.
    pub ask: Option<AskUpstream>,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { pulses: Pulses::default(), stalled_after: Duration::from_secs(10), ask: None }
    }
}

/// Which pages an address has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pages {
    All,
    /// `/live` and `/ready`.
    Probes,
}

/// What the admin address shows.
#[derive(Clone)]
pub struct Admin(Arc<State>);

struct State {
    governor: Arc<Governor>,
    config: ArcSwap<String>,
    health: Health,
}

impl Admin {
    /// Makes pages of this governor; `config` is the configuration in force, as JSON.
    pub fn new(governor: Arc<Governor>, config: String) -> Self {
        Self::with(governor, config, AdminSettings::default())
    }

    /// Makes pages as [`Admin::new`] does, with these settings.
    pub fn with(governor: Arc<Governor>, config: String, settings: AdminSettings) -> Self {
        let AdminSettings { pulses, stalled_after, ask } = settings;
        let health = Health::new(pulses, stalled_after, ask);
        Self(Arc::new(State { governor, config: ArcSwap::from_pointee(config), health }))
    }

    /// Makes `/ready` answer 503, so that a load balancer sends new calls elsewhere.
    pub fn drain(&self) {
        self.0.health.stop();
    }

    /// Makes `/config` show this, which is JSON.
    pub fn show_config(&self, config: String) {
        self.0.config.store(Arc::new(config));
    }

    /// Answers until `shutdown`, then finishes what it has begun, for at most a second.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Drained {
        self.serve(Pages::All, listener, shutdown).await
    }

    /// Answers `/live` and `/ready` alone, as [`Admin::run`] does.
    pub async fn run_probes(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Drained {
        self.serve(Pages::Probes, listener, shutdown).await
    }

    async fn serve(
        self,
        pages: Pages,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Drained {
        let service = tower::service_fn(move |request: Request<Body>| {
            let admin = self.clone();
            let asked = request.map(drop);
            async move { Ok::<_, Infallible>(admin.respond(pages, &asked).await) }
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
        self.respond(Pages::All, request).await
    }

    async fn respond(&self, pages: Pages, request: &Request<()>) -> Response<Body> {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let page = match *request.method() {
            Method::GET | Method::HEAD => match (self.probe(path, query).await, pages) {
                (Some(page), _) => page,
                (None, Pages::All) => self.page(path, query).await,
                (None, Pages::Probes) => {
                    let message = "no such page: this address has /live and /ready only";
                    Page::error(StatusCode::NOT_FOUND, message)
                }
            },
            _ => Page::error(StatusCode::METHOD_NOT_ALLOWED, "this address only shows: use GET"),
        };
        let mut response = Response::new(Body::full(page.json));
        *response.status_mut() = page.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        if page.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    /// Answers a probe. None fails for what is added to its address.
    async fn probe(&self, path: &str, query: &str) -> Option<Page> {
        match path.trim_matches('/') {
            "live" => Some(self.0.health.live()),
            "ready" => Some(self.0.health.ready(query).await),
            _ => None,
        }
    }

    async fn page(&self, path: &str, query: &str) -> Page {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let known: &[&str] = match segments.as_slice() {
            ["sessions"] => &["dialect", "limit", "after"],
            ["decisions"] => &["limit"],
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
            ["config"] => {
                Page { status: StatusCode::OK, json: String::clone(&self.0.config.load()) }
            }
            ["stats"] => show::stats(&self.0.governor),
            _ => Page::error(
                StatusCode::NOT_FOUND,
                "no such page: there are /live, /ready, /sessions, /sessions/{dialect}/{id}, \
                 /decisions, /decisions/{id}, /rules, /config, /stats",
            ),
        }
    }
}

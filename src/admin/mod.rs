//! Shows health, sessions, decisions, rules and configuration to operators on a trusted address.
//! Those who have the token change a little while Weir runs.
//!
//! ```text
//!   GET /live                       200 as long as every worker runs, else 503
//!   GET /ready                      200 while new calls are taken, 503 while it drains; with
//!                                   ?deep also 503 while upstream does not answer
//!   GET /sessions                   ?dialect=checkouts|carts &limit=1..1000 &after=<kind>:<id>
//!   GET /sessions/{dialect}/{id}    one session: what is known of it and since when, its queue,
//!                                   what is pending, its latest decisions
//!   GET /decisions                  ?limit=1..1000 &session=<kind>:<id>, newest first
//!   GET /decisions/{id}             one of the latest decisions
//!   GET /rules                      every rule and what the policy in force makes of it
//!   GET /config                     the configuration in force
//!   GET /stats                      counts
//!   GET /metrics                    counts and times, as OpenMetrics text
//!   GET, PUT /loglevel              {"level": "debug"}
//!   GET, POST, DELETE /drain        /ready answers 503 until DELETE
//!   POST, DELETE /rules/{id}        {"toggle": "monitor", "seconds": 900, "dialect": "carts"}
//! ```
//! In: what `sessions` and `govern` publish. Out: JSON, and the text of the metrics. `gate` lets in
//! who may see and change. Deliberately absent: every secret: records hold none, and credentials
//! are shown as a count.

mod change;
mod gate;
mod health;
#[cfg(feature = "cli")]
mod metrics;
mod page;
mod sessions;
mod show;
mod state;

use crate::{
    edge::{Bounds, Drained, Pulses, ServeOptions, serve},
    govern::Governor,
    http::Body,
};
use arc_swap::ArcSwap;
use gate::Gate;
use health::Health;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use page::Page;
use state::State;
use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};
use tokio::net::TcpListener;

pub use health::AskUpstream;

/// The most connections of operators, and of probes, at one time. Callers' bound leaves as many
/// descriptors.
const CONNECTIONS: usize = 64;

/// What the admin address needs beside the governor.
#[derive(Clone)]
pub struct AdminSettings {
    /// Where the workers note that they run.
    pub pulses: Pulses,
    /// After what time a worker that has not run fails `/live`.
    pub stalled_after: Duration,
    /// Asks upstream, for `/ready?deep`.
    pub ask: Option<AskUpstream>,
    /// Names under which the address is answered, beside literals and `localhost`.
    pub hosts: Vec<String>,
    /// The token that all pages but the probes need.
    pub token: Option<String>,
}

impl Default for AdminSettings {
    fn default() -> Self {
        let stalled_after = Duration::from_secs(10);
        let (pulses, ask, hosts, token) = (Pulses::default(), None, Vec::new(), None);
        Self { pulses, stalled_after, ask, hosts, token }
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

impl Admin {
    /// Makes pages of this governor; `config` is the configuration in force, as JSON.
    pub fn new(governor: Arc<Governor>, config: String) -> Self {
        Self::with(governor, config, AdminSettings::default())
    }

    /// Makes pages as [`Admin::new`] does, with these settings.
    pub fn with(governor: Arc<Governor>, config: String, settings: AdminSettings) -> Self {
        let AdminSettings { pulses, stalled_after, ask, hosts, token } = settings;
        let health = Health::new(pulses, stalled_after, ask);
        let gate = Gate::new(hosts, token.as_deref());
        let config = ArcSwap::from_pointee(config);
        let gate = ArcSwap::from_pointee(gate);
        Self(Arc::new(State { governor, config, health, gate }))
    }

    /// Lets in who calls by one of these names, and shows this token where there is one, from now
    /// on.
    pub fn admit(&self, hosts: Vec<String>, token: Option<&str>) {
        self.0.gate.store(Arc::new(Gate::new(hosts, token)));
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
            let (head, body) = request.into_parts();
            let asked = Request::from_parts(head, ());
            async move { Ok::<_, Infallible>(admin.respond(pages, &asked, body).await) }
        });
        let options = ServeOptions {
            header_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(1),
            bounds: Bounds::new(CONNECTIONS, CONNECTIONS),
            ..ServeOptions::default()
        };
        serve(listener, service, options, shutdown).await
    }

    /// Answers one request without a body.
    pub async fn answer(&self, request: &Request<()>) -> Response<Body> {
        self.respond(Pages::All, request, Body::empty()).await
    }

    async fn respond(&self, pages: Pages, request: &Request<()>, body: Body) -> Response<Body> {
        let path = request.uri().path().trim_matches('/');
        let segments: Vec<&str> = path.split('/').collect();
        let page = match pages {
            Pages::All => self.admitted(request, &segments, body).await,
            Pages::Probes => self.probe(request, false).await.unwrap_or_else(|| {
                let message = "no such page: this address has /live and /ready only";
                Page::error(StatusCode::NOT_FOUND, message)
            }),
        };
        let mut response = Response::new(Body::full(page.text));
        *response.status_mut() = page.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if page.status == StatusCode::METHOD_NOT_ALLOWED {
            let methods = change::methods(&segments);
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if page.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"weir admin\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }

    /// Answers who is let in.
    async fn admitted(&self, request: &Request<()>, segments: &[&str], body: Body) -> Page {
        if let Err(page) = self.0.gate.load().admits_name(request) {
            return page;
        }
        if let Some(page) = self.probe(request, true).await {
            return page;
        }
        if let Err(page) = self.0.gate.load().admits_token(request.headers()) {
            return page;
        }
        match *request.method() {
            Method::GET | Method::HEAD => {
                self.page(segments, request.uri().query().unwrap_or_default()).await
            }
            ref method => change::change(&self.0, method, segments, body).await,
        }
    }

    /// Answers a probe; `tells`: the reason may be shown. None fails for what is added to its
    /// address.
    async fn probe(&self, request: &Request<()>, tells: bool) -> Option<Page> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        match request.uri().path().trim_matches('/') {
            "live" => Some(self.0.health.live()),
            "ready" => {
                let query = request.uri().query().unwrap_or_default();
                Some(self.0.health.ready(query, tells).await)
            }
            _ => None,
        }
    }

    /// Makes a page that looks through much, on a thread apart: `/live` does not wait for it.
    async fn apart(&self, show: impl FnOnce(&Governor) -> Page + Send + 'static) -> Page {
        let governor = self.0.governor.clone();
        let shown = tokio::task::spawn_blocking(move || show(&governor)).await;
        shown.unwrap_or_else(|_| {
            Page::error(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made")
        })
    }

    async fn page(&self, segments: &[&str], query: &str) -> Page {
        let known: &[&str] = match segments {
            ["sessions"] => &["dialect", "limit", "after"],
            ["decisions"] => &["limit", "session"],
            _ => &[],
        };
        if let Err(page) = page::takes(query, known) {
            return page;
        }
        match segments {
            ["sessions"] => sessions::list(&self.0.governor, query).await,
            ["sessions", dialect, id] => sessions::one(&self.0.governor, dialect, id).await,
            ["decisions"] => {
                let query = query.to_owned();
                self.apart(move |governor| show::decisions(governor, &query)).await
            }
            ["decisions", id] => {
                let id = (*id).to_owned();
                self.apart(move |governor| show::decision(governor, &id)).await
            }
            ["rules"] => show::rules(&self.0.governor),
            ["config"] => show::config(&self.0.governor, &self.0.config.load()),
            ["loglevel"] => change::level(),
            ["drain"] => change::drained(&self.0),
            ["stats"] => self.apart(show::stats).await,
            #[cfg(feature = "cli")]
            ["metrics"] => self.apart(metrics::page).await,
            _ => Page::error(
                StatusCode::NOT_FOUND,
                "no such page: there are /live, /ready, /sessions, /sessions/{dialect}/{id}, \
                 /decisions, /decisions/{id}, /rules, /config, /stats, /metrics, /loglevel, /drain",
            ),
        }
    }
}

//! Shows what goes on: health, sessions, decisions, rules, configuration. Read only, for operators on a trusted address.
//!
//! ```text
//!   GET /live                       200 as long as the process runs
//!   GET /ready                      200 while new calls are taken, 503 while it drains
//!   GET /sessions                   ?dialect=checkouts|carts &limit=1..1000 &after=<kind>:<id>
//!   GET /sessions/{dialect}/{id}    one session: what is known of it and since when, its queue, what is pending, its latest decisions
//!   GET /decisions                  ?limit=1..1000, newest first
//!   GET /rules                      every rule and what the policy in force makes of it
//!   GET /config                     the configuration in force
//!   GET /stats                      counts
//! ```
//! In: what `sessions` and `proxy` publish. Out: JSON. Deliberately absent: anything that changes anything, and every secret:
//! records hold none, credentials are shown as a count.

mod page;
mod sessions;
mod show;

use crate::proxy::Governor;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::{conn::auto, graceful::GracefulShutdown};
use page::Page;
use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;

/// What the admin address shows.
#[derive(Clone)]
pub struct Admin(Arc<Shown>);

struct Shown {
    governor: Arc<Governor>,
    config: String,
    draining: AtomicBool,
}

impl Admin {
    /// Shows this governor; `config` is the configuration in force, as JSON.
    pub fn new(governor: Arc<Governor>, config: String) -> Self {
        Self(Arc::new(Shown { governor, config, draining: AtomicBool::new(false) }))
    }

    /// From now on `/ready` answers 503: whoever balances load sends new calls elsewhere.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Answers until `shutdown`, then finishes what it has begun.
    ///
    /// # Errors
    /// None at present: a connection that fails is that caller's affair.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let graceful = GracefulShutdown::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut shutdown => break,
            };
            let Ok((stream, _)) = accepted else {
                // Out of descriptors, most likely: give others a chance to close theirs.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let admin = self.clone();
            let service = hyper::service::service_fn(move |request| {
                let admin = admin.clone();
                async move { Ok::<_, Infallible>(admin.answer(&request).await) }
            });
            let mut server = auto::Builder::new(TokioExecutor::new());
            server.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
            let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A caller that breaks off has nobody to be told.
                let _ = connection.await;
            });
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), graceful.shutdown()).await;
        Ok(())
    }

    /// One answer.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Full<bytes::Bytes>> {
        let page = match *request.method() {
            Method::GET | Method::HEAD => self.page(request.uri().path(), request.uri().query().unwrap_or_default()).await,
            _ => Page::error(StatusCode::METHOD_NOT_ALLOWED, "this address only shows: use GET"),
        };
        let mut response = Response::new(Full::from(page.json));
        *response.status_mut() = page.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        if page.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    async fn page(&self, path: &str, query: &str) -> Page {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["live"] => Page::ok(&serde_json::json!({ "live": true })),
            ["ready"] => self.ready(),
            ["sessions"] => sessions::list(&self.0.governor, query).await,
            ["sessions", dialect, id] => sessions::one(&self.0.governor, dialect, id).await,
            ["decisions"] => show::decisions(&self.0.governor, query),
            ["rules"] => show::rules(&self.0.governor),
            ["config"] => Page { status: StatusCode::OK, json: self.0.config.clone() },
            ["stats"] => show::stats(&self.0.governor),
            _ => Page::error(
                StatusCode::NOT_FOUND,
                "no such page: there are /live, /ready, /sessions, /sessions/{dialect}/{id}, /decisions, /rules, /config, /stats",
            ),
        }
    }

    fn ready(&self) -> Page {
        let ready = !self.0.draining.load(Ordering::Relaxed);
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Page { status, ..Page::ok(&serde_json::json!({ "ready": ready })) }
    }
}

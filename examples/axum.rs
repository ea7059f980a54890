//! Weir's rules inside a service of one's own: an axum application that keeps them in front of its
//! own HTTP client.
//!
//! ```text
//! caller ─▶ axum ─┬─ /health                         ─▶ the application's own answer
//!                 └─ everything else ─▶ GovernLayer ─▶ the application's own client ─▶ upstream
//! ```
//! Run it before the emulator:
//!
//! ```sh
//! weir emulator &
//! cargo run --example axum -- http://127.0.0.1:8090
//! ```
//!
//! The layer wants two things of the client behind it. It takes and gives [`weir::Body`]; and it
//! never sends a request twice, because a payment source that is attached twice is a fault that
//! nobody sees. `weir::Upstream` is such a client, with time-outs and TLS; this example shows what
//! it takes to bring another.

use axum::{
    Router,
    body::Body as AxumBody,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use hyper::body::Incoming;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::{BoxError, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use weir::{
    Body, Chain, GovernLayer, GovernSettings, Governor, HygieneLayer, Policy, SessionSettings,
    Sessions, Target, UpstreamError,
};

/// A client that keeps the rules.
type Payments = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, UpstreamError>;

/// The application: its own routes, and the payments API behind everything else.
pub(crate) fn app(upstream: Target, policy: Policy) -> Router {
    // One governor for the whole process: what it remembers, and whose turn it is, is what the
    // rules rest on.
    let governor = Governor::new(
        policy,
        Sessions::in_memory(SessionSettings::default()),
        GovernSettings::default(),
    );
    let payments =
        ServiceBuilder::new().layer(GovernLayer::new(governor)).service(client(upstream));
    Router::new()
        .route("/health", get(|| async { "well" }))
        .fallback(forward)
        .with_state(BoxCloneSyncService::new(payments))
}

/// Any client will do, behind header hygiene. This one is hyper-util's, as most people have it.
fn client(upstream: Target) -> Payments {
    let client = legacy::Client::builder(TokioExecutor::new())
        // hyper-util sends a request again when a connection that it reused closes under it. A
        // payment must not be sent again.
        .retry_canceled_requests(false)
        .build_http::<Body>();
    let client = ServiceBuilder::new()
        .layer(HygieneLayer::new(upstream))
        .map_response(|response: http::Response<Incoming>| response.map(Body::incoming))
        .map_err(BoxError::from)
        .service(client);
    BoxCloneSyncService::new(client)
}

/// A call that is none of the application's own. Governed ones are judged on the way; a refusal is
/// an answer like any other.
async fn forward(State(payments): State<Payments>, request: Request) -> Response {
    match payments.oneshot(request.map(Body::boxed)).await {
        Ok(response) => response.map(AxumBody::new),
        // Only ungoverned calls end here: what goes wrong with a governed one is told in the
        // vendor's own form.
        Err(error) => {
            (StatusCode::BAD_GATEWAY, format!("the payments API gave no answer: {}", Chain(&error)))
                .into_response()
        }
    }
}

#[tokio::main]
#[allow(dead_code, reason = "the test that runs this example calls `app`")]
async fn main() -> Result<(), BoxError> {
    let upstream = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8090".to_owned());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{} before {upstream}", listener.local_addr()?);
    axum::serve(listener, app(upstream.parse()?, weir::policy())).await?;
    Ok(())
}

//! The innermost service: one exchange with upstream.
//!
//! In flow: a caller's request, as it came. Out: upstream's answer, its content still streaming, or
//! why there is none. Header hygiene, the request target, time-outs, upgrades and the reuse of
//! connections are done here, so that a look-up made by Weir itself is as clean as a caller's call.
//! Deliberately absent: retries. A request of which anything was written is never sent a second
//! time, whatever its method; one that a stale connection handed back unwritten goes to the next
//! connection (see `pool`).

use super::{
    connect::{Connector, TlsError},
    hygiene::{self, Outward},
    pool::{Connection, Lease, Pool},
    target::Target,
    upgrade,
};
use crate::http::{Body, CallerAddress, Turn, Upload, UpstreamError};
use http::{Request, Response, StatusCode, Version, header};
use std::{
    fmt,
    future::Future,
    path::PathBuf,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;

/// How long upstream may take to say 100 before a caller that expects it is told to go on anyway
/// (RFC 9110 section 10.1.1: a client need not wait for ever, and upstream may not know the
/// expectation).
const CONTINUE_WITHIN: Duration = Duration::from_secs(1);

/// How to reach upstream.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Where it is.
    pub target: Target,
    /// The bound for making a connection, name resolution and TLS included.
    pub connect_timeout: Duration,
    /// How long upstream may take from the last byte of the request to the head of its answer;
    /// also how long a caller may stall in its request.
    pub timeout: Duration,
    /// How long upstream may be silent within an answer.
    pub idle_timeout: Duration,
    /// How long a connection may stay unused before it is closed. Zero: no connection is used
    /// twice. Less than upstream's own bound avoids requests that meet a closing connection.
    pub pool_idle: Duration,
    /// How many unused connections are kept, per `Upstream`.
    pub max_idle: usize,
    /// PEM certificates to trust beside the machine's own.
    pub ca_file: Option<PathBuf>,
    /// Append the caller's address to `Forwarded` and `X-Forwarded-For`; needs
    /// `ServeOptions::caller_address`.
    pub forwarded: bool,
}

impl UpstreamSettings {
    /// The defaults of the configuration, for `target`.
    pub fn new(target: Target) -> Self {
        UpstreamSettings {
            target,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            pool_idle: Duration::from_secs(50),
            max_idle: 256,
            ca_file: None,
            forwarded: false,
        }
    }
}

/// A client of one upstream. Clones share their connections.
#[derive(Clone)]
pub struct Upstream(Arc<Shared>);

struct Shared {
    connector: Connector,
    pool: Arc<Pool>,
    settings: UpstreamSettings,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("target", &self.0.settings.target)
            .field("unused", &self.0.pool.unused())
            .finish()
    }
}

impl Upstream {
    /// A client with no connection yet.
    ///
    /// # Errors
    /// TLS is asked for and no trusted certificates can be read.
    pub fn new(settings: UpstreamSettings) -> Result<Self, TlsError> {
        let connector = Connector::new(
            &settings.target,
            settings.connect_timeout,
            settings.ca_file.as_deref(),
        )?;
        Ok(Upstream::with(connector, settings))
    }

    /// The same upstream with connections of its own: one for each worker, so that workers share no
    /// lock and no socket.
    pub fn another(&self) -> Self {
        Upstream::with(self.0.connector.clone(), self.0.settings.clone())
    }

    fn with(connector: Connector, settings: UpstreamSettings) -> Self {
        let pool = Pool::new(settings.pool_idle, settings.max_idle);
        Upstream(Arc::new(Shared { connector, pool, settings }))
    }

    /// Sends a request as it came from a caller. Dropping the future, or the answer's body before
    /// its end, closes the connection: what upstream has not been sent by then it never gets.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let shared = &*self.0;
        let (mut parts, body) = request.into_parts();
        let over_http1 = parts.version != Version::HTTP_2;
        let caller =
            parts.extensions.remove::<CallerAddress>().filter(|_| shared.settings.forwarded);
        let outward = Outward { forwarded_for: caller.map(|CallerAddress(address)| address.ip()) };
        let upgrading = hygiene::to_upstream(&mut parts, &body, &shared.settings.target, outward);
        let expects = parts.headers.contains_key(header::EXPECT);
        let mut request = Request::from_parts(parts, body);
        let switch = upgrading.then(|| hyper::upgrade::on(&mut request));
        let (request, upload) = watch(request, expects);

        let (response, connection) = shared.exchange(request, upload.as_deref()).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return shared.switched(response, connection, switch);
        }
        shared.answer(response, connection, over_http1)
    }
}

impl Shared {
    /// The answer's head, and the connection it came over.
    async fn exchange(
        &self,
        mut request: Request<Body>,
        upload: Option<&Upload>,
    ) -> Result<(Response<hyper::body::Incoming>, Connection), UpstreamError> {
        loop {
            let (mut connection, fresh) = match self.pool.take() {
                Some(connection) => (connection, false),
                // In a box: rare, and TLS makes it large. Every request would carry its size along.
                None => (Box::pin(self.connector.connect()).await?, true),
            };
            let answer = answer_in_time(
                connection.sender.try_send_request(request),
                upload,
                self.settings.timeout,
            );
            let mut error = match answer.await? {
                Ok(response) => return Ok((response, connection)),
                Err(error) => error,
            };
            match error.take_message() {
                // hyper gives a request back only if it wrote none of it, so this is the first time
                // that it is sent. Ends with a fresh connection.
                Some(unsent) if !fresh => request = unsent,
                Some(_) => return Err(UpstreamError::NotSent(error.into_error().into())),
                None => return Err(broken(error.into_error(), upload)),
            }
        }
    }

    fn answer(
        &self,
        response: Response<hyper::body::Incoming>,
        connection: Connection,
        over_http1: bool,
    ) -> Result<Response<Body>, UpstreamError> {
        let (mut parts, content) = response.into_parts();
        let lease = Lease::new(connection, self.pool.clone());
        let body = if hyper::body::Body::is_end_stream(&content) {
            lease.give_back();
            if over_http1 && parts.status == StatusCode::NOT_MODIFIED {
                Body::withheld()
            } else {
                Body::empty()
            }
        } else {
            Body::download(content, self.settings.idle_timeout, move || lease.give_back())
        };
        hygiene::to_caller(&mut parts, &body)
            .map_err(|error| UpstreamError::Broken { sent: true, cause: error.into() })?;
        Ok(Response::from_parts(parts, body))
    }

    fn switched(
        &self,
        mut response: Response<hyper::body::Incoming>,
        connection: Connection,
        switch: Option<hyper::upgrade::OnUpgrade>,
    ) -> Result<Response<Body>, UpstreamError> {
        let unasked = || UpstreamError::Broken {
            sent: true,
            cause: "upstream switched protocols unasked".into(),
        };
        upgrade::tunnel(switch.ok_or_else(unasked)?, hyper::upgrade::on(&mut response), connection);
        let (mut parts, _) = response.into_parts();
        hygiene::to_caller(&mut parts, &Body::empty())
            .map_err(|error| UpstreamError::Broken { sent: true, cause: error.into() })?;
        Ok(Response::from_parts(parts, Body::empty()))
    }
}

/// Watches a streamed body. A caller that expects 100 is told to go on when upstream says so: then,
/// and not before, its body is polled.
fn watch(request: Request<Body>, expects: bool) -> (Request<Body>, Option<Arc<Upload>>) {
    if !request.body().is_streamed() {
        return (request, None);
    }
    let upload = Arc::new(Upload::new(expects));
    let mut request = request.map(|body| body.watched(upload.clone()));
    if expects {
        let upload = upload.clone();
        hyper::ext::on_informational(&mut request, move |interim| {
            if interim.status() == StatusCode::CONTINUE {
                upload.release();
            }
        });
    }
    (request, Some(upload))
}

/// The answer, or whose fault it is that there is none in time. An upload that moves has all the
/// time it needs.
async fn answer_in_time<T>(
    answer: impl Future<Output = T>,
    upload: Option<&Upload>,
    timeout: Duration,
) -> Result<T, UpstreamError> {
    let mut answer = pin!(answer);
    let held = upload.is_some_and(Upload::is_held);
    let mut alarm =
        pin!(tokio::time::sleep(if held { CONTINUE_WITHIN.min(timeout) } else { timeout }));
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return Ok(answer),
            () = &mut alarm => {}
        }
        let Some(upload) = upload else { return Err(UpstreamError::TimedOut { sent: true }) };
        upload.release();
        let due = upload.moved() + timeout;
        if due > Instant::now() {
            alarm.as_mut().reset(due);
        } else if upload.turn() == Turn::Caller {
            return Err(UpstreamError::Caller {
                late: true,
                cause: "no content within the time-out".into(),
            });
        } else {
            return Err(UpstreamError::TimedOut { sent: true });
        }
    }
}

/// hyper reports a caller that broke off as a failed exchange, too.
fn broken(error: hyper::Error, upload: Option<&Upload>) -> UpstreamError {
    let cause = error.into();
    match upload.map(Upload::turn) {
        Some(Turn::Broken) => UpstreamError::Caller { late: false, cause },
        _ => UpstreamError::Broken { sent: true, cause },
    }
}

impl tower::Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, UpstreamError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let upstream = self.clone();
        Box::pin(async move { upstream.send(request).await })
    }
}

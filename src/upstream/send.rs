//! The innermost service: one exchange with upstream.
//!
//! In: a request that has been through header hygiene. Out: upstream's answer, its content still
//! streaming, or an error. Deliberately absent: retries. A request of which any byte was written is
//! never sent again, even if its method is idempotent; one that a stale connection returned
//! unwritten goes to the next connection (see `pool`). `way` holds what can change meanwhile.

use super::{
    carriers::{Carrier, Carriers},
    http2::{self, Sent},
    hygiene::HygieneLayer,
    pool::{Connection, Lease},
    settings::UpstreamSettings,
    tls::TlsError,
    upgrade,
    uploading::{Pace, answer_in_time, await_emptiness, broken, watch},
    way::{OtherWay, Way},
};
use crate::{
    http::{Body, Upload, UpstreamError},
    metrics::Metrics,
};
use http::{Request, Response, StatusCode, Uri, header};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// A client of one upstream. Clones share their connections.
#[derive(Clone)]
pub struct Upstream(Arc<Shared>);

struct Shared {
    carriers: Carriers,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("target", self.0.carriers.way().target())
            .field("unused", &self.0.carriers.pool.unused())
            .field("shared", &self.0.carriers.shared())
            .finish()
    }
}

impl Upstream {
    /// Makes a client with no connection yet.
    ///
    /// # Errors
    /// TLS is asked for and no trusted certificates can be read.
    pub fn new(settings: UpstreamSettings) -> Result<Self, TlsError> {
        Ok(Self::by(Arc::new(Way::new(settings)?)))
    }

    /// Returns the path that is put before every request's path: empty for the root.
    pub fn base_path(&self) -> &str {
        self.0.carriers.way().target().base_path()
    }

    /// Makes a client of the same upstream with connections of its own: one for each worker, so
    /// that workers share no lock and no socket.
    pub fn another(&self) -> Self {
        Self::by(self.0.carriers.way().clone())
    }

    /// Counts callers whose content comes too slowly.
    pub fn counted(&self, metrics: Metrics) {
        self.0.carriers.way().count_in(metrics);
    }

    /// Reads what other settings name, for this client and all that were made of it. Nothing
    /// changes yet; the target stays.
    ///
    /// # Errors
    /// As for `new`.
    pub fn prepare(&self, settings: UpstreamSettings) -> Result<OtherWay, TlsError> {
        self.0.carriers.way().prepare(settings)
    }

    /// Puts what was prepared in force for later requests. Connections of before take no further
    /// request where other certificates hold now, or another way leads to upstream.
    pub fn take(&self, other: OtherWay) {
        self.0.carriers.way().take(other);
    }

    /// Returns the layer that makes requests fit for this upstream.
    pub fn hygiene(&self) -> HygieneLayer {
        let way = self.0.carriers.way();
        HygieneLayer::new(way.target().clone()).switched(way.switches().clone())
    }

    fn by(way: Arc<Way>) -> Self {
        Self(Arc::new(Shared { carriers: Carriers::new(way) }))
    }

    /// Sends a request that has been through [`Self::hygiene`]. Dropping the future, or the
    /// answer's body before its end, closes the connection, or resets the stream if the connection
    /// is shared: nothing more is sent to upstream.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let shared = &*self.0;
        let (pace, read_timeout) = shared.carriers.way().times();
        if request.body().is_doubtful() {
            // Boxed: it is rare, and would enlarge every request's future.
            let empty = Box::pin(await_emptiness(&mut request, pace.timeout)).await;
            empty.inspect_err(|error| shared.note(error))?;
        }
        let mut made = None;
        if shared.carriers.may_share(&request) {
            match shared.carrier().await? {
                // Boxed: it would enlarge every request's future.
                Carrier::Http2(call) => {
                    let sent =
                        http2::exchange(&shared.carriers, (pace, read_timeout), request, call);
                    match Box::pin(sent).await.inspect_err(|error| shared.note(error))? {
                        Sent::Answered(response) => return Ok(response),
                        Sent::Unsent(unsent, connection) => {
                            (request, made) = (*unsent, Some((connection, true)));
                        }
                    }
                }
                Carrier::Http1(connection) => made = Some((connection, true)),
                Carrier::Kept(connection) => made = Some((connection, false)),
            }
        }
        to_origin_form(request.uri_mut());
        let upgrading = request.headers().contains_key(header::UPGRADE);
        let expects = request.headers().contains_key(header::EXPECT);
        let switch = upgrading.then(|| hyper::upgrade::on(&mut request));
        let (request, upload) = watch(request, expects);

        let (response, connection) =
            shared.exchange(request, upload.as_deref(), pace, made).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return switched(response, connection, switch);
        }
        Ok(shared.answer(response, connection, read_timeout))
    }
}

impl Shared {
    /// Returns what carries a call that may share a connection.
    async fn carrier(&self) -> Result<Carrier, UpstreamError> {
        if let Some(call) = self.carriers.take_shared() {
            return Ok(Carrier::Http2(call));
        }
        if let Some(connection) = self.carriers.pool.take() {
            return Ok(Carrier::Kept(connection));
        }
        // Boxed: it is rare.
        Box::pin(self.carriers.find(None)).await
    }

    /// Counts a caller whose content came too slowly.
    fn note(&self, error: &UpstreamError) {
        if matches!(error, UpstreamError::Caller { late: true, .. }) {
            self.carriers.way().caller_was_late();
        }
    }

    /// Returns the answer's head, and the connection it came over. `made` is the first to be taken,
    /// and whether it is new.
    async fn exchange(
        &self,
        mut request: Request<Body>,
        upload: Option<&Upload>,
        pace: Pace,
        mut made: Option<(Connection, bool)>,
    ) -> Result<(Response<hyper::body::Incoming>, Connection), UpstreamError> {
        loop {
            let (mut connection, fresh) = match made.take() {
                Some(made) => made,
                None => self.carriers.for_itself().await?,
            };
            let sent = connection.sender.try_send_request(request);
            let answer = answer_in_time(sent, upload, pace);
            let mut error = match answer.await.inspect_err(|error| self.note(error))? {
                Ok(response) => return Ok((response, connection)),
                Err(error) => error,
            };
            match error.take_message() {
                // hyper returns a request only if it wrote none of it, so it has not been sent yet.
                // The loop ends with a fresh connection at the latest.
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
        read_timeout: Duration,
    ) -> Response<Body> {
        let lease = Lease::new(connection, self.carriers.pool.clone());
        if hyper::body::Body::is_end_stream(response.body()) {
            lease.give_back();
            return response.map(|_| Body::empty());
        }
        response.map(|body| Body::download(body, read_timeout, move || lease.give_back()))
    }
}

fn switched(
    mut response: Response<hyper::body::Incoming>,
    connection: Connection,
    switch: Option<hyper::upgrade::OnUpgrade>,
) -> Result<Response<Body>, UpstreamError> {
    let unasked = || UpstreamError::Broken {
        sent: true,
        cause: "upstream switched protocols unasked".into(),
    };
    upgrade::tunnel(switch.ok_or_else(unasked)?, hyper::upgrade::on(&mut response), connection);
    Ok(response.map(|_| Body::empty()))
}

/// Removes scheme and authority, since the connection is already to upstream.
fn to_origin_form(uri: &mut Uri) {
    if uri.scheme().is_some() {
        let target = std::mem::take(uri).into_parts().path_and_query;
        *uri = target.map(Uri::from).unwrap_or_default();
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

//! The innermost service: one exchange with upstream.
//!
//! In: a request that has been through header hygiene. Out: upstream's answer, its content still
//! streaming, or an error. Deliberately absent: retries. A request of which any byte was written is
//! never sent again, even if its method is idempotent; one that a stale connection returned
//! unwritten goes to the next connection (see `pool`).

use super::{
    http2::{self, Sent},
    hygiene::HygieneLayer,
    pool::{Connection, Lease},
    settings::UpstreamSettings,
    tls::TlsError,
    upgrade,
    uploading::{answer_in_time, await_emptiness, broken, watch},
    ways::{Way, Ways},
};
use crate::http::{Body, Upload, UpstreamError};
use http::{Request, Response, StatusCode, Uri, header};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A client of one upstream. Clones share their connections.
#[derive(Clone)]
pub struct Upstream(Arc<Shared>);

struct Shared {
    ways: Ways,
    settings: UpstreamSettings,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("target", &self.0.settings.target)
            .field("unused", &self.0.ways.pool.unused())
            .field("shared", &self.0.ways.shared())
            .finish()
    }
}

impl Upstream {
    /// Makes a client with no connection yet.
    ///
    /// # Errors
    /// TLS is asked for and no trusted certificates can be read.
    pub fn new(settings: UpstreamSettings) -> Result<Self, TlsError> {
        let ways = Ways::new(&settings)?;
        Ok(Self(Arc::new(Shared { ways, settings })))
    }

    /// Returns the path that is put before every request's path: empty for the root.
    pub fn base_path(&self) -> &str {
        self.0.settings.target.base_path()
    }

    /// Makes a client of the same upstream with connections of its own: one for each worker, so
    /// that workers share no lock and no socket.
    pub fn another(&self) -> Self {
        let settings = self.0.settings.clone();
        Self(Arc::new(Shared { ways: self.0.ways.another(&settings), settings }))
    }

    /// Returns the layer that makes requests fit for this upstream.
    pub fn hygiene(&self) -> HygieneLayer {
        let UpstreamSettings { target, forwarded, upgrade, .. } = &self.0.settings;
        HygieneLayer::new(target.clone()).forwarded(*forwarded).upgrade(*upgrade)
    }

    /// Sends a request that has been through [`Self::hygiene`]. Dropping the future, or the
    /// answer's body before its end, closes the connection, or resets the stream if the connection
    /// is shared: nothing more is sent to upstream.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let shared = &*self.0;
        if request.body().is_doubtful() {
            // Boxed: it is rare, and would enlarge every request's future.
            Box::pin(await_emptiness(&mut request, shared.settings.timeout)).await?;
        }
        let mut made = None;
        if shared.ways.may_share(&request) {
            match shared.way().await? {
                // Boxed: it would enlarge every request's future.
                Some(Way::Http2(call)) => {
                    let sent = http2::exchange(&shared.ways, &shared.settings, request, call);
                    match Box::pin(sent).await? {
                        Sent::Answered(response) => return Ok(response),
                        Sent::Unsent(unsent, connection) => {
                            (request, made) = (*unsent, Some(connection));
                        }
                    }
                }
                Some(Way::Http1(connection)) => made = Some(connection),
                None => {}
            }
        }
        to_origin_form(request.uri_mut());
        let upgrading = request.headers().contains_key(header::UPGRADE);
        let expects = request.headers().contains_key(header::EXPECT);
        let switch = upgrading.then(|| hyper::upgrade::on(&mut request));
        let (request, upload) = watch(request, expects);

        let (response, connection) = shared.exchange(request, upload.as_deref(), made).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return switched(response, connection, switch);
        }
        Ok(shared.answer(response, connection))
    }
}

impl Shared {
    /// Returns a way for a call that may share a connection: none where one of HTTP/1.1 is unused.
    async fn way(&self) -> Result<Option<Way>, UpstreamError> {
        if let Some(call) = self.ways.take_shared() {
            return Ok(Some(Way::Http2(call)));
        }
        if self.ways.pool.unused() > 0 {
            return Ok(None);
        }
        // Boxed: it is rare.
        Box::pin(self.ways.find(None)).await.map(Some)
    }

    /// Returns the answer's head, and the connection it came over.
    async fn exchange(
        &self,
        mut request: Request<Body>,
        upload: Option<&Upload>,
        mut made: Option<Connection>,
    ) -> Result<(Response<hyper::body::Incoming>, Connection), UpstreamError> {
        loop {
            let (mut connection, fresh) = match made.take() {
                Some(connection) => (connection, true),
                None => self.ways.for_itself().await?,
            };
            let answer = answer_in_time(
                connection.sender.try_send_request(request),
                upload,
                self.settings.pace(),
            );
            let mut error = match answer.await? {
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
    ) -> Response<Body> {
        let lease = Lease::new(connection, self.ways.pool.clone());
        if hyper::body::Body::is_end_stream(response.body()) {
            lease.give_back();
            return response.map(|_| Body::empty());
        }
        let read_timeout = self.settings.read_timeout;
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

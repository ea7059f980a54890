//! Finds a connection for a call: one that is there, or a new one, over HTTP/2 where upstream
//! chooses it, else over HTTP/1.1.

use super::{
    connect::{Connector, Made},
    http2::{Call, Connections, Next, can_carry},
    pool::{Connection, Pool},
    way::Way,
};
use crate::http::{Body, UpstreamError};
use http::Request;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// What carries a call up.
pub(super) enum Carrier {
    /// A new connection of its own.
    Http1(Connection),
    /// A connection of its own that was used before.
    Kept(Connection),
    /// A place on a connection that it shares.
    Http2(Call),
}

/// The connections of one worker, and the way on which they are made.
pub(super) struct Carriers {
    way: Arc<Way>,
    pub(super) pool: Arc<Pool>,
    /// None where HTTP/2 is never offered: without TLS.
    shared: Option<Arc<Connections>>,
}

impl Carriers {
    /// Makes what finds connections, with none yet.
    pub(super) fn new(way: Arc<Way>) -> Self {
        let pool = Pool::new(way.pool().clone());
        let shared = way.target().is_https().then(|| Connections::new(way.pool().clone()));
        Self { way, pool, shared }
    }

    pub(super) fn way(&self) -> &Arc<Way> {
        &self.way
    }

    /// Returns how many connections are shared.
    pub(super) fn shared(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| shared.open())
    }

    /// Returns true for a call that may share a connection.
    pub(super) fn may_share(&self, request: &Request<Body>) -> bool {
        self.shared.is_some() && self.way.offers_http2() && can_carry(request)
    }

    /// Takes a place on a connection that there is.
    pub(super) fn take_shared(&self) -> Option<Call> {
        self.shared.as_ref()?.take()
    }

    /// Returns a connection for one call over HTTP/1.1, and whether it is new.
    pub(super) async fn for_itself(&self) -> Result<(Connection, bool), UpstreamError> {
        match self.pool.take() {
            Some(connection) => Ok((connection, false)),
            // Boxed: it is rare, and TLS makes it large, which would enlarge every request's
            // future.
            None => {
                let connector = self.way.connector();
                Ok((Box::pin(async move { connector.connect().await }).await?, true))
            }
        }
    }

    /// Waits for a place on a shared connection, or makes a connection; both within the time-out
    /// for connecting. `refused` is a place that was of no use; the next one is on another
    /// connection.
    pub(super) async fn find(&self, refused: Option<Call>) -> Result<Carrier, UpstreamError> {
        let connector = self.way.connector();
        let is_made = AtomicBool::new(false);
        let found = self.find_in_time(&connector, refused, &is_made);
        match tokio::time::timeout(connector.timeout(), found).await {
            Ok(found) => found,
            Err(_) if is_made.load(Ordering::Relaxed) => Err(connector.late()),
            // It has waited for room on the connections that there are.
            Err(_) => Err(UpstreamError::TimedOut { sent: false }),
        }
    }

    /// Tells by `is_made` whether a connection is being made.
    async fn find_in_time(
        &self,
        connector: &Connector,
        refused: Option<Call>,
        is_made: &AtomicBool,
    ) -> Result<Carrier, UpstreamError> {
        let Some(shared) = &self.shared else {
            return connector.connect().await.map(Carrier::Http1);
        };
        loop {
            let room = shared.room().notified();
            let making = match shared.next(refused.as_ref()) {
                Next::Go(call) => return Ok(Carrier::Http2(call)),
                Next::Make(making) => making,
                Next::Wait => {
                    room.await;
                    continue;
                }
            };
            is_made.store(true, Ordering::Relaxed);
            let made = connector.connect_either(shared.room().clone()).await?;
            is_made.store(false, Ordering::Relaxed);
            match made {
                Made::Http1(connection) => {
                    making.speaks_http1(connector.generation());
                    return Ok(Carrier::Http1(connection));
                }
                Made::Http2(made) => {
                    if let Some(call) = making.add(made) {
                        return Ok(Carrier::Http2(call));
                    }
                }
            }
        }
    }
}

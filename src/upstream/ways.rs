//! Finds a connection for a call: one that is there, or a new one, over HTTP/2 where upstream
//! chooses it, else over HTTP/1.1.

use super::{
    connect::{Connector, Made},
    http2::{Call, Connections, Next, can_carry},
    pool::{Connection, Pool},
    settings::UpstreamSettings,
    tls::TlsError,
};
use crate::http::{Body, UpstreamError};
use http::Request;
use std::{sync::Arc, time::Duration};

/// How a call goes up.
pub(super) enum Way {
    /// Over a new connection of its own.
    Http1(Connection),
    /// Over a connection that it shares.
    Http2(Call),
}

/// The connections of one worker, and what makes them.
pub(super) struct Ways {
    connector: Connector,
    pub(super) pool: Arc<Pool>,
    /// None where HTTP/2 is not offered.
    shared: Option<Arc<Connections>>,
    connect_timeout: Duration,
}

impl Ways {
    /// Makes what finds connections, with none yet.
    pub(super) fn new(settings: &UpstreamSettings) -> Result<Self, TlsError> {
        Ok(Self::with(Connector::new(settings)?, settings))
    }

    /// Makes another, with connections of its own.
    pub(super) fn another(&self, settings: &UpstreamSettings) -> Self {
        Self::with(self.connector.clone(), settings)
    }

    fn with(connector: Connector, settings: &UpstreamSettings) -> Self {
        let keeps = !settings.pool_idle.is_zero() && settings.max_idle > 0;
        let offers = settings.http2 && keeps && settings.target.is_https();
        Self {
            connector,
            pool: Pool::new(settings.pool_idle, settings.max_idle),
            shared: offers.then(|| Connections::new(settings.pool_idle)),
            connect_timeout: settings.connect_timeout,
        }
    }

    /// Returns how many connections are shared.
    pub(super) fn shared(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| shared.open())
    }

    /// Returns true for a call that may share a connection.
    pub(super) fn may_share(&self, request: &Request<Body>) -> bool {
        self.shared.is_some() && can_carry(request)
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
            None => Ok((Box::pin(self.connector.connect()).await?, true)),
        }
    }

    /// Waits for a place on a shared connection, or makes a connection; both within the time-out
    /// for connecting. `refused` is a place that was of no use; the next one is on another
    /// connection.
    pub(super) async fn find(&self, refused: Option<Call>) -> Result<Way, UpstreamError> {
        match tokio::time::timeout(self.connect_timeout, self.find_in_time(refused)).await {
            Ok(found) => found,
            Err(_) => Err(UpstreamError::TimedOut { sent: false }),
        }
    }

    async fn find_in_time(&self, refused: Option<Call>) -> Result<Way, UpstreamError> {
        let Some(shared) = &self.shared else {
            return self.connector.connect().await.map(Way::Http1);
        };
        loop {
            let room = shared.room().notified();
            let making = match shared.next(refused.as_ref()) {
                Next::Go(call) => return Ok(Way::Http2(call)),
                Next::Make(making) => making,
                Next::Wait => {
                    room.await;
                    continue;
                }
            };
            match self.connector.connect_either(shared.room().clone()).await? {
                Made::Http1(connection) => {
                    making.speaks_http1();
                    return Ok(Way::Http1(connection));
                }
                Made::Http2(made) => {
                    if let Some(call) = making.add(made) {
                        return Ok(Way::Http2(call));
                    }
                }
            }
        }
    }
}

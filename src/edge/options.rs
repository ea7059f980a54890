//! How callers are served.

use super::{
    bounds::Bounds,
    later::{Later, ServeLimits},
    proxy_peers::ProxyPeers,
    pulse::Pulses,
    tls::Tls,
};
use crate::metrics::Metrics;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How to serve callers.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// How long a caller may take over a request's head, over TLS, and over an HTTP/2 handshake.
    pub header_timeout: Duration,
    /// How long a connection without a call is kept.
    pub keep_alive: Duration,
    /// How long a caller may take nothing of what is written to it.
    pub write_timeout: Duration,
    /// How long nothing may be heard over HTTP/2 before a PING asks whether the peer is there. It
    /// may take as long to answer as over a head.
    pub ping_after: Duration,
    /// The largest head of a request, in bytes.
    pub head: usize,
    /// How much is taken on at once. Shared by all workers.
    pub bounds: Bounds,
    /// The certificates with which TLS ends here; `None`: callers speak in the clear.
    pub tls: Option<Tls>,
    /// The peers that begin each connection, before TLS, with a header of the PROXY protocol. The
    /// address that it names is the caller's.
    pub proxy_peers: ProxyPeers,
    /// How long shutdown waits for open requests.
    pub drain: Duration,
    /// Whether to put `CallerAddress` into every request's extensions, which costs an allocation
    /// for each request.
    pub caller_address: bool,
    /// Detached work that a shutdown waits for.
    pub work: TaskTracker,
    /// Where connections are counted, if they are.
    pub metrics: Option<Metrics>,
    /// What takes the place of these limits for connections that begin later.
    pub later: Later,
    /// Where each worker of [`run_workers`](super::run_workers) notes that it runs.
    pub pulses: Pulses,
}

impl ServeOptions {
    /// Counts a request that was refused unread.
    pub(super) fn refused(&self, problem: &'static str) {
        if let Some(metrics) = &self.metrics {
            metrics.refused(problem);
        }
    }

    /// Returns these options with the limits that were set meanwhile; `None`: none were.
    pub(super) fn changed(&self) -> Option<Self> {
        let (limits, later) = self.later.taken()?;
        let ServeLimits { header_timeout, keep_alive, write_timeout, ping_after, .. } = *limits;
        let ServeLimits { head, drain, caller_address, .. } = *limits;
        let times = Self { header_timeout, keep_alive, write_timeout, ping_after, ..self.clone() };
        Some(Self { head, drain, caller_address, later, ..times })
    }

    /// Counts what met a bound.
    pub(super) fn bound_hit(&self, bound: &'static str) {
        if let Some(metrics) = &self.metrics {
            metrics.bound_hit(bound);
        }
    }
}

impl Default for ServeOptions {
    /// Returns the configuration's defaults.
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(15),
            keep_alive: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            ping_after: Duration::from_secs(30),
            head: 64 << 10,
            bounds: Bounds::default(),
            tls: None,
            proxy_peers: ProxyPeers::default(),
            drain: Duration::from_secs(30),
            caller_address: false,
            work: TaskTracker::new(),
            metrics: None,
            later: Later::default(),
            pulses: Pulses::default(),
        }
    }
}

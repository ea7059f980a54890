//! The way to upstream as all workers share it, and its change while requests go out.
//!
//! In: settings, at the start and again. Out: the connector, time limits and switches in force. A
//! request reads them once, without a lock.

use super::{
    connect::Connector,
    hygiene::Switches,
    pool::PoolLimits,
    settings::UpstreamSettings,
    target::Target,
    tls::{self, TlsError},
    uploading::Pace,
};
use crate::metrics::Metrics;
use arc_swap::ArcSwap;
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// What is in force.
pub(super) struct Way {
    target: Target,
    now: ArcSwap<Now>,
    pool: Arc<PoolLimits>,
    switches: Arc<Switches>,
    metrics: OnceLock<Metrics>,
}

struct Now {
    connector: Connector,
    settings: UpstreamSettings,
    /// Tells the files of certificates and keys apart, by what they held.
    files: blake3::Hash,
    generation: u64,
}

/// Other settings, of which all that they name was read.
pub struct OtherWay {
    now: Now,
    has_other_files: bool,
}

impl fmt::Debug for OtherWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherWay").field("settings", &self.now.settings).finish_non_exhaustive()
    }
}

impl OtherWay {
    /// Returns whether it has other certificates or another key.
    pub fn has_other_files(&self) -> bool {
        self.has_other_files
    }
}

impl Way {
    pub(super) fn new(settings: UpstreamSettings) -> Result<Self, TlsError> {
        let now = read(settings, 0)?;
        let UpstreamSettings { pool_idle, max_idle, forwarded, upgrade, .. } = now.settings;
        let switches = Switches::default();
        switches.set(forwarded, upgrade);
        Ok(Self {
            target: now.settings.target.clone(),
            now: ArcSwap::from_pointee(now),
            pool: Arc::new(PoolLimits::new(pool_idle, max_idle, 0)),
            switches: Arc::new(switches),
            metrics: OnceLock::new(),
        })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn pool(&self) -> &Arc<PoolLimits> {
        &self.pool
    }

    pub(super) fn switches(&self) -> &Arc<Switches> {
        &self.switches
    }

    pub(super) fn connector(&self) -> Connector {
        self.now.load().connector.clone()
    }

    /// Returns whether HTTP/2 is offered: not where no connection is kept.
    pub(super) fn offers_http2(&self) -> bool {
        let now = self.now.load();
        let UpstreamSettings { http2, pool_idle, max_idle, .. } = now.settings;
        http2 && !pool_idle.is_zero() && max_idle > 0
    }

    /// Returns the time limits of one request.
    pub(super) fn times(&self) -> (Pace, Duration) {
        let now = self.now.load();
        (now.settings.pace(), now.settings.read_timeout)
    }

    /// Counts here from now on; the first place stays.
    pub(super) fn count_in(&self, metrics: Metrics) {
        let _ = self.metrics.set(metrics);
    }

    /// Counts a caller whose content came too slowly.
    pub(super) fn caller_was_late(&self) {
        if let Some(metrics) = self.metrics.get() {
            metrics.bound_hit("body-rate");
        }
    }

    pub(super) fn prepare(&self, settings: UpstreamSettings) -> Result<OtherWay, TlsError> {
        let before = self.now.load();
        let settings = UpstreamSettings { target: self.target.clone(), ..settings };
        let mut now = read(settings, before.generation)?;
        let has_other_files = now.files != before.files;
        let leads = |settings: &UpstreamSettings| (settings.socket.clone(), settings.proxy.clone());
        if has_other_files || leads(&now.settings) != leads(&before.settings) {
            now.generation += 1;
            now.connector = now.connector.numbered(now.generation);
        }
        Ok(OtherWay { now, has_other_files })
    }

    pub(super) fn take(&self, OtherWay { now: other, .. }: OtherWay) {
        let UpstreamSettings { pool_idle, max_idle, forwarded, upgrade, .. } = other.settings;
        let generation = other.generation;
        self.now.store(Arc::new(other));
        self.pool.set(pool_idle, max_idle, generation);
        self.switches.set(forwarded, upgrade);
    }
}

fn read(settings: UpstreamSettings, generation: u64) -> Result<Now, TlsError> {
    let files = match settings.target.is_https() {
        true => tls::content(&settings)?,
        false => blake3::hash(&[]),
    };
    let connector = Connector::new(&settings)?.numbered(generation);
    Ok(Now { connector, settings, files, generation })
}

//! Puts another configuration in force in a running gateway.
//!
//! In: a configuration of which every value holds. Out: all that can change has changed, or nothing
//! where a file that it names cannot be used. No call waits for that: each part has its settings in
//! atomics, or behind a pointer that is swapped.

use super::{
    descriptors,
    gateway::{govern_settings, serve_options, tls_files, way_settings},
    parts::Parts,
};
use crate::{
    config::{Config, Level, Limits, Loaded},
    edge::{ServeLimits, ServeOptions},
    govern::UpstreamKey,
    http::Chain,
    observe::telemetry,
};
use std::error::Error;

/// What has changed beside the values of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// Callers' certificates were read again.
    pub tls: bool,
    /// Upstream's certificates, or Weir's own for upstream, hold something else.
    pub upstream: bool,
}

impl Parts {
    /// Puts a configuration in force, of which the values that need a restart are those that run.
    ///
    /// # Errors
    /// Says which file cannot be used; nothing has changed then.
    pub(super) fn take(&self, next: &Loaded, running: &Config) -> Result<Files, String> {
        let config = &next.config;
        let way = match config.upstream.url {
            Some(_) => {
                let settings = way_settings(next).map_err(|error| Chain(&error).to_string())?;
                let other = self.upstream.prepare(settings);
                Some(other.map_err(|error| told(&error, "upstream's TLS"))?)
            }
            None => None,
        };
        let files = tls_files(config);
        let tls = self.tls.as_ref().filter(|_| !files.certificates.is_empty());
        // The last that can fail.
        if let Some(Err(error)) = tls.map(|tls| tls.replace(&files)) {
            return Err(told(&error, "callers' TLS"));
        }
        let changed = Files {
            tls: tls.is_some(),
            upstream: way.as_ref().is_some_and(|way| way.has_other_files()),
        };
        if let Some(way) = way {
            self.upstream.take(way);
        }
        self.take_values(next, running);
        Ok(changed)
    }

    fn take_values(&self, next: &Loaded, running: &Config) {
        let config = &next.config;
        let ServeOptions { header_timeout, keep_alive, write_timeout, ping_after, .. } =
            serve_options(config);
        let ServeOptions { head, drain, caller_address, .. } = serve_options(config);
        self.serving.set(ServeLimits {
            header_timeout,
            keep_alive,
            write_timeout,
            ping_after,
            head,
            drain,
            caller_address,
        });
        let limits = &config.limits;
        let bounds = |limits: &Limits| (limits.connections, limits.calls);
        if bounds(limits) != bounds(&running.limits) {
            self.bounds.set(descriptors::connections(limits.connections), limits.calls);
        }
        self.grace.set(config);
        self.governor.set_settings(govern_settings(config));
        self.governor.set_key(next.key.as_ref().and_then(|key| UpstreamKey::new(key.expose())));
        let (queue, wait) = (config.sequencing.queue, config.sequencing.wait);
        self.governor.sessions().set_waiting(queue, wait, config.limits.waiting);
        self.governor.set_policy(config.policy.clone());
        let token = next.token.as_ref().map(|token| token.expose());
        self.admin.admit(config.admin.hosts.clone(), token);
    }
}

fn told(error: &(dyn Error + 'static), of: &str) -> String {
    let error = Chain(error).to_string();
    tracing::error!(error, of, "the certificates cannot be used, nothing has changed");
    error
}

/// Logs at the level of a configuration from now on, unless `RUST_LOG` decides that.
pub(super) fn set_level(now: Level) {
    let now = now.as_str();
    if telemetry::is_by_rust_log() {
        tracing::warn!(now, "RUST_LOG decides what is logged: `log.level` changes nothing");
    } else {
        let tell = || tracing::warn!(now, "the configuration changes the level of the log");
        telemetry::set_level(now, tell);
    }
}

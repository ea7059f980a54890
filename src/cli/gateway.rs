//! Puts the rooms together as a configuration says: listeners, governor, upstream, admin.
//!
//! In: a loaded configuration. Out: a gateway whose ports are bound, ready to run until it is told
//! to stop. What cannot be had (a port in use, no certificates) is an error before anything is
//! served.

use crate::{
    admin::Admin,
    config::{Config, Loaded, Scheme, UpstreamUrl},
    dialects,
    edge::{Drained, ServeOptions, Worker, listeners, run_workers},
    govern::{GovernSettings, Governor},
    http::Chain,
    sessions::{self, Sessions},
    stack::stack,
    upstream::{Target, TlsError, Upstream, UpstreamSettings},
};
use http::uri;
use std::{
    fmt,
    future::Future,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Everything bound and nothing served yet.
pub(super) struct Gateway {
    pub governor: Arc<Governor>,
    config: Config,
    listeners: Vec<TcpListener>,
    admin: Option<(Admin, TcpListener)>,
    upstream: Upstream,
}

/// Why a gateway cannot start: what, where, and what to do.
#[derive(Debug)]
pub(super) enum CannotStart {
    /// An address cannot be listened on.
    Listen { what: &'static str, key: &'static str, address: SocketAddr, error: io::Error },
    /// No upstream is named.
    NoUpstream,
    /// TLS to upstream cannot be set up.
    Tls(TlsError),
}

impl CannotStart {
    /// `key` is the setting, or the flag, that chooses another address.
    pub fn listen(
        what: &'static str,
        key: &'static str,
        address: SocketAddr,
        error: io::Error,
    ) -> Self {
        CannotStart::Listen { what, key, address, error }
    }
}

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CannotStart::Listen { what, key, address, error }
                if error.kind() == io::ErrorKind::AddrInUse =>
            {
                write!(
                    f,
                    "cannot listen on {address} for {what}: the address is in use; \
                     stop what uses it, or choose another with {key}"
                )
            }
            CannotStart::Listen { what, key, address, error } => {
                write!(
                    f,
                    "cannot listen on {address} for {what}: {error}; choose another with {key}"
                )
            }
            CannotStart::NoUpstream => {
                f.write_str("cannot prepare the way to upstream: upstream.url is not set")
            }
            CannotStart::Tls(error) => {
                write!(f, "cannot prepare the way to upstream: {}", Chain(error))
            }
        }
    }
}

impl Gateway {
    pub fn bind(loaded: &Loaded) -> Result<Self, CannotStart> {
        let config = loaded.config.clone();
        let upstream = upstream(&config)?;
        let workers = config
            .listen
            .workers
            .or_else(|| thread::available_parallelism().ok().map(Into::into))
            .unwrap_or(1);
        let address = config.listen.address;
        let listeners = listeners(address, workers)
            .map_err(|error| CannotStart::listen("callers", "--listen", address, error))?;
        let governor =
            Governor::new(config.policy.clone(), remembering(&config), governing(&config));
        let admin = match config.admin.address {
            Some(address) => {
                let cannot =
                    |error| CannotStart::listen("the admin API", "--admin", address, error);
                let listener = TcpListener::bind(address).map_err(cannot)?;
                listener.set_nonblocking(true).map_err(cannot)?;
                Some((Admin::new(governor.clone(), shown(loaded)), listener))
            }
            None => None,
        };
        Ok(Self { governor, config, listeners, admin, upstream })
    }

    /// Where callers reach it.
    pub fn address(&self) -> SocketAddr {
        self.listeners
            .first()
            .and_then(|listener| listener.local_addr().ok())
            .unwrap_or(self.config.listen.address)
    }

    /// Where operators reach it.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|(_, listener)| listener.local_addr().ok())
    }

    /// What operators see, where the admin API is on.
    pub fn admin(&self) -> Option<Admin> {
        self.admin.as_ref().map(|(admin, _)| admin.clone())
    }

    /// Serves until `shutdown`, then finishes what was begun, within the drain time-out.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<Drained> {
        let ended = CancellationToken::new();
        // Also when this future is dropped.
        let _ended = ended.clone().drop_guard();
        let draining = self.admin();
        let admin = match self.admin {
            Some((admin, listener)) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                Some(tokio::spawn(admin.run(listener, ended.clone().cancelled_owned())))
            }
            None => None,
        };
        let shutdown = async {
            shutdown.await;
            if let Some(admin) = draining {
                admin.drain();
            }
        };
        let (governor, upstream) = (self.governor, self.upstream);
        let make = move |worker: Worker| stack(governor.clone(), upstream.another(), worker.work);
        let options = serve_options(&self.config);
        let drained = run_workers(self.listeners, make, options, shutdown).await;
        ended.cancel();
        if let Some(admin) = admin {
            let _ = tokio::time::timeout(Duration::from_secs(2), admin).await;
        }
        drained
    }
}

/// The configuration as `/config` shows it.
pub(super) fn shown(loaded: &Loaded) -> String {
    format!("{:#}\n", loaded.to_json())
}

fn upstream(config: &Config) -> Result<Upstream, CannotStart> {
    let url = config.upstream.url.as_ref().ok_or(CannotStart::NoUpstream)?;
    Upstream::new(upstream_settings(config, url)).map_err(CannotStart::Tls)
}

fn upstream_settings(config: &Config, url: &UpstreamUrl) -> UpstreamSettings {
    let scheme = match url.scheme() {
        Scheme::Http => uri::Scheme::HTTP,
        Scheme::Https => uri::Scheme::HTTPS,
    };
    UpstreamSettings {
        target: Target::new(scheme, url.authority().clone(), url.base_path()),
        connect_timeout: config.upstream.connect_timeout,
        timeout: config.upstream.timeout,
        read_timeout: config.upstream.timeout,
        pool_idle: config.upstream.idle_timeout,
        max_idle: config.upstream.max_idle,
        ca_file: config.upstream.ca_file.clone(),
        forwarded: config.headers.forwarded,
    }
}

fn serve_options(config: &Config) -> ServeOptions {
    ServeOptions {
        header_timeout: config.limits.header_timeout,
        drain: config.limits.drain,
        caller_address: config.headers.forwarded,
        ..ServeOptions::default()
    }
}

fn remembering(config: &Config) -> Sessions {
    Sessions::in_memory(sessions::Settings {
        capacity: u64::try_from(config.sessions.capacity).unwrap_or(u64::MAX),
        idle_ttl: config.sessions.idle_ttl,
        queue: config.sequencing.queue,
        wait: config.sequencing.wait,
        kinds: dialects::ALL.iter().flat_map(|dialect| dialect.kinds()).copied().collect(),
        ..sessions::Settings::default()
    })
}

fn governing(config: &Config) -> GovernSettings {
    GovernSettings {
        governed_body: config.limits.governed_body,
        body_timeout: config.upstream.timeout,
        answer: config.limits.answer,
        headers: config.headers.decision,
        ..GovernSettings::default()
    }
}

/// Ctrl-C or SIGTERM. The second one ends the process at once.
pub(super) async fn stopped() {
    signalled().await;
    tokio::spawn(async {
        signalled().await;
        // Not `eprintln!`, which panics where standard error is closed.
        let _ = writeln!(io::stderr(), "Stopped at once: what was under way is cut off.");
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

#[cfg(not(unix))]
async fn signalled() {
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that mounts the layer, and every test, gets what the program has.
    #[test]
    fn the_rooms_defaults_are_the_configurations() {
        let config = Config::default();
        let url: UpstreamUrl = "https://api.example.com/base".parse().unwrap();
        let target: Target = url.to_string().parse().unwrap();
        assert_eq!(upstream_settings(&config, &url), UpstreamSettings::new(target));
        let shown =
            |options: ServeOptions| (options.header_timeout, options.drain, options.caller_address);
        assert_eq!(shown(serve_options(&config)), shown(ServeOptions::default()));
        assert_eq!(format!("{:?}", governing(&config)), format!("{:?}", GovernSettings::default()));
    }
}

//! Puts the rooms together as a configuration says: listeners, governor, upstream, admin.
//!
//! In: a loaded configuration. Out: a gateway whose ports are bound, ready to run until it is told
//! to stop. What cannot be had (a port in use, no certificates) is an error before anything is
//! served.

use crate::{
    admin::Admin,
    config::{Config, Loaded},
    proxy::{
        self, Drained, GovernSettings, Governor, ServeOptions, Target, Upstream, listeners,
        run_workers, stack,
    },
    sessions::{self, Sessions},
};
use std::{
    fmt,
    future::Future,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::sync::watch;

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
    /// There is no way to upstream.
    Upstream(String),
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
                    "cannot listen on {address} for {what}: the address is in use; stop what uses it, or choose another with {key}"
                )
            }
            CannotStart::Listen { what, key, address, error } => {
                // An error that names the address already is not made to name it twice.
                let error = error.to_string();
                let why =
                    error.strip_prefix(&format!("cannot listen on {address}: ")).unwrap_or(&error);
                write!(f, "cannot listen on {address} for {what}: {why}; choose another with {key}")
            }
            CannotStart::Upstream(why) => write!(f, "cannot prepare the way to upstream: {why}"),
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
        let ended = watch::Sender::new(false);
        let draining = self.admin();
        let admin = match self.admin {
            Some((admin, listener)) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let mut ended = ended.subscribe();
                Some(tokio::spawn(
                    admin.run(listener, async move { drop(ended.wait_for(|ended| *ended).await) }),
                ))
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
        let make =
            move |worker: proxy::Worker| stack(governor.clone(), upstream.another(), worker.work);
        let options = ServeOptions {
            header_timeout: self.config.limits.header_timeout,
            drain: self.config.limits.drain,
            caller_address: self.config.headers.forwarded,
            ..ServeOptions::default()
        };
        let drained = run_workers(self.listeners, make, options, shutdown).await;
        ended.send_replace(true);
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
    let url = config
        .upstream
        .url
        .as_ref()
        .ok_or_else(|| CannotStart::Upstream("upstream.url is not set".to_owned()))?;
    let target: Target = url
        .to_string()
        .parse()
        .map_err(|error: proxy::NotATarget| CannotStart::Upstream(error.to_string()))?;
    let settings = proxy::Settings {
        connect_timeout: config.upstream.connect_timeout,
        timeout: config.upstream.timeout,
        idle_timeout: config.upstream.timeout,
        pool_idle: config.upstream.idle_timeout,
        max_idle: config.upstream.max_idle,
        ca_file: config.upstream.ca_file.clone(),
        forwarded: config.headers.forwarded,
        target,
    };
    Upstream::new(settings).map_err(|error| CannotStart::Upstream(error.to_string()))
}

fn remembering(config: &Config) -> Sessions {
    Sessions::in_memory(sessions::Settings {
        capacity: u64::try_from(config.sessions.capacity).unwrap_or(u64::MAX),
        idle_ttl: config.sessions.idle_ttl,
        queue: config.sequencing.queue,
        wait: config.sequencing.wait,
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

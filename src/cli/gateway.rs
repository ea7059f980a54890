//! Puts the rooms together as a configuration says: listeners, governor, upstream, admin.
//!
//! In: a loaded configuration. Out: a gateway whose ports are bound, ready to run until it is told
//! to stop. A port in use or certificates that cannot be read are errors before anything is served.

use super::{
    deep, descriptors,
    entry::Entry,
    parts::{Grace, Parts},
    record,
    start_error::StartError,
};
use crate::{
    admin::{Admin, AdminSettings},
    config::{self, ClientCertificates, Config, ListenAddress, Loaded, PeerName, UpstreamUrl, Way},
    dialects,
    edge::{
        Bounds, Drained, Later, ProxyPeers, Pulses, ServeOptions, Tls, TlsFiles, Worker,
        run_workers,
    },
    govern::{GovernSettings, Governor, UpstreamKey},
    sessions::{self, Sessions},
    stack::stack,
    upstream::{ClientIdentity, Roots, Target, Upstream, UpstreamProxy, UpstreamSettings},
};
use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A proxy and its admin API, with all ports bound and nothing served yet.
pub(super) struct Gateway {
    pub governor: Arc<Governor>,
    config: Config,
    entry: Entry,
    admin: Admin,
    admin_listener: Option<TcpListener>,
    probes_listener: Option<TcpListener>,
    pulses: Pulses,
    live: Parts,
}

/// How often a worker notes that it runs.
const PULSE: Duration = Duration::from_secs(1);

impl Gateway {
    /// Takes the ports and reads the certificates that the configuration names.
    pub(super) fn bind(loaded: &Loaded) -> Result<Self, StartError> {
        let config = loaded.config.clone();
        let upstream = upstream(loaded)?;
        let files = tls_files(&config);
        let tls = (!files.certificates.is_empty()).then(|| Tls::new(&files)).transpose()?;
        let workers = config
            .listen
            .workers
            .or_else(|| thread::available_parallelism().ok().map(Into::into))
            .unwrap_or(1);
        let entry = Entry::open(&config.listen, workers)?;
        let sessions = Sessions::in_memory(session_settings(&config));
        let key = loaded.key.as_ref().and_then(|key| UpstreamKey::new(key.expose()));
        let settings = govern_settings(&config);
        let governor = Governor::with_key(config.policy.clone(), sessions, settings, key);
        record::start(&config.decision_log, &governor)?;
        #[cfg(feature = "otlp")]
        trace(&config.otlp, &governor)?;
        warn_of_base(&upstream);
        governor.metrics().config_taken();
        upstream.counted(governor.metrics().clone());
        let admin_listener = own_listener("the admin API", "--admin", config.admin.address)?;
        let probes_listener = own_listener("the probes", "--probes", config.probes.address)?;
        let pulses = Pulses::new(workers, PULSE);
        let settings = AdminSettings {
            pulses: pulses.clone(),
            ask: Some(deep::asks(&upstream)),
            hosts: config.admin.hosts.clone(),
            token: loaded.token.as_ref().map(|token| token.expose().to_owned()),
            ..AdminSettings::default()
        };
        let admin = Admin::with(governor.clone(), config_json(loaded), settings);
        let live = Parts {
            governor: governor.clone(),
            admin: admin.clone(),
            upstream,
            tls,
            bounds: bounds(&config),
            serving: Later::default(),
            grace: Grace::of(&config),
        };
        Ok(Self { governor, config, entry, admin, admin_listener, probes_listener, pulses, live })
    }

    /// Returns the address at which callers reach it.
    pub(super) fn address(&self) -> &ListenAddress {
        &self.entry.address
    }

    /// Returns the address at which operators reach it.
    pub(super) fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Returns the address that has the probes alone.
    pub(super) fn probes_address(&self) -> Option<SocketAddr> {
        self.probes_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Returns what ends callers' TLS, if anything does.
    pub(super) fn tls(&self) -> Option<Tls> {
        self.live.tls.clone()
    }

    /// Returns the parts whose settings can change while it runs.
    pub(super) fn live(&self) -> Parts {
        self.live.clone()
    }

    /// Serves until `shutdown`. Then `/ready` answers 503, new calls are taken until the grace is
    /// over, and what was begun is finished, for at most the drain time-out.
    pub(super) async fn run(mut self, shutdown: impl Future<Output = ()>) -> io::Result<Drained> {
        let ended = CancellationToken::new();
        // Also when this future is dropped.
        let _ended = ended.clone().drop_guard();
        let own = TaskTracker::new();
        if let Some(listener) = self.admin_listener {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            own.spawn(self.admin.clone().run(listener, ended.clone().cancelled_owned()));
        }
        if let Some(listener) = self.probes_listener {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            own.spawn(self.admin.clone().run_probes(listener, ended.clone().cancelled_owned()));
        }
        own.close();
        let admin = self.admin;
        let Parts { upstream, tls, bounds, serving, grace, .. } = self.live;
        let shutdown = async {
            shutdown.await;
            admin.drain();
            let grace = grace.now();
            if !grace.is_zero() {
                tokio::time::sleep(grace).await;
                tracing::info!("the grace is over: nothing new is taken");
            }
        };
        let options = ServeOptions {
            bounds,
            later: serving,
            metrics: Some(self.governor.metrics().clone()),
            pulses: self.pulses,
            tls,
            ..serve_options(&self.config)
        };
        let governor = self.governor;
        record::reopen_on_signal(&governor)?;
        let recorded = governor.clone();
        let make = move |worker: Worker| stack(governor.clone(), upstream.another(), worker.work);
        let Entry { listeners, .. } = &mut self.entry;
        let drained = run_workers(std::mem::take(listeners), make, options, shutdown).await;
        ended.cancel();
        record::finish(&recorded);
        #[cfg(feature = "otlp")]
        if let Some(traces) = recorded.traces().cloned() {
            // A collector that is silent holds up neither signals nor probes.
            let _ = tokio::task::spawn_blocking(move || traces.finish()).await;
        }
        let _ = tokio::time::timeout(Duration::from_secs(2), own.wait()).await;
        drained
    }
}

/// Starts the traces, if there are to be some.
#[cfg(feature = "otlp")]
fn trace(to: &config::Otlp, governor: &Governor) -> Result<(), StartError> {
    let Some(url) = &to.endpoint else { return Ok(()) };
    let (endpoint, one_in, queue) = (url.to_string(), to.one_in, to.queue);
    let settings = crate::traces::TraceSettings { endpoint, one_in, queue };
    let traces = crate::traces::Traces::start(&settings, governor.metrics().clone());
    governor.trace_in(traces.map_err(StartError::Traces)?);
    Ok(())
}

/// Takes the port of an address beside the callers' own, if there is one.
fn own_listener(
    what: &'static str,
    flag: &'static str,
    address: Option<SocketAddr>,
) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let listening = StartError::listening(what, flag, address);
    let listener = TcpListener::bind(address).map_err(&listening)?;
    listener.set_nonblocking(true).map_err(&listening)?;
    Ok(Some(listener))
}

/// Warns of a base path by which no call is judged.
fn warn_of_base(upstream: &Upstream) {
    if dialects::Dialects::built_in().base(upstream.base_path()).hides_calls() {
        tracing::warn!(
            "the base path of `upstream.url` has a word of the API where no call is judged by it"
        );
    }
}

/// Writes the configuration as `/config` shows it.
pub(super) fn config_json(loaded: &Loaded) -> String {
    format!("{:#}\n", loaded.to_json())
}

fn upstream(loaded: &Loaded) -> Result<Upstream, StartError> {
    let settings = way_settings(loaded)?;
    if loaded.way != Way::Direct {
        let way = &loaded.way;
        tracing::info!(%way, "how upstream is reached");
    }
    Ok(Upstream::new(settings)?)
}

/// Returns how upstream is reached, by a proxy or without.
pub(super) fn way_settings(loaded: &Loaded) -> Result<UpstreamSettings, StartError> {
    let url = loaded.config.upstream.url.as_ref().ok_or(StartError::NoUpstream)?;
    let proxy = loaded.way.proxy().map(|url| {
        UpstreamProxy::new(&url.expose()).ok_or_else(|| StartError::Proxy(url.to_string()))
    });
    let settings = upstream_settings(&loaded.config, url);
    Ok(UpstreamSettings { proxy: proxy.transpose()?, ..settings })
}

fn upstream_settings(config: &Config, url: &UpstreamUrl) -> UpstreamSettings {
    UpstreamSettings {
        target: Target::new(url.scheme().clone(), url.authority().clone(), url.base_path()),
        socket: config.upstream.socket.clone(),
        proxy: None,
        connect_timeout: config.upstream.connect_timeout,
        timeout: config.upstream.timeout,
        read_timeout: config.upstream.read_timeout,
        body_rate: u64::try_from(config.limits.body_rate).unwrap_or(u64::MAX),
        pool_idle: config.upstream.idle_timeout,
        max_idle: config.upstream.max_idle,
        max_age: config.upstream.max_age,
        http2: config.upstream.http2 == config::Http2::Auto,
        ping_after: config.upstream.ping_after,
        roots: match config.upstream.roots {
            config::Roots::Platform => Roots::Platform,
            config::Roots::Bundled => Roots::Bundled,
            config::Roots::File => Roots::File,
        },
        ca_file: config.upstream.ca_file.clone(),
        client: client_identity(config),
        forwarded: config.headers.forwarded,
        upgrade: config.headers.upgrade,
    }
}

/// Returns the files of Weir's own certificate; the configuration has both or neither.
fn client_identity(config: &Config) -> Option<ClientIdentity> {
    let certificate = config.upstream.client_certificate.clone()?;
    Some(ClientIdentity { certificate, key: config.upstream.client_key.clone()? })
}

/// Returns how much is taken on at once.
fn bounds(config: &Config) -> Bounds {
    let connections = descriptors::connections(config.limits.connections);
    Bounds::new(connections, config.limits.calls)
}

pub(super) fn serve_options(config: &Config) -> ServeOptions {
    ServeOptions {
        header_timeout: config.limits.header_timeout,
        keep_alive: config.limits.keep_alive,
        write_timeout: config.limits.write_timeout,
        ping_after: config.limits.ping_after,
        head: config.limits.head,
        drain: config.limits.drain,
        caller_address: config.headers.forwarded,
        proxy_peers: proxy_peers(&config.listen.proxy_protocol),
        ..ServeOptions::default()
    }
}

fn proxy_peers(named: &[PeerName]) -> ProxyPeers {
    let networks = named.iter().filter_map(|peer| match peer {
        PeerName::Network(network) => Some(*network),
        PeerName::Unix => None,
    });
    ProxyPeers { networks: networks.collect(), unix: named.contains(&PeerName::Unix) }
}

/// Returns the files of which callers' TLS is made.
pub(super) fn tls_files(config: &Config) -> TlsFiles {
    TlsFiles {
        certificates: config.listen.certificates.clone(),
        client_ca: config.listen.client_ca_file.clone(),
        clients_may_hide: config.listen.client_certificates == ClientCertificates::Optional,
    }
}

fn session_settings(config: &Config) -> sessions::Settings {
    sessions::Settings {
        capacity: u64::try_from(config.sessions.capacity).unwrap_or(u64::MAX),
        idle_ttl: config.sessions.idle_ttl,
        queue: config.sequencing.queue,
        wait: config.sequencing.wait,
        waiting: config.limits.waiting,
        kinds: dialects::ALL.iter().flat_map(|dialect| dialect.kinds()).copied().collect(),
        ..sessions::Settings::default()
    }
}

pub(super) fn govern_settings(config: &Config) -> GovernSettings {
    GovernSettings {
        governed_body: config.limits.governed_body,
        body_timeout: config.limits.body_timeout,
        call_timeout: config.limits.call,
        calls: config.limits.calls,
        answer: config.limits.answer,
        headers: config.headers.decision,
        // Nobody could see them.
        history: config.admin.address.map_or(0, |_| config.admin.history),
        ..GovernSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that mounts the layer, and every test, gets what the program has.
    #[test]
    fn the_rooms_defaults_are_the_configurations() {
        let config = Config::built_in(dialects::policy());
        let url: UpstreamUrl = "https://api.example.com/base".parse().unwrap();
        let target: Target = url.to_string().parse().unwrap();
        assert_eq!(upstream_settings(&config, &url), UpstreamSettings::new(target));
        let shown = |options: ServeOptions| {
            let ServeOptions { header_timeout, keep_alive, write_timeout, ping_after, .. } =
                options;
            let times = [header_timeout, keep_alive, write_timeout, ping_after, options.drain];
            (times, options.head, options.caller_address, options.proxy_peers)
        };
        assert_eq!(shown(serve_options(&config)), shown(ServeOptions::default()));
        let sessions = sessions::Settings { kinds: Vec::new(), ..session_settings(&config) };
        assert_eq!(sessions, sessions::Settings::default());
        let settings = govern_settings(&config);
        assert_eq!(format!("{settings:?}"), format!("{:?}", GovernSettings::default()));
    }
}

//! The tables of the file, each key with its meaning, its built-in value and its form, stated once.
//!
//! `section!` turns such a statement into a struct of validated values, its `Default` and its walk.
//! `[policy]` is in `policy.rs`: its values are the rules' own types.

use super::{
    form::{
        Choice, Collector, Duration as Span, File, FileMode, Files, Hosts, ListenAddress, ListenOn,
        LogTo, LogToForm, PeerName, Peers, Proxy, ProxyChoice, Size, Switch, Url, Whole,
        address_or_off, automatic, probes_or_off, size_or_off, workers,
    },
    keys::{Section, Visitor},
    upstream_url::UpstreamUrl,
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

macro_rules! section {
    ($(#[doc = $about:literal])+ pub struct $section:ident {
        $(
            $(#[doc = $doc:literal])+
            $key:literal $field:ident: $value:ty = $default:expr, $form:expr;
        )*
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $section {
            $($(#[doc = $doc])+ pub $field: $value,)*
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $section {
            /// The table's description, as the schema shows it.
            pub(super) const DOC: &'static str = concat!($($about),+);
        }

        impl Section for $section {
            fn visit<V: Visitor>(&mut self, visitor: &mut V) {
                $(visitor.key($key, concat!($($doc),+), &$form, &mut self.$field);)*
            }
        }
    };
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;
const HOUR: Duration = seconds(3600);
const DAY: Duration = seconds(24 * 3600);

/// Whether callers over TLS show a certificate of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientCertificates {
    /// Who shows none is not served.
    Required,
    /// Who shows none is served as well; one that is shown must hold.
    Optional,
}

impl ClientCertificates {
    /// Returns the name used in configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }
}

section! {
    /// Where callers reach Weir.
    pub struct Listen {
        /// Address and port to listen on, or `unix:` and the whole path of a Unix socket.
        "address" address: ListenAddress =
            ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 8080))), ListenOn;
        /// The mode of a Unix socket's file, in octal digits. It has no built-in value: the
        /// process's mask says it.
        "socket-mode" socket_mode: Option<u32> = None, FileMode;
        /// Worker threads, each with its own listener and its own connections to upstream: `"auto"`
        /// (one per core), or 1 to 1024.
        "workers" workers: Option<usize> = None, workers(1024);
        /// Certificates with which TLS ends here, each a PEM file with chain and private key, or a
        /// folder with `tls.crt` and `tls.key`. The caller's SNI chooses; the first serves all
        /// other names. None: callers speak in the clear. Relative to the configuration file.
        "certificates" certificates: Vec<PathBuf> = Vec::new(), Files;
        /// A PEM file of the authorities whose clients may connect, with `certificates`. Relative
        /// to the configuration file that names it.
        "client-ca-file" client_ca_file: Option<PathBuf> = None, File;
        /// Whether a caller must show a certificate of `client-ca-file`: `"required"` or
        /// `"optional"`.
        "client-certificates" client_certificates: ClientCertificates =
            ClientCertificates::Required, Choice {
                all: &[ClientCertificates::Required, ClientCertificates::Optional],
                name_of: ClientCertificates::as_str,
            };
        /// Addresses and networks of peers, or `"unix"` for all that come over a Unix socket, that
        /// begin each connection, before TLS, with a header of the PROXY protocol (1 or 2): the
        /// address that it names is the caller's. They must send one, and no other peer may.
        "proxy-protocol" proxy_protocol: Vec<PeerName> = Vec::new(), Peers;
    }
}

section! {
    /// Where operators reach Weir: health, readiness, sessions, decisions, rules, configuration,
    /// counts. Not for callers: it asks for no credentials, unless `token-file` names some.
    pub struct Admin {
        /// Address and port of the admin API, or `"off"`.
        "address" address: Option<SocketAddr> =
            Some(SocketAddr::from(([127, 0, 0, 1], 9090))), address_or_off();
        /// How many of the latest decisions are kept for `/decisions` and `/sessions/…`. From 0 to
        /// 10000000.
        "history" history: usize = 20_000, Whole { least: 0, most: 10_000_000 };
        /// Names under which the admin API is answered, beside IP addresses and `localhost`.
        "hosts" hosts: Vec<String> = Vec::new(), Hosts;
        /// A file that holds a token. All pages but `/live` and `/ready` need it then, as
        /// `Authorization: Bearer …`, and what may change while Weir runs can be changed. Relative
        /// to the configuration file that names it.
        "token-file" token_file: Option<PathBuf> = None, File;
    }
}

section! {
    /// Where probes reach Weir: `/live` and `/ready`, and nothing else.
    pub struct Probes {
        /// Address and port of the probes, or `"off"`. The admin address answers them, too.
        "address" address: Option<SocketAddr> = None, probes_or_off();
    }
}

/// Which certificates are trusted besides those of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The machine's own.
    Platform,
    /// Mozilla's, as they were when Weir was built.
    Bundled,
    /// None.
    File,
}

impl Roots {
    /// Returns the name used in configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Bundled => "bundled",
            Self::File => "file",
        }
    }
}

/// When HTTP/2 is spoken to upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http2 {
    /// Over TLS, where upstream chooses it by ALPN.
    Auto,
    /// Never.
    Off,
}

impl Http2 {
    /// Returns the name used in configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
        }
    }
}

section! {
    /// The payments API behind Weir.
    pub struct Upstream {
        /// `http` or `https` URL of the API; it may carry a base path, but no user, query or
        /// fragment. It has no built-in value.
        "url" url: Option<UpstreamUrl> = None, Url;
        /// A Unix socket at which the API is reached, in place of the address in `url`; `Host` and
        /// TLS go by `url`. Relative to the configuration file that names it.
        "socket" socket: Option<PathBuf> = None, File;
        /// How long upstream may take from the last byte of the request to the head of its answer;
        /// then 504. From `1ms` to `1h`.
        "timeout" timeout: Duration = seconds(30), Span { least: ms(1), most: HOUR };
        /// How long upstream may be silent within an answer; then the answer breaks off. From `1ms`
        /// to `1h`.
        "read-timeout" read_timeout: Duration = seconds(30), Span { least: ms(1), most: HOUR };
        /// How long connecting to upstream may take, TLS included; then 502. From `1ms` to `5m`.
        "connect-timeout" connect_timeout: Duration = seconds(5),
            Span { least: ms(1), most: seconds(300) };
        /// How long an unused connection to upstream is kept; shorter than upstream's own
        /// keep-alive. `0s` keeps none. At most `1h`.
        "idle-timeout" idle_timeout: Duration = seconds(30), Span { least: ms(0), most: HOUR };
        /// Unused connections to upstream that each worker keeps. From 0 to 65535.
        "max-idle" max_idle: usize = 256, Whole { least: 0, most: 65_535 };
        /// How old a connection to upstream may be before it takes no further request, up to a
        /// tenth less for each: a name that moves is noticed then. From `1s` to `1d`.
        "max-age" max_age: Duration = seconds(300), Span { least: seconds(1), most: DAY };
        /// Whether HTTP/2 is spoken: `"auto"` (over TLS, where upstream chooses it by ALPN) or
        /// `"off"`. Not where `idle-timeout` or `max-idle` is 0.
        "http2" http2: Http2 = Http2::Auto,
            Choice { all: &[Http2::Auto, Http2::Off], name_of: Http2::as_str };
        /// How long nothing may be heard over an HTTP/2 connection to upstream before a PING asks;
        /// without an answer within `connect-timeout` it is closed. From `1s` to `1h`.
        "ping-after" ping_after: Duration = seconds(10), Span { least: seconds(1), most: HOUR };
        /// The proxy that leads to upstream (CONNECT): `"env"` (the one that `HTTPS_PROXY` names,
        /// unless `NO_PROXY` has upstream), `"off"`, or an `http` URL, with user and password if it
        /// asks for them.
        "proxy" proxy: ProxyChoice = ProxyChoice::Env, Proxy;
        /// Which certificates to trust: `"platform"` (the machine's own), `"bundled"` (Mozilla's,
        /// as they were when Weir was built) or `"file"` (those of `ca-file` and no others).
        "roots" roots: Roots = Roots::Platform, Choice {
            all: &[Roots::Platform, Roots::Bundled, Roots::File], name_of: Roots::as_str
        };
        /// A PEM file of certificates to trust, beside those of `roots`. Relative to the
        /// configuration file that names it.
        "ca-file" ca_file: Option<PathBuf> = None, File;
        /// A PEM file of the certificate with which Weir shows upstream who it is, its issuers
        /// after it. Relative to the configuration file that names it.
        "client-certificate" client_certificate: Option<PathBuf> = None, File;
        /// A PEM file of the private key of `client-certificate`. Relative to the configuration
        /// file that names it.
        "client-key" client_key: Option<PathBuf> = None, File;
        /// A file that holds a confidential key of the merchant, with which Weir looks up a source
        /// that the caller's own credentials do not open. The variable `WEIR_UPSTREAM_KEY`, which
        /// is the key itself, wins. Relative to the configuration file that names it.
        "key-file" key_file: Option<PathBuf> = None, File;
    }
}

/// Where session records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// In this process; gone when it ends, and learned again from upstream.
    Memory,
}

impl Store {
    /// Returns the name used in configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
        }
    }
}

section! {
    /// What Weir remembers of checkouts, invoices and carts.
    pub struct Sessions {
        /// Where records are kept: `"memory"`.
        "store" store: Store = Store::Memory,
            Choice { all: &[Store::Memory], name_of: Store::as_str };
        /// How many sessions are remembered; past it, the least recently used is forgotten and
        /// learned again when it is needed. From 1 to 1000000000.
        "capacity" capacity: usize = 1_000_000, Whole { least: 1, most: 1_000_000_000 };
        /// How long an untouched session is remembered. From `1s` to `365d`.
        "idle-ttl" idle_ttl: Duration = DAY,
            Span { least: seconds(1), most: seconds(365 * 24 * 3600) };
    }
}

section! {
    /// How calls of one session wait for each other.
    pub struct Sequencing {
        /// How many calls may wait for their turn in one session; past it, the caller is told to
        /// try again. From 1 to 10000.
        "queue" queue: usize = 64, Whole { least: 1, most: 10_000 };
        /// How long a call may wait for its turn; past it, the caller is told to try again. From
        /// `1ms` to `5m`.
        "wait" wait: Duration = seconds(10), Span { least: ms(1), most: seconds(300) };
    }
}

section! {
    /// Bounds on what one caller or one answer may cost.
    pub struct Limits {
        /// The largest body of a governed call, decompressed; past it, 413. From `1KiB` to `64MiB`.
        "governed-body" governed_body: usize = MIB, Size { least: KIB, most: 64 * MIB };
        /// How much of an answer to a governed call is read to learn from it, decompressed; the
        /// caller gets all of it. From `1KiB` to `1GiB`.
        "answer" answer: usize = 4 * MIB, Size { least: KIB, most: GIB };
        /// How long a caller may take to send the head of a request, then 408; also over TLS and
        /// over an HTTP/2 handshake. From `1s` to `5m`.
        "header-timeout" header_timeout: Duration = seconds(15),
            Span { least: seconds(1), most: seconds(300) };
        /// How long the body of a governed call may take to arrive; then 408. From `1ms` to `1h`.
        "body-timeout" body_timeout: Duration = seconds(30), Span { least: ms(1), most: HOUR };
        /// How many bytes a second a caller must send of any other body, on average, once Weir has
        /// waited for them for 20 seconds in all; then 408. From `0B` (any number) to `1MiB`.
        "body-rate" body_rate: usize = 500, Size { least: 0, most: MIB };
        /// How long one governed call may take to its answer, with its turn, its look-ups and the
        /// call itself; then 504. What was begun upstream is finished and learned. From `1s` to
        /// `1h`.
        "call" call: Duration = seconds(300), Span { least: seconds(1), most: HOUR };
        /// How long a caller's connection without a call is kept. From `1s` to `1h`.
        "keep-alive" keep_alive: Duration = seconds(75), Span { least: seconds(1), most: HOUR };
        /// How long a caller may take nothing of its answer, before its connection is closed or its
        /// HTTP/2 stream reset. From `1s` to `1h`.
        "write-timeout" write_timeout: Duration = seconds(30),
            Span { least: seconds(1), most: HOUR };
        /// How long nothing may be heard from a caller over HTTP/2 before a PING asks whether it is
        /// there. From `1s` to `1h`.
        "ping-after" ping_after: Duration = seconds(30), Span { least: seconds(1), most: HOUR };
        /// The largest head of a request; past it, 431. From `8KiB` to `1MiB`.
        "head" head: usize = 64 * KIB, Size { least: 8 * KIB, most: MIB };
        /// Callers' connections at one time, all workers together; past it, 503. From 1 to 1000000,
        /// or `"auto"`: half of the file descriptors that the process may have, and at most 65536.
        "connections" connections: Option<usize> = None, automatic(1, 1_000_000);
        /// Calls in flight at one time, all workers together; past it, 503. From 1 to 1000000.
        "calls" calls: usize = 16_384, Whole { least: 1, most: 1_000_000 };
        /// Calls that wait for their turns at one time, over all sessions; past it, 503. From 1 to
        /// 1000000.
        "waiting" waiting: usize = 8192, Whole { least: 1, most: 1_000_000 };
        /// How long new calls are still taken after the signal to stop, while `/ready` answers 503.
        /// `0s` to `5m`.
        "grace" grace: Duration = seconds(0), Span { least: ms(0), most: seconds(300) };
        /// How long calls under way may take to end when Weir stops. `0s` to `1h`.
        "drain" drain: Duration = seconds(30), Span { least: ms(0), most: HOUR };
    }
}

section! {
    /// Headers of Weir's own. `Via` is always added.
    pub struct Headers {
        /// Whether answers to governed calls carry `Weir-Decision` and the other headers about it.
        "decision" decision: bool = true, Switch;
        /// Whether the caller's address is added to `Forwarded` and `X-Forwarded-For`. The vendor's
        /// fraud check reads the last `for=` as the shopper's.
        "forwarded" forwarded: bool = false, Switch;
        /// Whether a call that no rule governs may switch to another protocol by `Upgrade`. Weir
        /// sees nothing of what follows.
        "upgrade" upgrade: bool = false, Switch;
    }
}

impl Listen {
    /// Takes another's certificates, and whom it asks for some.
    pub(crate) fn take_certificates(&mut self, other: &Self) {
        self.certificates.clone_from(&other.certificates);
        self.client_ca_file.clone_from(&other.client_ca_file);
        self.client_certificates = other.client_certificates;
    }
}

section! {
    /// When the configuration is read again.
    pub struct Reload {
        /// Whether it is read again when its file, or a certificate, key or token that it names,
        /// has changed. SIGHUP does so in any case.
        "watch" watch: bool = true, Switch;
    }
}

/// How much is logged: the later, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing.
    Off,
    /// What went wrong inside Weir, or left a session in doubt.
    Error,
    /// Also what an operator should look at.
    Warn,
    /// Also one line per governed call.
    Info,
    /// Also look-ups and how facts were learned.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// All, the quietest first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Returns the name used in configuration and by `RUST_LOG`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `Human` on a terminal, `Json` otherwise.
    Auto,
    /// For reading.
    Human,
    /// One object a line.
    Json,
}

impl Format {
    /// All.
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::Human, Self::Json];

    /// Returns the name used in configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

section! {
    /// Logs, on standard error or in a file. `RUST_LOG` overrides `level`.
    pub struct Log {
        /// `"off"`, `"error"`, `"warn"`, `"info"`, `"debug"` or `"trace"`.
        "level" level: Level = Level::Info, Choice { all: &Level::ALL, name_of: Level::as_str };
        /// `"auto"` (human on a terminal, JSON otherwise), `"human"` or `"json"`.
        "format" format: Format = Format::Auto,
            Choice { all: &Format::ALL, name_of: Format::as_str };
        /// A file for the log, in place of standard error. Relative to the configuration file that
        /// names it.
        "file" file: Option<PathBuf> = None, File;
        /// How long the file may become before it is put aside as `….1`: from `64KiB` to `1024GiB`,
        /// or `"off"` where another program moves it and sends SIGUSR1.
        "rotate-at" rotate_at: Option<usize> = Some(100 * MIB),
            size_or_off(64 * KIB, 1024 * GIB);
        /// How many files that were put aside are kept. From 0 to 1000.
        "keep" keep: usize = 5, Whole { least: 0, most: 1000 };
    }
}

section! {
    /// One line for each governed call, with all that its decision rested on.
    pub struct DecisionLog {
        /// `"off"`, `"stdout"`, or the name of a file, relative to the configuration file that
        /// names it.
        "to" to: LogTo = LogTo::Off, LogToForm;
        /// How long the file may become before it is put aside as `….1`: from `64KiB` to `1024GiB`,
        /// or `"off"` where another program moves it and sends SIGUSR1.
        "rotate-at" rotate_at: Option<usize> = Some(100 * MIB),
            size_or_off(64 * KIB, 1024 * GIB);
        /// How many files that were put aside are kept. From 0 to 1000.
        "keep" keep: usize = 5, Whole { least: 0, most: 1000 };
    }
}
section! {
    /// Traces of calls, sent to an OpenTelemetry collector. For a Weir that was built with the
    /// feature `otlp`.
    pub struct Otlp {
        /// The collector's URL for traces (OTLP over HTTP, without TLS), or `"off"`.
        "endpoint" endpoint: Option<UpstreamUrl> = None, Collector;
        /// Of the calls that come without a trace, one in so many gets one. From 1 to 1000000.
        /// Where a call brings a trace, its caller says whether it is sampled.
        "one-in" one_in: usize = 1, Whole { least: 1, most: 1_000_000 };
        /// How many spans may wait to be sent; others are dropped and counted. From 128 to
        /// 1048576.
        "queue" queue: usize = 8192, Whole { least: 128, most: 1 << 20 };
    }
}

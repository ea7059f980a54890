//! How to reach upstream, as values.

use super::{proxy::UpstreamProxy, target::Target, uploading::Pace};
use std::{path::PathBuf, time::Duration};

/// Which certificates are trusted besides those of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The machine's own.
    Platform,
    /// Mozilla's, as they were when Weir was built.
    Bundled,
    /// None.
    File,
}

/// The files with which Weir shows upstream who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// PEM certificates, Weir's own first.
    pub certificate: PathBuf,
    /// The PEM private key of the first.
    pub key: PathBuf,
}

/// How to reach upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// The address of upstream.
    pub target: Target,
    /// A Unix socket at which upstream is reached, in place of the target's own address. `Host` and
    /// TLS go by the target.
    pub socket: Option<PathBuf>,
    /// The proxy that leads there, if one does. The environment is not looked at.
    pub proxy: Option<UpstreamProxy>,
    /// The bound for making a connection, name resolution and TLS included.
    pub connect_timeout: Duration,
    /// How long upstream may take from the last byte of the request to the head of its answer;
    /// also how long a caller may stall in its request.
    pub timeout: Duration,
    /// How long upstream may be silent within an answer.
    pub read_timeout: Duration,
    /// How many bytes a second a caller must send of a streamed body at least, once Weir has waited
    /// for it for `Pace::GRACE` in all; 0: any number.
    pub body_rate: u64,
    /// How long a connection may stay unused before it is closed. Zero: no connection is used
    /// twice. Less than upstream's own bound avoids requests that meet a closing connection.
    pub pool_idle: Duration,
    /// How many unused connections are kept, per `Upstream`.
    pub max_idle: usize,
    /// How old a connection may be before it takes no further request, up to a tenth less for each
    /// so that they do not end together.
    pub max_age: Duration,
    /// Whether HTTP/2 is offered over TLS, by ALPN. Not where no connection is kept.
    pub http2: bool,
    /// How long nothing may be heard over an HTTP/2 connection before a PING asks; its answer has
    /// `connect_timeout`.
    pub ping_after: Duration,
    /// Which certificates to trust besides those of `ca_file`.
    pub roots: Roots,
    /// PEM certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// How to show upstream over TLS who calls, if it asks.
    pub client: Option<ClientIdentity>,
    /// Whether the caller's address is appended to `Forwarded` and `X-Forwarded-For`; needs
    /// `ServeOptions::caller_address`.
    pub forwarded: bool,
    /// Whether a request may switch to another protocol.
    pub upgrade: bool,
}

impl UpstreamSettings {
    /// Returns the configuration's defaults, for `target`.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            socket: None,
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(30),
            body_rate: 500,
            pool_idle: Duration::from_secs(30),
            max_idle: 256,
            max_age: Duration::from_secs(300),
            http2: true,
            ping_after: Duration::from_secs(10),
            roots: Roots::Platform,
            ca_file: None,
            client: None,
            forwarded: false,
            upgrade: false,
        }
    }

    pub(super) fn pace(&self) -> Pace {
        Pace { timeout: self.timeout, rate: self.body_rate }
    }
}

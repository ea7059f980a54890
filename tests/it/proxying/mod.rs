//! The proxy's ground over real sockets: callers and upstreams are scripts that write and read
//! bytes.

mod broken_bodies;
mod draining;
mod expecting;
mod failing;
mod forwarding;
mod framing;
mod http2;
mod http2_out;
mod http2_out_ends;
mod limits;
mod naming_faults;
#[cfg(unix)]
mod over_unix;
mod proxy_protocol;
mod streaming;
mod through_a_proxy;
mod timing;
mod tls;
mod tls_in;
mod upgrading;

use crate::testbed::{
    Body, Bounds, ClientIdentity, CollectError, Drained, Frames, Listener, Problem, Proxy,
    Recorder, Roots, ServeOptions, StreamEnd, TaskTracker, Tls, TlsFiles, Upstream, UpstreamProxy,
    UpstreamSettings, Wire, Worker, before, collect, idle, in_plain_text, listeners, proxying,
    run_workers, serve, status, text, tls_provider, undated,
};
use std::{convert::Infallible, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

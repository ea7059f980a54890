//! The caller's end of a connection.

use std::net::SocketAddr;

/// Where a caller is, in a request's extensions if `ServeOptions::caller_address` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerAddress {
    /// Its address; `None`: it is not known, as over a Unix socket.
    pub address: Option<SocketAddr>,
    /// Whether its TLS ends here.
    pub over_tls: bool,
}

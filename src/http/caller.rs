//! The caller's end of a connection.

use std::{net::SocketAddr, sync::Arc};

/// Where a caller is, in a request's extensions if `ServeOptions::caller_address` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerAddress {
    /// Its address; `None`: it is not known, as over a Unix socket.
    pub address: Option<SocketAddr>,
    /// Whether its TLS ends here.
    pub over_tls: bool,
}

/// The subject of the certificate that the caller has shown, as RFC 4514 writes it, in a request's
/// extensions. It was verified. Absent where the caller has shown none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSubject(pub Arc<str>);

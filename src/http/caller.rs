//! The caller's end of a connection.

use std::net::SocketAddr;

/// The caller's address, in a request's extensions if `ServeOptions::caller_address` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerAddress(pub SocketAddr);

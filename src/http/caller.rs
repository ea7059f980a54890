//! The caller's end of a connection.

use std::net::SocketAddr;

/// The address of the caller, in a request's extensions where the server was told to put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerAddress(pub SocketAddr);

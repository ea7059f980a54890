//! Who is at the caller's end of a connection.

use std::net::SocketAddr;

/// The address of the caller's end of the connection, in a request's extensions if
/// `ServeOptions::caller_address` asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerAddress(pub SocketAddr);

//! The sockets at which callers' connections arrive: of TCP, or of Unix.

use super::socket::Socket;
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

/// A socket at which connections arrive, before a runtime waits at it.
#[derive(Debug)]
pub enum Listener {
    /// Of TCP.
    Tcp(std::net::TcpListener),
    /// Of Unix.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

impl From<std::net::TcpListener> for Listener {
    fn from(listener: std::net::TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixListener> for Listener {
    fn from(listener: std::os::unix::net::UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl Listener {
    /// Lets the current runtime wait at it.
    pub(super) fn open(self) -> io::Result<OpenListener> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener).map(OpenListener::Tcp)
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                listener.set_nonblocking(true)?;
                UnixListener::from_std(listener).map(OpenListener::Unix)
            }
        }
    }
}

/// A socket at which a runtime waits for connections.
#[derive(Debug)]
pub enum OpenListener {
    /// Of TCP.
    Tcp(TcpListener),
    /// Of Unix.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl From<TcpListener> for OpenListener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for OpenListener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl OpenListener {
    /// Takes the next connection, and its peer's address: on a Unix socket it has none.
    pub(super) async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok((stream.into(), Some(address)))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok((listener.accept().await?.0.into(), None)),
        }
    }
}

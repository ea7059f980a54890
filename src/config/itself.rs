//! Finds out whether upstream is Weir itself.

use super::{form::ListenAddress, values::Config};
use std::net::{IpAddr, SocketAddr};

/// Returns whether upstream is Weir's own address.
pub(crate) fn is_itself(config: &Config) -> bool {
    let Some(url) = &config.upstream.url else { return false };
    match (&config.upstream.socket, &config.listen.address) {
        (None, ListenAddress::Tcp(listen)) => is_here(url.host(), url.port(), *listen),
        (Some(socket), ListenAddress::Unix(own)) => socket == own,
        (None, ListenAddress::Unix(_)) | (Some(_), ListenAddress::Tcp(_)) => false,
    }
}

/// Returns whether `listen` answers at a host and port, as far as can be told without resolving
/// names.
fn is_here(host: &str, port: u16, listen: SocketAddr) -> bool {
    let ip: Option<IpAddr> = match host {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        host => host.trim_matches(['[', ']']).parse().ok(),
    };
    let local =
        |ip: IpAddr| ip == listen.ip() || (listen.ip().is_unspecified() && ip.is_loopback());
    port == listen.port() && ip.is_some_and(local)
}

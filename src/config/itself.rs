//! Finds out whether upstream is Weir itself.

use super::{upstream_url::UpstreamUrl, values::Config};
use std::net::{IpAddr, SocketAddr};

/// Returns whether upstream is Weir's own address.
pub(super) fn is_itself(config: &Config, url: &UpstreamUrl) -> bool {
    config.listen.address.tcp().is_some_and(|listen| is_here(url.host(), url.port(), listen))
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

//! The peers that must begin a connection with a PROXY header.

use ipnet::IpNet;
use std::net::IpAddr;

/// The peers that begin each connection with a PROXY header: mostly load balancers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyPeers(Vec<IpNet>);

impl ProxyPeers {
    /// Names the peers of these networks, and no others.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Returns whether a peer at this address must send a header.
    pub(super) fn includes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_named_in_either_form_of_its_address() {
        let peers = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
        let peers = ProxyPeers::new(peers.into());
        let cases = [
            ("10.255.0.1", true),
            ("::ffff:10.255.0.1", true),
            ("11.0.0.1", false),
            ("::1", true),
            ("::2", false),
            ("127.0.0.1", false),
        ];
        for (address, is_named) in cases {
            assert_eq!(peers.includes(address.parse().unwrap()), is_named, "{address}");
        }
        assert!(!ProxyPeers::default().includes(IpAddr::from([127, 0, 0, 1])));
    }
}

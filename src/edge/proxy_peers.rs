//! The peers that must begin a connection with a PROXY header.

use ipnet::IpNet;
use std::net::IpAddr;

/// The peers that begin each connection with a PROXY header: mostly load balancers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyPeers {
    /// Those of these networks.
    pub networks: Vec<IpNet>,
    /// Those that come over a Unix socket.
    pub unix: bool,
}

impl ProxyPeers {
    /// Returns whether a peer must send a header; one without an address comes over a Unix socket.
    pub(super) fn includes(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address.map(|address| address.to_canonical()) else {
            return self.unix;
        };
        self.networks.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_named_in_either_form_of_its_address() {
        let peers = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
        let peers = ProxyPeers { networks: peers.into(), unix: false };
        let cases = [
            ("10.255.0.1", true),
            ("::ffff:10.255.0.1", true),
            ("11.0.0.1", false),
            ("::1", true),
            ("::2", false),
            ("127.0.0.1", false),
        ];
        for (address, is_named) in cases {
            assert_eq!(peers.includes(Some(address.parse().unwrap())), is_named, "{address}");
        }
        assert!(!peers.includes(None));
        let nobody = ProxyPeers::default();
        assert!(!nobody.includes(Some(IpAddr::from([127, 0, 0, 1]))) && !nobody.includes(None));
        let unix = ProxyPeers { unix: true, ..nobody };
        assert!(unix.includes(None) && !unix.includes(Some(IpAddr::from([127, 0, 0, 1]))));
    }
}

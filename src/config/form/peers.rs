//! Peers: their addresses, networks of them, or whoever comes over a Unix socket.

use super::base::{Complaint, Form, quoted};
use ipnet::IpNet;
use schemars::{Schema, json_schema};
use std::net::IpAddr;
use toml::de::DeValue;

/// Some peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerName {
    /// Those of a network; one address is a network, too.
    Network(IpNet),
    /// Those that come over a Unix socket.
    Unix,
}

/// Addresses and networks, and `"unix"`, each at most once: `["10.0.0.0/8", "::1"]`.
pub(in crate::config) struct Peers;

impl Form for Peers {
    type Value = Vec<PeerName>;

    fn read(&self, value: &DeValue<'_>) -> Result<Vec<PeerName>, Vec<Complaint>> {
        let wanted = "a list of addresses and networks such as [\"10.0.0.0/8\", \"::1\"]";
        let array = value.as_array().ok_or_else(|| {
            let complaint = Complaint::wrong_type(wanted, value);
            match value.as_str() {
                Some(one) => complaint.suggest(format!("write [{}]", quoted(one))),
                None => complaint,
            }
        })?;
        let (mut peers, mut complaints) = (Vec::new(), Vec::new());
        for item in array.iter() {
            let read = match item.get_ref().as_str() {
                Some("unix") => Ok(PeerName::Unix),
                Some(text) => network(text).map(PeerName::Network),
                None => Err(Complaint::wrong_type("an address or a network", item.get_ref())),
            };
            match read {
                Ok(peer) if peers.contains(&peer) => {
                    let message = format!("{} stands in the list twice", quoted(&named(peer)));
                    let complaint = Complaint::new(message).suggest("remove one of them");
                    complaints.push(complaint.at(item.span()));
                }
                Ok(peer) => peers.push(peer),
                Err(complaint) => complaints.push(complaint.at(item.span())),
            }
        }
        if complaints.is_empty() { Ok(peers) } else { Err(complaints) }
    }

    fn write(&self, value: &Vec<PeerName>) -> Option<toml::Value> {
        let peers = value.iter().map(|peer| toml::Value::from(named(*peer)));
        Some(peers.collect::<Vec<_>>().into())
    }

    fn schema(&self) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string", "pattern": PATTERN },
            "uniqueItems": true,
        })
    }
}

const PATTERN: &str = r"^(unix|\d{1,3}(\.\d{1,3}){3}|[0-9A-Fa-f:.]+)(/\d{1,3})?$";

fn network(text: &str) -> Result<IpNet, Complaint> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let unknown = || {
        Complaint::new(format!("{} is no address and no network", quoted(text)))
            .suggest("write an IP address, or a network as in \"10.0.0.0/8\"")
    };
    let network = text.parse::<IpNet>().map_err(|_| unknown())?;
    if network != network.trunc() {
        let message = format!("{} names an address within a network", quoted(text));
        let [whole, one] = [network.trunc(), network.addr().into()].map(written);
        return Err(Complaint::new(message).suggest(format!("write \"{whole}\" or \"{one}\"")));
    }
    Ok(network)
}

fn named(peer: PeerName) -> String {
    match peer {
        PeerName::Network(network) => written(network),
        PeerName::Unix => "unix".to_owned(),
    }
}

/// Writes a network; one of a single address as that address.
fn written(network: IpNet) -> String {
    match network.prefix_len() == network.max_prefix_len() {
        true => network.addr().to_string(),
        false => network.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<PeerName>, Vec<Complaint>> {
        Peers.read(DeValue::parse(text).unwrap().get_ref())
    }

    #[test]
    fn addresses_and_networks_are_written_as_they_are_read() {
        let list = r#"["10.0.0.0/8", "::1", "192.0.2.7", "2001:db8::/32", "0.0.0.0/0", "unix"]"#;
        let peers = read(list).unwrap();
        assert_eq!(Peers.write(&peers).unwrap().to_string(), list);
        assert_eq!(read("[\"192.0.2.7/32\"]"), read("[\"192.0.2.7\"]"));
        assert_eq!(read("[]"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_network_is_told_with_what_to_write() {
        let form = "write an IP address, or a network as in \"10.0.0.0/8\"";
        let cases = [
            ("[\"lb\"]", "\"lb\" is no address and no network", form),
            ("[\"10.0.0.0/33\"]", "\"10.0.0.0/33\" is no address and no network", form),
            (
                "[\"10.1.2.3/8\"]",
                "\"10.1.2.3/8\" names an address within a network",
                "write \"10.0.0.0/8\" or \"10.1.2.3\"",
            ),
            ("[\"::1\", \"::1/128\"]", "\"::1\" stands in the list twice", "remove one of them"),
        ];
        for (text, message, suggestion) in cases {
            let complaints = read(text).unwrap_err();
            let complaint = &complaints[0];
            assert_eq!(
                (complaint.message.as_str(), complaint.suggestion.as_deref()),
                (message, Some(suggestion)),
            );
        }
        let complaint = &read("\"10.0.0.1\"").unwrap_err()[0];
        assert_eq!(complaint.suggestion.as_deref(), Some("write [\"10.0.0.1\"]"));
        let complaint = &read("[1]").unwrap_err()[0];
        assert_eq!(complaint.message, "expected an address or a network, found an integer");
    }
}

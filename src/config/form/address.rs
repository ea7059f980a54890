//! Addresses to listen on.

use super::{
    base::{Complaint, Form, quoted},
    one_of::OneOf,
};
use schemars::{Schema, json_schema};
use std::net::{IpAddr, SocketAddr};
use toml::de::DeValue;

const WANTED: &str = "an address and port such as \"127.0.0.1:8080\"";
const EXAMPLES: &str = "\"127.0.0.1:8080\" or \"[::1]:8080\"";

/// `"127.0.0.1:8080"`, `"[::1]:8080"`. Names are not resolved; port 0 takes a free one.
pub(in crate::config) struct Address;

impl Form for Address {
    type Value = SocketAddr;

    fn read(&self, value: &DeValue<'_>) -> Result<SocketAddr, Vec<Complaint>> {
        let text = value.as_str().ok_or_else(|| Complaint::wrong_type(WANTED, value))?;
        text.parse().map_err(|_| {
            let instead = match suggestion(text) {
                Some(address) => format!("write \"{address}\""),
                None => format!("write an IP address and a port, as in {EXAMPLES}"),
            };
            Complaint::new(format!("{} is not an address and port", quoted(text)))
                .suggest(instead)
                .into()
        })
    }

    fn write(&self, value: &SocketAddr) -> Option<toml::Value> {
        Some(value.to_string().into())
    }

    fn schema(&self) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": PATTERN,
            "examples": ["127.0.0.1:8080", "[::1]:8080"],
        })
    }
}

/// Reads an address and port that is no key of the configuration: what is wrong is told as if it
/// were one.
pub(crate) fn read_address(text: &str) -> Result<SocketAddr, String> {
    Address.read_text(text).map_err(|complaints| {
        let told = complaints.into_iter().map(|Complaint { message, suggestion, .. }| {
            [Some(message), suggestion].into_iter().flatten().collect::<Vec<_>>().join("; ")
        });
        told.collect::<Vec<_>>().join("; ")
    })
}

const PATTERN: &str = r"^(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.%]+\]):\d{1,5}$";

/// Guesses the address that was meant. Only one who names all addresses is told to open them all:
/// the admin API asks for no password.
fn suggestion(text: &str) -> Option<SocketAddr> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, 8080));
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port = port.parse().ok()?;
    match host {
        "localhost" | "" => Some(SocketAddr::from(([127, 0, 0, 1], port))),
        "*" => Some(SocketAddr::from(([0, 0, 0, 0], port))),
        host => Some(SocketAddr::new(host.parse().ok()?, port)),
    }
}

/// Returns the form of the admin API's address, or `"off"` (`None`).
pub(in crate::config) fn address_or_off() -> OneOf<Address> {
    OneOf { word: "off", form: Address, slip: |value| meant_off(value, "no admin API") }
}

/// Returns the form of the probes' address, or `"off"` (`None`).
pub(in crate::config) fn probes_or_off() -> OneOf<Address> {
    let slip = |value: &DeValue<'_>| meant_off(value, "no address of the probes' own");
    OneOf { word: "off", form: Address, slip }
}

fn meant_off(value: &DeValue<'_>, off: &str) -> Option<Complaint> {
    match value {
        DeValue::String(text) if text.is_empty() => {
            let instead = format!("write \"off\" for {off}");
            Some(Complaint::new("the address is empty").suggest(instead))
        }
        DeValue::Boolean(false) => {
            Some(Complaint::wrong_type(WANTED, value).suggest("write \"off\""))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::base::tests::says, *};

    #[test]
    fn an_address_needs_an_ip_and_a_port() {
        let cases = [
            ("127.0.0.1:8080", "\"127.0.0.1:8080\""),
            ("[::1]:0", "\"[::1]:0\""),
            (
                "localhost:81",
                "\"localhost:81\" is not an address and port (write \"127.0.0.1:81\")",
            ),
            (":81", "\":81\" is not an address and port (write \"127.0.0.1:81\")"),
            ("8080", "\"8080\" is not an address and port (write \"127.0.0.1:8080\")"),
            ("*:8080", "\"*:8080\" is not an address and port (write \"0.0.0.0:8080\")"),
            ("::1", "\"::1\" is not an address and port (write \"[::1]:8080\")"),
            ("10.0.0.1", "\"10.0.0.1\" is not an address and port (write \"10.0.0.1:8080\")"),
            (
                "127.0.0.1:99999",
                "\"127.0.0.1:99999\" is not an address and port (write an IP address and a port, \
                 as in \"127.0.0.1:8080\" or \"[::1]:8080\")",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(says(&Address, text), expected);
        }
    }

    #[test]
    fn the_admin_api_can_be_off() {
        assert_eq!(address_or_off().read_text("off"), Ok(None));
        assert_eq!(says(&address_or_off(), "off"), "\"off\"");
        assert_eq!(says(&address_or_off(), "127.0.0.1:9090"), "\"127.0.0.1:9090\"");
        assert_eq!(
            says(&address_or_off(), ""),
            "the address is empty (write \"off\" for no admin API)"
        );
    }
}

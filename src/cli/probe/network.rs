//! Looks the name up and connects to each of its addresses.

use super::report::{Finding, Report, Verdict};
use crate::http::Chain;
use serde_json::json;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::net::{TcpStream, lookup_host};

/// The most addresses to which a connection is made.
const MOST: usize = 8;

/// Where the first connection leads.
pub(super) struct End<'a> {
    /// Whose port it is: upstream's, or the proxy's.
    pub whose: &'static str,
    /// The name, or an address without brackets.
    pub host: &'a str,
    pub port: u16,
}

/// Returns whether there is an address that takes connections.
pub(super) async fn look(end: &End<'_>, patience: Duration, report: &mut Report) -> bool {
    let Some(addresses) = resolve(end, patience, report).await else { return false };
    let mut tried = Vec::new();
    for address in addresses.iter().take(MOST) {
        tried.push((*address, connect(*address, patience).await));
    }
    let is_open = tried.iter().any(|(_, got)| got.is_ok());
    for (address, got) in tried {
        report.add(connected(end, address, &got, is_open));
    }
    if addresses.len() > MOST {
        let more = addresses.len() - MOST;
        report.add(Finding::new(Verdict::Note, "connect", format!("{more} more were not tried")));
    }
    is_open
}

async fn resolve(
    end: &End<'_>,
    patience: Duration,
    report: &mut Report,
) -> Option<Vec<SocketAddr>> {
    let End { whose, host, port } = *end;
    if let Ok(address) = host.parse::<IpAddr>() {
        report.add(Finding::new(Verdict::Ok, "name", format!("{whose} is the address {address}")));
        return Some(vec![SocketAddr::new(address, port)]);
    }
    let began = Instant::now();
    let looked = tokio::time::timeout(patience, lookup_host((host, port))).await;
    let took = millis(began);
    let why = match looked {
        Ok(Ok(found)) => {
            let found: Vec<_> = found.collect();
            let names: Vec<_> = found.iter().map(|address| address.ip().to_string()).collect();
            if !found.is_empty() {
                let what = format!("{host} is {}, in {took} ms", names.join(", "));
                let facts = json!({ "host": host, "addresses": names, "ms": took });
                report.add(Finding::new(Verdict::Ok, "name", what).facts(facts));
                return Some(found);
            }
            "it has no address".to_owned()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer in {} ms", patience.as_millis()),
    };
    let finding = Finding::new(Verdict::Wrong, "name", format!("{whose} {host}: {why}"))
        .facts(json!({ "host": host, "ms": took }))
        .advise("look at its spelling, and at this machine's DNS (/etc/resolv.conf)");
    report.add(finding);
    None
}

async fn connect(address: SocketAddr, patience: Duration) -> io::Result<u64> {
    let began = Instant::now();
    match tokio::time::timeout(patience, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(millis(began)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no connection in {} ms (`upstream.connect-timeout`)", patience.as_millis()),
        )),
    }
}

/// One address of several that takes no connections costs time, and Weir goes on to the next.
fn connected(end: &End<'_>, address: SocketAddr, got: &io::Result<u64>, is_open: bool) -> Finding {
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let to = address.to_string();
    match got {
        Ok(took) => {
            let what = format!("to {to} ({family}) in {took} ms");
            Finding::new(Verdict::Ok, "connect", what)
                .facts(json!({ "address": to, "family": family, "ms": took }))
        }
        Err(error) => {
            let verdict = if is_open { Verdict::Warning } else { Verdict::Wrong };
            let advice = match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    format!(
                        "is {} the port of {}? A firewall may refuse it, too",
                        end.port, end.whose
                    )
                }
                io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                    format!("this machine has no way to {family} addresses such as this one")
                }
                _ => "look for a firewall, or for a proxy that has to be taken".to_owned(),
            };
            Finding::new(verdict, "connect", format!("to {to} ({family}): {}", Chain(error)))
                .facts(json!({ "address": to, "family": family }))
                .advise(advice)
        }
    }
}

/// Returns the milliseconds since then.
pub(super) fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

//! `weir health`: asks a running Weir whether it is ready, for the health check of a container,
//! which has no shell and no curl.
//!
//! In: an address, or the configuration that names one. Out: a line, and the exit code 0 if it is
//! ready.

use super::settings::environment;
use crate::{
    config::{Config, Purpose, Sources, read_address},
    dialects,
};
use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

/// How long each of connecting, asking and answering may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest answer that is read.
const LONGEST: u64 = 64 << 10;

/// Arguments of `weir health`.
#[derive(Debug, clap::Args)]
pub(super) struct HealthArgs {
    /// Address and port of the probes, or of the admin API [default: what the configuration says]
    #[arg(long, value_name = "ADDR", value_parser = read_address)]
    address: Option<SocketAddr>,
    /// Configuration file [env: WEIR_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask whether upstream answers, too
    #[arg(long)]
    deep: bool,
}

pub(super) fn run(args: &HealthArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    let address = match args.address.map_or_else(|| configured(args), Ok) {
        Ok(address) => reachable(address),
        Err(why) => {
            writeln!(out, "cannot ask: {why}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let told = match ask(address, if args.deep { "/ready?deep" } else { "/ready" }) {
        Ok(Answer { status: 200, .. }) => {
            writeln!(out, "ready")?;
            return Ok(ExitCode::SUCCESS);
        }
        Ok(Answer { status: 503, reason }) => {
            format!("not ready: {}", reason.as_deref().unwrap_or("it stops"))
        }
        Ok(Answer { status, .. }) => {
            format!("what answers at {address} has no such page: status {status}")
        }
        Err(error) => format!("not reachable at {address}: {error}"),
    };
    writeln!(out, "{told}")?;
    Ok(ExitCode::FAILURE)
}

/// Returns the address of the probes, or else of the admin API, as a run would take it without
/// flags.
fn configured(args: &HealthArgs) -> Result<SocketAddr, String> {
    let (file, environment) = (args.config.clone(), environment());
    let sources = Sources { file, environment, flags: Vec::new(), purpose: Purpose::Check };
    let loaded = Config::load(&sources, dialects::policy());
    let config =
        loaded.map_err(|problems| format!("the configuration is wrong\n{problems}"))?.config;
    match config.probes.address.or(config.admin.address) {
        None => Err("neither the probes nor the admin API have an address".to_owned()),
        Some(address) if address.port() == 0 => {
            Err("the configuration takes any free port: name it with --address".to_owned())
        }
        Some(address) => Ok(address),
    }
}

/// Returns where an address that stands for all of the machine's is reached from within.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// What was answered.
struct Answer {
    status: u16,
    reason: Option<String>,
}

fn ask(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("it does not speak HTTP"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let told = serde_json::from_str::<serde_json::Value>(body).unwrap_or_default();
    Ok(Answer { status, reason: told["reason"].as_str().map(str::to_owned) })
}

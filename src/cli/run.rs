//! `weir run`: the proxy.

use super::{
    gateway::Gateway,
    problems::tell,
    reload::Reload,
    settings::{RunArgs, environment},
    signals,
    start_error::report,
    stop, systemd, under_way,
};
use crate::{
    config::{Config, Format, ListenAddress, Loaded, Log, Sources},
    dialects,
    observe::{FileSettings, telemetry},
};
use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

pub(super) fn run(args: &RunArgs) -> io::Result<ExitCode> {
    let sources = args.sources(environment());
    let loaded = match load(&sources) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let gateway = match Gateway::bind(&loaded) {
        Ok(gateway) => gateway,
        Err(error) => return report(&error),
    };
    let upstream = loaded.config.upstream.url.as_ref().map(ToString::to_string).unwrap_or_default();
    let url = |address: Option<SocketAddr>| match address {
        Some(address) => format!("http://{address}"),
        None => "off".to_owned(),
    };
    let (admin, probes) = (url(gateway.admin_address()), url(gateway.probes_address()));
    let scheme = if gateway.tls().is_some() { "https" } else { "http" };
    let listen = match gateway.address() {
        ListenAddress::Tcp(address) => format!("{scheme}://{address}"),
        socket => format!("{scheme} on {socket}"),
    };
    let mode = loaded.config.policy.mode.as_str();
    let own_key = loaded.key.is_some();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        // Before the line: a signal that nobody waits for would end the process.
        let (stops, hangups) = (signals::stops()?, signals::hangups()?);
        signals::reopen_the_log()?;
        tokio::spawn(under_way::tell_when_asked(signals::quits()?, gateway.live()));
        tracing::info!(%listen, %upstream, %admin, %probes, %mode, own_key, "weir is ready");
        systemd::ready();
        tokio::spawn(Reload::of(&gateway, loaded).run(hangups, sources));
        let (kept, at_once) = (gateway.governor.clone(), gateway.governor.clone());
        let grace = gateway.live().grace;
        let drained = gateway.run(async {
            stops.wait(stop::at_once(at_once)).await;
            systemd::stopping();
            stop::begin(grace.now());
        });
        match drained.await {
            Ok(drained) => Ok(stop::end(drained, &kept).await),
            Err(error) => {
                stop::tell_lost(&kept).await;
                Err(error)
            }
        }
    })
}

/// Reads the configuration and starts the log. `Err`: it cannot be used, which has been reported.
pub(super) fn load(sources: &Sources) -> Result<Loaded, ExitCode> {
    match Config::load(sources, dialects::policy()) {
        Ok(loaded) => {
            let Log { level, format, .. } = loaded.config.log;
            let human = match format {
                Format::Auto => None,
                Format::Human => Some(true),
                Format::Json => Some(false),
            };
            telemetry::start(level.as_str(), human, log_file(&loaded.config.log));
            telemetry::log_panics();
            tell(&loaded.warnings);
            Ok(loaded)
        }
        Err(problems) => {
            let _ = write!(io::stderr(), "{problems}");
            Err(ExitCode::FAILURE)
        }
    }
}

fn log_file(log: &Log) -> Option<FileSettings> {
    let (rotate_at, keep) = (log.rotate_at, log.keep);
    log.file.clone().map(|path| FileSettings { path, rotate_at, keep })
}

//! `weir run`: the proxy.

use super::{
    gateway::Gateway,
    problems::tell,
    reload::Reload,
    settings::{RunArgs, environment},
    signals,
    start_error::report,
};
use crate::{
    config::{Config, Format, Loaded, Log, Sources},
    dialects,
    edge::Drained,
    observe::telemetry,
};
use std::{
    io::{self, Write},
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
    let admin =
        gateway.admin_address().map_or("off".to_owned(), |address| format!("http://{address}"));
    let scheme = if gateway.tls().is_some() { "https" } else { "http" };
    let listen = format!("{scheme}://{}", gateway.address());
    let mode = loaded.config.policy.mode.as_str();
    let own_key = loaded.key.is_some();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        // Before the line: a signal that nobody waits for would end the process.
        let (stops, hangups) = (signals::stops()?, signals::hangups()?);
        tracing::info!(%listen, %upstream, %admin, %mode, own_key, "weir is ready");
        tokio::spawn(Reload::of(&gateway, loaded).run(hangups, sources));
        let drained = gateway.run(async {
            stops.wait(|| tracing::warn!("stopped at once: what was under way is cut off")).await;
            tracing::info!(
                "stopping: nothing new is taken, what has begun is finished; \
                 a second signal cuts it off"
            );
        });
        tell_the_end(drained.await?);
        Ok(ExitCode::SUCCESS)
    })
}

fn tell_the_end(drained: Drained) {
    match drained {
        Drained { connections_cut: 0, work_cut: 0 } => tracing::info!(%drained, "stopped"),
        Drained { connections_cut, work_cut: calls_cut } => {
            tracing::warn!(connections_cut, calls_cut, "stopped, and cut off what was under way");
        }
    }
}

/// Reads the configuration and starts the log. `Err`: it cannot be used, which has been reported.
pub(super) fn load(sources: &Sources) -> Result<Loaded, ExitCode> {
    match Config::load(sources, dialects::policy()) {
        Ok(loaded) => {
            let Log { level, format } = loaded.config.log;
            let human = match format {
                Format::Auto => None,
                Format::Human => Some(true),
                Format::Json => Some(false),
            };
            telemetry::start(level.as_str(), human);
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

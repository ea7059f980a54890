//! `weir run`: the proxy.

use super::{
    RunArgs, environment,
    gateway::{Gateway, stopped},
};
use crate::{
    config::{Config, Loaded, Sources},
    proxy::Governor,
    telemetry,
};
use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

pub(super) fn run(args: &RunArgs) -> io::Result<ExitCode> {
    let sources = args.sources(environment());
    let loaded = match load(&sources) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let gateway = match Gateway::bind(&loaded) {
        Ok(gateway) => gateway,
        Err(error) => return failed(&error),
    };
    let upstream = loaded.config.upstream.url.as_ref().map(ToString::to_string).unwrap_or_default();
    let admin = gateway.admin_address().map_or("off".to_owned(), |address| format!("http://{address}"));
    let mode = loaded.config.to_json()["policy"]["mode"].as_str().unwrap_or_default().to_owned();
    tracing::info!(listen = %format!("http://{}", gateway.address()), %upstream, %admin, %mode, "weir is ready");
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        tokio::spawn(reload_on_hangup(sources, gateway.governor.clone()));
        let drained = gateway.run(async {
            stopped().await;
            tracing::info!("stopping: nothing new is taken, what has begun is finished; a second signal cuts it off");
        });
        let drained = drained.await?;
        tracing::info!(%drained, "stopped");
        Ok(ExitCode::SUCCESS)
    })
}

/// Reads the configuration and starts the log. `Err`: it cannot be used, and why has been said.
pub(super) fn load(sources: &Sources) -> Result<Loaded, ExitCode> {
    match Config::load(sources) {
        Ok(loaded) => {
            telemetry::start(&loaded.config.log);
            for warning in loaded.warnings.iter() {
                tracing::warn!("{warning}");
            }
            Ok(loaded)
        }
        Err(problems) => {
            let _ = write!(io::stderr(), "{problems}");
            Err(ExitCode::FAILURE)
        }
    }
}

pub(super) fn failed(error: &impl std::fmt::Display) -> io::Result<ExitCode> {
    writeln!(io::stderr(), "error: {error}")?;
    Ok(ExitCode::FAILURE)
}

/// SIGHUP reads the configuration again. Its policy takes effect for calls that come from then on; a bad one changes nothing.
#[cfg(unix)]
async fn reload_on_hangup(sources: Sources, governor: Arc<Governor>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        match Config::load(&sources) {
            Ok(loaded) => {
                governor.set_policy(loaded.config.policy);
                tracing::info!(
                    "read the configuration again: [policy] and the window and defer of [sequencing] are in force; all else needs a restart"
                );
            }
            Err(problems) => tracing::error!("the configuration was not read again, nothing has changed:\n{problems}"),
        }
    }
}

#[cfg(not(unix))]
async fn reload_on_hangup(_: Sources, _: Arc<Governor>) {}

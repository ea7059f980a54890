//! `weir run`: the proxy.

use super::{
    RunArgs, environment,
    gateway::{Gateway, shown, stopped},
};
use crate::{
    admin::Admin,
    config::{Config, Loaded, Sources},
    dialects,
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
    let admin =
        gateway.admin_address().map_or("off".to_owned(), |address| format!("http://{address}"));
    let mode = loaded.config.to_json()["policy"]["mode"].as_str().unwrap_or_default().to_owned();
    tracing::info!(listen = %format!("http://{}", gateway.address()), %upstream, %admin, %mode, "weir is ready");
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        tokio::spawn(reload_on_hangup(sources, loaded, gateway.governor.clone(), gateway.admin()));
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
    match Config::load(sources, dialects::policy()) {
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

/// SIGHUP reads the configuration again. Its policy takes effect for calls that come from then on;
/// a bad one changes nothing.
#[cfg(unix)]
async fn reload_on_hangup(
    sources: Sources,
    mut running: Loaded,
    governor: Arc<Governor>,
    admin: Option<Admin>,
) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        match Config::load(&sources, dialects::policy()) {
            Ok(loaded) => {
                take_over(&mut running, loaded);
                governor.set_policy(running.config.policy.clone());
                if let Some(admin) = &admin {
                    admin.show_config(shown(&running));
                }
                tracing::info!(
                    "read the configuration again: [policy] and the window and defer of [sequencing] are in force; all else needs a restart"
                );
            }
            Err(problems) => tracing::error!(
                "the configuration was not read again, nothing has changed:\n{problems}"
            ),
        }
    }
}

/// What a reload changes, and where it came from; all else stays as it runs.
#[cfg(unix)]
fn take_over(running: &mut Loaded, again: Loaded) {
    let reloads = |key: &str| {
        key.starts_with("policy.") || matches!(key, "sequencing.window" | "sequencing.defer")
    };
    running.config.policy = again.config.policy;
    running.origins.retain(|key, _| !reloads(key));
    running.origins.extend(again.origins.into_iter().filter(|(key, _)| reloads(key)));
}

#[cfg(not(unix))]
async fn reload_on_hangup(_: Sources, _: Loaded, _: Arc<Governor>, _: Option<Admin>) {}

//! `weir run`: the proxy.

use super::{
    gateway::{Gateway, config_json},
    settings::{RunArgs, environment},
    signals,
    start_error::report,
};
use crate::{
    admin::Admin,
    config::{Config, Format, Loaded, Log, Sources},
    dialects,
    govern::Governor,
    observe::telemetry,
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
        Err(error) => return report(&error),
    };
    let upstream = loaded.config.upstream.url.as_ref().map(ToString::to_string).unwrap_or_default();
    let admin =
        gateway.admin_address().map_or("off".to_owned(), |address| format!("http://{address}"));
    let listen = format!("http://{}", gateway.address());
    let mode = loaded.config.policy.mode.as_str();
    tracing::info!(%listen, %upstream, %admin, %mode, "weir is ready");
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        tokio::spawn(reload_on_hangup(sources, loaded, gateway.governor.clone(), gateway.admin()));
        let drained = gateway.run(async {
            signals::stop().await;
            tracing::info!(
                "stopping: nothing new is taken, what has begun is finished; \
                 a second signal cuts it off"
            );
        });
        let drained = drained.await?;
        tracing::info!(%drained, "stopped");
        Ok(ExitCode::SUCCESS)
    })
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

/// Reads the configuration again at every SIGHUP. Its policy takes effect for later calls; a bad
/// configuration changes nothing.
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
                    admin.show_config(config_json(&running));
                }
                tracing::info!(
                    "read the configuration again: [policy] and the window and defer of \
                     [sequencing] are in force; all else needs a restart"
                );
            }
            Err(problems) => tracing::error!(
                "the configuration was not read again, nothing has changed:\n{problems}"
            ),
        }
    }
}

/// Takes over what a reload changes, and where it came from; all else stays as it runs.
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

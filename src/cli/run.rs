//! `weir run`: the proxy.

use super::{
    gateway::{Gateway, config_json},
    settings::{RunArgs, environment},
    signals::{self, Hangups},
    start_error::report,
};
use crate::{
    admin::Admin,
    config::{Config, Format, Loaded, Log, Origin, Problems, Purpose, Severity, Sources},
    dialects,
    edge::Drained,
    govern::Governor,
    observe::{FileSettings, telemetry},
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
    let own_key = loaded.key.is_some();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        // Before the line: a signal that nobody waits for would end the process.
        let (stops, hangups) = (signals::stops()?, signals::hangups()?);
        signals::reopen_the_log()?;
        tracing::info!(%listen, %upstream, %admin, %mode, own_key, "weir is ready");
        let (governor, admin) = (gateway.governor.clone(), gateway.admin());
        tokio::spawn(reload_on_hangup(hangups, sources, loaded, governor, admin));
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

/// Logs each problem with its place.
fn tell(problems: &Problems) {
    for problem in problems.iter() {
        let (file, line) = (problem.file(), problem.line());
        let (key, suggestion) = (problem.key.as_deref(), problem.suggestion.as_deref());
        match problem.severity {
            Severity::Error => tracing::error!(file, line, key, suggestion, "{}", problem.told()),
            Severity::Warning => tracing::warn!(file, line, key, suggestion, "{}", problem.told()),
        }
    }
}

/// Reads the configuration again at every SIGHUP. Its policy takes effect for later calls; a bad
/// configuration changes nothing.
async fn reload_on_hangup(
    mut hangups: Hangups,
    sources: Sources,
    mut running: Loaded,
    governor: Arc<Governor>,
    admin: Option<Admin>,
) {
    let sources = Sources { purpose: Purpose::Reload, ..sources };
    loop {
        hangups.next().await;
        match Config::load(&sources, dialects::policy()) {
            Ok(loaded) => {
                tell(&loaded.warnings);
                let mut differences = running.config.differences(&loaded.config);
                let key_file = "upstream.key-file".to_owned();
                let has_another_key = loaded.key.is_some() && loaded.key != running.key;
                if has_another_key && !differences.contains(&key_file) {
                    differences.push(key_file);
                }
                take_over(&mut running, loaded);
                governor.set_policy(running.config.policy.clone());
                governor.metrics().config_taken();
                if let Some(admin) = &admin {
                    admin.show_config(config_json(&running));
                }
                tell_differences(differences);
                tell_held(&running);
            }
            Err(problems) => {
                tell(&problems);
                governor.metrics().config_refused();
                tracing::error!("the configuration was not read again, nothing has changed");
            }
        }
    }
}

/// Says which keys differ from what ran: those in force now, and those that need a restart.
fn tell_differences(keys: Vec<String>) {
    if keys.is_empty() {
        tracing::info!("read the configuration again: nothing has changed");
    }
    let (changed, ignored): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| reloads(key));
    if !changed.is_empty() {
        let keys = changed.join(", ");
        tracing::info!(keys, "read the configuration again: what has changed is in force");
    }
    if !ignored.is_empty() {
        let keys = ignored.join(", ");
        tracing::warn!(keys, "read the configuration again: what has changed needs a restart");
    }
}

/// Says which keys the file cannot change, because a flag or a variable sets them.
fn tell_held(running: &Loaded) {
    let held: Vec<String> = running
        .origins
        .iter()
        .filter(|(key, origin)| reloads(key) && !matches!(origin, Origin::File { .. }))
        .map(|(key, origin)| format!("{key} by {origin}"))
        .collect();
    if !held.is_empty() {
        let keys = held.join(", ");
        tracing::info!(keys, "read the configuration again: what a flag or a variable sets stays");
    }
}

/// Returns whether a reload puts this key in force.
fn reloads(key: &str) -> bool {
    key.starts_with("policy.") || matches!(key, "sequencing.window" | "sequencing.defer")
}

/// Takes over what a reload changes, and where it came from; all else stays as it runs.
fn take_over(running: &mut Loaded, again: Loaded) {
    running.config.policy = again.config.policy;
    running.origins.retain(|key, _| !reloads(key));
    running.origins.extend(again.origins.into_iter().filter(|(key, _)| reloads(key)));
}

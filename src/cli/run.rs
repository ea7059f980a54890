//! `weir run`: the proxy.

use super::{
    gateway::{Gateway, config_json},
    settings::{RunArgs, environment},
    signals::{self, Hangups},
    start_error::report,
    stop, systemd, under_way,
};
use crate::{
    admin::Admin,
    config::{Config, Format, Loaded, Log, Origin, Problems, Purpose, Severity, Sources},
    dialects,
    govern::Governor,
    observe::telemetry,
};
use std::{
    io::{self, Write},
    net::SocketAddr,
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
    let url = |address: Option<SocketAddr>| match address {
        Some(address) => format!("http://{address}"),
        None => "off".to_owned(),
    };
    let (admin, probes) = (url(gateway.admin_address()), url(gateway.probes_address()));
    let listen = format!("http://{}", gateway.address());
    let mode = loaded.config.policy.mode.as_str();
    let (own_key, grace) = (loaded.key.is_some(), loaded.config.limits.grace);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        // Before the line: a signal that nobody waits for would end the process.
        let (stops, hangups) = (signals::stops()?, signals::hangups()?);
        tokio::spawn(under_way::tell_when_asked(signals::quits()?, gateway.governor.clone()));
        tracing::info!(%listen, %upstream, %admin, %probes, %mode, own_key, "weir is ready");
        systemd::ready();
        let (governor, admin) = (gateway.governor.clone(), gateway.admin());
        tokio::spawn(reload_on_hangup(hangups, sources, loaded, governor, admin));
        let (kept, at_once) = (gateway.governor.clone(), gateway.governor.clone());
        let drained = gateway.run(async {
            stops.wait(stop::at_once(at_once)).await;
            systemd::stopping();
            stop::begin(grace);
        });
        Ok(stop::end(drained.await?, &kept).await)
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
    admin: Admin,
) {
    let sources = Sources { purpose: Purpose::Reload, ..sources };
    loop {
        hangups.next().await;
        systemd::reloading();
        match Config::load(&sources, dialects::policy()) {
            Ok(loaded) => {
                tell(&loaded.warnings);
                let mut differences = running.config.differences(&loaded.config);
                let key_file = "upstream.key-file".to_owned();
                let has_another_key = loaded.key.is_some() && loaded.key != running.key;
                if has_another_key && !differences.contains(&key_file) {
                    differences.push(key_file);
                }
                let token_file = "admin.token-file".to_owned();
                let has_another_token = loaded.token.is_some() && loaded.token != running.token;
                if has_another_token && !differences.contains(&token_file) {
                    differences.push(token_file);
                }
                take_over(&mut running, loaded);
                governor.set_policy(running.config.policy.clone());
                admin.show_config(config_json(&running));
                tell_differences(differences);
                tell_held(&running);
            }
            Err(problems) => {
                tell(&problems);
                tracing::error!("the configuration was not read again, nothing has changed");
            }
        }
        systemd::ready();
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

//! `weir run`: the proxy.

use super::{
    gateway::{Gateway, config_json, tls_files},
    settings::{RunArgs, environment},
    signals::{self, Hangups},
    start_error::report,
};
use crate::{
    admin::Admin,
    config::{Config, Format, Loaded, Log, Origin, Problems, Purpose, Severity, Sources},
    dialects,
    edge::{Drained, Tls},
    govern::Governor,
    http::Chain,
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
    let scheme = if gateway.tls().is_some() { "https" } else { "http" };
    let listen = format!("{scheme}://{}", gateway.address());
    let mode = loaded.config.policy.mode.as_str();
    let own_key = loaded.key.is_some();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        // Before the line: a signal that nobody waits for would end the process.
        let (stops, hangups) = (signals::stops()?, signals::hangups()?);
        tracing::info!(%listen, %upstream, %admin, %mode, own_key, "weir is ready");
        let reload = Reload {
            running: loaded,
            governor: gateway.governor.clone(),
            admin: gateway.admin(),
            tls: gateway.tls(),
        };
        tokio::spawn(reload.on_hangup(hangups, sources));
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

/// What a reload changes.
struct Reload {
    running: Loaded,
    governor: Arc<Governor>,
    admin: Option<Admin>,
    tls: Option<Tls>,
}

impl Reload {
    /// Reads the configuration and the certificates again at every SIGHUP. Its policy takes effect
    /// for later calls, certificates for later connections; where anything is wrong, nothing
    /// changes.
    async fn on_hangup(mut self, mut hangups: Hangups, sources: Sources) {
        let sources = Sources { purpose: Purpose::Reload, ..sources };
        loop {
            hangups.next().await;
            match Config::load(&sources, dialects::policy()) {
                Ok(loaded) => self.take_over(loaded),
                Err(problems) => {
                    tell(&problems);
                    tracing::error!("the configuration was not read again, nothing has changed");
                }
            }
        }
    }

    fn take_over(&mut self, loaded: Loaded) {
        tell(&loaded.warnings);
        let files = tls_files(&loaded.config);
        let tls = self.tls.as_ref().filter(|_| !files.certificates.is_empty());
        if let Some(Err(error)) = tls.map(|tls| tls.replace(&files)) {
            let error = Chain(&error);
            tracing::error!(%error, "the certificates cannot be used, nothing has changed");
            return;
        }
        let has_tls = tls.is_some();
        let mut differences = self.running.config.differences(&loaded.config);
        let key_file = "upstream.key-file".to_owned();
        let has_another_key = loaded.key.is_some() && loaded.key != self.running.key;
        if has_another_key && !differences.contains(&key_file) {
            differences.push(key_file);
        }
        if has_tls {
            self.running.config.listen.take_certificates(&loaded.config.listen);
            tracing::info!("read the certificates again: they are in force for new connections");
        }
        take_over(&mut self.running, loaded);
        self.governor.set_policy(self.running.config.policy.clone());
        if let Some(admin) = &self.admin {
            admin.show_config(config_json(&self.running));
        }
        tell_differences(differences, has_tls);
        tell_held(&self.running);
    }
}

/// Says which keys differ from what ran: those in force now, and those that need a restart.
fn tell_differences(keys: Vec<String>, has_tls: bool) {
    if keys.is_empty() {
        tracing::info!("read the configuration again: nothing has changed");
    }
    let (changed, ignored): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|key| reloads(key) || has_tls && is_tls(key));
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

/// Returns whether a reload puts this key in force where callers speak TLS before and after.
fn is_tls(key: &str) -> bool {
    matches!(key, "listen.certificates" | "listen.client-ca-file" | "listen.client-certificates")
}

/// Takes over what a reload changes, and where it came from; all else stays as it runs.
fn take_over(running: &mut Loaded, again: Loaded) {
    running.config.policy = again.config.policy;
    running.origins.retain(|key, _| !reloads(key));
    running.origins.extend(again.origins.into_iter().filter(|(key, _)| reloads(key)));
}

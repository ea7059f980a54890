//! Reads the configuration again while Weir runs.
//!
//! In: hang-ups, and files that change. Out: what can change in a running Weir is in force, all of
//! it or nothing; the log and `/config` say which. Listeners and connections stay open.

use super::{
    gateway::{Gateway, tls_files},
    problems::tell,
    signals::Hangups,
    systemd,
    watch::FileWatch,
};
use crate::{
    admin::Admin,
    config::{Config, Loaded, Origin, Purpose, Sources},
    dialects,
    edge::Tls,
    govern::Governor,
    http::Chain,
    rules::Timestamp,
    sessions::now,
};
use std::{path::PathBuf, sync::Arc};

/// What a reload changes, and how the last one went.
pub(super) struct Reload {
    running: Loaded,
    governor: Arc<Governor>,
    admin: Admin,
    tls: Option<Tls>,
    /// How many reloads have changed what is in force; and 1.
    generation: u64,
    since: Timestamp,
    last_error: Option<String>,
}

impl Reload {
    /// Reloads what this gateway runs on.
    pub(super) fn of(gateway: &Gateway, running: Loaded) -> Self {
        let (governor, admin) = (gateway.governor.clone(), gateway.admin());
        let (generation, since, last_error) = (1, now(), None);
        let reload =
            Self { running, governor, admin, tls: gateway.tls(), generation, since, last_error };
        reload.show();
        reload
    }

    /// Reads the configuration and the certificates again at every SIGHUP, and when one of their
    /// files has changed. The policy takes effect for later calls, certificates for later
    /// connections; where anything is wrong, nothing changes.
    pub(super) async fn run(mut self, mut hangups: Hangups, sources: Sources) {
        let sources = Sources { purpose: Purpose::Reload, ..sources };
        let mut watch = FileWatch::none();
        loop {
            if self.running.config.reload.watch {
                watch.follow(self.files(&sources));
            }
            tokio::select! {
                () = hangups.next() => {}
                () = watch.changed() => {
                    tracing::info!("a file of the configuration has changed");
                }
            }
            systemd::reloading();
            // Before they are read: what changes meanwhile is a change again.
            watch.take_as_read();
            let end = match Config::load(&sources, dialects::policy()) {
                Ok(loaded) => self.take_over(loaded),
                Err(problems) => {
                    tell(&problems);
                    tracing::error!("the configuration was not read again, nothing has changed");
                    Err(problems.to_string())
                }
            };
            self.note(end);
            systemd::ready();
        }
    }

    /// Returns the files of which a change is one of the configuration.
    fn files(&self, sources: &Sources) -> Vec<PathBuf> {
        let files = tls_files(&self.running.config);
        sources.path().into_iter().chain(files.certificates).chain(files.client_ca).collect()
    }

    /// Shows how the last reload went.
    fn note(&mut self, end: Result<(), String>) {
        self.last_error = end.err();
        match self.last_error {
            None => {
                self.governor.metrics().config_taken();
                self.generation += 1;
                self.since = now();
            }
            Some(_) => self.governor.metrics().config_refused(),
        }
        self.show();
    }

    /// Shows the configuration in force, and which reload made it so.
    fn show(&self) {
        let mut shown = self.running.to_json();
        shown["reload"] = serde_json::json!({
            "generation": self.generation,
            "since": self.since,
            "last_error": self.last_error,
        });
        self.admin.show_config(format!("{shown:#}\n"));
    }

    fn take_over(&mut self, loaded: Loaded) -> Result<(), String> {
        tell(&loaded.warnings);
        let files = tls_files(&loaded.config);
        let tls = self.tls.as_ref().filter(|_| !files.certificates.is_empty());
        if let Some(Err(error)) = tls.map(|tls| tls.replace(&files)) {
            let error = Chain(&error).to_string();
            tracing::error!(error, "the certificates cannot be used, nothing has changed");
            return Err(error);
        }
        let has_tls = tls.is_some();
        let mut differences = self.running.config.differences(&loaded.config);
        let key_file = "upstream.key-file".to_owned();
        let has_another_key = loaded.key.is_some() && loaded.key != self.running.key;
        if has_another_key && !differences.contains(&key_file) {
            differences.push(key_file);
        }
        let token_file = "admin.token-file".to_owned();
        let has_another_token = loaded.token.is_some() && loaded.token != self.running.token;
        if has_another_token && !differences.contains(&token_file) {
            differences.push(token_file);
        }
        if has_tls {
            self.running.config.listen.take_certificates(&loaded.config.listen);
            tracing::info!("read the certificates again: they are in force for new connections");
        }
        take_over(&mut self.running, loaded);
        self.governor.set_policy(self.running.config.policy.clone());
        tell_differences(differences, has_tls);
        tell_held(&self.running);
        Ok(())
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

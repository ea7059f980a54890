//! Reads the configuration again while Weir runs.
//!
//! In: hang-ups, and files that change. Out: what can change in a running Weir is in force, all of
//! it or nothing; the log and `/config` say which. Listeners and connections stay open.

use super::{
    gateway::{Gateway, tls_files},
    keys::{keep_running, reloads, stays_tls},
    live::{Files, set_level},
    parts::Parts,
    problems::tell,
    signals::Hangups,
    systemd,
    watch::FileWatch,
};
use crate::{
    config::{self, Config, Loaded, Origin, Secret, Sources},
    dialects,
    rules::Timestamp,
    sessions::now,
};
use std::{collections::BTreeSet, path::PathBuf};

/// What a reload changes, and how the last one went.
pub(super) struct Reload {
    running: Loaded,
    live: Parts,
    /// How many reloads have changed what is in force; and 1.
    generation: u64,
    since: Timestamp,
    last_error: Option<String>,
}

impl Reload {
    /// Reloads what this gateway runs on.
    pub(super) fn of(gateway: &Gateway, running: Loaded) -> Self {
        let (generation, since, last_error) = (1, now(), None);
        let reload = Self { running, live: gateway.live(), generation, since, last_error };
        reload.show();
        reload
    }

    /// Reads the configuration and the files that it names again at every SIGHUP, and when one of
    /// them has changed. New values are in force for later calls, and those of connections for
    /// later connections; where anything is wrong, nothing changes.
    pub(super) async fn run(mut self, mut hangups: Hangups, sources: Sources) {
        let mut watch = FileWatch::none();
        loop {
            match self.running.config.reload.watch {
                true => watch.follow(self.files(&sources)),
                false => watch = FileWatch::none(),
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
                Ok(loaded) => self.take_over(loaded, &sources),
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
        let Config { upstream, admin, .. } = &self.running.config;
        let named = [
            &upstream.ca_file,
            &upstream.client_certificate,
            &upstream.client_key,
            &upstream.key_file,
            &admin.token_file,
        ];
        let tls = tls_files(&self.running.config);
        let own = sources.path().into_iter().chain(named.into_iter().flatten().cloned());
        own.chain(tls.certificates).chain(tls.client_ca).collect()
    }

    /// Shows how the last reload went.
    fn note(&mut self, end: Result<(), String>) {
        self.last_error = end.err();
        match self.last_error {
            None => {
                self.live.governor.metrics().config_taken();
                self.generation += 1;
                self.since = now();
            }
            Some(_) => self.live.governor.metrics().config_refused(),
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
        self.live.admin.show_config(format!("{shown:#}\n"));
    }

    fn take_over(&mut self, mut next: Loaded, sources: &Sources) -> Result<(), String> {
        tell(&next.warnings);
        let over_tls = stays_tls(&self.running.config, &next.config);
        let mut keys: BTreeSet<String> =
            self.running.config.differences(&next.config).into_iter().collect();
        let is_another = |new: &Option<Secret>, old: &Option<Secret>| new != old;
        if is_another(&next.key, &self.running.key) {
            keys.insert("upstream.key-file".to_owned());
        }
        if is_another(&next.token, &self.running.token) {
            keys.insert("admin.token-file".to_owned());
        }
        if next.config.upstream.proxy != self.running.config.upstream.proxy {
            // Of which no page shows the password.
            keys.insert("upstream.proxy".to_owned());
        }
        keep_running(&mut next.config, &self.running.config);
        check_kept(&mut next, sources)?;
        let held = std::mem::take(&mut self.running.origins);
        next.origins.retain(|key, _| reloads(key, over_tls));
        next.origins.extend(held.iter().filter(|(key, _)| !reloads(key, over_tls)).map(owned));
        let files = self.live.take(&next, &self.running.config).inspect_err(|_| {
            self.running.origins = held;
        })?;
        let (before, after) = (self.running.config.log.level, next.config.log.level);
        self.running = next;
        // While the lines are written, or once they are.
        if after > before {
            set_level(after);
        }
        tell_files(files);
        tell_differences(keys, over_tls);
        tell_held(&self.running, over_tls);
        if after < before {
            set_level(after);
        }
        Ok(())
    }
}

/// Looks again at what rests on values that need a restart: how upstream is reached, and that it is
/// not Weir itself.
fn check_kept(next: &mut Loaded, sources: &Sources) -> Result<(), String> {
    let refused = |why: String| {
        tracing::error!(why, "the configuration was not taken, nothing has changed");
        Err(why)
    };
    match config::way(&next.config, &sources.environment) {
        Ok(way) => next.way = way,
        Err(problem) => return refused(problem.told()),
    }
    match config::is_itself(&next.config) {
        true => refused("upstream would be Weir itself until a restart".to_owned()),
        false => Ok(()),
    }
}

fn owned((key, origin): (&String, &Origin)) -> (String, Origin) {
    (key.clone(), origin.clone())
}

fn tell_files(files: Files) {
    if files.tls {
        tracing::info!("read the certificates again: they are in force for new connections");
    }
    if files.upstream {
        tracing::info!(
            "upstream's certificates, or Weir's own, have changed: they are in force for new \
             connections, and those of before take no further call"
        );
    }
}

/// Says which keys differ from what ran: those in force now, and those that need a restart.
fn tell_differences(keys: BTreeSet<String>, over_tls: bool) {
    if keys.is_empty() {
        tracing::info!("read the configuration again: nothing has changed");
    }
    let (changed, ignored): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|key| reloads(key, over_tls));
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
fn tell_held(running: &Loaded, over_tls: bool) {
    let held: Vec<String> = running
        .origins
        .iter()
        .filter(|(key, origin)| reloads(key, over_tls) && !matches!(origin, Origin::File { .. }))
        .map(|(key, origin)| format!("{key} by {origin}"))
        .collect();
    if !held.is_empty() {
        let keys = held.join(", ");
        tracing::info!(keys, "read the configuration again: what a flag or a variable sets stays");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The URL of a file needs a restart, so that no other way may be taken for its sake.
    #[test]
    fn the_way_is_that_of_the_url_that_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("weir.toml");
        let environment = [("HTTPS_PROXY", "http://proxy:1"), ("NO_PROXY", "inside.example")];
        let sources = Sources {
            environment: environment.map(|(name, text)| (name.into(), text.into())).into(),
            ..Sources::file(&file)
        };
        let load = |url: &str, listen: &str| {
            let text = format!("[upstream]\n{url}\n[listen]\n{listen}\n");
            fs::write(&file, text).expect("a file");
            Config::load(&sources, dialects::policy()).expect("a configuration")
        };
        let running = load("url = \"https://outside.example\"", "");
        let mut next = load("url = \"https://inside.example\"", "");
        assert_ne!(next.way, running.way);
        keep_running(&mut next.config, &running.config);
        check_kept(&mut next, &sources).expect("it can be taken");
        assert_eq!(next.way, running.way);

        let socket = "url = \"https://outside.example\"\nsocket = \"/a.sock\"";
        let running = load("url = \"https://outside.example\"", "address = \"unix:/a.sock\"");
        let mut next = load(socket, "address = \"unix:/b.sock\"");
        keep_running(&mut next.config, &running.config);
        let refused = check_kept(&mut next, &sources).expect_err("it would call itself");
        assert!(refused.contains("Weir itself"), "{refused}");
    }
}

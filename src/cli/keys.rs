//! Says of each key of the configuration when a new value of it is in force.
//!
//! In: a key, or a configuration that was read while another runs. Out: whether a reload takes it,
//! or the configuration with what needs a restart as it runs. A test goes through every key.

use crate::config::Config;

/// The keys of which a new value needs a restart: addresses, threads, and what memory is laid out
/// for.
pub(super) const RESTART: [&str; 20] = [
    "listen.address",
    "listen.workers",
    "admin.address",
    "probes.address",
    "upstream.url",
    "sessions.store",
    "sessions.capacity",
    "sessions.idle-ttl",
    "log.format",
    "log.file",
    "log.rotate-at",
    "log.keep",
    "decision-log.to",
    "decision-log.rotate-at",
    "decision-log.keep",
    "listen.proxy-protocol",
    "listen.socket-mode",
    "otlp.endpoint",
    "otlp.one-in",
    "otlp.queue",
];

/// The keys of callers' TLS, which needs a restart to be switched on or off.
const TLS: [&str; 3] =
    ["listen.certificates", "listen.client-ca-file", "listen.client-certificates"];

/// Returns whether a reload puts a new value of this key in force.
pub(super) fn reloads(key: &str, over_tls: bool) -> bool {
    !RESTART.contains(&key) && (over_tls || !TLS.contains(&key))
}

/// Returns whether a reload changes callers' TLS: they speak it before and after.
pub(super) fn stays_tls(running: &Config, next: &Config) -> bool {
    !running.listen.certificates.is_empty() && !next.listen.certificates.is_empty()
}

/// Puts what runs in place of what needs a restart.
pub(super) fn keep_running(next: &mut Config, running: &Config) {
    let mut listen = running.listen.clone();
    if stays_tls(running, next) {
        listen.take_certificates(&next.listen);
    }
    next.listen = listen;
    next.admin.address = running.admin.address;
    next.probes = running.probes.clone();
    next.upstream.url.clone_from(&running.upstream.url);
    next.sessions = running.sessions.clone();
    let level = next.log.level;
    next.log.clone_from(&running.log);
    next.log.level = level;
    next.decision_log.clone_from(&running.decision_log);
    next.otlp.clone_from(&running.otlp);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, dialects};
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// Each key with another value than the built-in one, and whether a reload takes it. `[policy]`
    /// is one value, and stands for all of its keys.
    const KEYS: &[(&str, &str, bool)] = &[
        ("listen.address", "\"127.0.0.1:1\"", false),
        ("listen.workers", "3", false),
        ("listen.proxy-protocol", "[\"10.0.0.1\"]", false),
        ("listen.socket-mode", "\"0660\"\naddress = \"unix:/w.sock\"", false),
        ("listen.certificates", "[\"other.pem\"]", true),
        ("listen.client-ca-file", "\"clients.pem\"", true),
        ("listen.client-certificates", "\"optional\"", true),
        ("admin.address", "\"127.0.0.1:2\"", false),
        ("admin.history", "7", true),
        ("admin.hosts", "[\"weir.internal\"]", true),
        ("admin.token-file", "\"admin.token\"", true),
        ("probes.address", "\"127.0.0.1:3\"", false),
        ("upstream.url", "\"https://other.example\"", false),
        ("upstream.timeout", "\"7s\"", true),
        ("upstream.read-timeout", "\"7s\"", true),
        ("upstream.connect-timeout", "\"7s\"", true),
        ("upstream.idle-timeout", "\"7s\"", true),
        ("upstream.max-idle", "7", true),
        ("upstream.max-age", "\"7s\"", true),
        ("upstream.http2", "\"off\"", true),
        ("upstream.ping-after", "\"7s\"", true),
        ("upstream.socket", "\"/up.sock\"", true),
        ("upstream.proxy", "\"off\"", true),
        ("upstream.roots", "\"bundled\"", true),
        ("upstream.ca-file", "\"ca.pem\"", true),
        ("upstream.client-certificate", "\"weir.pem\"\nclient-key = \"weir.key\"", true),
        ("upstream.client-key", "\"weir.key\"\nclient-certificate = \"weir.pem\"", true),
        ("upstream.key-file", "\"own.key\"", true),
        ("policy", "mode = \"monitor\"", true),
        ("sequencing.window", "\"7ms\"", true),
        ("sequencing.defer", "true", true),
        ("sequencing.queue", "7", true),
        ("sequencing.wait", "\"7s\"", true),
        ("sessions.capacity", "7", false),
        ("sessions.idle-ttl", "\"7s\"", false),
        ("limits.governed-body", "\"7KiB\"", true),
        ("limits.answer", "\"7KiB\"", true),
        ("limits.header-timeout", "\"7s\"", true),
        ("limits.body-timeout", "\"7s\"", true),
        ("limits.body-rate", "\"7B\"", true),
        ("limits.call", "\"7s\"", true),
        ("limits.keep-alive", "\"7s\"", true),
        ("limits.write-timeout", "\"7s\"", true),
        ("limits.ping-after", "\"7s\"", true),
        ("limits.head", "\"9KiB\"", true),
        ("limits.connections", "7", true),
        ("limits.calls", "7", true),
        ("limits.waiting", "7", true),
        ("limits.grace", "\"7s\"", true),
        ("limits.drain", "\"7s\"", true),
        ("headers.decision", "false", true),
        ("headers.forwarded", "true", true),
        ("headers.upgrade", "true", true),
        ("reload.watch", "false", true),
        ("log.level", "\"debug\"", true),
        ("log.format", "\"human\"", false),
        ("log.file", "\"weir.log\"", false),
        ("log.rotate-at", "\"off\"", false),
        ("log.keep", "7", false),
        ("decision-log.to", "\"stdout\"", false),
        ("decision-log.rotate-at", "\"off\"", false),
        ("decision-log.keep", "7", false),
        #[cfg(feature = "otlp")]
        ("otlp.endpoint", "\"http://127.0.0.1:4318/v1/traces\"", false),
        ("otlp.one-in", "7", false),
        ("otlp.queue", "5000", false),
    ];

    /// Have one value only, in this build.
    const ONE_VALUE: &[&str] = &[
        "sessions.store",
        #[cfg(not(feature = "otlp"))]
        "otlp.endpoint",
    ];

    /// Every key of the configuration, from the one list that there is.
    fn all() -> BTreeSet<String> {
        fn walk(path: &str, table: &Value, into: &mut BTreeSet<String>) {
            let Some(keys) = table["properties"].as_object() else {
                into.insert(path.to_owned());
                return;
            };
            for (name, inside) in keys {
                match (path, name.as_str()) {
                    ("", "policy") => drop(into.insert("policy".to_owned())),
                    ("", _) => walk(name, inside, into),
                    _ => walk(&format!("{path}.{name}"), inside, into),
                }
            }
        }
        let schema = config::schema(&Config::built_in(dialects::policy())).to_value();
        let mut keys = BTreeSet::new();
        walk("", &schema, &mut keys);
        keys
    }

    fn read(text: &str) -> Config {
        Config::parse("weir.toml", text, dialects::policy()).expect(text).config
    }

    /// A configuration with another value of a key, over what all have.
    fn with(key: &str, value: &str) -> Config {
        match key.split_once('.') {
            Some(("upstream", "url")) => read(&format!("[upstream]\nurl = {value}\n{TLS_IN}")),
            Some(("upstream", name)) => {
                read(&format!("[upstream]\nurl = \"https://a\"\n{name} = {value}\n{TLS_IN}"))
            }
            Some(("listen", "certificates")) => {
                read(&format!("{UPSTREAM}{}", TLS_IN.replace("[\"a.pem\"]", value)))
            }
            Some(("listen", name)) => {
                let both = "client-ca-file = \"a-ca.pem\"\n";
                let more = if name == "client-certificates" { both } else { "" };
                read(&format!("{UPSTREAM}{TLS_IN}{more}{name} = {value}\n"))
            }
            Some((table, name)) => {
                read(&format!("{UPSTREAM}{TLS_IN}[{table}]\n{name} = {value}\n"))
            }
            None => read(&format!("{UPSTREAM}{TLS_IN}[{key}]\n{value}\n")),
        }
    }

    const UPSTREAM: &str = "[upstream]\nurl = \"https://a\"\n";
    const TLS_IN: &str = "[listen]\ncertificates = [\"a.pem\"]\n";

    #[test]
    fn every_key_is_taken_or_needs_a_restart_as_is_said_of_it() {
        let known: BTreeSet<_> = KEYS
            .iter()
            .map(|(key, ..)| *key)
            .chain(ONE_VALUE.iter().copied())
            .map(str::to_owned)
            .collect();
        assert_eq!(all(), known, "a key is placed nowhere: in this table, `RESTART` and the docs");
        let running = read(&format!("{UPSTREAM}{TLS_IN}"));
        for (key, value, is_taken) in KEYS {
            let next = with(key, value);
            let differences = running.differences(&next);
            let is_named = |named: &String| named == key || named.starts_with(&format!("{key}."));
            assert!(differences.iter().any(is_named), "{key}: {differences:?}");
            for named in differences.iter().filter(|named| is_named(named)) {
                assert_eq!(reloads(named, true), *is_taken, "{named}");
            }
            let mut kept = next.clone();
            keep_running(&mut kept, &running);
            let expected = if *is_taken { next } else { running.clone() };
            assert_eq!(kept, expected, "{key}");
        }
        assert!(RESTART.iter().all(|key| known.contains(*key)));
        assert!(ONE_VALUE.iter().all(|key| RESTART.contains(key)));
    }

    #[test]
    fn tls_is_not_switched_on_or_off() {
        let (with, without) = (read(&format!("{UPSTREAM}{TLS_IN}")), read(UPSTREAM));
        for (running, next) in [(&with, &without), (&without, &with)] {
            assert!(!stays_tls(running, next));
            let mut kept = next.clone();
            keep_running(&mut kept, running);
            assert_eq!(kept.listen, running.listen);
        }
        assert!(!reloads("listen.certificates", false) && reloads("listen.certificates", true));
    }

    #[test]
    fn the_page_for_operators_has_every_key_that_needs_a_restart() {
        let page = include_str!("../../docs/operating.md");
        let row = page.lines().find(|line| line.starts_with("| a restart |")).expect("a row");
        let told: BTreeSet<_> = row.split('`').skip(1).step_by(2).collect();
        let needed: BTreeSet<_> = RESTART.into_iter().collect();
        assert_eq!(told, needed);
    }
}

//! Flags and environment variables: which keys they set, and setting them.

use super::{
    Config,
    form::{Complaint, Form},
    keys::{Path, Section, Visitor},
};

/// A key that a flag and an environment variable can set. The flag wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// The key's path.
    pub key: &'static str,
    /// The flag, with its dashes.
    pub flag: &'static str,
    /// The environment variable.
    pub variable: &'static str,
}

macro_rules! overrides {
    ($($key:literal $flag:literal $variable:literal,)*) => {
        /// All of them.
        pub const OVERRIDES: &[Override] = &[$(Override { key: $key, flag: $flag, variable: $variable },)*];
    };
}

// No variable is called WEIR_PORT or WEIR_SERVICE_…: a cluster sets those by itself for a service
// that is named weir.
overrides! {
    "listen.address"            "--listen"              "WEIR_LISTEN",
    "listen.workers"            "--workers"             "WEIR_WORKERS",
    "admin.address"             "--admin"               "WEIR_ADMIN",
    "upstream.url"              "--upstream"            "WEIR_UPSTREAM",
    "upstream.timeout"          "--upstream-timeout"    "WEIR_UPSTREAM_TIMEOUT",
    "upstream.ca-file"          "--upstream-ca-file"    "WEIR_UPSTREAM_CA_FILE",
    "policy.mode"               "--mode"                "WEIR_MODE",
    "policy.on-lookup-failure"  "--on-lookup-failure"   "WEIR_ON_LOOKUP_FAILURE",
    "policy.fresh-for"          "--fresh-for"           "WEIR_FRESH_FOR",
    "log.level"                 "--log-level"           "WEIR_LOG_LEVEL",
    "log.format"                "--log-format"          "WEIR_LOG_FORMAT",
}

/// The environment variable that names the configuration file.
pub(super) const CONFIG_VARIABLE: &str = "WEIR_CONFIG";

/// Sets one key from text. `Err`: what is wrong with the text.
pub(super) fn set(config: &mut Config, key: &str, text: &str) -> Result<(), Vec<Complaint>> {
    let mut setter = Setter { at: Path::default(), key, text, outcome: Ok(()) };
    config.visit(&mut setter);
    setter.outcome
}

struct Setter<'a> {
    at: Path,
    key: &'a str,
    text: &'a str,
    outcome: Result<(), Vec<Complaint>>,
}

impl Visitor for Setter<'_> {
    fn table(&mut self, name: &'static str, _: &'static str, inside: impl FnOnce(&mut Self)) {
        self.at.enter(name);
        inside(self);
        self.at.leave();
    }

    fn key<F: Form>(
        &mut self,
        name: &'static str,
        _: &'static str,
        form: &F,
        value: &mut F::Value,
    ) {
        if self.at.key(name) == self.key {
            self.outcome = form.read_text(self.text).map(|read| *value = read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::Paths;
    use crate::dialects;

    #[test]
    fn every_override_sets_a_key_that_there_is() {
        let keys = Paths::of(&Config::built_in(dialects::policy())).keys;
        for Override { key, .. } in OVERRIDES {
            assert!(keys.iter().any(|known| known == key), "{key}");
        }
    }

    #[test]
    fn a_text_sets_its_key_and_no_other() {
        let mut config = Config::built_in(dialects::policy());
        assert_eq!(set(&mut config, "listen.workers", "3"), Ok(()));
        assert_eq!(config.listen.workers, Some(3));
        config.listen.workers = None;
        assert_eq!(config, Config::built_in(dialects::policy()));
    }
}

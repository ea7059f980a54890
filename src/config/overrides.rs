//! Flags and environment variables: which keys they set, and setting them.

use super::{
    form::{Complaint, Form},
    keys::{Path, Section, Visitor},
    values::Config,
};

/// A key that a flag and an environment variable can set. The flag wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// The key's path.
    pub key: &'static str,
    /// The flag, with its dashes.
    pub flag: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// What stands for the flag's value in the help.
    pub value_name: &'static str,
    /// The flag's help. Variable and built-in value are added to it.
    pub help: &'static str,
}

/// All of them.
// No variable is called WEIR_PORT or WEIR_SERVICE_…: a cluster sets those by itself for a service
// that is named weir.
pub(crate) const OVERRIDES: &[Override] = &[
    Override {
        key: "listen.address",
        flag: "--listen",
        variable: "WEIR_LISTEN",
        value_name: "ADDR",
        help: "Address and port to listen on, or unix:/PATH",
    },
    Override {
        key: "listen.workers",
        flag: "--workers",
        variable: "WEIR_WORKERS",
        value_name: "N",
        help: "Worker threads, or \"auto\" for one per core",
    },
    Override {
        key: "admin.address",
        flag: "--admin",
        variable: "WEIR_ADMIN",
        value_name: "ADDR",
        help: "Address and port of the admin API, or \"off\"",
    },
    Override {
        key: "probes.address",
        flag: "--probes",
        variable: "WEIR_PROBES",
        value_name: "ADDR",
        help: "Address and port of /live and /ready alone, or \"off\"",
    },
    Override {
        key: "upstream.url",
        flag: "--upstream",
        variable: "WEIR_UPSTREAM",
        value_name: "URL",
        help: "URL of the payments API, http or https; it may carry a base path",
    },
    Override {
        key: "upstream.timeout",
        flag: "--upstream-timeout",
        variable: "WEIR_UPSTREAM_TIMEOUT",
        value_name: "TIME",
        help: "How long upstream may take to answer",
    },
    Override {
        key: "upstream.ca-file",
        flag: "--upstream-ca-file",
        variable: "WEIR_UPSTREAM_CA_FILE",
        value_name: "FILE",
        help: "PEM file of further certificates to trust",
    },
    Override {
        key: "policy.mode",
        flag: "--mode",
        variable: "WEIR_MODE",
        value_name: "MODE",
        help: "Over all rules: enforce, monitor or off",
    },
    Override {
        key: "policy.on-lookup-failure",
        flag: "--on-lookup-failure",
        variable: "WEIR_ON_LOOKUP_FAILURE",
        value_name: "WHAT",
        help: "When upstream will not give a fact: forward or reject",
    },
    Override {
        key: "policy.look-ups",
        flag: "--look-ups",
        variable: "WEIR_LOOK_UPS",
        value_name: "WHICH",
        help: "Which facts are asked for before a call goes up: sparing or thorough",
    },
    Override {
        key: "policy.fresh-for",
        flag: "--fresh-for",
        variable: "WEIR_FRESH_FOR",
        value_name: "TIME",
        help: "How old a fact may be for a refusal or a submit to rest on it, or \"forever\"",
    },
    Override {
        key: "log.level",
        flag: "--log-level",
        variable: "WEIR_LOG_LEVEL",
        value_name: "LEVEL",
        help: "off, error, warn, info, debug or trace; RUST_LOG wins",
    },
    Override {
        key: "log.format",
        flag: "--log-format",
        variable: "WEIR_LOG_FORMAT",
        value_name: "FORMAT",
        help: "auto, human or json",
    },
];

/// The environment variable that names the configuration file.
pub(super) const CONFIG_VARIABLE: &str = "WEIR_CONFIG";

/// Sets one key from a text, or says what is wrong with the text.
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
    use crate::{config::paths::Paths, dialects};

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

//! The command lines of `run`, `dev` and `emulator`, and how they become [`Sources`].
//!
//! Values stay text here: the configuration reads them, so that a bad flag is told together with
//! everything else that is wrong.

use crate::config::{Purpose, Sources};
use std::{env, ffi::OsString, net::SocketAddr, path::PathBuf};

/// Settings that `run` and `dev` share. Flags win over the environment, the environment over the
/// file, the file over built-in values.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingArgs {
    /// Configuration file [env: WEIR_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on [env: WEIR_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Worker threads, or "auto" for one per core [env: WEIR_WORKERS] [default: auto]
    #[arg(long, value_name = "N")]
    pub workers: Option<String>,
    /// Address and port of the admin API, or "off" [env: WEIR_ADMIN] [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<String>,
    /// Over all rules: enforce, monitor or off [env: WEIR_MODE] [default: enforce]
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,
    /// When upstream will not give a fact: forward or reject [env: WEIR_ON_LOOKUP_FAILURE]
    /// [default: forward]
    #[arg(long, value_name = "WHAT")]
    pub on_lookup_failure: Option<String>,
    /// How old a fact may be for a refusal to rest on it, or "forever" [env: WEIR_FRESH_FOR]
    /// [default: 2s]
    #[arg(long, value_name = "TIME")]
    pub fresh_for: Option<String>,
    /// off, error, warn, info, debug or trace; RUST_LOG wins [env: WEIR_LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// auto, human or json [env: WEIR_LOG_FORMAT] [default: auto]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

impl SettingArgs {
    fn flags(&self) -> Vec<(&'static str, String)> {
        given([
            ("listen.address", &self.listen),
            ("listen.workers", &self.workers),
            ("admin.address", &self.admin),
            ("policy.mode", &self.mode),
            ("policy.on-lookup-failure", &self.on_lookup_failure),
            ("policy.fresh-for", &self.fresh_for),
            ("log.level", &self.log_level),
            ("log.format", &self.log_format),
        ])
    }
}

/// Arguments of `weir run`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RunArgs {
    /// URL of the payments API, http or https; it may carry a base path [env: WEIR_UPSTREAM]
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// How long upstream may take to answer [env: WEIR_UPSTREAM_TIMEOUT] [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub upstream_timeout: Option<String>,
    /// PEM file of further certificates to trust [env: WEIR_UPSTREAM_CA_FILE]
    #[arg(long, value_name = "FILE")]
    pub upstream_ca_file: Option<String>,
    /// Settings shared with `dev`.
    #[command(flatten)]
    pub settings: SettingArgs,
}

impl RunArgs {
    /// Where the configuration of a run comes from.
    pub fn sources(&self, environment: Vec<(OsString, OsString)>) -> Sources {
        let mut flags = given([
            ("upstream.url", &self.upstream),
            ("upstream.timeout", &self.upstream_timeout),
            ("upstream.ca-file", &self.upstream_ca_file),
        ]);
        flags.extend(self.settings.flags());
        Sources { file: self.settings.config.clone(), environment, flags, purpose: Purpose::Run }
    }
}

/// Arguments of `weir dev`.
#[derive(Clone, Debug, clap::Args)]
pub struct DevArgs {
    /// Address and port of the emulator
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    pub emulator: SocketAddr,
    /// Makes the emulator's ids the same in every run
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Put calls in order instead of refusing them: repair on carts, defer on checkouts
    #[arg(long)]
    pub reorder: bool,
    /// Settings shared with `run`.
    #[command(flatten)]
    pub settings: SettingArgs,
}

impl DevArgs {
    /// Where the configuration of a walk on the emulator comes from; the emulator, at `upstream`,
    /// takes the place of any other upstream.
    pub fn sources(&self, upstream: String, environment: Vec<(OsString, OsString)>) -> Sources {
        let mut flags = self.settings.flags();
        flags.push(("upstream.url", upstream));
        Sources { file: self.settings.config.clone(), environment, flags, purpose: Purpose::Run }
    }
}

/// Arguments of `weir emulator`.
#[derive(Clone, Debug, clap::Args)]
pub struct EmulatorArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// Makes ids the same in every run
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
}

/// The part of the process's environment that is Weir's.
pub fn environment() -> Vec<(OsString, OsString)> {
    env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"WEIR_")).collect()
}

fn given<const N: usize>(
    flags: [(&'static str, &Option<String>); N],
) -> Vec<(&'static str, String)> {
    flags.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OVERRIDES;
    use crate::dialects;
    use clap::{Args, FromArgMatches};

    fn command() -> clap::Command {
        RunArgs::augment_args(clap::Command::new("run"))
    }

    #[test]
    fn every_override_is_a_flag_that_sets_its_key_and_names_its_variable() {
        for entry in OVERRIDES {
            let matches = command().try_get_matches_from(["run", entry.flag, "x"]).unwrap();
            let sources = RunArgs::from_arg_matches(&matches).unwrap().sources(Vec::new());
            assert_eq!(sources.flags, [(entry.key, "x".to_owned())]);
            let command = command();
            let argument = command
                .get_arguments()
                .find(|argument| argument.get_long() == entry.flag.strip_prefix("--"))
                .unwrap();
            let help = argument.get_help().unwrap().to_string();
            assert!(help.contains(&format!("[env: {}]", entry.variable)), "{help}");
        }
    }

    #[test]
    fn a_default_in_the_help_is_the_built_in_value() {
        let built_in = crate::config::Config::built_in(dialects::policy()).to_json();
        for entry in OVERRIDES {
            let command = command();
            let argument = command
                .get_arguments()
                .find(|argument| argument.get_long() == entry.flag.strip_prefix("--"))
                .unwrap();
            let help = argument.get_help().unwrap().to_string();
            let stated = help.split_once("[default: ").map(|(_, rest)| rest.trim_end_matches(']'));
            let value = built_in
                .pointer(&format!("/{}", entry.key.replace('.', "/")))
                .and_then(|value| value.as_str());
            assert_eq!(stated, value, "{}", entry.flag);
        }
    }

    #[test]
    fn the_emulator_takes_the_place_of_any_upstream() {
        let args = DevArgs {
            emulator: "127.0.0.1:0".parse().unwrap(),
            seed: None,
            reorder: false,
            settings: SettingArgs::default(),
        };
        let environment = vec![("WEIR_UPSTREAM".into(), "https://api.digitalriver.com".into())];
        let loaded = crate::config::Config::load(
            &args.sources("http://127.0.0.1:4711".into(), environment),
            dialects::policy(),
        )
        .unwrap();
        assert_eq!(loaded.config.upstream.url.unwrap().to_string(), "http://127.0.0.1:4711");
    }
}

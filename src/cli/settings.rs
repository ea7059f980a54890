//! The command lines of `run` and `dev`, and how they become [`Sources`].
//!
//! The flags that set configuration are built from [`OVERRIDES`]. Their values stay text here: the
//! configuration reads them, so that a bad flag is reported together with everything else that is
//! wrong.

use super::output::OutputFormat;
use crate::{
    config::{
        Config, KEY_VARIABLE, OVERRIDES, Override, Purpose, Sources, is_of_the_way, read_address,
    },
    dialects,
    emulator::Quirks,
};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::{env, ffi::OsString, net::SocketAddr, path::PathBuf};

/// The flags that set keys of `[upstream]`, or all others: each key that was given, and its text.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags<const UPSTREAM: bool>(Vec<(&'static str, String)>);

impl<const UPSTREAM: bool> Flags<UPSTREAM> {
    fn all() -> impl Iterator<Item = (&'static str, &'static Override)> {
        let ours = |entry: &&Override| entry.key.starts_with("upstream.") == UPSTREAM;
        OVERRIDES.iter().filter(ours).map(|entry| (entry.flag.trim_start_matches('-'), entry))
    }
}

impl<const UPSTREAM: bool> Args for Flags<UPSTREAM> {
    fn augment_args(command: Command) -> Command {
        let built_in = Config::built_in(dialects::policy()).to_json();
        command.args(Self::all().map(|(name, entry)| {
            let value = built_in.pointer(&format!("/{}", entry.key.replace('.', "/")));
            let default = match value.and_then(|value| value.as_str()) {
                Some(value) => format!(" [default: {value}]"),
                None => String::new(),
            };
            let help = format!("{} [env: {}]{default}", entry.help, entry.variable);
            Arg::new(name).long(name).value_name(entry.value_name).help(help)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const UPSTREAM: bool> FromArgMatches for Flags<UPSTREAM> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = Self::all()
            .filter_map(|(name, entry)| Some((entry.key, matches.get_one::<String>(name)?.clone())))
            .collect();
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Settings that `run` and `dev` share. Flags win over the environment, the environment over the
/// file, the file over built-in values.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct SettingArgs {
    /// Configuration file [env: WEIR_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags<false>,
}

impl SettingArgs {
    /// Returns whether a flag sets this key.
    pub(super) fn sets(&self, key: &str) -> bool {
        self.flags.0.iter().any(|(given, _)| *given == key)
    }

    fn sources(
        &self,
        upstream: Vec<(&'static str, String)>,
        environment: Vec<(OsString, OsString)>,
    ) -> Sources {
        let flags = [upstream, self.flags.0.clone()].concat();
        Sources { file: self.config.clone(), environment, flags, purpose: Purpose::Run }
    }
}

/// Arguments of `weir run`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    upstream: Flags<true>,
    #[command(flatten)]
    settings: SettingArgs,
}

impl RunArgs {
    /// Returns where the configuration of a run comes from.
    pub(super) fn sources(&self, environment: Vec<(OsString, OsString)>) -> Sources {
        self.settings.sources(self.upstream.0.clone(), environment)
    }
}

/// Arguments of `weir probe`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ProbeArgs {
    #[command(flatten)]
    upstream: Flags<true>,
    /// Configuration file [env: WEIR_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// File of a key, to see what it may read [default: what the configuration says]
    #[arg(long, value_name = "FILE")]
    key_file: Option<String>,
    /// How to write what is found
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

impl ProbeArgs {
    /// Returns where the configuration of a run would come from. A file that is named here wins
    /// over the variable that is the key.
    pub(super) fn sources(&self, mut environment: Vec<(OsString, OsString)>) -> Sources {
        let mut flags = self.upstream.0.clone();
        if let Some(file) = &self.key_file {
            flags.push(("upstream.key-file", file.clone()));
            environment.retain(|(name, _)| name != KEY_VARIABLE);
        }
        Sources { file: self.config.clone(), environment, flags, purpose: Purpose::Run }
    }

    pub(super) fn format(&self) -> OutputFormat {
        self.format
    }
}

/// Arguments of `weir dev`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DevArgs {
    /// Address and port of the emulator
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090", value_parser = read_address)]
    pub emulator: SocketAddr,
    /// Makes the emulator's ids the same in every run
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// In what the emulator is odd, with commas between; `weir emulator --help` lists the quirks
    #[arg(long, value_name = "QUIRKS", default_value = "", hide_default_value = true)]
    pub quirks: Quirks,
    /// Put calls in order instead of refusing them: repair on carts, defer on checkouts
    #[arg(long)]
    pub reorder: bool,
    /// Settings shared with `run`.
    #[command(flatten)]
    pub settings: SettingArgs,
}

impl DevArgs {
    /// Returns where the configuration of a walk on the emulator comes from; the emulator, at
    /// `upstream`, takes the place of any other upstream.
    pub(super) fn sources(
        &self,
        upstream: String,
        environment: Vec<(OsString, OsString)>,
    ) -> Sources {
        self.settings.sources(vec![("upstream.url", upstream)], environment)
    }
}

/// Returns the variables of the process's environment that are Weir's, and those that name a proxy.
pub(super) fn environment() -> Vec<(OsString, OsString)> {
    let is_ours =
        |name: &OsString| name.as_encoded_bytes().starts_with(b"WEIR_") || is_of_the_way(name);
    env::vars_os().filter(|(name, _)| is_ours(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            quirks: Quirks::default(),
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

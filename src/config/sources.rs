//! Where values may come from.

use super::overrides::CONFIG_VARIABLE;
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

/// What the configuration is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be checked: an upstream may be named later, and the files it names may be on another
    /// machine.
    #[default]
    Check,
    /// To run, or to go on running with it: there must be an upstream, and the files it names must
    /// be there.
    Run,
}

/// Where values may come from. Nothing is read from the process itself, so that the same sources
/// always give the same configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    /// The file named by `--config`; else `WEIR_CONFIG` of `environment` names one; else there is
    /// none.
    pub file: Option<PathBuf>,
    /// The environment. Only `WEIR_…` and what names a proxy are looked at; an empty variable
    /// counts as unset.
    pub environment: Vec<(OsString, OsString)>,
    /// Flags that were given, by the key they set (see [`OVERRIDES`](super::OVERRIDES)), and their
    /// text.
    pub flags: Vec<(&'static str, String)>,
    /// What the configuration is for.
    pub purpose: Purpose,
}

impl Sources {
    /// Names one file and nothing else.
    pub(crate) fn file(path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), ..Self::default() }
    }

    /// Returns the configuration file, if there is one.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| self.variable(CONFIG_VARIABLE).map(PathBuf::from))
    }

    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .iter()
            .find(|(variable, text)| variable == name && !text.is_empty())
            .map(|(_, text)| text.as_os_str())
    }
}

//! What a rule does.

use super::UnknownName;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What happens when a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Toggle {
    /// Answer with the vendor's error; nothing reaches upstream.
    Reject,
    /// Put the calls in the right order, where one exists; else as `Reject`.
    Reorder,
    /// Take the offending member out of the body (only `secondary-source-owner`).
    Strip,
    /// Forward, and report what would have happened.
    Monitor,
    /// Forward; the rule is not looked at.
    Off,
}

impl Toggle {
    /// All, in the order of their strictness.
    pub const ALL: [Toggle; 5] =
        [Toggle::Reject, Toggle::Reorder, Toggle::Strip, Toggle::Monitor, Toggle::Off];

    /// The name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Toggle::Reject => "reject",
            Toggle::Reorder => "reorder",
            Toggle::Strip => "strip",
            Toggle::Monitor => "monitor",
            Toggle::Off => "off",
        }
    }
}

impl fmt::Display for Toggle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Toggle {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        UnknownName::find(Self::ALL, Self::as_str, name, "toggle")
    }
}

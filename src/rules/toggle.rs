//! The toggle of a rule: what happens when it is broken.

use super::UnknownName;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What happens when a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Toggle {
    /// Refuse the call with the vendor's error, and send nothing.
    Reject,
    /// Put the calls in the right order where one exists, or reject the call.
    Reorder,
    /// Remove the offending member from the body (only `secondary-source-owner`).
    Strip,
    /// Forward the call, and report the violation.
    Monitor,
    /// Do not check the rule.
    Off,
}

impl Toggle {
    /// Every toggle, the strictest first.
    pub const ALL: [Toggle; 5] =
        [Toggle::Reject, Toggle::Reorder, Toggle::Strip, Toggle::Monitor, Toggle::Off];

    /// Returns the name used in configuration.
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

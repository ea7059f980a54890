//! What the operator wants: per rule, per dialect, and over everything.

use super::{Dialect, Row, RuleId, SourceType, Toggle, Toggles, UnknownName};
use serde::{Deserialize, Serialize};
use std::{str::FromStr, time::Duration};

/// The switch over all rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Each rule does what its toggle says.
    #[default]
    Enforce,
    /// Every rule that is not off only reports.
    Monitor,
    /// No rule is looked at: a plain proxy.
    Off,
}

impl Mode {
    /// All, the strictest first.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Monitor, Self::Off];

    /// Returns the name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Monitor => "monitor",
            Self::Off => "off",
        }
    }

    fn over(self, toggle: Toggle) -> Toggle {
        match (self, toggle) {
            (Self::Off, _) | (_, Toggle::Off) => Toggle::Off,
            (Self::Monitor, _) => Toggle::Monitor,
            (Self::Enforce, toggle) => toggle,
        }
    }
}

impl FromStr for Mode {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        UnknownName::find(Self::ALL, Self::as_str, name, "mode")
    }
}

/// What to do when a refusal would need a fact that upstream does not give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLookupFailure {
    /// Let upstream judge.
    #[default]
    Forward,
    /// Answer 503.
    Reject,
}

impl OnLookupFailure {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Forward, Self::Reject];

    /// Returns the name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reject => "reject",
        }
    }
}

/// How old a remembered fact may be for a refusal to rest on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshFor {
    /// Younger than this.
    Within(Duration),
    /// Any age: Weir is the only way to upstream.
    Forever,
}

/// The lists of source types (domain: sections 1, 4 and 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types {
    /// The secondary types; every other type is primary.
    pub secondary: Vec<SourceType>,
    /// By dialect, the primaries that a secondary can be combined with.
    pub pairing: Vec<(Dialect, Vec<SourceType>)>,
    /// The types that can be saved.
    pub savable: Vec<SourceType>,
    /// The types that cannot be saved. A type in neither list is forwarded.
    pub not_savable: Vec<SourceType>,
}

impl Types {
    /// Whether a source of this type is secondary (store credit).
    pub fn is_secondary(&self, kind: &SourceType) -> bool {
        self.secondary.contains(kind)
    }

    /// Whether this primary can be combined with a secondary.
    pub fn pairs(&self, dialect: Dialect, primary: &SourceType) -> bool {
        self.pairing(dialect).contains(primary)
    }

    /// Returns the primaries that a secondary can be combined with in a dialect.
    pub fn pairing(&self, dialect: Dialect) -> &[SourceType] {
        let list = self.pairing.iter().find(|(of, _)| *of == dialect);
        list.map_or(&[], |(_, list)| list)
    }

    /// Whether a source of this type is known to be impossible to save. A primary type in both
    /// lists can be saved: adding one to `savable` is enough to allow it.
    pub fn cannot_be_saved(&self, kind: &SourceType) -> bool {
        self.is_secondary(kind) || (self.not_savable.contains(kind) && !self.savable.contains(kind))
    }
}

/// How "too late" is put right before it happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequencing {
    /// How long a single-use primary's attach waits for secondaries; zero: not at all.
    pub window: Duration,
    /// Whether such an attach may be answered at once and sent only when something depends on it
    /// (checkouts).
    pub defer: bool,
}

impl Sequencing {
    /// Whether any attach may wait for secondaries.
    pub fn is_on(&self) -> bool {
        !self.window.is_zero() || self.defer
    }
}

/// Everything `decide` needs to know of the operator's wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Over everything.
    pub mode: Mode,
    /// Where a fact cannot be had.
    pub on_lookup_failure: OnLookupFailure,
    /// How old a fact may be.
    pub fresh_for: FreshFor,
    /// What each rule does.
    pub toggles: Toggles,
    /// The lists of types.
    pub types: Types,
    /// The remedies.
    pub sequencing: Sequencing,
}

impl Policy {
    /// Returns the policy that holds where nothing is said: of these dialects, with these types.
    pub fn new(dialects: &[Dialect], types: Types) -> Self {
        Policy {
            mode: Mode::Enforce,
            on_lookup_failure: OnLookupFailure::Forward,
            fresh_for: FreshFor::Within(Duration::from_secs(2)),
            toggles: Toggles::new(dialects),
            types,
            sequencing: Sequencing::default(),
        }
    }

    /// Returns the rows that may have something to say about a call of this dialect, each with what
    /// it does, the mode over everything included. `None`: a call that all dialects share.
    pub fn rows(
        &self,
        dialect: Option<Dialect>,
    ) -> impl Iterator<Item = (Dialect, &'static Row, Toggle)> {
        let rows = self.toggles.rows();
        rows.filter(move |(of, _, _)| dialect.is_none_or(|dialect| dialect == *of))
            .map(|(of, row, toggle)| (of, row, self.mode.over(toggle)))
    }

    /// Returns what a rule does here, the mode over everything included. A rule that is not in the
    /// dialect's table is off.
    pub fn toggle(&self, dialect: Dialect, rule: RuleId) -> Toggle {
        self.toggles.get(dialect, rule).map_or(Toggle::Off, |toggle| self.mode.over(toggle))
    }

    /// Sets a rule in every dialect that has it.
    pub fn set(&mut self, rule: RuleId, toggle: Toggle) {
        let dialects: Vec<_> = self.toggles.dialects().collect();
        for dialect in dialects {
            self.toggles.set(dialect, rule, toggle);
        }
    }
}

#[cfg(test)]
mod tests;

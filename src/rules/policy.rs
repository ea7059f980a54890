//! The operator's policy: per rule, per dialect, and over all rules.

use super::{Dialect, Row, RuleId, SourceType, Timestamp, Toggle, Toggles, UnknownName};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, str::FromStr, time::Duration};

/// The mode over all rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Each rule acts by its toggle.
    #[default]
    Enforce,
    /// Every rule that is not off only reports.
    Monitor,
    /// No rule is checked, as in a plain proxy.
    Off,
}

impl Mode {
    /// Every mode, the strictest first.
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

/// What to do when a refusal needs a fact that could not be looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLookupFailure {
    /// Forward the call, and let upstream judge.
    #[default]
    Forward,
    /// Refuse the call with status 503.
    Reject,
}

impl OnLookupFailure {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Forward, Self::Reject];

    /// Returns the name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reject => "reject",
        }
    }
}

/// For which facts upstream is asked before a call goes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LookUps {
    /// Those without which a call could go wrong that upstream does not refuse itself, and those
    /// that would show a violation which what is known makes likely.
    #[default]
    Sparing,
    /// All on which a refusal could rest.
    Thorough,
}

impl LookUps {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Sparing, Self::Thorough];

    /// Returns the name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sparing => "sparing",
            Self::Thorough => "thorough",
        }
    }
}

/// How old a remembered fact may be for a refusal to rest on it, and for letting a submit pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshFor {
    /// The fact must be younger than this.
    Within(Duration),
    /// The fact may have any age, because Weir is the only way to upstream.
    Forever,
}

impl FreshFor {
    /// Returns whether a fact of this date is fresh. One from the future was dated by another
    /// clock, and is not.
    pub fn covers(self, at: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Forever => true,
            Self::Within(limit) => at <= now && Duration::from_millis(now.since(at)) < limit,
        }
    }
}

impl FreshFor {
    /// Returns whether no fact older than this is fresh.
    fn is_within(self, most: Duration) -> bool {
        matches!(self, Self::Within(limit) if limit <= most)
    }
}

/// The lists of source types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types {
    /// The secondary types; every other type is primary.
    pub secondary: Vec<SourceType>,
    /// By dialect, the primaries with which a secondary can be combined.
    pub pairing: Vec<(Dialect, Vec<SourceType>)>,
    /// The types that can be saved.
    pub savable: Vec<SourceType>,
    /// The types that cannot be saved. Saving a type in neither list is forwarded.
    pub not_savable: Vec<SourceType>,
}

impl Types {
    /// Returns whether a source of this type is secondary (store credit).
    pub fn is_secondary(&self, kind: &SourceType) -> bool {
        self.secondary.contains(kind)
    }

    /// Returns whether this primary can be combined with a secondary.
    pub fn pairs(&self, dialect: Dialect, primary: &SourceType) -> bool {
        self.pairing(dialect).contains(primary)
    }

    /// Returns the primaries with which a secondary can be combined in a dialect.
    pub fn pairing(&self, dialect: Dialect) -> &[SourceType] {
        let list = self.pairing.iter().find(|(of, _)| *of == dialect);
        list.map_or(&[], |(_, list)| list)
    }

    /// Returns whether a source of this type can certainly not be saved. A primary type in both
    /// lists can be saved, so that adding it to `savable` is enough to allow it.
    pub fn cannot_be_saved(&self, kind: &SourceType) -> bool {
        self.is_secondary(kind) || (self.not_savable.contains(kind) && !self.savable.contains(kind))
    }
}

/// How a single-use primary's attach waits, so that no secondary comes too late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequencing {
    /// How long the attach is held for secondaries; zero: not at all.
    pub window: Duration,
    /// Whether the attach may be answered at once and sent only when a later call needs it.
    pub defer: bool,
}

impl Sequencing {
    /// Returns whether any attach may wait for secondaries.
    pub fn is_on(&self) -> bool {
        !self.window.is_zero() || self.defer
    }
}

/// A rule of one dialect that an operator has set otherwise for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// The dialect.
    pub dialect: Dialect,
    /// The rule.
    pub rule: RuleId,
    /// Its toggle meanwhile.
    pub toggle: Toggle,
}

/// The operator's settings that `decide` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The mode over all rules.
    pub mode: Mode,
    /// What to do when a look-up fails.
    pub on_lookup_failure: OnLookupFailure,
    /// For which facts upstream is asked.
    pub look_ups: LookUps,
    /// How old a fact may be for a refusal.
    pub fresh_for: FreshFor,
    /// The toggle of each rule.
    pub toggles: Toggles,
    /// The lists of source types.
    pub types: Types,
    /// How single-use primaries wait.
    pub sequencing: Sequencing,
    /// The rules that an operator has set otherwise for a while; `toggles` has them, too.
    pub overrides: Vec<Override>,
}

impl Policy {
    /// Makes the default policy of these dialects, with these types.
    pub fn new(dialects: &[Dialect], types: Types) -> Self {
        Policy {
            mode: Mode::Enforce,
            on_lookup_failure: OnLookupFailure::Forward,
            look_ups: LookUps::Sparing,
            fresh_for: FreshFor::Within(Duration::from_secs(2)),
            toggles: Toggles::new(dialects),
            types,
            sequencing: Sequencing::default(),
            overrides: Vec::new(),
        }
    }

    /// Sets a rule otherwise for a while.
    pub fn override_rule(&mut self, set: Override) {
        self.toggles.set(set.dialect, set.rule, set.toggle);
        self.overrides.push(set);
    }

    /// Returns whether a call may be kept from upstream. Under `monitor` and `off` none is,
    /// whatever is wrong with it.
    pub fn may_keep_calls(&self) -> bool {
        match self.mode {
            Mode::Enforce => true,
            Mode::Monitor | Mode::Off => false,
        }
    }

    /// Returns the policy under which no fact is fresh that is older than what may have changed
    /// past the records: this long ago, or never (`None`).
    pub fn doubting(&self, changed: Option<Duration>) -> Cow<'_, Self> {
        match changed {
            Some(ago) if !self.fresh_for.is_within(ago) => {
                Cow::Owned(Self { fresh_for: FreshFor::Within(ago), ..self.clone() })
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// Returns the rows that apply to a call of this dialect, each with its toggle under the mode
    /// over all rules. `None`: a call that all dialects share.
    pub fn rows(
        &self,
        dialect: Option<Dialect>,
    ) -> impl Iterator<Item = (Dialect, &'static Row, Toggle)> {
        let rows = self.toggles.rows();
        rows.filter(move |(of, _, _)| dialect.is_none_or(|dialect| dialect == *of))
            .map(|(of, row, toggle)| (of, row, self.mode.over(toggle)))
    }

    /// Returns a rule's toggle in a dialect under the mode over all rules. A rule that is not in
    /// the dialect's table is off.
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

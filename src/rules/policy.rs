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
mod tests {
    use super::*;
    use crate::dialects::{self, carts::DIALECT as CARTS, checkouts::DIALECT as CHECKOUTS};
    use RuleId::{PrimaryBeforeSecondary, SecondPrimary, SecondarySourceOwner, SpentSource};

    #[test]
    fn a_toggle_of_both_dialects_leaves_the_default_where_its_row_does_not_allow_it() {
        let cases = [
            (SecondPrimary, Toggle::Reorder, Toggle::Monitor, Toggle::Reorder),
            (SecondPrimary, Toggle::Reject, Toggle::Reject, Toggle::Reject),
            (SpentSource, Toggle::Reorder, Toggle::Reject, Toggle::Reject),
            (SpentSource, Toggle::Strip, Toggle::Reject, Toggle::Reject),
            (SpentSource, Toggle::Off, Toggle::Off, Toggle::Off),
            (PrimaryBeforeSecondary, Toggle::Reorder, Toggle::Off, Toggle::Reorder),
            (SecondarySourceOwner, Toggle::Strip, Toggle::Off, Toggle::Strip),
        ];
        for (rule, wanted, checkouts, carts) in cases {
            let mut policy = dialects::policy();
            policy.set(rule, wanted);
            assert_eq!(
                (policy.toggle(CHECKOUTS, rule), policy.toggle(CARTS, rule)),
                (checkouts, carts),
                "{rule} = {wanted}"
            );
        }
    }

    #[test]
    fn every_rule_is_refused_by_default_but_two() {
        let policy = dialects::policy();
        for (dialect, row, _) in policy.toggles.rows() {
            let only_reports = [(CHECKOUTS, SecondPrimary), (CARTS, SecondarySourceOwner)]
                .contains(&(dialect, row.id));
            let expected = if only_reports { Toggle::Monitor } else { Toggle::Reject };
            assert_eq!(policy.toggle(dialect, row.id), expected, "{} {}", dialect, row.id);
        }
    }

    #[test]
    fn the_mode_over_everything_wins_but_never_wakes_a_rule_that_is_off() {
        for (mode, reject, off) in [
            (Mode::Enforce, Toggle::Reject, Toggle::Off),
            (Mode::Monitor, Toggle::Monitor, Toggle::Off),
            (Mode::Off, Toggle::Off, Toggle::Off),
        ] {
            let mut policy = Policy { mode, ..dialects::policy() };
            assert_eq!(policy.toggle(CARTS, SpentSource), reject, "{mode:?}");
            policy.set(SpentSource, Toggle::Off);
            assert_eq!(policy.toggle(CARTS, SpentSource), off, "{mode:?}");
        }
    }

    #[test]
    fn the_lists_of_types_are_the_vendors() {
        let types = dialects::policy().types;
        for (kind, checkouts, carts, unsavable) in [
            ("creditCard", true, true, false),
            ("applePay", true, false, false),
            ("alipay", true, false, false),
            ("klarnaCredit", true, true, true),
            ("wireTransfer", true, true, true),
            ("payPal", true, true, true),
            ("payPalBilling", true, true, false),
            ("ideal", false, false, false),
            ("trustly", false, false, true),
            ("customerCredit", false, false, true),
            ("someNewThing", false, false, false),
        ] {
            let kind = SourceType::from(kind);
            let found = (
                types.pairs(CHECKOUTS, &kind),
                types.pairs(CARTS, &kind),
                types.cannot_be_saved(&kind),
            );
            assert_eq!(found, (checkouts, carts, unsavable), "{kind}");
        }
    }

    #[test]
    fn a_type_added_to_the_savable_ones_can_be_saved_but_store_credit_never() {
        let mut types = dialects::policy().types;
        types.savable.extend(["payPal", "customerCredit"].map(SourceType::from));
        assert!(!types.cannot_be_saved(&"payPal".into()));
        assert!(types.cannot_be_saved(&"customerCredit".into()));
    }
}

//! What the operator wants: per rule, per dialect, and over everything.

use super::{Dialect, RuleId, SourceType, table};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

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
    pub const ALL: [Toggle; 5] = [Toggle::Reject, Toggle::Reorder, Toggle::Strip, Toggle::Monitor, Toggle::Off];

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
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Toggle::ALL.into_iter().find(|t| t.as_str() == name).ok_or(())
    }
}

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

/// How old a remembered fact may be for a refusal to rest on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshFor {
    /// So many milliseconds.
    Millis(u64),
    /// Any age: Weir is the only way to upstream.
    Forever,
}

/// The lists of source types (domain: sections 1, 4 and 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types {
    /// The secondary types; every other type is primary.
    pub secondary: Vec<SourceType>,
    /// The primaries that a secondary can be combined with, on checkouts and invoices.
    pub pairing_checkouts: Vec<SourceType>,
    /// The primaries that a secondary can be combined with, on carts.
    pub pairing_carts: Vec<SourceType>,
    /// The types that can be saved.
    pub savable: Vec<SourceType>,
    /// The types that cannot be saved. A type in neither list is forwarded.
    pub not_savable: Vec<SourceType>,
}

fn types(names: &[&str]) -> Vec<SourceType> {
    names.iter().map(|name| SourceType::from(*name)).collect()
}

impl Default for Types {
    fn default() -> Self {
        Types {
            secondary: types(&["customerCredit"]),
            pairing_checkouts: types(&[
                "alipayCn",
                "creditCard",
                "googlePay",
                "applePay",
                "payPal",
                "payPalCredit",
                "payPalBilling",
                "wireTransfer",
                "klarnaCredit",
                "klarnaCreditRecurring",
                "alipay",
                "konbini",
                "directDebit",
                "onlineBanking",
            ]),
            pairing_carts: types(&[
                "creditCard",
                "googlePay",
                "klarnaCredit",
                "klarnaCreditRecurring",
                "payPal",
                "payPalCredit",
                "payPalBilling",
                "wireTransfer",
            ]),
            savable: types(&[
                "alipay",
                "amazonPay",
                "applePay",
                "creditCard",
                "googlePay",
                "ideal",
                "klarnaCreditRecurring",
                "payPalBilling",
                "directDebit",
                "msts",
            ]),
            not_savable: types(&[
                "afterpay",
                "alipayCn",
                "bancontact",
                "blik",
                "konbini",
                "onlineBanking",
                "bankTransfer",
                "payCo",
                "payPal",
                "payPalCredit",
                "klarnaCredit",
                "trustly",
                "wireTransfer",
                "codJapan",
                "bPay",
                "customerCredit",
            ]),
        }
    }
}

impl Types {
    /// Whether a source of this type is secondary (store credit).
    pub fn is_secondary(&self, kind: &SourceType) -> bool {
        self.secondary.contains(kind)
    }

    /// Whether this primary can be combined with a secondary.
    pub fn pairs(&self, dialect: Dialect, primary: &SourceType) -> bool {
        match dialect {
            Dialect::Checkouts => self.pairing_checkouts.contains(primary),
            Dialect::Carts => self.pairing_carts.contains(primary),
        }
    }

    /// Whether a source of this type is known to be impossible to save.
    pub fn cannot_be_saved(&self, kind: &SourceType) -> bool {
        self.is_secondary(kind) || self.not_savable.contains(kind)
    }
}

/// How "too late" is put right before it happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequencing {
    /// How long a single-use primary's attach waits for secondaries, in milliseconds; 0: not at all.
    pub window: u64,
    /// Whether such an attach may be answered at once and sent only when something depends on it (checkouts).
    pub defer: bool,
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
    /// Toggles that differ from the table's defaults.
    pub toggles: BTreeMap<(Dialect, RuleId), Toggle>,
    /// The lists of types.
    pub types: Types,
    /// The remedies.
    pub sequencing: Sequencing,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            mode: Mode::Enforce,
            on_lookup_failure: OnLookupFailure::Forward,
            fresh_for: FreshFor::Millis(2_000),
            toggles: BTreeMap::new(),
            types: Types::default(),
            sequencing: Sequencing::default(),
        }
    }
}

impl Policy {
    /// What a rule does here, the mode over everything included.
    /// A rule that is not in the dialect's table is off.
    pub fn toggle(&self, dialect: Dialect, rule: RuleId) -> Toggle {
        let Some(row) = table::row(dialect, rule) else { return Toggle::Off };
        let toggle = self.toggles.get(&(dialect, rule)).copied().unwrap_or(row.default);
        match (self.mode, toggle) {
            (Mode::Off, _) | (_, Toggle::Off) => Toggle::Off,
            (Mode::Monitor, _) => Toggle::Monitor,
            (Mode::Enforce, toggle) => toggle,
        }
    }

    /// Sets a rule in every dialect that has it.
    pub fn set(&mut self, rule: RuleId, toggle: Toggle) {
        for dialect in Dialect::ALL {
            if table::row(dialect, rule).is_some() {
                self.toggles.insert((dialect, rule), toggle);
            }
        }
    }
}

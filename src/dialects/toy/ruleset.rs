//! Lists what the rules know about the toy.

use super::rows::ROWS;
use crate::rules::{Charges, Dialect, Keys, KindSpec, RuleId, Ruleset, Semantics, SessionKind};

/// The API of tabs.
pub(super) const DIALECT: Dialect = Dialect::new(&RULESET);
/// A tab.
pub(super) const TAB: SessionKind = SessionKind::new(&KindSpec {
    name: "tab",
    number: 9,
    dialect: DIALECT,
    active: false,
    billing: false,
});

static RULESET: Ruleset = Ruleset {
    name: "tabs",
    kinds: || &[TAB],
    keys: Keys {
        toggles: "Toggles for tabs only.",
        pairing: ("pairing-tabs", "The primaries that a secondary can be combined with on tabs."),
    },
    pairing: &[],
    rows: ROWS,
    semantics: Semantics {
        detaching_spends: false,
        order_charges: Charges::All,
        waits_under: RuleId::SecondaryAfterSingleUsePrimary,
        may_defer: false,
        credential_opens_sources: false,
    },
};

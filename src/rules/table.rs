//! The one table of rules: every rule's id, dialect, default, words and check, in the order in
//! which they are preferred.

use super::{
    Dialect, Intent, RuleId, Toggle, Violation,
    known::{Fact, View},
    rule,
};
/// One rule in one dialect's table.
pub struct Row {
    /// Its id.
    pub id: RuleId,
    /// Whose table.
    pub dialect: Dialect,
    /// What it does unless the policy says otherwise.
    pub default: Toggle,
    /// The toggle that mends instead of refusing, where there is one: `Reorder` or `Strip`.
    pub remedy: Option<Toggle>,
    /// One line.
    pub meaning: &'static str,
    /// When it fires.
    pub fires: &'static str,
    /// What the caller gets.
    pub answer: &'static str,
    /// What to do instead.
    pub instead: &'static str,
    /// Where the vendor says so.
    pub page: &'static str,
    pub(super) check: fn(&View<'_>) -> Fact<Option<Violation>>,
}

impl Row {
    /// Whether the policy may set this rule to `toggle`.
    pub fn allows(&self, toggle: Toggle) -> bool {
        matches!(toggle, Toggle::Reject | Toggle::Monitor | Toggle::Off)
            || self.remedy == Some(toggle)
    }
}

/// Every row: the checkouts table, then the carts table, each in its order of preference.
pub static ROWS: &[Row] = &[
    rule::ambiguous_request::CHECKOUTS,
    rule::secondary_after_single_use_primary::ROW,
    rule::spent_source::CHECKOUTS,
    rule::amount_exceeds_total::CHECKOUTS,
    rule::primary_pairing::CHECKOUTS,
    rule::second_primary::CHECKOUTS,
    rule::save_nonreusable::CHECKOUTS,
    rule::save_not_chargeable::CHECKOUTS,
    rule::foreign_saved_source::ROW,
    rule::underfunded_order::CHECKOUTS,
    rule::default_source_not_saved::ROW,
    rule::secondary_source_shape::ROW,
    rule::credit_amount_repeated::ROW,
    rule::credit_amount_after_single_use_primary::ROW,
    rule::invoice_billing_optimization::ROW,
    rule::ambiguous_request::CARTS,
    rule::primary_before_secondary::ROW,
    rule::second_primary::CARTS,
    rule::one_secondary::ROW,
    rule::primary_pairing::CARTS,
    rule::spent_source::CARTS,
    rule::save_nonreusable::CARTS,
    rule::save_not_chargeable::CARTS,
    rule::amount_exceeds_total::CARTS,
    rule::underfunded_order::CARTS,
    rule::secondary_source_owner::ROW,
    rule::secondary_amount_edit::ROW,
];

/// The row of a rule in a dialect's table.
pub fn row(dialect: Dialect, id: RuleId) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.dialect == dialect && row.id == id)
}

/// The rows that may have something to say about a call. `/sources` belongs to both dialects.
pub fn rows_for(intent: &Intent) -> impl Iterator<Item = &'static Row> {
    let dialect = intent.dialect();
    ROWS.iter().filter(move |row| dialect.is_none_or(|dialect| row.dialect == dialect))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_stands_in_the_table_once_per_dialect() {
        for id in RuleId::ALL {
            let rows: Vec<_> =
                ROWS.iter().filter(|row| row.id == *id).map(|row| row.dialect).collect();
            assert!(!rows.is_empty(), "{id} has no row");
            let mut once = rows.clone();
            once.dedup();
            assert_eq!(rows, once, "{id}");
        }
    }
}

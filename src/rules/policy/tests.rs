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
fn only_a_mode_that_enforces_may_keep_calls_from_upstream() {
    for mode in Mode::ALL {
        let policy = Policy { mode, ..dialects::policy() };
        assert_eq!(policy.may_keep_calls(), mode == Mode::Enforce, "{mode:?}");
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

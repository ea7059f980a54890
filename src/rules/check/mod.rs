//! The checks, a file each. All dialects share them, and a dialect's table lists the rules that it
//! has.
//!
//! A [`Check`] is a pure function of a [`View`]. It returns a finding if the rule is broken, `None`
//! if not, or the gap that keeps it from judging.

mod ambiguous_request;
mod amount_exceeds_total;
mod credit_amount_after_single_use_primary;
mod credit_amount_repeated;
mod default_source_not_saved;
mod foreign_saved_source;
mod invoice_billing_optimization;
mod lost_credit;
mod one_secondary;
mod primary_before_secondary;
mod primary_pairing;
mod save_nonreusable;
mod save_not_chargeable;
mod second_primary;
mod secondary_after_single_use_primary;
mod secondary_amount_edit;
mod secondary_source_owner;
mod secondary_source_shape;
mod spent_source;
mod underfunded_order;

use super::{
    Finding, RuleId,
    known::{Judged, View},
};

/// A function that returns the finding if a rule is broken.
pub(super) type Check = fn(&mut View<'_>) -> Judged<Option<Finding>>;

/// Returns the check of a rule.
pub(super) fn of(rule: RuleId) -> Check {
    match rule {
        RuleId::SecondaryAfterSingleUsePrimary => {
            secondary_after_single_use_primary::secondary_after_single_use_primary
        }
        RuleId::PrimaryBeforeSecondary => primary_before_secondary::primary_before_secondary,
        RuleId::SecondPrimary => second_primary::second_primary,
        RuleId::OneSecondary => one_secondary::one_secondary,
        RuleId::SpentSource => spent_source::spent_source,
        RuleId::AmountExceedsTotal => amount_exceeds_total::amount_exceeds_total,
        RuleId::PrimaryPairing => primary_pairing::primary_pairing,
        RuleId::SaveNonreusable => save_nonreusable::save_nonreusable,
        RuleId::SaveNotChargeable => save_not_chargeable::save_not_chargeable,
        RuleId::ForeignSavedSource => foreign_saved_source::foreign_saved_source,
        RuleId::UnderfundedOrder => underfunded_order::underfunded_order,
        RuleId::LostCredit => lost_credit::lost_credit,
        RuleId::DefaultSourceNotSaved => default_source_not_saved::default_source_not_saved,
        RuleId::SecondarySourceShape => secondary_source_shape::secondary_source_shape,
        RuleId::CreditAmountRepeated => credit_amount_repeated::credit_amount_repeated,
        RuleId::CreditAmountAfterSingleUsePrimary => {
            credit_amount_after_single_use_primary::credit_amount_after_single_use_primary
        }
        RuleId::InvoiceBillingOptimization => {
            invoice_billing_optimization::invoice_billing_optimization
        }
        RuleId::SecondarySourceOwner => secondary_source_owner::secondary_source_owner,
        RuleId::SecondaryAmountEdit => secondary_amount_edit::secondary_amount_edit,
        RuleId::AmbiguousRequest => ambiguous_request::ambiguous_request,
    }
}

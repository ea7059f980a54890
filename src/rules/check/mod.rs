//! The checks, a file each: when a rule fires. Shared by all dialects; which rules a dialect has is
//! its table's to say.
//!
//! A check is a pure function of a `View`. It answers with a finding, with none, or with the gap
//! in what is known.

mod ambiguous_request;
mod amount_exceeds_total;
mod credit_amount_after_single_use_primary;
mod credit_amount_repeated;
mod default_source_not_saved;
mod foreign_saved_source;
mod invoice_billing_optimization;
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

pub(crate) use ambiguous_request::ambiguous_request;
pub(crate) use amount_exceeds_total::amount_exceeds_total;
pub(crate) use credit_amount_after_single_use_primary::credit_amount_after_single_use_primary;
pub(crate) use credit_amount_repeated::credit_amount_repeated;
pub(crate) use default_source_not_saved::default_source_not_saved;
pub(crate) use foreign_saved_source::foreign_saved_source;
pub(crate) use invoice_billing_optimization::invoice_billing_optimization;
pub(crate) use one_secondary::one_secondary;
pub(crate) use primary_before_secondary::primary_before_secondary;
pub(crate) use primary_pairing::primary_pairing;
pub(crate) use save_nonreusable::save_nonreusable;
pub(crate) use save_not_chargeable::save_not_chargeable;
pub(crate) use second_primary::second_primary;
pub(crate) use secondary_after_single_use_primary::secondary_after_single_use_primary;
pub(crate) use secondary_amount_edit::secondary_amount_edit;
pub(crate) use secondary_source_owner::secondary_source_owner;
pub(crate) use secondary_source_shape::secondary_source_shape;
pub(crate) use spent_source::spent_source;
pub(crate) use underfunded_order::underfunded_order;

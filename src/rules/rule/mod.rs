//! The rules, a file each: when it fires, what it answers, and what to do instead.
//!
//! A check is a pure function of a `View`. It answers with a violation, with none, or with the gap
//! in what is known.

pub(super) mod ambiguous_request;
pub(super) mod amount_exceeds_total;
pub(super) mod credit_amount_after_single_use_primary;
pub(super) mod credit_amount_repeated;
pub(super) mod default_source_not_saved;
pub(super) mod foreign_saved_source;
pub(super) mod invoice_billing_optimization;
pub(super) mod one_secondary;
pub(super) mod primary_before_secondary;
pub(super) mod primary_pairing;
pub(super) mod save_nonreusable;
pub(super) mod save_not_chargeable;
pub(super) mod second_primary;
pub(super) mod secondary_after_single_use_primary;
pub(super) mod secondary_amount_edit;
pub(super) mod secondary_source_owner;
pub(super) mod secondary_source_shape;
pub(super) mod spent_source;
pub(super) mod underfunded_order;

/// The vendor's pages, as `explain` cites them.
pub(super) mod page {
    pub(in super::super) const COMBINING: &str =
        "Digital River API, Managing sources: Combining primary and secondary payment sources";
    pub(in super::super) const SINGLE_USE: &str = "Digital River API, Managing sources: Using secondary sources with a single use primary source";
    pub(in super::super) const ATTACHING: &str =
        "Digital River API, Managing sources: Attaching sources to checkouts";
    pub(in super::super) const DETACHING: &str =
        "Digital River API, Managing sources: Detaching sources from checkouts";
    pub(in super::super) const SAVING: &str =
        "Digital River API, Managing sources: Restrictions on saving sources";
    pub(in super::super) const USING_SAVED: &str =
        "Digital River API, Managing sources: Restrictions on using saved sources";
    pub(in super::super) const DEFAULT: &str =
        "Digital River API, Managing sources: Setting the default payment source";
    pub(in super::super) const SECONDARY: &str =
        "Digital River API, Managing sources: Secondary payment sources";
    pub(in super::super) const LEGACY: &str = "Digital River API, Applying store credit (legacy)";
    pub(in super::super) const CARTS_ATTACHING: &str =
        "Commerce API, Managing sources: Attaching multiple payment sources to the cart";
    pub(in super::super) const CARTS_COMBINING: &str =
        "Commerce API, Managing sources: Combining primary and secondary payment sources";
    pub(in super::super) const CARTS_SECONDARY: &str =
        "Commerce API, Managing sources: Secondary payment sources";
    pub(in super::super) const CARTS_CREATING: &str =
        "Commerce API, Managing sources: Creating secondary sources";
    pub(in super::super) const CARTS_AMOUNTS: &str =
        "Commerce API, Managing sources: Amount contribution of the entire order";
}

//! A checkout or an invoice, which follow the same rules.

use super::{doc::Doc, funding::Funding, item::Item, kind::Kind};
use rust_decimal::Decimal;

#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    /// [`Kind::Checkout`] or [`Kind::Invoice`].
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) merchant: String,
    pub(crate) created: String,
    pub(crate) customer: Option<String>,
    pub(crate) items: Vec<Item>,
    /// Members that are stored and shown as they were sent.
    pub(crate) kept: Doc,
    pub(crate) funding: Funding,
    /// The `creditAmount` of older versions, once it was sent.
    pub(crate) credit_amount: Option<Decimal>,
    /// Invoices only.
    pub(crate) billing_optimization: bool,
    /// The order that was made from it (invoices only).
    pub(crate) order: Option<String>,
    /// Whether it was voided (invoices only).
    pub(crate) voided: bool,
}

impl Checkout {
    /// Returns whether nothing can be attached or changed any more.
    pub(crate) fn ended(&self) -> bool {
        self.funding.complete || self.voided
    }
}

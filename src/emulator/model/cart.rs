//! A shopper's cart.

use super::{
    funding::Funding,
    item::{Item, totals},
    refusal::Refusal,
};

#[derive(Clone, Debug)]
pub(crate) struct Cart {
    pub(crate) id: String,
    pub(crate) merchant: String,
    pub(crate) items: Vec<Item>,
    pub(crate) funding: Funding,
}

impl Cart {
    /// Sums up the lines, and refuses a total that the attached credits exceed.
    pub(crate) fn recount(&mut self) -> Result<(), Refusal> {
        let (subtotal, tax) = totals(&self.items);
        self.funding.total = subtotal + tax;
        if self.funding.credits() > self.funding.total {
            return Err(Refusal::conflict(
                "apply-payment-failure",
                "Source amount(s) exceed session amount",
            )
            .about("session_source_amount_too_large"));
        }
        Ok(())
    }
}

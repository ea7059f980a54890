//! A source: one way to pay.

use super::{doc::Doc, mint::Mint};
use rust_decimal::Decimal;

/// The type of store credit, the only secondary type.
pub(crate) const CREDIT: &str = "customerCredit";

/// Types that cannot be used twice; any other type can be saved.
const NOT_SAVABLE: [&str; 16] = [
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
    CREDIT,
];

#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) id: String,
    pub(crate) merchant: String,
    pub(crate) secret: String,
    pub(crate) created: String,
    /// Its `type`.
    pub(crate) kind: String,
    pub(crate) currency: Option<String>,
    pub(crate) amount: Option<Decimal>,
    pub(crate) reusable: bool,
    pub(crate) state: &'static str,
    pub(crate) flow: &'static str,
    pub(crate) customer: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) upstream: Option<String>,
    pub(crate) owner: Option<Doc>,
    /// The object named after the type.
    pub(crate) details: Doc,
    /// Whether charging it fails.
    pub(crate) declines: bool,
}

impl Source {
    /// Makes a chargeable single-use source of that type; it is not in the world yet.
    pub(crate) fn new(
        mint: &mut Mint,
        merchant: &str,
        kind: &str,
        amount: Option<Decimal>,
    ) -> Self {
        let id = mint.uuid();
        Self {
            secret: mint.secret(&id),
            id,
            merchant: merchant.to_owned(),
            created: mint.time(),
            kind: kind.to_owned(),
            currency: None,
            amount,
            reusable: false,
            state: "chargeable",
            flow: "standard",
            customer: None,
            session: None,
            upstream: None,
            owner: None,
            details: Doc::object(),
            declines: false,
        }
    }

    pub(crate) fn secondary(&self) -> bool {
        self.kind == CREDIT
    }

    pub(crate) fn savable(&self) -> bool {
        !NOT_SAVABLE.contains(&self.kind.as_str())
    }

    pub(crate) fn spent(&self) -> bool {
        matches!(self.state, "cancelled" | "consumed" | "failed")
    }

    /// Returns whether it waits for its shopper or for money to arrive.
    pub(crate) fn pending(&self) -> bool {
        matches!(self.state, "pending_redirect" | "pending_funds" | "requires_action")
    }

    /// Returns whether it was saved by another customer or shopper.
    pub(crate) fn belongs_to_another(&self, customer: &str) -> bool {
        self.customer.as_deref().is_some_and(|owner| owner != customer)
    }

    /// Makes a saved source reusable.
    pub(crate) fn save_to(&mut self, customer: &str) {
        self.reusable = true;
        self.customer = Some(customer.to_owned());
    }

    /// Spends a source that is no longer saved.
    pub(crate) fn unsave(&mut self) {
        self.state = "cancelled";
        self.customer = None;
    }
}

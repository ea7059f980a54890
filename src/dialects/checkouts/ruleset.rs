//! Lists what the rules know about the checkouts dialect.

use super::rows::ROWS;
use crate::rules::{Charges, Dialect, Keys, KindSpec, RuleId, Ruleset, Semantics, SessionKind};

/// Digital River API: checkouts, invoices, customers, orders.
pub const DIALECT: Dialect = Dialect::new(&RULESET);
/// A checkout.
pub const CHECKOUT: SessionKind = SessionKind::new(&KindSpec {
    name: "checkout",
    number: 0,
    dialect: DIALECT,
    active: false,
    billing: false,
});
/// An invoice; it follows the rules of a checkout.
pub const INVOICE: SessionKind = SessionKind::new(&KindSpec {
    name: "invoice",
    number: 1,
    dialect: DIALECT,
    active: false,
    billing: true,
});

static RULESET: Ruleset = Ruleset {
    name: "checkouts",
    kinds: || &[CHECKOUT, INVOICE],
    keys: Keys {
        toggles: "Toggles for checkouts and invoices only.",
        pairing: (
            "pairing-checkouts",
            "The primaries that a secondary can be combined with on checkouts and invoices.",
        ),
    },
    pairing: &[
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
    ],
    rows: ROWS,
    semantics: Semantics {
        detaching_spends: true,
        order_charges: Charges::All,
        waits_under: RuleId::SecondaryAfterSingleUsePrimary,
        may_defer: true,
        credential_opens_sources: true,
    },
};

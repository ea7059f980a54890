//! Lists what the rules know about the carts dialect.

use super::rows::ROWS;
use crate::rules::{
    Charges, Dialect, Keys, KindSpec, RuleId, Ruleset, Semantics, SessionKind, Target,
};

/// Commerce API: shoppers/me, carts.
pub const DIALECT: Dialect = Dialect::new(&RULESET);
/// A shopper's cart.
pub const CART: SessionKind = SessionKind::new(&KindSpec {
    name: "cart",
    number: 2,
    dialect: DIALECT,
    active: true,
    billing: false,
});
/// The active cart of the caller.
pub(in crate::dialects) const ACTIVE: Target = Target::Active(CART);

static RULESET: Ruleset = Ruleset {
    name: "carts",
    kinds: || &[CART],
    keys: Keys {
        toggles: "Toggles for carts only.",
        pairing: ("pairing-carts", "The primaries that a secondary can be combined with on carts."),
    },
    pairing: &[
        "creditCard",
        "googlePay",
        "klarnaCredit",
        "klarnaCreditRecurring",
        "payPal",
        "payPalCredit",
        "payPalBilling",
        "wireTransfer",
    ],
    rows: ROWS,
    semantics: Semantics {
        detaching_spends: false,
        order_charges: Charges::Named,
        waits_under: RuleId::PrimaryBeforeSecondary,
        may_defer: false,
        credential_opens_sources: false,
    },
};

//! What the rules know of the carts dialect.

use crate::rules::{Charges, Dialect, KindSpec, RuleId, Ruleset, Semantics, SessionKind, Target};

/// Commerce API: shoppers/me, carts.
pub const DIALECT: Dialect = Dialect::new(&RULESET);
/// A shopper's cart.
pub const CART: SessionKind =
    SessionKind::new(&KindSpec { name: "cart", number: 2, dialect: DIALECT, active: true });
/// The active cart of the caller.
pub(in crate::dialects) const ACTIVE: Target = Target::Active(CART);

static RULESET: Ruleset = Ruleset {
    name: "carts",
    kinds: || &[CART],
    semantics: Semantics {
        detaching_spends: false,
        order_charges: Charges::Named,
        waits_under: RuleId::PrimaryBeforeSecondary,
        may_defer: false,
        credential_opens_sources: false,
    },
};

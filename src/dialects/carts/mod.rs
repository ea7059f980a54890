//! The carts dialect: the shopper's active cart and payment options below `/v1/shoppers/me`
//! (domain: section 3).

mod answer;
mod error;
mod request;
mod rows;
mod words;

pub(super) use answer::{Shows, read_answer};
pub(super) use error::{error_json, error_xml};
pub(super) use request::{intent, reads_body, source_body};
pub(super) use words::WORDS;

use super::path;
use crate::rules::{
    Charges, Dialect, Keys, KindSpec, OptionId, RuleId, Ruleset, Semantics, SessionKind, Target,
};
use http::Method;

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
pub(super) const ACTIVE: Target = Target::Active(CART);

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
    rows: rows::ROWS,
    semantics: Semantics {
        detaching_spends: false,
        order_charges: Charges::Named,
        waits_under: RuleId::PrimaryBeforeSecondary,
        may_defer: false,
        credential_opens_sources: false,
    },
};

/// A governed path.
pub(super) enum Resource<'a> {
    Cart,
    PaymentMethod,
    Payment,
    Shopper,
    Submission,
    /// Anything else below the active cart.
    CartPart,
    Options,
    Option(&'a str),
}

/// A governed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Read,
    Update,
    Attach,
    Detach,
    DetachAll,
    ApplyShopper(Option<OptionId>),
    Submit,
    Touch,
    SaveOption,
    ChangeOption(OptionId),
    RemoveOption(OptionId),
    ReadOption,
    ReadOptions,
}

/// What a path names, without its `v1`.
pub(super) fn resource<'a>(segments: &[&'a str]) -> Option<Resource<'a>> {
    let ["shoppers", "me", rest @ ..] = segments else { return None };
    Some(match rest {
        ["carts", "active"] => Resource::Cart,
        ["carts", "active", "apply-payment-method"] => Resource::PaymentMethod,
        ["carts", "active", "payment"] => Resource::Payment,
        ["carts", "active", "apply-shopper"] => Resource::Shopper,
        ["carts", "active", "submit-cart"] => Resource::Submission,
        ["carts", "active", ..] => Resource::CartPart,
        ["payment-options"] => Resource::Options,
        ["payment-options", id] => Resource::Option(id),
        _ => return None,
    })
}

impl Resource<'_> {
    /// What a method means there; `None` where no rule has anything to say.
    pub(super) fn route(&self, method: &Method) -> Option<Route> {
        use Resource as At;
        Some(match (self, method.as_str()) {
            (_, "HEAD" | "OPTIONS" | "TRACE" | "CONNECT") => return None,
            (At::Cart, "GET") => Route::Read,
            (At::Cart, "POST") => Route::Update,
            (At::PaymentMethod, "POST") => Route::Attach,
            (At::PaymentMethod, "DELETE") => Route::Detach,
            (At::Payment, "DELETE") => Route::DetachAll,
            (At::Shopper, "POST") => Route::ApplyShopper(None),
            (At::Submission, "POST") => Route::Submit,
            (At::Options, "GET") => Route::ReadOptions,
            (At::Options, "POST") => Route::SaveOption,
            (At::Option(_), "GET") => Route::ReadOption,
            (At::Option(id), "POST" | "PUT" | "PATCH") => {
                Route::ChangeOption((&*path::id(id)).into())
            }
            (At::Option(id), "DELETE") => Route::RemoveOption((&*path::id(id)).into()),
            (At::Options | At::Option(_), _) | (_, "GET") => return None,
            _ => Route::Touch,
        })
    }
}

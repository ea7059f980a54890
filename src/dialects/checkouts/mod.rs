//! The checkouts dialect: checkouts, invoices, customers, orders, and the sources that both
//! dialects share (domain: section 2).

mod answer;
mod error;
mod request;
mod rows;
mod words;

pub(super) use answer::read_answer;
pub(super) use error::error_json;
pub(super) use request::{intent, reads_body};
pub(super) use words::WORDS;

use super::path;
use crate::rules::{
    Charges, CustomerId, Dialect, Keys, KindSpec, RuleId, Ruleset, Semantics, SessionKey,
    SessionKind, SourceId,
};
use http::Method;

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
    rows: rows::ROWS,
    semantics: Semantics {
        detaching_spends: true,
        order_charges: Charges::All,
        waits_under: RuleId::SecondaryAfterSingleUsePrimary,
        may_defer: true,
        credential_opens_sources: true,
    },
};

/// A governed path.
pub(super) enum Resource<'a> {
    Sources,
    Source(&'a str),
    Sessions(SessionKind),
    Session(SessionKind, &'a str),
    SessionSource(SessionKind, &'a str, &'a str),
    /// Anything below a session.
    SessionPart(SessionKind, &'a str),
    Orders,
    Customer(&'a str),
    CustomerSource(&'a str, &'a str),
}

/// A governed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    CreateSource,
    EditSource(SourceId),
    ReadSource(SourceId),
    Create(SessionKind),
    Update(SessionKey),
    Read(SessionKey),
    Delete(SessionKey),
    Attach(SessionKey, SourceId),
    Detach(SessionKey, SourceId),
    Touch(SessionKey),
    Order,
    Save(CustomerId, SourceId),
    Remove(CustomerId, SourceId),
    UpdateCustomer(CustomerId),
    ReadCustomer(CustomerId),
}

/// What a path names. Store credits that the vendor asks a merchant's server about are no
/// checkouts, though they live below them.
pub(super) fn resource<'a>(segments: &[&'a str]) -> Option<Resource<'a>> {
    Some(match segments {
        ["sources"] => Resource::Sources,
        ["sources", id] => Resource::Source(id),
        ["orders"] => Resource::Orders,
        ["customers", id] => Resource::Customer(id),
        ["customers", id, "sources", source] => Resource::CustomerSource(id, source),
        ["checkouts", "store-credits", ..] => return None,
        [root @ ("checkouts" | "invoices"), rest @ ..] => {
            let kind = if *root == "checkouts" { CHECKOUT } else { INVOICE };
            match rest {
                [] => Resource::Sessions(kind),
                [id] => Resource::Session(kind, id),
                [id, "sources", source] => Resource::SessionSource(kind, id, source),
                [id, ..] => Resource::SessionPart(kind, id),
            }
        }
        _ => return None,
    })
}

impl Resource<'_> {
    /// What a method means there; `None` where no rule has anything to say.
    pub(super) fn route(&self, method: &Method) -> Option<Route> {
        use Resource as At;
        let key = |kind, id| SessionKey::new(kind, &*path::id(id));
        let source = |id| SourceId::from(&*path::id(id));
        let customer = |id| CustomerId::from(&*path::id(id));
        Some(match (self, method.as_str()) {
            (_, "HEAD" | "OPTIONS" | "TRACE" | "CONNECT") => return None,
            (At::Sources, "POST") => Route::CreateSource,
            (At::Source(id), "GET") => Route::ReadSource(source(id)),
            (At::Source(id), "POST" | "PUT" | "PATCH") => Route::EditSource(source(id)),
            (At::Sessions(kind), "POST") => Route::Create(*kind),
            (At::Session(kind, id), "GET") => Route::Read(key(*kind, id)),
            (At::Session(kind, id), "POST") => Route::Update(key(*kind, id)),
            (At::Session(kind, id), "DELETE") => Route::Delete(key(*kind, id)),
            (At::SessionSource(kind, id, of), "POST") => Route::Attach(key(*kind, id), source(of)),
            (At::SessionSource(kind, id, of), "DELETE") => {
                Route::Detach(key(*kind, id), source(of))
            }
            (At::SessionSource(..) | At::SessionPart(..), "GET") => return None,
            (
                At::Session(kind, id) | At::SessionSource(kind, id, _) | At::SessionPart(kind, id),
                _,
            ) => Route::Touch(key(*kind, id)),
            (At::Orders, "POST") => Route::Order,
            (At::Customer(id), "GET") => Route::ReadCustomer(customer(id)),
            (At::Customer(id), "POST") => Route::UpdateCustomer(customer(id)),
            (At::CustomerSource(id, of), "POST") => Route::Save(customer(id), source(of)),
            (At::CustomerSource(id, of), "DELETE") => Route::Remove(customer(id), source(of)),
            _ => return None,
        })
    }
}

//! Recognises the paths and methods of checkouts, invoices, customers, orders and sources.

use super::ruleset::{CHECKOUT, INVOICE};
use crate::{
    dialects::{
        api::Operation,
        read::{escapes, path::PathWords, query::Parameters},
    },
    rules::{CustomerId, SessionKey, SessionKind, SourceId},
};
use http::Method;

pub(super) const WORDS: PathWords = PathWords {
    all: &["checkouts", "invoices", "customers", "orders", "sources"],
    roots: &["checkouts", "invoices", "customers", "orders", "sources"],
    sites: &[],
    governed: &["checkouts", "invoices", "customers", "orders", "sources"],
    marks: &[],
};

/// The names that the vendor uses in any of its APIs.
pub(super) const PARAMETERS: Parameters = Parameters {
    body_fields: &["sourceId", "customerId", "checkoutId", "creditAmount", "defaultSourceId"],
    id: Some("paymentOptionId"),
    method: None,
    inert: &["token", "apiKey", "format", "fields", "expand"],
};

/// A governed path.
#[derive(Clone, Copy)]
enum Resource<'a> {
    Sources,
    Source(&'a str),
    Sessions(SessionKind),
    Session(SessionKind, &'a str),
    SessionSource(SessionKind, &'a str, &'a str),
    /// Anything below a session.
    SessionPart(SessionKind, &'a str),
    /// The sources of a session.
    SessionSources(SessionKind, &'a str),
    /// What charges an invoice.
    Opening(&'a str),
    /// What gives an invoice up.
    Voiding(&'a str),
    Orders,
    Customers,
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
    List(SessionKind),
    Update(SessionKey),
    Read(SessionKey),
    Delete(SessionKey),
    Attach(SessionKey, SourceId),
    /// An attach whose source is named in the body alone.
    AttachNamed(SessionKey),
    Detach(SessionKey, SourceId),
    Touch(SessionKey),
    Order,
    Open(SessionKey),
    Void(SessionKey),
    CreateCustomer,
    DeleteCustomer(CustomerId),
    Save(CustomerId, SourceId),
    Remove(CustomerId, SourceId),
    UpdateCustomer(CustomerId),
    ReadCustomer(CustomerId),
}

/// Returns a name for what a path is about, the same for all ids.
pub(super) fn resource_name(path: &[&str]) -> Option<&'static str> {
    Some(match resource(path)? {
        Resource::Sources => "sources",
        Resource::Source(_) => "source",
        Resource::Sessions(_) => "sessions",
        Resource::Session(..) => "session",
        Resource::SessionSource(..) => "session source",
        Resource::SessionPart(..) => "session part",
        Resource::SessionSources(..) => "session sources",
        Resource::Opening(_) => "opening",
        Resource::Voiding(_) => "voiding",
        Resource::Orders => "orders",
        Resource::Customers => "customers",
        Resource::Customer(_) => "customer",
        Resource::CustomerSource(..) => "customer source",
    })
}

/// Returns which call of the dialect this is; `None` where no rule has anything to say.
pub(super) fn route(operation: Operation<'_>) -> Option<Route> {
    resource(operation.path)?.route(operation.method)
}

/// Returns what a path names. The store credits that the vendor asks a merchant's server about have
/// paths below checkouts, but are none.
fn resource<'a>(segments: &[&'a str]) -> Option<Resource<'a>> {
    Some(match segments {
        ["sources"] => Resource::Sources,
        ["sources", id] => Resource::Source(id),
        ["orders"] => Resource::Orders,
        ["customers"] => Resource::Customers,
        ["customers", id] => Resource::Customer(id),
        ["customers", id, "sources", source] => Resource::CustomerSource(id, source),
        ["checkouts", "store-credits", ..] => return None,
        ["invoices", id, "open"] => Resource::Opening(id),
        ["invoices", id, "void"] => Resource::Voiding(id),
        [root @ ("checkouts" | "invoices"), rest @ ..] => {
            let kind = if *root == "checkouts" { CHECKOUT } else { INVOICE };
            match rest {
                [] => Resource::Sessions(kind),
                [id] => Resource::Session(kind, id),
                [id, "sources", source] => Resource::SessionSource(kind, id, source),
                [id, "sources"] => Resource::SessionSources(kind, id),
                [id, ..] => Resource::SessionPart(kind, id),
            }
        }
        _ => return None,
    })
}

impl Resource<'_> {
    /// Returns what a method means there; `None` where no rule has anything to say.
    fn route(&self, method: &Method) -> Option<Route> {
        use Resource as At;
        let key = |kind, id| SessionKey::new(kind, &*escapes::id(id));
        let source = |id| SourceId::from(&*escapes::id(id));
        let customer = |id| CustomerId::from(&*escapes::id(id));
        Some(match (self, method.as_str()) {
            (_, "HEAD" | "OPTIONS" | "TRACE" | "CONNECT") => return None,
            (At::Sources, "POST" | "PUT" | "PATCH") => Route::CreateSource,
            (At::Source(id), "GET") => Route::ReadSource(source(id)),
            (At::Source(id), "POST" | "PUT" | "PATCH") => Route::EditSource(source(id)),
            (At::Sessions(kind), "POST" | "PUT" | "PATCH") => Route::Create(*kind),
            (At::Sessions(kind), "GET") => Route::List(*kind),
            (At::Session(kind, id), "GET") => Route::Read(key(*kind, id)),
            (At::Session(kind, id), "POST" | "PUT" | "PATCH") => Route::Update(key(*kind, id)),
            (At::Session(kind, id), "DELETE") => Route::Delete(key(*kind, id)),
            (At::SessionSource(kind, id, of), "POST" | "PUT" | "PATCH") => {
                Route::Attach(key(*kind, id), source(of))
            }
            (At::SessionSource(kind, id, of), "DELETE") => {
                Route::Detach(key(*kind, id), source(of))
            }
            (At::SessionSources(kind, id), "POST" | "PUT" | "PATCH") => {
                Route::AttachNamed(key(*kind, id))
            }
            (At::Opening(id), "POST" | "PUT" | "PATCH") => Route::Open(key(INVOICE, id)),
            (At::Voiding(id), "POST" | "PUT" | "PATCH") => Route::Void(key(INVOICE, id)),
            (At::Orders, "POST" | "PUT" | "PATCH") => Route::Order,
            (At::Customers, "POST" | "PUT" | "PATCH") => Route::CreateCustomer,
            (At::Customer(id), "GET") => Route::ReadCustomer(customer(id)),
            (At::Customer(id), "POST" | "PUT" | "PATCH") => Route::UpdateCustomer(customer(id)),
            (At::Customer(id), "DELETE") => Route::DeleteCustomer(customer(id)),
            (At::CustomerSource(id, of), "POST" | "PUT" | "PATCH") => {
                Route::Save(customer(id), source(of))
            }
            (At::CustomerSource(id, of), "DELETE") => Route::Remove(customer(id), source(of)),
            (_, "GET") => return None,
            (
                At::Session(kind, id)
                | At::SessionSource(kind, id, _)
                | At::SessionSources(kind, id)
                | At::SessionPart(kind, id),
                _,
            ) => Route::Touch(key(*kind, id)),
            (At::Opening(id) | At::Voiding(id), _) => Route::Touch(key(INVOICE, id)),
            _ => return None,
        })
    }
}

//! Recognises the paths and methods of the shopper's active cart and payment options below
//! `/v1/shoppers/me`.

use crate::{
    dialects::{
        api::Operation,
        read::{escapes, path::PathWords, query::Parameters},
    },
    rules::OptionId,
};
use http::Method;

pub(super) const WORDS: PathWords = PathWords {
    all: &[
        "v1",
        "shoppers",
        "me",
        "carts",
        "active",
        "apply-payment-method",
        "payment",
        "apply-shopper",
        "submit-cart",
        "resume-cart",
        "payment-options",
    ],
    roots: &["v1"],
    governed: &["shoppers", "carts", "payment-options"],
    marks: &["v1", "shoppers", "carts"],
};

/// The names that the vendor uses in any of its APIs.
pub(super) const PARAMETERS: Parameters = Parameters {
    body_fields: &["sourceId", "customerId", "checkoutId", "creditAmount", "defaultSourceId"],
    id: Some("paymentOptionId"),
    inert: &["token", "apiKey", "format", "fields", "expand"],
};

/// A governed path.
#[derive(Clone, Copy)]
enum Resource<'a> {
    Cart,
    PaymentMethod,
    Payment,
    Shopper,
    Submission,
    Resumption,
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
    ApplyShopper,
    Submit,
    Resume,
    Touch,
    SaveOption,
    ChangeOption(OptionId),
    RemoveOption(OptionId),
    ReadOption,
    ReadOptions,
}

/// Returns a name for what a path is about, the same for all ids.
pub(super) fn resource_name(path: &[&str]) -> Option<&'static str> {
    Some(match resource(path)? {
        Resource::Cart => "cart",
        Resource::PaymentMethod => "payment method",
        Resource::Payment => "payment",
        Resource::Shopper => "shopper",
        Resource::Submission => "submission",
        Resource::Resumption => "resumption",
        Resource::CartPart => "cart part",
        Resource::Options => "payment options",
        Resource::Option(_) => "payment option",
    })
}

/// Returns which call of the dialect this is; `None` where no rule has anything to say.
pub(super) fn route(operation: Operation<'_>) -> Option<Route> {
    resource(operation.path)?.route(operation.method)
}

/// Returns what a path names.
fn resource<'a>(segments: &[&'a str]) -> Option<Resource<'a>> {
    let ["v1", "shoppers", "me", rest @ ..] = segments else { return None };
    Some(match rest {
        ["carts", "active"] => Resource::Cart,
        ["carts", "active", "apply-payment-method"] => Resource::PaymentMethod,
        ["carts", "active", "payment"] => Resource::Payment,
        ["carts", "active", "apply-shopper"] => Resource::Shopper,
        ["carts", "active", "submit-cart"] => Resource::Submission,
        ["carts", "active", "resume-cart"] => Resource::Resumption,
        ["carts", "active", ..] => Resource::CartPart,
        ["payment-options"] => Resource::Options,
        ["payment-options", id] => Resource::Option(id),
        _ => return None,
    })
}

impl Resource<'_> {
    /// Returns what a method means there; `None` where no rule has anything to say.
    fn route(&self, method: &Method) -> Option<Route> {
        use Resource as At;
        Some(match (self, method.as_str()) {
            (_, "HEAD" | "OPTIONS" | "TRACE" | "CONNECT") => return None,
            (At::Cart, "GET") => Route::Read,
            (At::Cart, "POST") => Route::Update,
            (At::PaymentMethod, "POST") => Route::Attach,
            (At::PaymentMethod, "DELETE") => Route::Detach,
            (At::Payment, "DELETE") => Route::DetachAll,
            (At::Shopper, "POST") => Route::ApplyShopper,
            (At::Submission, "POST") => Route::Submit,
            (At::Resumption, "POST") => Route::Resume,
            (At::Options, "GET") => Route::ReadOptions,
            (At::Options, "POST") => Route::SaveOption,
            (At::Option(_), "GET") => Route::ReadOption,
            (At::Option(id), "POST" | "PUT" | "PATCH") => {
                Route::ChangeOption((&*escapes::id(id)).into())
            }
            (At::Option(id), "DELETE") => Route::RemoveOption((&*escapes::id(id)).into()),
            (At::Options | At::Option(_), _) | (_, "GET") => return None,
            _ => Route::Touch,
        })
    }
}

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
        "web-checkout",
        "resume-cart",
        "payment-options",
    ],
    roots: &["v1"],
    sites: &["store"],
    governed: &["shoppers", "carts", "payment-options"],
    marks: &["v1", "shoppers", "carts"],
};

/// The names that the vendor uses in any of its APIs.
pub(super) const PARAMETERS: Parameters = Parameters {
    body_fields: &["sourceId", "customerId", "checkoutId", "creditAmount", "defaultSourceId"],
    id: Some("paymentOptionId"),
    method: Some("method"),
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
    WebCheckout,
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
    WebCheckout,
    /// A call that a rule judges, and that names the cart or the shopper by a number.
    ByNumber,
    UpdateByNumber,
    SaveOption,
    ChangeOption(OptionId),
    RemoveOption(OptionId),
    ReadOption,
    ReadOptions,
}

/// Whether a path names the caller's active cart, or a cart or a shopper by its number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Active,
    Number,
}

/// Returns a name for what a path is about, the same for all ids.
pub(super) fn resource_name(path: &[&str]) -> Option<&'static str> {
    let (resource, naming) = resource(path)?;
    let (active, number) = match resource {
        Resource::Cart => ("cart", "cart by number"),
        Resource::PaymentMethod => ("payment method", "payment method by number"),
        Resource::Payment => ("payment", "payment by number"),
        Resource::Shopper => ("shopper", "shopper by number"),
        Resource::Submission => ("submission", "submission by number"),
        Resource::Resumption => ("resumption", "resumption by number"),
        Resource::WebCheckout => ("web checkout", "web checkout by number"),
        Resource::CartPart => ("cart part", "cart part by number"),
        Resource::Options => ("payment options", "payment options by number"),
        Resource::Option(_) => ("payment option", "payment option by number"),
    };
    Some(if naming == Naming::Active { active } else { number })
}

/// Returns which call of the dialect this is; `None` where no rule has anything to say.
pub(super) fn route(operation: Operation<'_>) -> Option<Route> {
    let (resource, naming) = resource(operation.path)?;
    let route = resource.route(operation.method)?;
    match naming {
        Naming::Active => Some(route),
        Naming::Number => route.by_number(),
    }
}

/// Returns what a path names, and how.
fn resource<'a>(segments: &[&'a str]) -> Option<(Resource<'a>, Naming)> {
    let ["v1", "shoppers", shopper, rest @ ..] = segments else { return None };
    let cart = match rest {
        ["carts", cart, ..] => cart,
        _ => "active",
    };
    let naming = if (*shopper, cart) == ("me", "active") { Naming::Active } else { Naming::Number };
    let resource = match rest {
        ["carts", _] => Resource::Cart,
        ["carts", _, "apply-payment-method"] => Resource::PaymentMethod,
        ["carts", _, "payment"] => Resource::Payment,
        ["carts", _, "apply-shopper"] => Resource::Shopper,
        ["carts", _, "submit-cart"] => Resource::Submission,
        ["carts", _, "resume-cart"] => Resource::Resumption,
        ["carts", _, "web-checkout"] => Resource::WebCheckout,
        ["carts", _, ..] => Resource::CartPart,
        ["payment-options"] => Resource::Options,
        ["payment-options", id] => Resource::Option(id),
        _ => return None,
    };
    Some((resource, naming))
}

impl Route {
    /// Returns what the call is where its path names the cart or the shopper by a number. Weir
    /// knows only the caller's active cart.
    fn by_number(self) -> Option<Self> {
        match self {
            Self::Read | Self::ReadOption | Self::ReadOptions => None,
            Self::Update => Some(Self::UpdateByNumber),
            Self::Attach
            | Self::Detach
            | Self::DetachAll
            | Self::ApplyShopper
            | Self::Submit
            | Self::Resume => Some(Self::ByNumber),
            other => Some(other),
        }
    }
}

impl Resource<'_> {
    /// Returns what a method means there; `None` where no rule has anything to say.
    fn route(&self, method: &Method) -> Option<Route> {
        use Resource as At;
        Some(match (self, method.as_str()) {
            (_, "HEAD" | "OPTIONS" | "TRACE" | "CONNECT") => return None,
            (At::Cart, "GET") => Route::Read,
            (At::Cart, "POST" | "PUT" | "PATCH") => Route::Update,
            (At::PaymentMethod, "POST" | "PUT" | "PATCH") => Route::Attach,
            (At::PaymentMethod, "DELETE") => Route::Detach,
            (At::Payment, "DELETE") => Route::DetachAll,
            (At::Shopper, "POST" | "PUT" | "PATCH") => Route::ApplyShopper,
            (At::Submission, "POST" | "PUT" | "PATCH") => Route::Submit,
            (At::Resumption, "POST" | "PUT" | "PATCH") => Route::Resume,
            // It hands the cart to the vendor's own pages.
            (At::WebCheckout, "GET") => Route::WebCheckout,
            (At::Options, "GET") => Route::ReadOptions,
            (At::Options, "POST" | "PUT" | "PATCH") => Route::SaveOption,
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

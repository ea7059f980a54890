//! The carts dialect: the shopper's active cart and payment options below `/v1/shoppers/me`
//! (domain: section 3).

mod answer;
mod error;
mod outgoing;
mod request;
mod routes;
mod rows;
mod ruleset;
mod words;

#[cfg(test)]
pub(super) use ruleset::ACTIVE;
pub use ruleset::{CART, DIALECT};

use super::{api::Api, read::media::negotiate};

/// Commerce API.
pub(crate) static API: Api = Api {
    dialect: DIALECT,
    path: routes::WORDS,
    version_header: None,
    parameters: routes::PARAMETERS,
    reads_sources: false,
    busy_code: "concurrent-cart-modification-failure",
    refusal: words::refusal,
    resource: routes::resource_name,
    governs: |operation| routes::route(operation).is_some(),
    intent: request::intent,
    answer: answer::read_answer,
    look_up: outgoing::look_up,
    attach: outgoing::attach,
    detach: outgoing::detach,
    strip: |_| None,
    any_origin: true,
    media: negotiate,
    refuses_with: words::refuses_with,
    error_code: error::error_code,
    error: error::error_body,
};

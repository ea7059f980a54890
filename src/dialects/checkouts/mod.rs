//! The checkouts dialect: checkouts, invoices, customers, orders and sources (domain: section 2).

mod answer;
mod error;
mod outgoing;
mod request;
mod routes;
mod rows;
mod ruleset;
mod words;

pub use ruleset::{CHECKOUT, DIALECT, INVOICE};

use super::{api::Api, read::media::Media};

/// Digital River API.
pub(crate) static API: Api = Api {
    dialect: DIALECT,
    path: routes::WORDS,
    version_header: Some("digitalriver-version"),
    parameters: routes::PARAMETERS,
    reads_sources: true,
    busy_code: "concurrent_update",
    refusal: words::refusal,
    resource: routes::resource_name,
    governs: |operation| routes::route(operation).is_some(),
    intent: request::intent,
    answer: answer::read_answer,
    look_up: outgoing::look_up,
    attach: outgoing::attach,
    detach: outgoing::detach,
    strip: request::strip,
    any_origin: false,
    media: |_, _| Media::Json,
    refuses_with: words::refuses_with,
    error_code: error::error_code,
    error: error::error_body,
};

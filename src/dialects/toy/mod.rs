//! A toy that exists only in tests: tabs, and the tokens that pay them.
//!
//! It shows that a vendor API is a folder and a line that lists it. What it has that the others
//! have not: the session is named in the body of a call, one call lists several sources, and
//! amounts are whole numbers of minor units.

mod answer;
mod error;
mod outgoing;
mod request;
mod routes;
mod rows;
mod ruleset;
mod tests;
mod words;

use super::{api::Api, read::media::Media};
use ruleset::DIALECT;

/// The API of tabs.
pub(super) static API: Api = Api {
    dialect: DIALECT,
    path: routes::WORDS,
    version_header: None,
    parameters: routes::PARAMETERS,
    reads_sources: true,
    busy_code: "BUSY",
    refusal: words::refusal,
    resource: routes::resource_name,
    governs: |operation| routes::route(operation).is_some(),
    intent: request::intent,
    answer: answer::read_answer,
    look_up: outgoing::look_up,
    // No row has a remedy, so nothing is attached, detached or taken out of a body.
    attach: |_, _, _| None,
    detach: |_, _, _| None,
    strip: |_| None,
    any_origin: false,
    media: |_, _| Media::Json,
    refuses_with: |_| None,
    error_code: |_| None,
    error: error::error_body,
};

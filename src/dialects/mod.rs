//! Translates: requests into intents, answers into facts, refusals into the vendor's words.
//!
//! ```text
//!   request head ─ classify ─▶ Call ─┬─ intent(headers, body) ─▶ Intent ─▶ rules
//!                                    ├─ read_answer(…, body)  ─▶ Answer ─▶ rules
//!                                    └─ look_up, attach, detach ─▶ a call of Weir's own
//!   Violation, own errors ─ refusal, error ─▶ Rendered
//! ```
//! A vendor API is one value, `API` in a folder of its own: `routes` (which paths and methods are
//! governed), `request`, `answer`, `outgoing` (calls of Weir's own), `rows` (the table of rules),
//! `words` (the answer to a broken rule) and `error` (the error body).
//! `read/` holds what all of them read with. This file lists them and is the only one that names
//! two. Not done here: sending, waiting, remembering, and copying a body so that it outlives the
//! call that reads it.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

mod api;
mod below;
mod call;
pub mod carts;
pub mod checkouts;
mod classify;
mod form;
mod outgoing;
mod place;
mod read;
mod refusal;
mod registry;
mod render;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;
#[cfg(feature = "cli")]
mod trial;
mod types;

pub use below::classify_below;
pub use call::{Call, UnreadableRequest};
pub use classify::{Classified, classify};
pub use form::Form;
pub use outgoing::Outgoing;
pub use place::Base;
pub(crate) use read::credential::{CREDENTIAL_HEADERS, query_token};
pub use read::{
    coding::{DecodedBody, decoded_body},
    credential::credential,
    members::UnreadableAnswer,
};
pub use refusal::Refusal;
pub use registry::Dialects;
pub use render::{Rendered, error};
#[cfg(feature = "cli")]
pub(crate) use trial::Trial;

use crate::rules::{Dialect, Policy};
use api::Api;
pub use api::ErrorCode;
use std::sync::LazyLock;

/// Every vendor API, in the order of the tables. An error about a path that is in none of them is
/// answered in the form of the first.
const APIS: &[&Api] = &[&checkouts::API, &carts::API];

/// The same, and a toy that shows what a further API needs.
#[cfg(test)]
const APIS_AND_TOY: &[&Api] = &[&checkouts::API, &carts::API, &toy::API];

/// Every dialect, in the order of the tables.
pub static ALL: [Dialect; APIS.len()] = {
    let mut all = [APIS[0].dialect; APIS.len()];
    let mut nth = 0;
    while nth < APIS.len() {
        all[nth] = APIS[nth].dialect;
        nth += 1;
    }
    all
};

/// Returns the policy that holds where nothing else is configured.
pub fn policy() -> Policy {
    Dialects::built_in().policy()
}

impl Dialects {
    /// Returns the vendor APIs that Weir knows.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Dialects> = LazyLock::new(|| Dialects::new(APIS));
        &BUILT_IN
    }
}

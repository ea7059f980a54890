//! Translates: requests into intents, answers into facts, refusals into the vendor's words.
//!
//! ```text
//!   request head ─ classify ─▶ Call ─┬─ intent(headers, body) ─▶ Intent ─▶ rules
//!                                    └─ read_answer(…, body)  ─▶ Answer ─▶ rules
//!   Refusal, own errors ─ refusal, error ─▶ Rendered          rules ask ─ lookup, attach, detach ─▶ a call of Weir's own
//! ```
//! A folder per dialect holds its paths, its bodies and its error form; what both need lies beside
//! them. Reading requests is strict (whatever two parsers could read differently is ambiguous),
//! reading answers is lenient in form and exact in value. Deliberately absent: sending,
//! waiting, remembering, and any copy of a body that outlives the call that reads it.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

mod call;
pub mod carts;
pub mod checkouts;
mod classify;
mod coding;
mod credential;
#[cfg(test)]
mod every_row;
mod form;
mod own;
mod path;
mod query;
mod render;
mod request;
mod strip;
mod value;
mod xml;

pub use call::{Call, Garbled, Unreadable};
pub use classify::{Classified, classify};
pub use credential::credential;
pub use form::{Form, Media, form_for};
pub use own::{Step, attach, detach, lookup};
pub use render::{Rendered, busy_code, error, refusal};
pub use strip::{plain, strip_owner};

use crate::rules::Dialect;

/// Every dialect, in the order of the tables.
pub static ALL: [Dialect; 2] = [checkouts::DIALECT, carts::DIALECT];

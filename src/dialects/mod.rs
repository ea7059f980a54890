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
mod refusal;
mod render;
mod request;
mod strip;
mod types;
mod value;
mod xml;

pub use call::{Call, Garbled, Unreadable};
pub use classify::{Classified, classify};
pub use credential::credential;
pub use form::{Form, Media, form_for};
pub use own::{Step, attach, detach, lookup};
pub use refusal::Refusal;
pub use render::{Rendered, error, refusal};
pub use strip::{plain, strip_owner};

use crate::rules::{Dialect, Policy, Violation};
use refusal::Words;

/// Every dialect, in the order of the tables.
pub static ALL: [Dialect; 2] = [checkouts::DIALECT, carts::DIALECT];

static WORDS: [(Dialect, Words); 2] =
    [(checkouts::DIALECT, checkouts::WORDS), (carts::DIALECT, carts::WORDS)];

/// Returns the policy that holds where nothing is said.
pub fn policy() -> Policy {
    Policy::new(&ALL, types::types(&ALL))
}

/// Puts a broken rule into the words of the dialect whose rule it is.
pub fn words(violation: &Violation) -> Refusal {
    (words_of(violation.dialect).refusal)(violation)
}

/// Returns the dialect's code for "somebody else is changing this".
pub fn busy_code(dialect: Dialect) -> &'static str {
    words_of(dialect).busy
}

fn words_of(dialect: Dialect) -> &'static Words {
    let found = WORDS.iter().find(|(of, _)| *of == dialect);
    // Every dialect there is stands in the list.
    found.map_or(&WORDS[0].1, |(_, words)| words)
}

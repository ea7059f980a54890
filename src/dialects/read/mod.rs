//! Reads what all dialects have: paths, queries, encodings, request bodies, answers.
//!
//! ```text
//!   path ─ path ─▶ segments     body ─ coding ─ body ─ fields ─▶ members that rules look at
//!   query ─ query ─▶ Query      answer ─ coding ─ value ─▶ amounts, states, flags
//! ```
//! Requests are read strictly: what two parsers could read differently is an error. Answers are
//! read member by member, leniently in form and exactly in value. Nothing here knows a vendor's
//! paths or members.

pub(crate) mod body;
pub(crate) mod coding;
pub(crate) mod credential;
pub(crate) mod escapes;
pub(crate) mod fields;
pub(crate) mod media;
pub(crate) mod members;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod xml;

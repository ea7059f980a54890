//! Keeps order: the layer that stands before a client and deals with every governed call.
//!
//! ```text
//!   request ─ classify ─┬─ ungoverned ────────────────────────────────────────▶ inner, untouched
//!                       └─ governed ─ read ─ [ course: next step ─ perform ] ─▶ answer
//! ```
//! - `handle` reads the body, bounded, into an [`Intent`](crate::rules::Intent).
//! - `course` asks [`Attempt`](crate::rules::Attempt) for the next step and performs it, until the
//!   call has its answer. All deciding is there; here is all waiting and sending.
//! - `recall` reads the records that this caller may know of; `look_up` asks upstream for what they
//!   lack.
//! - `send` sends a call detached from its caller, in the session's turn, until its answer is
//!   learned; `learn` writes that down.
//! - `repair` and `promise` perform the remedies; each leaves a note before its first step.
//! - `asker` is who asks upstream: the caller with its credentials, or Weir itself.
//!
//! Deliberately absent: the rules (`rules`), the wire (`dialects`), how things are kept
//! (`sessions`), how they are sent (the inner service).

mod answer;
mod answered;
mod asker;
mod course;
mod exchange;
mod governor;
mod handle;
mod layer;
mod learn;
mod look_up;
mod promise;
mod recall;
mod repair;
mod send;
mod trace;

pub use governor::{GovernSettings, Governor};
pub use layer::{Client, Govern, GovernLayer};

//! Keeps order: the layer stands before a client and handles every governed call.
//!
//! ```text
//!   request ─ classify ─┬─ ungoverned ────────────────────────────────────────▶ inner, untouched
//!                       └─ governed ─ read ─ [ course: next step ─ perform ] ─▶ answer
//! ```
//! - `handle` reads the body, bounded, into an [`Intent`](crate::rules::Intent).
//! - `course` asks [`Attempt`](crate::rules::Attempt) for the next step and performs it, until the
//!   call has its answer. `Attempt` decides; this room waits and sends.
//! - `recall` reads the records that this caller may know of; `look_up` asks upstream for what they
//!   lack; `read` sends a caller's own read. `recent_answers` keeps what the latest answers said,
//!   so that the same answer is not read twice.
//! - `forward` sends the caller's own call, detached, and keeps the session's turn until the answer
//!   is learned; `aftermath` looks back at what an attach has left behind.
//! - `send` sends any call that changes something; `learn` writes down what its answer taught.
//! - `ungoverned` counts the calls that pass.
//! - `own_key` chooses the credentials of a source's look-up; `fault` logs what got no answer.
//! - `open` knows which calls are under way, and what each is at.
//! - `overriding` lets an operator set a rule otherwise for a while; `overrides` holds it.
//! - `repair` and `defer` perform the remedies; each leaves a note before its first step.
//! - `asker` sends requests to upstream for a caller, with its credentials, or for Weir itself.
//!
//! Elsewhere: the rules (`rules`), the wire (`dialects`), the store (`sessions`), the sending (the
//! inner service).

mod about;
mod aftermath;
mod answer;
mod answered;
mod asker;
mod course;
mod defer;
mod exchange;
mod fault;
mod forward;
mod governor;
mod handle;
mod holding;
mod key;
mod layer;
mod learn;
mod look_up;
mod open;
mod overrides;
mod overriding;
mod own_key;
mod read;
mod recall;
mod recent_answers;
mod repair;
mod send;
#[cfg(feature = "otlp")]
mod told;
mod trace;
mod ungoverned;

pub use governor::{GovernSettings, Governor};
pub use key::UpstreamKey;
pub use layer::{Client, Govern, GovernLayer};
pub use open::OpenCall;
pub use overrides::{Overridden, OverrideError};

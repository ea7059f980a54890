//! The course of one call, from admission to its answer.
//!
//! In: the call's intent, what is known ([`Attempt::known`], read anew before each step), and how
//! each step ended ([`Event`]). Out: the next step ([`Next`]). Nothing is awaited or sent here.
//!
//! ```text
//!  admit ─ take the turn ─ settle what is pending ─ follow the active session ─ decide ─┬▶ send
//!    │          │                   │                          │            ▲    │      ├▶ repair
//!    ▼          ▼                   ▼                          ▼            └ look up,  ├▶ defer
//! answer      answer             answer                  another turn         hold      └▶ answer
//! ```
//! - *admit*: the session is looked up first for a caller to whom upstream has not shown it.
//! - *settle*: a repair that was not finished is finished; an attach that was deferred is sent,
//!   unless the call goes before it or makes it pointless.
//! - *follow*: if the shopper's active session has changed, the call begins again in its turn.
//!
//! `step` names the steps and how they end, `state` holds how far a call has come, and `drive`
//! calls the file of each part of the course: `admit`, `settle`, `follow`, `judge`.
//!
//! A read takes the same course, but is never judged, and takes a turn only to settle.

mod admit;
mod drive;
mod follow;
mod judge;
mod settle;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use state::Attempt;
pub use step::{Event, LookupEnd, Next, OwnAnswer, Sending, Start, Unsent};

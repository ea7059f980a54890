//! Reports: what was decided, and the log.

mod decision;
pub mod telemetry;

pub use decision::{Decided, Decision, Decisions, Step};

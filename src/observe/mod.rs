//! Reports: decisions to the log, the admin API and listeners; and sets up the log.

mod decision;
#[cfg(feature = "cli")]
pub mod telemetry;

pub use decision::{Decided, Decision, Decisions, Step, StepKind};

//! Reports decisions to the log, the admin API and the listeners, and sets up the log.

mod counts;
mod decision;
mod decisions;
mod log;
#[cfg(feature = "cli")]
pub(crate) mod telemetry;

pub use decision::{Decided, Decision};
pub(crate) use decision::{Step, StepEnd, StepKind};
pub(crate) use decisions::Decisions;

//! Reports decisions to the log, the admin API and the listeners, and sets up the log.

mod counts;
mod decision;
mod decision_log;
mod decisions;
mod log;
#[cfg(feature = "cli")]
mod log_file;
mod replay;
#[cfg(feature = "cli")]
pub(crate) mod telemetry;

pub use decision::{Decided, Decision};
pub(crate) use decision::{Step, StepEnd, StepKind};
pub(crate) use decision_log::{DecisionLog, Recorded};
pub(crate) use decisions::Decisions;
#[cfg(feature = "cli")]
pub(crate) use log_file::FileSettings;
pub use replay::{Is, Judged, ReplayError, Replayed, replay};

/// Returns how many lines of the log were dropped because the reader of standard error is too slow.
/// The layer alone writes no log.
pub(crate) fn dropped_lines() -> usize {
    #[cfg(feature = "cli")]
    return telemetry::dropped_lines();
    #[cfg(not(feature = "cli"))]
    0
}

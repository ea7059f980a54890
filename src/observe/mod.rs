//! Reports decisions to the log, the admin API and the listeners, and sets up the log.

mod counts;
mod decision;
mod decision_log;
mod decisions;
mod history;
#[cfg(feature = "cli")]
mod json_line;
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

/// Returns what is logged: a level, or the text of `RUST_LOG`. The layer alone writes no log.
pub(crate) fn log_level() -> Option<String> {
    #[cfg(feature = "cli")]
    return telemetry::level();
    #[cfg(not(feature = "cli"))]
    None
}

/// Logs at this level from now on. Returns whether it does; then `tell` has written a warning.
pub(crate) fn set_log_level(level: &str, tell: impl FnOnce()) -> bool {
    #[cfg(feature = "cli")]
    return telemetry::set_level(level, tell);
    #[cfg(not(feature = "cli"))]
    {
        let _ = (level, tell);
        false
    }
}

/// Returns how many lines of the log were dropped, because the reader of standard error is too slow
/// or because the file cannot be written. The layer alone writes no log.
pub(crate) fn dropped_lines() -> usize {
    #[cfg(feature = "cli")]
    return telemetry::dropped_lines();
    #[cfg(not(feature = "cli"))]
    0
}

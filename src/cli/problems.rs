//! Logs what is wrong with a configuration.

use crate::config::{Problems, Severity};

/// Logs each problem with its place.
pub(super) fn tell(problems: &Problems) {
    for problem in problems.iter() {
        let (file, line) = (problem.file(), problem.line());
        let (key, suggestion) = (problem.key.as_deref(), problem.suggestion.as_deref());
        match problem.severity {
            Severity::Error => tracing::error!(file, line, key, suggestion, "{}", problem.told()),
            Severity::Warning => tracing::warn!(file, line, key, suggestion, "{}", problem.told()),
        }
    }
}

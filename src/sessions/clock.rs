//! The time of day, for dating facts.

use crate::rules::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Reads the system's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

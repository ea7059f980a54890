//! The time, for dating facts.

use crate::rules::Timestamp;
use std::{
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// The time of day when this process first asked, and the moment.
static BEGIN: LazyLock<(u64, Instant)> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (millis(since), Instant::now())
});

/// Returns the time in milliseconds since 1970 began, by a clock that never steps back: the time of
/// day is read once, and what has passed since is added.
pub fn now() -> Timestamp {
    let (begin, at) = *BEGIN;
    Timestamp(begin.saturating_add(millis(at.elapsed())))
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_begins_at_the_time_of_day_and_never_steps_back() {
        let day = millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
        let mut last = now();
        assert!(last.0.abs_diff(day) < 60_000, "{last:?} {day}");
        for _ in 0..1000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
    }
}

//! Lets a line of the log through once a second, so that peers cannot fill the log.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The lines of one kind.
pub(super) struct Limited {
    /// Milliseconds after the start until which the next line is held back.
    until: AtomicU64,
    held: AtomicU64,
}

impl Limited {
    pub(super) const fn new() -> Self {
        Self { until: AtomicU64::new(0), held: AtomicU64::new(0) }
    }

    /// Returns how many lines were held back since the last one, if this one may be written.
    pub(super) fn pass(&self) -> Option<u64> {
        self.pass_at(u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn pass_at(&self, now: u64) -> Option<u64> {
        let until = self.until.load(Relaxed);
        let may = now >= until
            && self.until.compare_exchange(until, now + 1_000, Relaxed, Relaxed).is_ok();
        if !may {
            self.held.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.held.swap(0, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_second_says_how_many_were_held_back() {
        let lines = Limited::new();
        assert_eq!(lines.pass_at(5), Some(0));
        assert_eq!((lines.pass_at(6), lines.pass_at(1_004)), (None, None));
        assert_eq!((lines.pass_at(1_005), lines.pass_at(1_006)), (Some(2), None));
        assert_eq!(lines.pass_at(9_000), Some(1));
    }
}

//! How times are spread: counts of durations by how long they are, without a lock.

use super::counters::{Label, place, places, values};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The upper bounds of the counts, in microseconds: from what Weir adds to a call to the longest
/// time-out.
const BOUNDS: [u64; 20] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

#[derive(Default)]
struct Spread {
    /// How many were within each bound, and not within the one before; the last: beyond all.
    counts: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// The sum of the durations in seconds; how many there were; each bound in seconds and how many
/// were within it and not within the one before.
pub(super) type Shown = (f64, u64, Vec<(f64, u64)>);

/// A metric of durations, by the values of its labels.
pub(super) struct Seconds<const L: usize> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    labels: [Label; L],
    spreads: Box<[Spread]>,
}

impl<const L: usize> Seconds<L> {
    pub(super) fn new(name: &'static str, help: &'static str, labels: [Label; L]) -> Self {
        let spreads = (0..places(&labels)).map(|_| Spread::default()).collect();
        Self { name, help, labels, spreads }
    }

    /// Counts a duration with these values.
    pub(super) fn add(&self, values: [&'static str; L], took: Duration) {
        let spread = &self.spreads[place(&self.labels, values)];
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bound = BOUNDS.partition_point(|bound| *bound < micros);
        spread.counts[bound].fetch_add(1, Ordering::Relaxed);
        spread.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Returns each spread with its labels: those above zero, and those whose labels are known.
    pub(super) fn all(&self) -> Vec<(Vec<(&'static str, &'static str)>, Shown)> {
        let spreads = self.spreads.iter().enumerate();
        let shown = spreads.filter_map(|(place, spread)| {
            let (values, known) = values(&self.labels, place)?;
            let shown = spread.shown();
            (shown.1 > 0 || known).then_some((values, shown))
        });
        shown.collect()
    }
}

impl Spread {
    fn shown(&self) -> Shown {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let bounds = BOUNDS.iter().map(|micros| seconds(*micros)).chain([f64::INFINITY]);
        let within: Vec<_> = bounds.zip(counts).collect();
        let all = within.iter().map(|(_, count)| count).sum();
        (seconds(self.micros.load(Ordering::Relaxed)), all, within)
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_within_the_first_bound_that_it_does_not_exceed() {
        let times = Seconds::new("own", "", []);
        for micros in [0, 25, 26, 1_000, 3_600_000_000] {
            times.add([], Duration::from_micros(micros));
        }
        let all = times.all();
        let (labels, (sum, count, within)) = &all[0];
        assert!(labels.is_empty());
        assert_eq!((*sum, *count), (3600.001051, 5));
        let filled: Vec<_> = within.iter().filter(|(_, count)| *count > 0).copied().collect();
        assert_eq!(filled, [(25e-6, 2), (50e-6, 1), (1e-3, 1), (f64::INFINITY, 1)]);
    }
}

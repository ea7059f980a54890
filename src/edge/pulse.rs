//! Notices a worker that no longer runs: each worker's runtime notes now and then that it does.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval};

/// When each worker's runtime last ran. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pulses(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    every: Duration,
    /// Milliseconds since `began`, for each worker; [`ENDED`] once it has drained.
    last: Vec<AtomicU64>,
}

/// In place of a time: the worker has ended as it should.
const ENDED: u64 = u64::MAX;

impl Pulses {
    /// Makes the pulses of so many workers, which note that they run once in each `every`.
    pub fn new(workers: usize, every: Duration) -> Self {
        let last = (0..workers).map(|_| AtomicU64::new(0)).collect();
        Self(Some(Arc::new(Inner { began: Instant::now(), every, last })))
    }

    /// Returns the worker that has not run for the longest time, if that is more than `bound`, and
    /// that time. One that has ended is none.
    pub fn stalled(&self, bound: Duration) -> Option<(usize, Duration)> {
        let inner = self.0.as_deref()?;
        let now = inner.began.elapsed();
        let silent = |last: &AtomicU64| match last.load(Ordering::Relaxed) {
            ENDED => None,
            last => Some(now.saturating_sub(Duration::from_millis(last))),
        };
        let workers = inner.last.iter().enumerate();
        let silent = workers.filter_map(|(index, last)| Some((index, silent(last)?)));
        silent.filter(|(_, time)| *time > bound).max_by_key(|(_, time)| *time)
    }

    /// Notes that this worker runs, for as long as it does.
    pub(super) async fn beat(self, worker: usize) {
        let Some((inner, last)) = self.of(worker) else { return pending().await };
        let mut tick = interval(inner.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let now = u64::try_from(inner.began.elapsed().as_millis()).unwrap_or(ENDED - 1);
            last.store(now, Ordering::Relaxed);
        }
    }

    /// Notes that this worker has ended as it should.
    pub(super) fn end(&self, worker: usize) {
        if let Some((_, last)) = self.of(worker) {
            last.store(ENDED, Ordering::Relaxed);
        }
    }

    fn of(&self, worker: usize) -> Option<(&Inner, &AtomicU64)> {
        let inner = self.0.as_deref()?;
        Some((inner, inner.last.get(worker)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_that_is_silent_for_longest_is_named_and_one_that_ended_is_not() {
        let pulses = Pulses::new(3, Duration::from_secs(1));
        let inner = pulses.0.as_deref().unwrap();
        let began = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let inner = Inner { began, every: inner.every, last: Vec::new() };
        let last = [55_000, 20_000, 40_000].map(AtomicU64::new).into();
        let pulses = Pulses(Some(Arc::new(Inner { last, ..inner })));
        let (worker, time) = pulses.stalled(Duration::from_secs(10)).unwrap();
        assert_eq!((worker, time.as_secs()), (1, 40));
        pulses.end(1);
        assert_eq!(pulses.stalled(Duration::from_secs(10)).unwrap().0, 2);
        assert_eq!(pulses.stalled(Duration::from_secs(30)), None);
        assert_eq!(Pulses::default().stalled(Duration::ZERO), None);
    }
}

//! Keeps the latest decisions, so many and no more, in a ring of places.
//!
//! Each place has a lock of its own: a call that leaves its decision and an operator who looks
//! through all of them do not wait for each other.

use super::decision::Decision;
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// How many places are made at once, when the first of them is needed.
const PART: usize = 256;

/// A decision, with the number under which it was kept.
type Place = Mutex<Option<(u64, Arc<Decision>)>>;

/// The latest decisions.
pub(super) struct History {
    parts: Box<[OnceLock<Box<[Place]>>]>,
    keeps: u64,
    next: AtomicU64,
}

impl History {
    /// Makes a history of this many decisions; its memory grows as it fills.
    pub(super) fn new(keeps: usize) -> Self {
        let parts = (0..keeps.div_ceil(PART)).map(|_| OnceLock::new()).collect();
        let keeps = u64::try_from(keeps).unwrap_or(u64::MAX);
        Self { parts, keeps, next: AtomicU64::new(0) }
    }

    /// Returns how many decisions it keeps.
    pub(super) fn keeps(&self) -> usize {
        usize::try_from(self.keeps).unwrap_or(usize::MAX)
    }

    /// Keeps a decision in place of the oldest.
    pub(super) fn push(&self, decision: Arc<Decision>) {
        if self.keeps == 0 {
            return;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (part, place) = self.place(number);
        let part = part.get_or_init(|| (0..PART).map(|_| Mutex::default()).collect());
        let mut place = part[place].lock().unwrap_or_else(PoisonError::into_inner);
        // A later one may have come all the way round before.
        if place.as_ref().is_none_or(|(kept, _)| *kept < number) {
            let before = place.replace((number, decision));
            drop(place);
            drop(before);
        }
    }

    /// Returns the decisions, newest first. Those that come meanwhile are not among them, and those
    /// that go meanwhile are left out.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = Arc<Decision>> + '_ {
        let end = self.next.load(Ordering::Relaxed);
        let numbers = (end.saturating_sub(self.keeps)..end).rev();
        numbers.filter_map(|number| {
            let (part, place) = self.place(number);
            let place = part.get()?[place].lock().unwrap_or_else(PoisonError::into_inner);
            let kept = place.as_ref().filter(|(kept, _)| *kept == number);
            kept.map(|(_, decision)| decision.clone())
        })
    }

    fn place(&self, number: u64) -> (&OnceLock<Box<[Place]>>, usize) {
        // Less than the number of places, which is one of this machine's.
        let place = (number % self.keeps) as usize;
        (&self.parts[place / PART], place % PART)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dialects::checkouts, observe::Decided};
    use std::thread;

    fn decision(id: usize) -> Arc<Decision> {
        Arc::new(Decision {
            id: id.to_string(),
            at: 0,
            dialect: checkouts::CHECKOUT.dialect(),
            session: None,
            call: "read",
            is_read: true,
            source: None,
            order: None,
            decision: Decided::Forwarded,
            reason: None,
            rule: None,
            found: None,
            accepted: None,
            unjudged: Vec::new(),
            unread: Vec::new(),
            status: 200,
            upstream_code: None,
            steps: Vec::new(),
            upstream_us: 0,
            weir_us: 0,
            request_id: None,
            trace_id: None,
            client: None,
            overrides: Vec::new(),
        })
    }

    fn ids(history: &History) -> Vec<usize> {
        history.newest_first().map(|decision| decision.id.parse().unwrap()).collect()
    }

    #[test]
    fn the_latest_are_kept_and_no_more() {
        for keeps in [1, 2, 255, 256, 257, 600] {
            let history = History::new(keeps);
            assert!(ids(&history).is_empty());
            for id in 0..1_000 {
                history.push(decision(id));
                let expected: Vec<_> = (0..=id).rev().take(keeps).collect();
                if id % 97 == 0 {
                    assert_eq!(ids(&history), expected, "{keeps}");
                }
            }
            assert_eq!(ids(&history).len(), keeps);
        }
    }

    #[test]
    fn a_history_of_none_keeps_none() {
        let history = History::new(0);
        history.push(decision(1));
        assert!(ids(&history).is_empty());
    }

    #[test]
    fn each_of_many_threads_finds_its_own_in_order() {
        let history = History::new(4 * 300);
        thread::scope(|scope| {
            for thread in 0..4 {
                let history = &history;
                scope.spawn(move || {
                    for nth in 0..300 {
                        history.push(decision(thread * 1_000 + nth));
                        history.newest_first().take(3).for_each(drop);
                    }
                });
            }
        });
        let all = ids(&history);
        assert_eq!(all.len(), 1_200);
        for thread in 0..4 {
            let of_thread = all.iter().filter(|id| **id / 1_000 == thread).map(|id| id % 1_000);
            assert!(of_thread.eq((0..300).rev()), "{thread}");
        }
    }
}

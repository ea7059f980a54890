//! Counts what is under way and knows how old the oldest is, without a lock and without a list.
//!
//! Each second has a place: what begins is counted in the place of its second, until it ends. The
//! places are used again after more than an hour: what lasts longer is taken for younger.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Instant,
};

/// How many seconds have places of their own.
const SECONDS: u64 = 4096;

/// What is under way, of one kind.
pub(super) struct Lasting {
    born: Instant,
    begun: Box<[AtomicU32]>,
}

impl Default for Lasting {
    fn default() -> Self {
        Self { born: Instant::now(), begun: (0..SECONDS).map(|_| AtomicU32::new(0)).collect() }
    }
}

impl Lasting {
    /// Counts one that began then, and returns its place.
    pub(super) fn begin(&self, since: Instant) -> u16 {
        let place = self.second(since) % SECONDS;
        self.begun[place as usize].fetch_add(1, Relaxed);
        // Less than the number of places.
        place as u16
    }

    /// Counts the one at this place no more.
    pub(super) fn end(&self, place: u16) {
        self.begun[usize::from(place)].fetch_sub(1, Relaxed);
    }

    /// Returns how many are under way, and for how many whole seconds the oldest is.
    pub(super) fn now(&self, now: Instant) -> (u64, Option<u64>) {
        let second = self.second(now);
        let (mut count, mut oldest) = (0, None);
        for age in (0..SECONDS.min(second + 1)).rev() {
            let begun = self.begun[((second - age) % SECONDS) as usize].load(Relaxed);
            count += u64::from(begun);
            if begun > 0 && oldest.is_none() {
                oldest = Some(age);
            }
        }
        (count, oldest)
    }

    fn second(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.born).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_oldest_is_known_until_it_ends_also_when_places_are_used_again() {
        let lasting = Lasting::default();
        let at = |second: u64| lasting.born + Duration::from_secs(second);
        assert_eq!(lasting.now(at(9)), (0, None));
        let first = lasting.begin(at(3));
        let second = lasting.begin(at(3));
        let third = lasting.begin(at(5));
        assert_eq!(lasting.now(at(9)), (3, Some(6)));
        lasting.end(first);
        lasting.end(second);
        assert_eq!(lasting.now(at(9)), (1, Some(4)));
        lasting.end(third);
        let late = lasting.begin(at(2 * SECONDS + 3));
        assert_eq!(lasting.now(at(2 * SECONDS + 4)), (1, Some(1)));
        lasting.end(late);
        assert_eq!(lasting.now(at(3 * SECONDS)), (0, None));
    }
}

//! Counters by the values of a few labels: an array of atomic numbers, without a lock.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// The value under which all values are counted that find no place.
const OTHER: &str = "other";

/// A label and the values that it has had, in places of their own. What finds no place is counted
/// as `other`, so that no label grows without bound.
pub(super) struct Label {
    pub(super) name: &'static str,
    /// How many of the values are known from the start. Their counts are shown when they are zero.
    known: usize,
    places: Box<[OnceLock<&'static str>]>,
}

impl Label {
    /// Makes a label with these values and room for as many more.
    pub(super) fn new(name: &'static str, known: &[&'static str], room: usize) -> Self {
        let first = known.iter().copied().map(OnceLock::from);
        let places = first.chain((0..room).map(|_| OnceLock::new())).collect();
        Self { name, known: known.len(), places }
    }

    /// Returns the place of a value, which is given one if there is room. Values are compared by
    /// length first, so a look costs a few nanoseconds.
    fn place(&self, value: &'static str) -> usize {
        for (place, taken) in self.places.iter().enumerate() {
            if *taken.get_or_init(|| value) == value {
                return place;
            }
        }
        self.places.len()
    }

    fn places(&self) -> usize {
        self.places.len() + 1
    }

    /// Returns the value at a place, if it has one.
    fn value(&self, place: usize) -> Option<&'static str> {
        match self.places.get(place) {
            Some(place) => place.get().copied(),
            None => Some(OTHER),
        }
    }
}

/// Returns the place of these values in an array that has one for each of their combinations.
pub(super) fn place<const L: usize>(labels: &[Label; L], values: [&'static str; L]) -> usize {
    let pairs = labels.iter().zip(values);
    pairs.fold(0, |before, (label, value)| before * label.places() + label.place(value))
}

/// Returns how many combinations of values there may be.
pub(super) fn places<const L: usize>(labels: &[Label; L]) -> usize {
    labels.iter().map(Label::places).product()
}

/// Returns the labels' values at this place, and whether all were known from the start. `None`:
/// no such values were counted.
pub(super) fn values<const L: usize>(
    labels: &[Label; L],
    mut place: usize,
) -> Option<(Vec<(&'static str, &'static str)>, bool)> {
    let (mut values, mut known) = (Vec::with_capacity(L), true);
    for label in labels.iter().rev() {
        let of_label = place % label.places();
        place /= label.places();
        known &= of_label < label.known;
        values.push((label.name, label.value(of_label)?));
    }
    values.reverse();
    Some((values, known))
}

/// A metric that counts, by the values of its labels.
pub(super) struct Counters<const L: usize> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    labels: [Label; L],
    counts: Box<[AtomicU64]>,
}

impl<const L: usize> Counters<L> {
    pub(super) fn new(name: &'static str, help: &'static str, labels: [Label; L]) -> Self {
        let counts = (0..places(&labels)).map(|_| AtomicU64::new(0)).collect();
        Self { name, help, labels, counts }
    }

    /// Counts one with these values.
    pub(super) fn add(&self, values: [&'static str; L]) {
        self.add_many(values, 1);
    }

    /// Counts so many with these values.
    pub(super) fn add_many(&self, values: [&'static str; L], count: u64) {
        self.counts[place(&self.labels, values)].fetch_add(count, Ordering::Relaxed);
    }

    /// Returns each count with its labels: those above zero, and those whose labels are known.
    pub(super) fn all(&self) -> Vec<(Vec<(&'static str, &'static str)>, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).enumerate();
        let shown = counts.filter_map(|(place, count)| {
            let (values, known) = values(&self.labels, place)?;
            (count > 0 || known).then_some((values, count))
        });
        shown.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_place_is_counted_as_other() {
        let labels = [Label::new("end", &["done"], 1), Label::new("what", &[], 1)];
        let counters = Counters::new("repairs", "", labels);
        for end in ["done", "late", "odd", "odder"] {
            counters.add([end, "card"]);
        }
        let all = counters.all();
        let told: Vec<_> = all.iter().map(|(labels, count)| (labels[0].1, *count)).collect();
        assert_eq!(told, [("done", 1), ("late", 1), ("other", 2)]);
        assert!(all.iter().all(|(labels, _)| labels[1] == ("what", "card")), "{all:?}");
    }

    #[test]
    fn what_is_known_from_the_start_is_shown_before_it_is_counted() {
        let counters = Counters::new("repairs", "", [Label::new("end", &["done", "undone"], 2)]);
        counters.add(["undone"]);
        assert_eq!(counters.all(), [(vec![("end", "done")], 0), (vec![("end", "undone")], 1)]);
        assert_eq!(Counters::new("all", "", []).all(), [(vec![], 0)]);
    }
}

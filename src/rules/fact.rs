//! A fact with its date.

use super::{Stated, Timestamp};

/// A fact as Weir remembers it, with the moment upstream stated it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fact<T> {
    /// Upstream has not stated it, or what it stated may no longer hold.
    #[default]
    Unknown,
    /// Upstream stated this value at this moment.
    Known(T, Timestamp),
}

impl<T> Fact<T> {
    /// Makes a fact that upstream stated just now.
    pub fn known(value: T, now: Timestamp) -> Self {
        Fact::Known(value, now)
    }

    /// Returns the value, whatever its age.
    pub fn get(&self) -> Option<&T> {
        match self {
            Fact::Known(value, _) => Some(value),
            Fact::Unknown => None,
        }
    }

    /// Returns the value, to be changed by a successful call's effect. Its age does not change.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        match self {
            Fact::Known(value, _) => Some(value),
            Fact::Unknown => None,
        }
    }

    /// Returns when upstream stated it.
    pub fn stated_at(&self) -> Option<Timestamp> {
        match self {
            Fact::Known(_, at) => Some(*at),
            Fact::Unknown => None,
        }
    }

    /// Takes over the value that an answer states, or keeps the old one if it states none. A value
    /// that cannot be read is not known. An answer that is older than the fact, because it came
    /// late, does not replace it.
    pub fn learn(&mut self, news: Stated<T>, now: Timestamp) {
        if self.stated_at().is_some_and(|at| at > now) {
            return;
        }
        match news {
            Stated::Stated(value) => *self = Fact::Known(value, now),
            Stated::Unread => *self = Fact::Unknown,
            Stated::Unstated => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_stated_changes_neither_value_nor_age() {
        let mut fact = Fact::known(1, Timestamp(5));
        fact.learn(Stated::Unstated, Timestamp(9));
        assert_eq!(fact, Fact::Known(1, Timestamp(5)));
        fact.learn(Stated::Stated(2), Timestamp(9));
        assert_eq!(fact, Fact::Known(2, Timestamp(9)));
    }

    #[test]
    fn what_cannot_be_read_is_not_known_any_more() {
        let mut fact = Fact::known(1, Timestamp(5));
        fact.learn(Stated::Unread, Timestamp(4));
        assert_eq!(fact, Fact::Known(1, Timestamp(5)), "an answer that came late");
        fact.learn(Stated::Unread, Timestamp(6));
        assert_eq!(fact, Fact::Unknown);
    }

    #[test]
    fn an_answer_that_comes_late_replaces_nothing_newer() {
        let mut fact = Fact::known(1, Timestamp(5));
        fact.learn(Stated::Stated(2), Timestamp(4));
        assert_eq!(fact, Fact::Known(1, Timestamp(5)));
        fact.learn(Stated::Stated(3), Timestamp(5));
        assert_eq!(fact, Fact::Known(3, Timestamp(5)));
    }
}

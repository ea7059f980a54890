//! Distinguishes "upstream stated that there is none" from "upstream did not state it", and both
//! from "upstream stated it in a form that cannot be read".

/// An answer's statement about one field. A field that is missing from a filtered answer is
/// `Unstated`, never "absent".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stated<T> {
    /// Upstream did not state it.
    #[default]
    Unstated,
    /// Upstream stated it in a form that cannot be read, so what was known of it may no longer
    /// hold.
    Unread,
    /// Upstream stated this value.
    Stated(T),
}

impl<T> Stated<T> {
    /// Returns the stated value, if there is one.
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Stated::Stated(value) => Some(value),
            Stated::Unstated | Stated::Unread => None,
        }
    }

    /// Returns the stated value to be changed, if there is one.
    pub fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Stated::Stated(value) => Some(value),
            Stated::Unstated | Stated::Unread => None,
        }
    }

    /// Returns whether upstream stated a value.
    pub fn is_stated(&self) -> bool {
        self.as_ref().is_some()
    }

    /// Returns the same statement about a borrowed value.
    pub fn as_view(&self) -> Stated<&T> {
        match self {
            Stated::Stated(value) => Stated::Stated(value),
            Stated::Unread => Stated::Unread,
            Stated::Unstated => Stated::Unstated,
        }
    }

    /// Returns the stated value, if there is one.
    pub fn into_stated(self) -> Option<T> {
        match self {
            Stated::Stated(value) => Some(value),
            Stated::Unstated | Stated::Unread => None,
        }
    }

    /// Applies `read` to the stated value.
    pub fn map<U>(self, read: impl FnOnce(T) -> U) -> Stated<U> {
        self.and_then(|value| Stated::Stated(read(value)))
    }

    /// Returns what `read` makes of the stated value.
    pub fn and_then<U>(self, read: impl FnOnce(T) -> Stated<U>) -> Stated<U> {
        match self {
            Stated::Stated(value) => read(value),
            Stated::Unread => Stated::Unread,
            Stated::Unstated => Stated::Unstated,
        }
    }

    /// Returns `other` if upstream did not state this one.
    pub fn or(self, other: Stated<T>) -> Stated<T> {
        match self {
            Stated::Unstated => other,
            stated => stated,
        }
    }

    /// Takes over the value of `news`, or keeps the old one if it has none: for what never changes.
    pub fn learn(&mut self, news: Stated<T>) {
        if news.is_stated() {
            *self = news;
        }
    }
}

impl<T> From<Option<T>> for Stated<T> {
    /// Makes `Unstated` of `None`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Stated::Unstated, Stated::Stated)
    }
}

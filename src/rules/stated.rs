//! Distinguishes "upstream stated that there is none" from "upstream did not state it".

/// An answer's statement about one field. A field that is missing from a filtered answer is
/// `Unstated`, never "absent".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stated<T> {
    /// Upstream did not state it.
    #[default]
    Unstated,
    /// Upstream stated this value.
    Stated(T),
}

impl<T> Stated<T> {
    /// Returns the stated value, if there is one.
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Stated::Stated(value) => Some(value),
            Stated::Unstated => None,
        }
    }

    /// Returns the stated value to be changed, if there is one.
    pub fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Stated::Stated(value) => Some(value),
            Stated::Unstated => None,
        }
    }

    /// Returns whether upstream stated a value.
    pub fn is_stated(&self) -> bool {
        self.as_ref().is_some()
    }

    /// Takes over the value of `news`, or keeps the old one if it has none.
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

//! Tells "upstream stated that there is none" from "upstream did not state it".

/// What an answer states of one field. A field that is missing from a filtered answer is
/// `Unstated`, never "absent".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stated<T> {
    /// Upstream did not state it.
    #[default]
    Unstated,
    /// Upstream stated this.
    Stated(T),
}

impl<T> Stated<T> {
    /// Returns what was stated, if anything was.
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Stated::Stated(value) => Some(value),
            Stated::Unstated => None,
        }
    }

    /// Returns the same, to change it.
    pub fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Stated::Stated(value) => Some(value),
            Stated::Unstated => None,
        }
    }

    /// Returns whether upstream stated anything.
    pub fn is_stated(&self) -> bool {
        self.as_ref().is_some()
    }

    /// Takes over what `news` states; keeps the old value where it states nothing.
    pub fn learn(&mut self, news: Stated<T>) {
        if news.is_stated() {
            *self = news;
        }
    }
}

impl<T> From<Option<T>> for Stated<T> {
    /// Takes `None` for "not stated".
    fn from(value: Option<T>) -> Self {
        value.map_or(Stated::Unstated, Stated::Stated)
    }
}

//! The difference between "upstream said there is none" and "upstream did not say".

/// What an answer says of one field. A field that is missing from a filtered answer is `NotTold`,
/// never "absent".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Told<T> {
    /// Upstream did not say.
    #[default]
    NotTold,
    /// Upstream said so.
    Told(T),
}

impl<T> Told<T> {
    /// What was said, if anything was.
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Told::Told(value) => Some(value),
            Told::NotTold => None,
        }
    }

    /// The same, to change it.
    pub fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Told::Told(value) => Some(value),
            Told::NotTold => None,
        }
    }

    /// Whether upstream said anything.
    pub fn is_told(&self) -> bool {
        self.as_ref().is_some()
    }

    /// Takes over what `news` says; keeps the old where it says nothing.
    pub fn learn(&mut self, news: Told<T>) {
        if news.is_told() {
            *self = news;
        }
    }
}

impl<T> From<Option<T>> for Told<T> {
    /// `None` is "not told".
    fn from(value: Option<T>) -> Self {
        value.map_or(Told::NotTold, Told::Told)
    }
}

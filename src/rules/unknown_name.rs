//! The error of a text that names none of a closed set of things.

/// The error of a text that names none of a closed set of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such {0}")]
pub struct UnknownName(&'static str);

impl UnknownName {
    /// Finds the value of that name among `all`; `what` says in the error what they are.
    pub(super) fn find<T: Copy>(
        all: impl IntoIterator<Item = T>,
        name_of: fn(T) -> &'static str,
        name: &str,
        what: &'static str,
    ) -> Result<T, Self> {
        all.into_iter().find(|value| name_of(*value) == name).ok_or(Self(what))
    }
}

//! The error of a text that is not among a closed set of names.

/// The error of a text that is not among a closed set of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such {0}")]
pub struct UnknownName(&'static str);

impl UnknownName {
    /// Returns the value of this name among `all`. The error calls the values `what`.
    pub(super) fn find<T: Copy>(
        all: impl IntoIterator<Item = T>,
        name_of: fn(T) -> &'static str,
        name: &str,
        what: &'static str,
    ) -> Result<T, Self> {
        all.into_iter().find(|value| name_of(*value) == name).ok_or(Self(what))
    }
}

//! The mark of a call that is one too many.

/// In a request's extensions: there are too many calls in flight, and this one is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overload;

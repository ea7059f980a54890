//! What a store is asked to change, and what it answers.

use super::keys::Key;

/// The bytes of one record, and nothing beside them.
pub(super) type Bytes = Box<[u8]>;

/// The store did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// What is stored is no record of this version.
    #[error("the stored record is not of this version")]
    Unreadable,
    /// A record has no stored form.
    #[error("the record cannot be stored")]
    Unwritable,
    /// The store does not answer.
    #[error("the store cannot be reached")]
    Unavailable,
    /// Others changed the same records every time.
    #[error("the record changes too often to be written")]
    Contended,
}

/// One change of what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub key: Key,
    /// What must be stored there, for the change to be made.
    pub seen: Option<Bytes>,
    /// What is stored there from then on; `None`: nothing.
    pub new: Option<Bytes>,
    /// Whether it may never be dropped to make room for others.
    pub pin: bool,
}

impl Change {
    /// Returns whether something else is stored afterwards.
    pub(super) fn is_one(&self) -> bool {
        self.seen != self.new
    }
}

/// What became of several changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// All were made.
    Made,
    /// None was made: something else is stored than was seen.
    Lost,
}

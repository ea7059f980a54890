//! The changes that a store is asked to make, and its answers.

use super::keys::Key;
use std::sync::Arc;

/// The bytes of one record, shared by those who only look at them.
pub(super) type Bytes = Arc<[u8]>;

/// Why a store did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The stored bytes are no record of this version.
    #[error("the stored record is not of this version")]
    Unreadable,
    /// A record has no stored form.
    #[error("the record cannot be stored")]
    Unwritable,
    /// The store does not answer.
    #[error("the store cannot be reached")]
    Unavailable,
    /// Other calls changed the same records at every try.
    #[error("the record changes too often to be written")]
    Contended,
}

/// One change of what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The place of the record.
    pub key: Key,
    /// The bytes that must be stored there for the change to be made; `None` for no record.
    pub seen: Option<Bytes>,
    /// The bytes that the change stores there; `None` removes the record.
    pub new: Option<Bytes>,
    /// Whether the record may never be dropped to make room for others.
    pub pin: bool,
}

impl Change {
    /// Returns whether the new bytes differ from those seen.
    pub(super) fn changes_anything(&self) -> bool {
        self.seen != self.new
    }
}

/// What became of several changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// All were made.
    Made,
    /// None was made: other bytes are stored than were seen.
    Lost,
}

//! The store: several kinds of record behind one door.
//!
//! In: keys and changes. Out: records. Asynchronous, with an atomic `update`, and values that serialise: what a store shared by replicas
//! needs. Today there is one, in memory.

use super::{
    memory::{Changed, Memory, Shelf},
    packed::{self, Bytes, Packed},
};
use crate::rules::{
    CredentialHash, CustomerId, CustomerRecord, Dialect, SessionId, SessionKey, SessionKind, SessionRecord, SourceId,
    SourceRecord,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt, ops::RangeInclusive};

/// The store did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// What is stored is no record of this version.
    Unreadable,
    /// A record that has no stored form.
    Unwritable,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreError::Unreadable => "the stored record is not of this version",
            StoreError::Unwritable => "the record cannot be stored",
        })
    }
}

impl std::error::Error for StoreError {}

/// A kind of record.
pub(super) trait Record: Default + Serialize + DeserializeOwned {
    /// What it is found by.
    type Key: ?Sized;

    fn key(key: &Self::Key) -> Packed;

    fn shelf(memory: &Memory) -> &Shelf;

    /// Never to be lost to make room for others.
    fn is_pinned(&self) -> bool {
        false
    }
}

/// Where records are kept.
pub(super) enum Store {
    /// In this process.
    Memory(Memory),
}

impl Store {
    pub async fn get<R: Record>(&self, key: &R::Key) -> Result<Option<R>, StoreError> {
        match self {
            Store::Memory(memory) => R::shelf(memory).get(&R::key(key)).map(|bytes| packed::read(&bytes)).transpose(),
        }
    }

    /// Changes a record, or a new empty one, at one stroke: no other change comes between its reading and its writing.
    /// `change` may be called again when a shared store finds that one did.
    pub async fn update<R: Record>(&self, key: &R::Key, mut change: impl FnMut(&mut R)) -> Result<R, StoreError> {
        let changed = |before: Option<&Bytes>| {
            // One that cannot be read is as good as none.
            let mut record: R = before.and_then(|bytes| packed::read(bytes).ok()).unwrap_or_default();
            change(&mut record);
            Ok(Changed { bytes: packed::write(&record)?, pin: record.is_pinned(), result: record })
        };
        match self {
            Store::Memory(memory) => R::shelf(memory).update(R::key(key), changed),
        }
    }

    pub async fn remove<R: Record>(&self, key: &R::Key) -> Result<(), StoreError> {
        match self {
            Store::Memory(memory) => R::shelf(memory).remove(&R::key(key)),
        }
        Ok(())
    }
}

impl Record for SessionRecord {
    type Key = SessionKey;

    fn key(key: &SessionKey) -> Packed {
        Packed::text(kind_number(key.kind), key.id.as_str())
    }

    fn shelf(memory: &Memory) -> &Shelf {
        &memory.sessions
    }

    /// A remedy under way is known nowhere else.
    fn is_pinned(&self) -> bool {
        self.pending.is_some()
    }
}

/// In the order of [`SessionKey`].
fn kind_number(kind: SessionKind) -> u8 {
    match kind {
        SessionKind::Checkout => 0,
        SessionKind::Invoice => 1,
        SessionKind::Cart => 2,
    }
}

/// The numbers of a dialect's kinds, which stand together.
pub(super) fn kinds(dialect: Option<Dialect>) -> RangeInclusive<u8> {
    match dialect {
        None => 0..=2,
        Some(Dialect::Checkouts) => 0..=1,
        Some(Dialect::Carts) => 2..=2,
    }
}

pub(super) fn session_key(packed: &Packed) -> SessionKey {
    let kind = match packed.kind() {
        0 => SessionKind::Checkout,
        1 => SessionKind::Invoice,
        _ => SessionKind::Cart,
    };
    SessionKey::new(kind, packed.id())
}

impl Record for SourceRecord {
    type Key = SourceId;

    fn key(key: &SourceId) -> Packed {
        Packed::text(0, key.as_str())
    }

    fn shelf(memory: &Memory) -> &Shelf {
        &memory.sources
    }
}

impl Record for CustomerRecord {
    type Key = CustomerId;

    fn key(key: &CustomerId) -> Packed {
        Packed::text(0, key.as_str())
    }

    fn shelf(memory: &Memory) -> &Shelf {
        &memory.customers
    }
}

/// Which cart `active` is, for one credential.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct ActiveCart(pub Option<SessionId>);

impl Record for ActiveCart {
    type Key = CredentialHash;

    fn key(key: &CredentialHash) -> Packed {
        Packed::Sixteen(0, key.0)
    }

    fn shelf(memory: &Memory) -> &Shelf {
        &memory.carts
    }
}

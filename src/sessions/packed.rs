//! Small forms: what a key and a record take in memory, and the bytes that a shared store will
//! hold.
//!
//! In: ids and records. Out: [`Packed`] keys of 24 bytes (ids that are UUIDs, as upstream's mostly
//! are, need nothing beside them) and record bytes: one for the version of the form, the rest
//! postcard's. Reading another version is an error, never a guess.

use super::{StoreError, store::Record};
use crate::rules::{Timestamp, uuid_bytes, uuid_text};
use smallvec::SmallVec;
use std::cmp::Ordering;

/// The first byte of every record. It changes when a record's fields do: a record of another
/// version is looked up anew.
const VERSION: u8 = 1;

/// A record's bytes, and nothing beside them.
pub(super) type Bytes = Box<[u8]>;

/// Dates are written as their distance to the latest of them. The record is the same afterwards.
pub(super) fn write<R: Record>(record: &mut R) -> Result<Bytes, StoreError> {
    let latest = record.dates_mut().max().copied().unwrap_or_default();
    measure_dates(record, latest);
    // Written beside the heap, so that what stays there has its exact size.
    let buffer = SmallVec::<[u8; 256]>::from_slice(&[VERSION]);
    let buffer = postcard::to_extend(&(latest, &*record), buffer);
    measure_dates(record, latest);
    buffer.map(|buffer| Box::from(buffer.as_slice())).map_err(|_| StoreError::Unwritable)
}

pub(super) fn read<R: Record>(bytes: &[u8]) -> Result<R, StoreError> {
    let Some((&VERSION, bytes)) = bytes.split_first() else { return Err(StoreError::Unreadable) };
    let (latest, mut record): (Timestamp, R) =
        postcard::from_bytes(bytes).map_err(|_| StoreError::Unreadable)?;
    measure_dates(&mut record, latest);
    Ok(record)
}

/// From dates to distances, and back.
fn measure_dates(record: &mut impl Record, latest: Timestamp) {
    for date in record.dates_mut() {
        *date = Timestamp(latest.since(*date));
    }
}

/// A key: the number of a kind, and an id. Ordered by kind, then by id, those of 16 bytes first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Packed {
    /// A UUID in lower case with hyphens, or another 16 bytes.
    Sixteen(u8, [u8; 16]),
    /// Any other text, exactly.
    Text(u8, Box<str>),
}

impl Packed {
    pub fn text(kind: u8, id: &str) -> Self {
        match uuid_bytes(id) {
            Some(bytes) => Self::Sixteen(kind, bytes),
            None => Self::Text(kind, id.into()),
        }
    }

    /// The id that [`Packed::text`] was given.
    pub fn id(&self) -> String {
        match self {
            Self::Sixteen(_, bytes) => uuid_text(bytes),
            Self::Text(_, text) => text.to_string(),
        }
    }

    pub fn kind(&self) -> u8 {
        match self {
            Self::Sixteen(kind, _) | Self::Text(kind, _) => *kind,
        }
    }

    fn place(&self) -> (u8, bool, &[u8]) {
        match self {
            Self::Sixteen(kind, bytes) => (*kind, false, bytes),
            Self::Text(kind, text) => (*kind, true, text.as_bytes()),
        }
    }
}

impl Ord for Packed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for Packed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::store::ActiveCart;
    use proptest::prelude::*;

    const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    #[test]
    fn ids_come_back_exactly_and_uuids_take_no_memory_beside_the_key() {
        for id in [UUID, "0F8FAD5B-D9CB-469F-A165-70867728950E", "9876543210", ""] {
            assert_eq!(Packed::text(1, id).id(), id);
        }
        assert!(matches!(Packed::text(1, UUID), Packed::Sixteen(1, _)));
        assert_eq!(size_of::<Packed>(), 24);
    }

    #[test]
    fn bytes_of_another_version_and_broken_ones_are_not_read() {
        let mut record = ActiveCart(Some("seven".into()));
        let bytes = write(&mut record).unwrap();
        assert_eq!(read::<ActiveCart>(&bytes).unwrap().0, record.0);
        let mut other = bytes.to_vec();
        other[0] = 0;
        for unreadable in [&other, &bytes[..3], &[]] {
            assert_eq!(read::<ActiveCart>(unreadable).err(), Some(StoreError::Unreadable));
        }
    }

    proptest! {
        #[test]
        fn any_id_comes_back_and_uuids_keep_their_order(a in any::<[u8; 16]>(), b in any::<[u8; 16]>(), text in ".{0,40}") {
            let (a, b) = (Packed::Sixteen(0, a), Packed::Sixteen(0, b));
            prop_assert_eq!(Packed::text(0, &a.id()), a.clone());
            prop_assert_eq!(a.cmp(&b), a.id().cmp(&b.id()));
            prop_assert_eq!(Packed::text(0, &text).id(), text);
        }
    }
}

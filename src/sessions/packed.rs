//! Small forms: what a key and a record take in memory, and the bytes that a shared store will hold.
//!
//! In: ids and records. Out: [`Packed`] keys of 24 bytes (ids that are UUIDs, as upstream's mostly are, need nothing beside them) and
//! record bytes: one for the version of the form, the rest postcard's. Reading another version is an error, never a guess.

use super::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use std::{cmp::Ordering, sync::Arc};

/// The first byte of every record. It changes when a record's fields do: a record of another version is looked up anew.
const VERSION: u8 = 1;

/// A record's bytes. Shared, so that reading one copies nothing under the lock.
pub(super) type Bytes = Arc<[u8]>;

pub(super) fn write(record: &impl Serialize) -> Result<Bytes, StoreError> {
    // Room for a typical record, so that writing it seldom grows the buffer.
    let mut buffer = Vec::with_capacity(256);
    buffer.push(VERSION);
    let buffer = postcard::to_extend(record, buffer).map_err(|_| StoreError::Unwritable)?;
    Ok(buffer.into())
}

pub(super) fn read<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, record)) => postcard::from_bytes(record).map_err(|_| StoreError::Unreadable),
        _ => Err(StoreError::Unreadable),
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
        match uuid(id) {
            Some(bytes) => Self::Sixteen(kind, bytes),
            None => Self::Text(kind, id.into()),
        }
    }

    /// The id that [`Packed::text`] was given.
    pub fn id(&self) -> String {
        match self {
            Self::Text(_, text) => text.to_string(),
            Self::Sixteen(_, bytes) => {
                let mut text = String::with_capacity(36);
                for (at, byte) in bytes.iter().enumerate() {
                    if HYPHEN_BEFORE.contains(&at) {
                        text.push('-');
                    }
                    text.extend([byte >> 4, byte & 0xf].map(|digit| char::from(DIGITS[usize::from(digit)])));
                }
                text
            }
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

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// The bytes of a UUID before which a hyphen stands.
const HYPHEN_BEFORE: [usize; 4] = [4, 6, 8, 10];

/// The 16 bytes of a UUID in the one form that comes back exactly: lower case, with hyphens.
fn uuid(id: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = id.as_bytes().try_into().ok()?;
    let mut bytes = [0; 16];
    let mut rest = text.as_slice();
    for (at, byte) in bytes.iter_mut().enumerate() {
        if HYPHEN_BEFORE.contains(&at) {
            rest = rest.strip_prefix(b"-")?;
        }
        let (high, low) = match rest {
            [high, low, after @ ..] => {
                rest = after;
                (digit(*high)?, digit(*low)?)
            }
            _ => return None,
        };
        *byte = high << 4 | low;
    }
    Some(bytes)
}

fn digit(ascii: u8) -> Option<u8> {
    match ascii {
        b'0'..=b'9' => Some(ascii - b'0'),
        b'a'..=b'f' => Some(ascii - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    #[test]
    fn ids_come_back_exactly_as_they_were() {
        for id in [
            UUID,
            "0F8FAD5B-D9CB-469F-A165-70867728950E",
            "0f8fad5bd9cb469fa16570867728950e",
            "0f8fad5b-d9cb-469f-a165-70867728950g",
            "0f8fad5b-d9cb-469f-a1657-0867728950e",
            "",
            "9876543210",
            "ü8fad5b-d9cb-469f-a165-70867728950e",
        ] {
            assert_eq!(Packed::text(1, id).id(), id);
        }
    }

    #[test]
    fn a_uuid_takes_no_memory_beside_the_key() {
        let bytes = [15, 143, 173, 91, 217, 203, 70, 159, 161, 101, 112, 134, 119, 40, 149, 14];
        assert_eq!(Packed::text(1, UUID), Packed::Sixteen(1, bytes));
        assert_eq!(size_of::<Packed>(), 24);
    }

    #[test]
    fn bytes_of_another_version_and_broken_ones_are_not_read() {
        let bytes = write(&(7_u64, "seven".to_owned())).unwrap();
        assert_eq!(read::<(u64, String)>(&bytes), Ok((7, "seven".to_owned())));
        let mut other = bytes.to_vec();
        other[0] = 0;
        assert_eq!(read::<(u64, String)>(&other), Err(StoreError::Unreadable));
        assert_eq!(read::<(u64, String)>(&bytes[..3]), Err(StoreError::Unreadable));
        assert_eq!(read::<(u64, String)>(&[]), Err(StoreError::Unreadable));
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

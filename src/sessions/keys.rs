//! The keys of records: a space, and a few bytes.
//!
//! ```text
//!   Sessions    number of the kind, id          Customers   caller (16 bytes), id
//!   Sources     id                              Active      caller (16 bytes)
//!
//!   id: 0 and 16 bytes for a UUID, as upstream's mostly are; 1 and its text for any other
//! ```
//! Keys are ordered by their bytes: sessions by kind, then by id, UUIDs before all others.

use crate::rules::{CredentialHash, CustomerId, SessionId, SessionKey, SessionKind, SourceId};
use smallvec::SmallVec;
use std::{
    cmp::Ordering,
    fmt::{Debug, Formatter, Result as Written},
    hash::{Hash, Hasher},
    ops::Deref,
};
use uuid::{Uuid, fmt::Hyphenated};

/// The kinds of record, each with keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// One record a session.
    Sessions,
    /// One record, or a pointer to a session's, a source.
    Sources,
    /// One record a customer and credential.
    Customers,
    /// Which session is the active one, for one credential.
    Active,
}

/// The place of one record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The kind of record.
    pub space: Space,
    /// The bytes that name it among its kind.
    pub bytes: KeyBytes,
}

/// The name of a customer. Merchants choose their customers' ids, so two of them may choose the
/// same: a customer has a record for each credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerKey {
    /// The credential with which the customer was named.
    pub caller: CredentialHash,
    /// The customer's id upstream.
    pub id: CustomerId,
}

impl Key {
    /// Returns the place of a session's record.
    pub(super) fn session(key: &SessionKey) -> Self {
        Self { space: Space::Sessions, bytes: packed(&[key.kind.number()], key.id.as_str()) }
    }

    /// Returns the place of a source's own record.
    pub(super) fn source(id: &SourceId) -> Self {
        Self { space: Space::Sources, bytes: packed(&[], id.as_str()) }
    }

    /// Returns the place of a customer's record.
    pub(super) fn customer(key: &CustomerKey) -> Self {
        Self { space: Space::Customers, bytes: packed(&key.caller.0, key.id.as_str()) }
    }

    /// Returns the place of a credential's active session.
    pub(super) fn active(caller: CredentialHash) -> Self {
        Self { space: Space::Active, bytes: KeyBytes::from(&caller.0[..]) }
    }
}

/// Returns the session at this place; `None` if its kind is none of these.
pub(super) fn session_at(bytes: &KeyBytes, kinds: &[SessionKind]) -> Option<SessionKey> {
    let (number, id) = bytes.split_first()?;
    let kind = kinds.iter().find(|kind| kind.number() == *number)?;
    let id: SessionId = match id.split_first()? {
        (0, uuid) => uuid_text(uuid.try_into().ok()?).into(),
        (_, text) => std::str::from_utf8(text).ok()?.into(),
    };
    Some(SessionKey::new(*kind, id))
}

/// Returns what the log calls the session at this place.
pub(super) fn session_name(bytes: &KeyBytes, kinds: &[SessionKind]) -> String {
    session_at(bytes, kinds).map_or_else(|| format!("{bytes:?}"), |key| key.to_string())
}

fn packed(before: &[u8], id: &str) -> KeyBytes {
    let uuid = uuid_bytes(id);
    let (form, id) = match &uuid {
        Some(uuid) => (0, &uuid[..]),
        None => (1, id.as_bytes()),
    };
    let mut bytes = SmallVec::<[u8; 64]>::from_slice(before);
    bytes.push(form);
    bytes.extend_from_slice(id);
    KeyBytes::from(&bytes[..])
}

/// Returns the 16 bytes of a UUID in the one spelling that [`uuid_text`] gives back: lower case,
/// with hyphens.
pub(super) fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let is_spelled_so = text.len() == Hyphenated::LENGTH && !has_upper_case(text);
    is_spelled_so.then(|| Uuid::try_parse(text).ok())?.map(Uuid::into_bytes)
}

fn has_upper_case(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Returns the UUID of these bytes, in lower case, with hyphens.
pub(super) fn uuid_text(bytes: [u8; 16]) -> String {
    Uuid::from_bytes(bytes).hyphenated().to_string()
}

/// The most bytes that are kept without an allocation.
const INLINE: usize = 22;

/// The bytes of a key; up to 22 need no allocation.
#[derive(Clone)]
pub enum KeyBytes {
    /// The first so many of these.
    Inline(u8, [u8; INLINE]),
    /// More than fit inline.
    Boxed(Box<[u8]>),
}

impl From<&[u8]> for KeyBytes {
    fn from(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        match (inline.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(start), Ok(length)) => {
                start.copy_from_slice(bytes);
                Self::Inline(length, inline)
            }
            _ => Self::Boxed(bytes.into()),
        }
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Inline(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or(bytes),
            Self::Boxed(bytes) => bytes,
        }
    }
}

impl PartialEq for KeyBytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for KeyBytes {}

impl Hash for KeyBytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl Ord for KeyBytes {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl PartialOrd for KeyBytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Debug for KeyBytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{carts, checkouts};
    use proptest::prelude::*;

    const KINDS: [SessionKind; 3] = [checkouts::CHECKOUT, checkouts::INVOICE, carts::CART];
    const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const BYTES: [u8; 16] =
        [15, 143, 173, 91, 217, 203, 70, 159, 161, 101, 112, 134, 119, 40, 149, 14];

    #[test]
    fn a_uuid_is_16_bytes_and_what_only_looks_like_one_is_text() {
        assert_eq!((uuid_bytes(UUID), uuid_text(BYTES)), (Some(BYTES), UUID.to_owned()));
        for text in [
            "",
            "0F8FAD5B-D9CB-469F-A165-70867728950E",
            "0f8fad5bd9cb469fa16570867728950e",
            "{0f8fad5b-d9cb-469f-a165-70867728950e}",
            "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
            "0f8fad5b-d9cb-469f-a165-70867728950g",
            "0f8fad5b-d9cb-469f-a1657-0867728950e",
            "0f8fad5b-d9cb-469f-a165-70867728950é",
        ] {
            assert_eq!(uuid_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn keys_of_uuids_and_short_ids_take_no_memory_beside_them() {
        let caller = CredentialHash([9; 16]);
        let customer = CustomerKey { caller, id: UUID.into() };
        let key = Key::session(&SessionKey::new(carts::CART, UUID));
        assert_eq!(key.bytes[..], [&[2, 0][..], &BYTES].concat());
        assert_eq!(Key::source(&"s1".into()).bytes[..], *b"\x01s1");
        assert_eq!(Key::customer(&customer).bytes[..], [&[9; 16][..], &[0], &BYTES].concat());
        assert_eq!(Key::active(caller).bytes[..], [9; 16]);
        assert!(matches!(key.bytes, KeyBytes::Inline(18, _)));
        assert_eq!(size_of::<KeyBytes>(), 24);
    }

    #[test]
    fn the_log_names_a_session_of_a_known_kind() {
        let bytes = Key::session(&SessionKey::new(carts::CART, "7")).bytes;
        assert_eq!(session_name(&bytes, &KINDS), "cart 7");
        assert_eq!(session_name(&bytes, &[]), "[2, 1, 55]");
    }

    proptest! {
        #[test]
        fn any_session_is_found_again_and_uuids_keep_their_order(
            id in prop_oneof![".{0,40}", "[0-9a-fA-F-]{36}"],
            a in any::<[u8; 16]>(),
            b in any::<[u8; 16]>(),
        ) {
            for kind in KINDS {
                let key = SessionKey::new(kind, id.clone());
                prop_assert_eq!(session_at(&Key::session(&key).bytes, &KINDS), Some(key));
            }
            let key = |bytes| Key::source(&uuid_text(bytes).into());
            prop_assert_eq!(key(a).cmp(&key(b)), uuid_text(a).cmp(&uuid_text(b)));
            prop_assert!(key(a) < Key::source(&"".into()));
        }
    }
}

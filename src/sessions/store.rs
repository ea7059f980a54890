//! The store: several kinds of record behind one door.
//!
//! In: keys and changes. Out: records. Asynchronous, with an atomic `update`, and values that
//! serialise: what a store shared by replicas needs. Today there is one, in memory.

use super::{
    memory::{Changed, Memory, Shelf},
    packed::{self, Bytes, Packed},
};
use crate::rules::{
    CredentialHash, CustomerId, CustomerRecord, SessionId, SessionKey, SessionKind, SessionRecord,
    SourceId, SourceRecord, Timestamp,
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

    fn dates_mut(&mut self) -> impl Iterator<Item = &mut Timestamp>;

    /// Where it is never to be lost to make room for others: what it is called if it is given up.
    fn pin(&self, _: &Self::Key) -> Option<Box<str>> {
        None
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
            Store::Memory(memory) => {
                R::shelf(memory).get(&R::key(key)).map(|bytes| packed::read(&bytes)).transpose()
            }
        }
    }

    /// Changes a record, or a new empty one, at one stroke: no other change comes between its
    /// reading and its writing. `change` may be called again when a shared store finds that one
    /// did.
    pub async fn update<R: Record>(
        &self,
        key: &R::Key,
        mut change: impl FnMut(&mut R),
    ) -> Result<R, StoreError> {
        let changed = |before: Option<&Bytes>| {
            // One that cannot be read is as good as none.
            let mut record: R =
                before.and_then(|bytes| packed::read(bytes).ok()).unwrap_or_default();
            change(&mut record);
            Ok(Changed { bytes: packed::write(&mut record)?, pin: record.pin(key), result: record })
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
        Packed::text(key.kind.number(), key.id.as_str())
    }

    fn shelf(memory: &Memory) -> &Shelf {
        &memory.sessions
    }

    fn dates_mut(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        self.dates_mut()
    }

    /// A remedy under way is known nowhere else.
    fn pin(&self, key: &SessionKey) -> Option<Box<str>> {
        self.pending.is_some().then(|| key.to_string().into())
    }
}

/// The numbers of these kinds, which stand together.
pub(super) fn numbers(kinds: &[SessionKind]) -> RangeInclusive<u8> {
    let numbers = || kinds.iter().map(|kind| kind.number());
    numbers().min().unwrap_or(1)..=numbers().max().unwrap_or(0)
}

/// `None` where the key's kind is none of these.
pub(super) fn session_key(packed: &Packed, kinds: &[SessionKind]) -> Option<SessionKey> {
    let kind = kinds.iter().find(|kind| kind.number() == packed.kind())?;
    Some(SessionKey::new(*kind, packed.id()))
}

impl Record for SourceRecord {
    type Key = SourceId;

    fn key(key: &SourceId) -> Packed {
        Packed::text(0, key.as_str())
    }

    fn shelf(memory: &Memory) -> &Shelf {
        &memory.sources
    }

    fn dates_mut(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        self.dates_mut()
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

    fn dates_mut(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        self.dates_mut()
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

    fn dates_mut(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        std::iter::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{carts, checkouts};
    use crate::rules::{Amount, Attached, Pending, Remembered, SessionState, SourceState, Told};
    use proptest::{option, prelude::*};

    fn remembered<T: std::fmt::Debug>(
        value: impl Strategy<Value = T>,
    ) -> impl Strategy<Value = Remembered<T>> {
        option::of((value, any::<u64>())).prop_map(|told| match told {
            None => Remembered::NotTold,
            Some((value, at)) => Remembered::At(value, Timestamp(at)),
        })
    }

    fn told<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Told<T>> {
        option::of(value).prop_map(Told::from)
    }

    /// UUIDs, which are packed, what looks like them, and anything else.
    fn id<T: From<String> + std::fmt::Debug>() -> impl Strategy<Value = T> {
        prop_oneof!["[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[0-9A-Fa-f-]{36}", ".{0,40}"]
            .prop_map(T::from)
    }

    fn amount() -> impl Strategy<Value = Amount> {
        prop_oneof![
            (any::<i64>(), 0..=9_u32).prop_map(|(number, zeros)| format!("{number}e-{zeros}")),
            "[1-9][0-9]{27}",
            Just("0".to_owned())
        ]
        .prop_filter_map("an amount that Weir can hold", |text| text.parse().ok())
    }

    fn attached() -> impl Strategy<Value = Attached> {
        (id(), told("[a-zA-Z]{1,30}"), told(amount())).prop_map(|(id, kind, amount)| {
            let kind = kind.as_ref().map(|kind| kind.as_str().into()).into();
            Attached { id, kind, amount }
        })
    }

    fn pending() -> impl Strategy<Value = Pending> {
        prop_oneof![
            (id(), option::of(id()), any::<bool>()).prop_map(|(primary, incoming, replaces)| {
                Pending::Repair { primary, incoming, replaces }
            }),
            (id(), any::<u64>(), any::<bool>()).prop_map(|(primary, since, sending)| {
                Pending::Deferred { primary, since: Timestamp(since), sending }
            }),
        ]
    }

    fn callers() -> impl Strategy<Value = Vec<CredentialHash>> {
        prop::collection::vec(any::<[u8; 16]>().prop_map(CredentialHash), 0..10)
    }

    fn session() -> impl Strategy<Value = SessionRecord> {
        let money = (
            remembered(amount()),
            remembered(amount()),
            told("[A-Z]{3}"),
            remembered(option::of(amount())),
        );
        let facts = (
            remembered(prop::collection::vec(attached(), 0..4)),
            remembered("[a-z_]{1,25}"),
            remembered(option::of(id())),
        );
        let more = (
            remembered(any::<bool>()),
            told(".{0,40}"),
            callers(),
            any::<(bool, bool, u32)>(),
            option::of(pending()),
        );
        (money, facts, more).prop_map(
            |((total, remaining, currency, credit_amount), (sources, state, customer), more)| {
                let (
                    billing_optimization,
                    payment_session,
                    callers,
                    (in_flight, unsure, epoch),
                    pending,
                ) = more;
                let mut record = SessionRecord {
                    sources: map(sources, Into::into),
                    total,
                    remaining,
                    currency: currency.as_ref().map(|code| code.parse().unwrap()).into(),
                    state: map(state, |name| SessionState::read(&name)),
                    customer,
                    credit_amount,
                    billing_optimization,
                    payment_session: payment_session.as_ref().map(|id| id.as_str().into()).into(),
                    in_flight,
                    unsure,
                    epoch,
                    pending: pending.map(Box::new),
                    ..SessionRecord::default()
                };
                callers.into_iter().for_each(|caller| record.shown_to.add(caller));
                record
            },
        )
    }

    fn map<T, U>(fact: Remembered<T>, change: impl FnOnce(T) -> U) -> Remembered<U> {
        match fact {
            Remembered::NotTold => Remembered::NotTold,
            Remembered::At(value, at) => Remembered::At(change(value), at),
        }
    }

    fn source() -> impl Strategy<Value = SourceRecord> {
        let facts = (
            told("[a-zA-Z]{1,30}"),
            remembered(amount()),
            remembered(any::<bool>()),
            remembered("[a-z_]{1,25}"),
        );
        (facts, remembered(option::of(id())), told(".{0,40}"), callers(), any::<u32>()).prop_map(
            |((kind, amount, reusable, state), customer, payment_session, callers, epoch)| {
                let mut record = SourceRecord {
                    kind: kind.as_ref().map(|kind| kind.as_str().into()).into(),
                    amount,
                    reusable,
                    state: map(state, |name| SourceState::read(&name)),
                    customer,
                    payment_session: payment_session.as_ref().map(|id| id.as_str().into()).into(),
                    epoch,
                    ..SourceRecord::default()
                };
                callers.into_iter().for_each(|caller| record.shown_to.add(caller));
                record
            },
        )
    }

    fn written_and_read<R: Record + Clone + PartialEq + std::fmt::Debug>(record: &R) -> R {
        let mut written = record.clone();
        let bytes = packed::write(&mut written).unwrap();
        assert_eq!(written, *record, "writing changed it");
        packed::read(&bytes).unwrap()
    }

    proptest! {
        #[test]
        fn any_session_comes_back_as_it_was(record in session(), key in id::<SessionId>()) {
            prop_assert_eq!(&written_and_read(&record), &record);
            for kind in [checkouts::CHECKOUT, checkouts::INVOICE, carts::CART] {
                let key = SessionKey { kind, id: key.clone() };
                prop_assert_eq!(session_key(&SessionRecord::key(&key), &[kind]), Some(key));
            }
        }

        #[test]
        fn any_source_comes_back_as_it_was(record in source()) {
            prop_assert_eq!(&written_and_read(&record), &record);
        }

        #[test]
        fn any_customer_comes_back_as_it_was(saved in remembered(prop::collection::vec(id(), 0..5)), callers in callers()) {
            let mut record = CustomerRecord { saved, ..CustomerRecord::default() };
            callers.into_iter().for_each(|caller| record.shown_to.add(caller));
            prop_assert_eq!(&written_and_read(&record), &record);
        }
    }
}

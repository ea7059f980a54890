//! Records in hand: what was read together, as it is after what was learned since.
//!
//! In: what is stored, and observations. Out: the changes that a store is to make. A pure value
//! with verbs; reading, writing and trying again are [`super::records`]'s.
//!
//! What is known of a source is in one place. Its own entry holds it, or points to the session that
//! does; an entry that says otherwise wins over what a session holds. A source that a session owns
//! ([`SessionRecord::owns`]) moves into that session's record when it is written, unless another
//! session holds it; it moves out when the session owns it no more. A pointer to a session that
//! does not hold the source tells nothing.

use super::{
    change::{Bytes, Change, StoreError},
    keys::{Key, KeyBytes, Space},
    scope::{Scope, Stored},
    stored::{self, SourceEntry},
};
use crate::rules::{
    CustomerObservation, CustomerRecord, Policy, SessionObservation, SessionRecord, SourceId,
    SourceObservation, SourceRecord, Timestamp,
};
use std::{collections::BTreeMap, sync::Arc};

/// An observation in hand. One that is a mere reading comes with the epoch of its record then: it
/// teaches nothing to a record that has changed otherwise since.
#[derive(Clone, Debug)]
pub(super) enum Noted {
    Session(SessionObservation, Arc<Policy>, Timestamp, u32),
    Source(SourceId, SourceObservation, Timestamp, u32),
    Customer(CustomerObservation, Timestamp, u32),
}

/// Where what is known of a source is.
#[derive(Clone, Debug)]
enum Home {
    Own(Option<SourceRecord>),
    /// In this session's record.
    In(KeyBytes),
}

/// The records in hand.
#[derive(Clone, Debug, Default)]
pub(super) struct Hand {
    stored: Stored,
    /// The session in scope.
    key: Option<Key>,
    record: SessionRecord,
    /// Others, that hold a source in hand.
    others: BTreeMap<KeyBytes, SessionRecord>,
    sources: BTreeMap<SourceId, Home>,
    customer: Option<(Key, CustomerRecord)>,
    /// What must be read as well: sessions that sources point to, and sources that the session owns
    /// and does not hold.
    missing: Vec<Key>,
}

impl Hand {
    /// Takes up what is stored.
    pub(super) fn take_up(scope: &Scope, stored: Stored) -> Result<Self, StoreError> {
        let mut hand =
            Self { stored, key: scope.session.as_ref().map(Key::session), ..Self::default() };
        for (key, bytes) in hand.stored.iter() {
            let (Space::Sessions, Some(bytes)) = (key.space, bytes) else { continue };
            let record = stored::read_session(bytes)?;
            match hand.key.as_ref() == Some(key) {
                true => hand.record = record,
                false => drop(hand.others.insert(key.bytes.clone(), record)),
            }
        }
        if let Some(customer) = &scope.customer {
            let key = Key::customer(customer);
            let record = match hand.stored.get(&key).flatten() {
                Some(bytes) => stored::read_customer(bytes)?,
                None => CustomerRecord::default(),
            };
            hand.customer = Some((key, record));
        }
        let members = hand.record.members.iter().map(|(id, _)| id);
        let mut ids: Vec<SourceId> =
            scope.sources.iter().chain(hand.record.owned()).chain(members).cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            hand.find_home(id, scope.whole)?;
        }
        Ok(hand)
    }

    /// Returns what must be read as well, before anything is made of what is in hand.
    pub(super) fn missing(&self) -> &[Key] {
        &self.missing
    }

    fn find_home(&mut self, id: SourceId, whole: bool) -> Result<(), StoreError> {
        let entry = Key::source(&id);
        let held = self.key.as_ref().filter(|_| self.record.member(&id).is_some());
        let home = match (self.stored.get(&entry), held) {
            // Owned only. Should anything be learned of it, the store will say what it holds.
            (None, None) => {
                self.missing.extend(Some(entry).filter(|_| whole));
                return Ok(());
            }
            (None, Some(session)) => {
                let session = session.bytes.clone();
                self.stored.set(entry, Some(stored::write_pointer(&session)?));
                Home::In(session)
            }
            (Some(bytes), held) => {
                let held = held.map(|key| key.bytes.clone());
                let bytes = bytes.cloned();
                self.home(&id, bytes.as_deref(), held)?
            }
        };
        if !matches!(&home, Home::In(session) if self.is_main(session)) {
            self.record.members.retain(|(member, _)| *member != id);
        }
        self.sources.insert(id, home);
        Ok(())
    }

    /// `held`: the session, where it holds the source.
    fn home(
        &mut self,
        id: &SourceId,
        entry: Option<&[u8]>,
        held: Option<KeyBytes>,
    ) -> Result<Home, StoreError> {
        match entry.map(stored::read_source).transpose()? {
            Some(SourceEntry::Own(record)) => return Ok(Home::Own(Some(record))),
            Some(SourceEntry::In(other)) if !self.is_main(&other) => {
                let key = Key { space: Space::Sessions, bytes: other };
                if self.others.get(&key.bytes).is_some_and(|other| other.member(id).is_some()) {
                    return Ok(Home::In(key.bytes));
                }
                if self.stored.get(&key).is_none() {
                    self.missing.push(key);
                }
            }
            Some(SourceEntry::In(_)) | None => {}
        }
        Ok(held.map_or(Home::Own(None), Home::In))
    }

    /// Returns what is in hand of the session; an empty record where nothing is remembered.
    pub(super) fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// Returns the same, to be changed otherwise than by an observation.
    pub(super) fn record_mut(&mut self) -> &mut SessionRecord {
        &mut self.record
    }

    /// Returns whether anything is remembered of the session.
    pub(super) fn is_remembered(&self) -> bool {
        self.record != SessionRecord::default()
            || self.key.as_ref().is_some_and(|key| self.is_stored(key))
    }

    /// Returns whether this source was read, or is part of what was.
    pub(super) fn holds(&self, id: &SourceId) -> bool {
        self.sources.contains_key(id)
    }

    /// Returns every source that was read or learned of.
    pub(super) fn sources(&self) -> impl Iterator<Item = &SourceId> {
        self.sources.keys()
    }

    /// Returns what is in hand of a source.
    pub(super) fn source(&self, id: &SourceId) -> Option<&SourceRecord> {
        match self.sources.get(id)? {
            Home::Own(record) => record.as_ref(),
            Home::In(session) if self.is_main(session) => self.record.member(id),
            Home::In(session) => self.others.get(session)?.member(id),
        }
    }

    /// Returns the same to be changed; an empty record where nothing is known.
    pub(super) fn source_mut(&mut self, id: &SourceId) -> &mut SourceRecord {
        if !self.sources.contains_key(id) {
            // Nobody has asked what is stored: the store will say if it is something.
            self.stored.set(Key::source(id), None);
        }
        match self.sources.entry(id.clone()).or_insert(Home::Own(None)) {
            Home::Own(record) => record.get_or_insert_default(),
            Home::In(session) if self.key.as_ref().is_some_and(|key| key.bytes == *session) => {
                self.record.member_mut(id)
            }
            Home::In(session) => self.others.entry(session.clone()).or_default().member_mut(id),
        }
    }

    /// Returns what is in hand of the customer; an empty record where nothing is remembered.
    pub(super) fn customer(&self) -> Option<&CustomerRecord> {
        self.customer.as_ref().map(|(_, record)| record)
    }

    /// Returns the same, to be changed.
    pub(super) fn customer_mut(&mut self) -> Option<&mut CustomerRecord> {
        self.customer.as_mut().map(|(_, record)| record)
    }

    /// Applies an observation.
    pub(super) fn apply(&mut self, noted: &Noted) {
        match noted {
            Noted::Session(observation, policy, now, _) => {
                self.record.apply(observation, policy, *now);
            }
            Noted::Source(id, observation, now, _) => self.source_mut(id).apply(observation, *now),
            Noted::Customer(observation, now, _) => {
                if let Some((_, record)) = &mut self.customer {
                    record.apply(observation, *now);
                }
            }
        }
    }

    /// Applies an observation that was applied before, to what others have made of the records.
    pub(super) fn apply_again(&mut self, noted: &Noted) {
        let (is_reading, then, now) = match noted {
            Noted::Session(observation, .., then) => {
                (matches!(observation, SessionObservation::LookedUp(_)), then, self.record.epoch)
            }
            Noted::Source(id, observation, _, then) => {
                (matches!(observation, SourceObservation::Shown(_)), then, self.source_epoch(id))
            }
            Noted::Customer(observation, _, then) => {
                (matches!(observation, CustomerObservation::Shown(_)), then, self.customer_epoch())
            }
        };
        if !is_reading || *then == now {
            self.apply(noted);
        }
    }

    pub(super) fn source_epoch(&self, id: &SourceId) -> u32 {
        self.source(id).map_or(0, |record| record.epoch)
    }

    pub(super) fn customer_epoch(&self) -> u32 {
        self.customer().map_or(0, |record| record.epoch)
    }

    /// Moves what is known of sources to where it belongs.
    pub(super) fn settle(&mut self) {
        let Some(key) = &self.key else { return };
        for (id, facts) in self.record.give_up_strangers() {
            self.sources.insert(id, Home::Own(Some(facts)));
        }
        for (id, home) in &mut self.sources {
            if let Home::Own(facts @ Some(_)) = home
                && self.record.owns(id)
            {
                *self.record.member_mut(id) = facts.take().unwrap_or_default();
                *home = Home::In(key.bytes.clone());
            }
        }
    }

    /// Returns the changes that make the store hold what is in hand; none where it does. A session
    /// that changes comes with its sources' pointers, though they stay: a source that others have
    /// taken elsewhere is not changed here, and a pointer lasts as long as the session.
    pub(super) fn changes(&self) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::new();
        let main = self.key.as_ref().map(|key| (&key.bytes, &self.record));
        for (bytes, record) in main.into_iter().chain(&self.others) {
            let key = Key { space: Space::Sessions, bytes: bytes.clone() };
            // A record that was not there and holds nothing is not written.
            if *record != SessionRecord::default() || self.is_stored(&key) {
                let pin = record.pending.is_some();
                changes.push(self.change(key, stored::write_session(record)?, pin));
            }
        }
        changes.retain(Change::is_one);
        for (id, home) in &self.sources {
            let (bytes, stays) = match home {
                Home::Own(None) => continue,
                Home::Own(Some(record)) => (stored::write_source(record)?, false),
                Home::In(session) => {
                    let changes = changes.iter().any(|change| change.key.bytes == *session);
                    (stored::write_pointer(session)?, changes)
                }
            };
            let change = self.change(Key::source(id), bytes, false);
            if stays || change.is_one() {
                changes.push(change);
            }
        }
        if let Some((key, record)) = &self.customer
            && (*record != CustomerRecord::default() || self.is_stored(key))
        {
            changes.push(self.change(key.clone(), stored::write_customer(record)?, false));
        }
        Ok(changes)
    }

    fn is_stored(&self, key: &Key) -> bool {
        self.stored.get(key).flatten().is_some()
    }

    /// Notes that the store has made these changes.
    pub(super) fn made(&mut self, changes: Vec<Change>) {
        for Change { key, new, .. } in changes {
            self.stored.set(key, new);
        }
    }

    fn change(&self, key: Key, new: Bytes, pin: bool) -> Change {
        let seen = self.stored.get(&key).flatten().cloned();
        Change { key, seen, new: Some(new), pin }
    }

    fn is_main(&self, session: &KeyBytes) -> bool {
        self.key.as_ref().is_some_and(|key| key.bytes == *session)
    }
}

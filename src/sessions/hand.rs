//! Holds the records that were read together, and applies observations to them.
//!
//! In: stored bytes and observations. Out: the changes that a store is to make. A pure value with
//! verbs; [`super::records`] reads, writes and tries again.
//!
//! A source's record is kept in one place. The source's own entry holds it, or points to the
//! session that does; where an entry and a session disagree, the entry wins. A source that a
//! session owns ([`SessionRecord::owns`]) moves into that session's record when it is written,
//! unless another session holds it; it moves out when the session no longer owns it. A pointer to a
//! session that does not hold the source is ignored.

use super::{
    change::{Bytes, Change, StoreError},
    keys::{Key, KeyBytes, Space},
    recent::RecentRecords,
    scope::{Scope, Stored},
    stored::{self, SourceEntry},
};
use crate::rules::{
    CustomerObservation, CustomerRecord, Policy, SessionObservation, SessionRecord, SourceId,
    SourceObservation, SourceRecord, Timestamp,
};
use smallvec::SmallVec;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A pending observation and its record's epoch when it was made. A read is dropped if the record's
/// epoch has changed since.
#[derive(Clone, Debug)]
pub(super) enum Noted {
    Session(SessionObservation, Arc<Policy>, Timestamp, u32),
    Source(SourceId, SourceObservation, Timestamp, u32),
    Customer(CustomerObservation, Timestamp, u32),
}

/// The place that holds a source's record.
#[derive(Clone, Debug)]
enum Home {
    Own(Option<SourceRecord>),
    /// The record of this session.
    In(KeyBytes),
}

/// The records in hand.
#[derive(Clone, Debug, Default)]
pub(super) struct Hand {
    stored: Stored,
    /// The session in scope.
    key: Option<Key>,
    /// Shared with those who only look at it.
    record: Arc<SessionRecord>,
    /// The same, as it was read or written last.
    before: Arc<SessionRecord>,
    /// Other sessions' records that hold a source in hand.
    others: BTreeMap<KeyBytes, Arc<SessionRecord>>,
    /// Each at most once. There are few, so that looking through them is quicker than any map.
    sources: Vec<(SourceId, Home)>,
    customer: Option<(Key, CustomerRecord)>,
    /// The keys that must be read as well: sessions that sources point to, and sources that the
    /// session owns and does not hold.
    missing: Vec<Key>,
}

impl Hand {
    /// Reads the records from what is stored.
    pub(super) fn take_up(
        scope: &Scope,
        stored: Stored,
        recent: &RecentRecords,
    ) -> Result<Self, StoreError> {
        let key = scope.session.as_ref().map(Key::session);
        let (mut record, mut others) = (None, BTreeMap::new());
        for (at, bytes) in stored.iter() {
            let (Space::Sessions, Some(bytes)) = (at.space, bytes) else { continue };
            let read = recent.get_or_read(at, bytes)?;
            match key.as_ref() == Some(at) {
                true => record = Some(read),
                false => drop(others.insert(at.bytes.clone(), read)),
            }
        }
        let record = record.unwrap_or_default();
        let (before, sources, missing) = (record.clone(), Vec::new(), Vec::new());
        let mut hand =
            Self { stored, key, record, before, others, sources, customer: None, missing };
        if let Some(customer) = &scope.customer {
            let key = Key::customer(customer);
            let record = match hand.stored.get(&key).flatten() {
                Some(bytes) => stored::read_customer(bytes)?,
                None => CustomerRecord::default(),
            };
            hand.customer = Some((key, record));
        }
        let members = hand.record.members.iter().map(|(id, _)| id);
        let mut ids: SmallVec<[SourceId; 6]> =
            scope.sources.iter().chain(hand.record.owned()).chain(members).cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        hand.sources.reserve(ids.len());
        for id in ids {
            hand.find_home(id, scope.whole)?;
        }
        Ok(hand)
    }

    /// Returns the keys that must be read as well before the records are complete.
    pub(super) fn missing(&self) -> &[Key] {
        &self.missing
    }

    fn find_home(&mut self, id: SourceId, whole: bool) -> Result<(), StoreError> {
        let key = Key::source(&id);
        let held = self.key.as_ref().filter(|_| self.record.member(&id).is_some());
        let home = match (self.stored.get(&key), held) {
            // Owned, not asked for. If it is learned of later, the write finds out what is stored.
            (None, None) => {
                self.missing.extend(Some(key).filter(|_| whole));
                return Ok(());
            }
            (None, Some(session)) => Home::In(session.bytes.clone()),
            (Some(bytes), held) => {
                let entry = bytes.map(|bytes| stored::read_source(bytes)).transpose()?;
                let held = held.map(|key| key.bytes.clone());
                self.home(&id, entry, held)
            }
        };
        if !self.is_in_session(&home) && self.record.member(&id).is_some() {
            self.record_mut().members.retain(|(member, _)| *member != id);
        }
        self.sources.push((id, home));
        Ok(())
    }

    /// Finds where a source's record is. `held` is the session in scope, if that holds the source.
    fn home(&mut self, id: &SourceId, entry: Option<SourceEntry>, held: Option<KeyBytes>) -> Home {
        match entry {
            Some(SourceEntry::Own(record)) => return Home::Own(Some(record)),
            Some(SourceEntry::In(other)) if !self.is_main(&other) => {
                let key = Key { space: Space::Sessions, bytes: other };
                if self.others.get(&key.bytes).is_some_and(|other| other.member(id).is_some()) {
                    return Home::In(key.bytes);
                }
                if self.stored.get(&key).is_none() {
                    self.missing.push(key);
                }
            }
            Some(SourceEntry::In(_)) | None => {}
        }
        held.map_or(Home::Own(None), Home::In)
    }

    fn home_of(&self, id: &SourceId) -> Option<&Home> {
        self.sources.iter().find(|(known, _)| known == id).map(|(_, home)| home)
    }

    /// Returns the session's record; an empty one if nothing is remembered.
    pub(super) fn record(&self) -> &Arc<SessionRecord> {
        &self.record
    }

    /// Returns the session's record for a change that is no observation.
    pub(super) fn record_mut(&mut self) -> &mut SessionRecord {
        Arc::make_mut(&mut self.record)
    }

    /// Returns whether anything is remembered of the session.
    pub(super) fn is_remembered(&self) -> bool {
        *self.record != SessionRecord::default()
            || self.key.as_ref().is_some_and(|key| self.is_stored(key))
    }

    /// Returns whether this source was read, by itself or as part of a session.
    pub(super) fn holds(&self, id: &SourceId) -> bool {
        self.home_of(id).is_some()
    }

    /// Returns every source that was read or learned of.
    pub(super) fn sources(&self) -> impl Iterator<Item = &SourceId> {
        self.sources.iter().map(|(id, _)| id)
    }

    /// Returns a source's record.
    pub(super) fn source(&self, id: &SourceId) -> Option<&SourceRecord> {
        match self.home_of(id)? {
            Home::Own(record) => record.as_ref(),
            Home::In(session) if self.is_main(session) => self.record.member(id),
            Home::In(session) => self.others.get(session)?.member(id),
        }
    }

    /// Returns a source's record for a change; an empty one if nothing is known.
    pub(super) fn source_mut(&mut self, id: &SourceId) -> &mut SourceRecord {
        let place = self.sources.iter().position(|(known, _)| known == id).unwrap_or_else(|| {
            // It was not read: if something is stored, the write fails and everything is read
            // again.
            self.stored.set(Key::source(id), None);
            self.sources.push((id.clone(), Home::Own(None)));
            self.sources.len() - 1
        });
        match &mut self.sources[place].1 {
            Home::Own(record) => record.get_or_insert_default(),
            Home::In(session) if self.key.as_ref().is_some_and(|key| key.bytes == *session) => {
                Arc::make_mut(&mut self.record).member_mut(id)
            }
            Home::In(session) => {
                Arc::make_mut(self.others.entry(session.clone()).or_default()).member_mut(id)
            }
        }
    }

    /// Returns the customer's record; an empty one if nothing is remembered.
    pub(super) fn customer(&self) -> Option<&CustomerRecord> {
        self.customer.as_ref().map(|(_, record)| record)
    }

    /// Returns the customer's record for a change.
    #[cfg(test)]
    pub(super) fn customer_mut(&mut self) -> Option<&mut CustomerRecord> {
        self.customer.as_mut().map(|(_, record)| record)
    }

    /// Applies an observation.
    pub(super) fn apply(&mut self, noted: &Noted) {
        match noted {
            Noted::Session(observation, policy, now, _) => {
                self.record_mut().apply(observation, policy, *now);
            }
            Noted::Source(id, observation, now, _) => self.source_mut(id).apply(observation, *now),
            Noted::Customer(observation, now, _) => {
                if let Some((_, record)) = &mut self.customer {
                    record.apply(observation, *now);
                }
            }
        }
    }

    /// Applies a pending observation again, after the records were read again. A read is dropped if
    /// the record's epoch has changed since.
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

    /// Moves each source's record to the place where it belongs.
    pub(super) fn settle(&mut self) {
        let Some(key) = &self.key else { return };
        let record = Arc::make_mut(&mut self.record);
        for (id, facts) in record.give_up_strangers() {
            let home = Home::Own(Some(facts));
            match self.sources.iter_mut().find(|(known, _)| *known == id) {
                Some((_, known)) => *known = home,
                None => self.sources.push((id, home)),
            }
        }
        for (id, home) in &mut self.sources {
            if let Home::Own(facts @ Some(_)) = home
                && record.owns(id)
            {
                *record.member_mut(id) = facts.take().unwrap_or_default();
                *home = Home::In(key.bytes.clone());
            }
        }
    }

    /// Returns whether only the session and its sources are in hand, and say again what is stored,
    /// each fact later by less than `leeway`.
    pub(super) fn repeats(&self, leeway: Duration) -> bool {
        self.customer.is_none()
            && self.sources.iter().all(|(_, home)| self.is_in_session(home))
            && self.record.repeats(&self.before, leeway)
    }

    fn is_in_session(&self, home: &Home) -> bool {
        matches!(home, Home::In(session) if self.is_main(session))
    }

    /// Returns the changes that make the store hold what is in hand; none if it already does. A
    /// changed session brings its sources' pointers even where they stay the same: the swap then
    /// fails if another call has moved a source, and a pointer is kept as long as its session.
    pub(super) fn changes(&self) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::new();
        let main = self.key.as_ref().map(|key| (&key.bytes, &self.record));
        for (bytes, record) in main.into_iter().chain(&self.others) {
            let key = Key { space: Space::Sessions, bytes: bytes.clone() };
            // An empty record that was not stored is not written.
            if **record != SessionRecord::default() || self.is_stored(&key) {
                let pin = record.pending.is_some();
                changes.push(self.change(key, stored::write_session(record)?, pin)?);
            }
        }
        changes.retain(Change::changes_anything);
        for (id, home) in &self.sources {
            let (bytes, stays) = match home {
                Home::Own(None) => continue,
                Home::Own(Some(record)) => (stored::write_source(record)?, false),
                Home::In(session) => {
                    let changes = changes.iter().any(|change| change.key.bytes == *session);
                    (stored::write_pointer(session)?, changes)
                }
            };
            let change = self.change(Key::source(id), bytes, false)?;
            if stays || change.changes_anything() {
                changes.push(change);
            }
        }
        if let Some((key, record)) = &self.customer
            && (*record != CustomerRecord::default() || self.is_stored(key))
        {
            changes.push(self.change(key.clone(), stored::write_customer(record)?, false)?);
        }
        Ok(changes)
    }

    fn is_stored(&self, key: &Key) -> bool {
        self.stored.get(key).flatten().is_some()
    }

    /// Notes that the store has made these changes.
    pub(super) fn note_written(&mut self, changes: Vec<Change>, recent: &RecentRecords) {
        for Change { key, new, .. } in changes {
            if let Some(bytes) = new.as_ref().filter(|_| self.key.as_ref() == Some(&key)) {
                recent.keep(&key, bytes, &self.record);
            }
            self.stored.set(key, new);
        }
        self.before = self.record.clone();
    }

    /// Makes a change. The entry of a source that was not read points to the session in scope,
    /// which holds the source.
    fn change(&self, key: Key, new: Bytes, pin: bool) -> Result<Change, StoreError> {
        let seen = match (self.stored.get(&key), &self.key) {
            (Some(bytes), _) => bytes.cloned(),
            (None, Some(session)) if key.space == Space::Sources => {
                Some(stored::write_pointer(&session.bytes)?)
            }
            (None, _) => None,
        };
        Ok(Change { key, seen, new: Some(new), pin })
    }

    fn is_main(&self, session: &KeyBytes) -> bool {
        self.key.as_ref().is_some_and(|key| key.bytes == *session)
    }
}

//! Keeps the sessions' records that were read last, beside the bytes that they were read from.
//!
//! A record follows from its bytes alone. So one that is kept is right wherever the store gives the
//! same bytes, whoever wrote them, and a call need not read again what the call before it has read.

use super::{
    change::{Bytes, StoreError},
    keys::Key,
    stored,
};
use crate::rules::SessionRecord;
use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

/// Records that are kept at most; each takes a kilobyte or two.
const PLACES: usize = 1_024;

type Place = Mutex<Option<(Bytes, Arc<SessionRecord>)>>;

/// The records that were read last. Each key has one place, which it may share with others.
pub(super) struct Recent {
    places: Box<[Place]>,
    spread: RandomState,
}

impl Default for Recent {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| Place::default()).collect();
        Self { places, spread: RandomState::new() }
    }
}

impl Recent {
    /// Returns the session's record that these bytes of the store are.
    pub(super) fn session(
        &self,
        key: &Key,
        bytes: &Bytes,
    ) -> Result<Arc<SessionRecord>, StoreError> {
        let place = &self.places[self.spread.hash_one(&key.bytes) as usize % PLACES];
        // A poisoned lock is safe to use: a place is set in one step.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        match &*place {
            Some((known, record)) if known == bytes => Ok(record.clone()),
            _ => {
                let record = Arc::new(stored::read_session(bytes)?);
                *place = Some((bytes.clone(), record.clone()));
                Ok(record)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dialects::checkouts, rules::SessionKey};

    #[test]
    fn other_bytes_are_another_record_also_under_one_key() {
        let recent = Recent::default();
        let key = Key::session(&SessionKey::new(checkouts::CHECKOUT, "1"));
        let bytes = |epoch| {
            let record = SessionRecord { epoch, ..SessionRecord::default() };
            stored::write_session(&record).unwrap()
        };
        let one = recent.session(&key, &bytes(1)).unwrap();
        assert!(Arc::ptr_eq(&one, &recent.session(&key, &bytes(1)).unwrap()));
        assert_eq!((one.epoch, recent.session(&key, &bytes(2)).unwrap().epoch), (1, 2));
        assert_eq!(recent.session(&key, &bytes(1)).unwrap().epoch, 1);
        let unreadable = Bytes::from(&b"\xff"[..]);
        assert_eq!(recent.session(&key, &unreadable).err(), Some(StoreError::Unreadable));
        assert_eq!(recent.session(&key, &bytes(1)).unwrap().epoch, 1);
    }
}

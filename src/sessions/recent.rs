//! Keeps the sessions' records that were read or written last, beside their bytes.
//!
//! In: the bytes that the store gives. Out: the record. A record follows from its bytes alone, and
//! comes back as it was written. So one that is kept is right wherever the store gives the same
//! bytes, whoever wrote them.

use super::{
    change::{Bytes, StoreError},
    keys::Key,
    places::Places,
    stored,
};
use crate::rules::SessionRecord;
use std::sync::Arc;

/// Records that are kept at most; each takes a kilobyte or two.
const MOST: usize = 1_024;

/// The records that were read or written last.
pub(super) struct RecentRecords(Places<(Bytes, Arc<SessionRecord>)>);

impl Default for RecentRecords {
    fn default() -> Self {
        Self(Places::new(MOST))
    }
}

impl RecentRecords {
    /// Returns the session's record that these bytes of the store are.
    pub(super) fn get_or_read(
        &self,
        key: &Key,
        bytes: &Bytes,
    ) -> Result<Arc<SessionRecord>, StoreError> {
        if let Some((known, record)) = &*self.0.at(key)
            && known == bytes
        {
            return Ok(record.clone());
        }
        let record = Arc::new(stored::read_session(bytes)?);
        self.keep(key, bytes, &record);
        Ok(record)
    }

    /// Keeps a session's record that was written as these bytes.
    pub(super) fn keep(&self, key: &Key, bytes: &Bytes, record: &Arc<SessionRecord>) {
        *self.0.at(key) = Some((bytes.clone(), record.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dialects::checkouts, rules::SessionKey};

    #[test]
    fn other_bytes_are_another_record_also_under_one_key() {
        let recent = RecentRecords::default();
        let key = Key::session(&SessionKey::new(checkouts::CHECKOUT, "1"));
        let bytes = |epoch| {
            let record = SessionRecord { epoch, ..SessionRecord::default() };
            stored::write_session(&record).unwrap()
        };
        let one = recent.get_or_read(&key, &bytes(1)).unwrap();
        assert!(Arc::ptr_eq(&one, &recent.get_or_read(&key, &bytes(1)).unwrap()));
        assert_eq!((one.epoch, recent.get_or_read(&key, &bytes(2)).unwrap().epoch), (1, 2));
        assert_eq!(recent.get_or_read(&key, &bytes(1)).unwrap().epoch, 1);
        let unreadable = Bytes::from(&b"\xff"[..]);
        assert_eq!(recent.get_or_read(&key, &unreadable).err(), Some(StoreError::Unreadable));
        assert_eq!(recent.get_or_read(&key, &bytes(1)).unwrap().epoch, 1);
    }
}

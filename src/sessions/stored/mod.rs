//! The stored form: a record as bytes, in memory as in a shared store.
//!
//! The first byte is the version of the form; the rest is postcard's, which keeps fields by
//! position. The structs here mirror those of `rules`, so that these may change without the form;
//! golden bytes in the tests pin it. Bytes of another version are an error.
//!
//! Dates are written as their distance to the latest of a record, which is usually small.

mod fields;
mod session;
mod source;
#[cfg(test)]
mod tests;
mod text;

use super::{
    change::{Bytes, StoreError},
    keys::KeyBytes,
};
use crate::rules::{CustomerRecord, Fact, SessionId, SessionRecord, SourceRecord, Timestamp};
use fields::{Callers, callers};
use serde::{Deserialize, Serialize};
use session::Session;
use source::Source;
use text::Text;

/// The first byte of every record. It changes when the form does.
const VERSION: u8 = 4;

/// A source's own entry: its record, or a pointer to the session that holds that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SourceEntry {
    /// The record.
    Own(SourceRecord),
    /// The session whose record holds the source's.
    In(KeyBytes),
}

/// Returns whether these bytes are a record. For fuzzing: what is written of a record must be read
/// as the same.
///
/// # Panics
/// It is not.
pub fn reads_as_record(bytes: &[u8]) -> bool {
    let session = read_session(bytes);
    if let Ok(record) = &session {
        let again = write_session(record).and_then(|bytes| read_session(&bytes));
        assert_eq!(again.as_ref().ok(), Some(record), "a session, written and read");
    }
    let customer = read_customer(bytes);
    if let Ok(record) = &customer {
        let again = write_customer(record).and_then(|bytes| read_customer(&bytes));
        assert_eq!(again.as_ref().ok(), Some(record), "a customer, written and read");
    }
    let source = read_source(bytes);
    if let Ok(SourceEntry::Own(record)) = &source {
        let again = write_source(record).and_then(|bytes| read_source(&bytes));
        let own = SourceEntry::Own(record.clone());
        assert_eq!(again.ok(), Some(own), "a source, written and read");
    }
    session.is_ok() || customer.is_ok() || source.is_ok()
}

pub(super) fn write_session(record: &SessionRecord) -> Result<Bytes, StoreError> {
    write(&Session::of(record))
}

pub(super) fn read_session(bytes: &[u8]) -> Result<SessionRecord, StoreError> {
    read::<Session<'_>>(bytes)?.record()
}

pub(super) fn write_source(record: &SourceRecord) -> Result<Bytes, StoreError> {
    let latest = source::latest(record);
    write(&StoredSource::Own(latest.0, Source::of(record, latest, None)))
}

/// Returns the stored form of a pointer to this session's record.
pub(super) fn write_pointer(session: &KeyBytes) -> Result<Bytes, StoreError> {
    write(&StoredSource::In(session))
}

pub(super) fn read_source(bytes: &[u8]) -> Result<SourceEntry, StoreError> {
    match read(bytes)? {
        StoredSource::Own(latest, source) => {
            source.record(Timestamp(latest), None).map(SourceEntry::Own)
        }
        StoredSource::In(session) => Ok(SourceEntry::In(KeyBytes::from(session))),
    }
}

pub(super) fn write_customer(record: &CustomerRecord) -> Result<Bytes, StoreError> {
    let saved = match &record.saved {
        Fact::Known(saved, at) => {
            Some((saved.iter().map(|id| Text::from(id.as_str())).collect(), at.0))
        }
        Fact::Unknown => None,
    };
    write(&Customer { saved, shown_to: callers(&record.shown_to), epoch: record.epoch })
}

pub(super) fn read_customer(bytes: &[u8]) -> Result<CustomerRecord, StoreError> {
    let Customer { saved, shown_to, epoch } = read(bytes)?;
    let saved = match saved {
        Some((saved, at)) => {
            let saved = saved.into_iter().map(Text::name).collect::<Result<_, _>>()?;
            Fact::Known(saved, Timestamp(at))
        }
        None => Fact::Unknown,
    };
    Ok(CustomerRecord { saved, shown_to: fields::shown_to(shown_to), epoch })
}

/// Returns the stored form of which session is a credential's active one.
pub(super) fn write_active(id: &SessionId) -> Result<Bytes, StoreError> {
    write(&Text::from(id.as_str()))
}

pub(super) fn read_active(bytes: &[u8]) -> Result<SessionId, StoreError> {
    read::<Text<'_>>(bytes)?.name()
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "read and written, never kept")]
enum StoredSource<'a> {
    Own(u64, #[serde(borrow)] Source<'a>),
    In(&'a [u8]),
}

/// A customer's record. It has one date, which is written whole.
#[derive(Serialize, Deserialize)]
struct Customer<'a> {
    #[serde(borrow)]
    saved: Option<(Vec<Text<'a>>, u64)>,
    shown_to: Callers,
    epoch: u32,
}

fn write(record: &impl Serialize) -> Result<Bytes, StoreError> {
    // Written on the stack first, so that the bytes on the heap have the exact size.
    let mut buffer = [VERSION; 512];
    if let Ok(written) = postcard::to_slice(record, &mut buffer[1..]) {
        let length = 1 + written.len();
        return Ok(Bytes::from(&buffer[..length]));
    }
    let large = postcard::to_extend(record, vec![VERSION]).map_err(|_| StoreError::Unwritable)?;
    Ok(Bytes::from(large))
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    let Some((&VERSION, bytes)) = bytes.split_first() else { return Err(StoreError::Unreadable) };
    match postcard::take_from_bytes(bytes) {
        Ok((record, [])) => Ok(record),
        _ => Err(StoreError::Unreadable),
    }
}

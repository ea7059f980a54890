//! The records that are read together, and what the store answered.

use super::{
    change::Bytes,
    keys::{CustomerKey, Key},
};
use crate::rules::{SessionKey, SourceId};

/// The records that are read together.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub session: Option<SessionKey>,
    pub sources: Vec<SourceId>,
    pub customer: Option<CustomerKey>,
    /// Whether sources that the session owns and does not hold are read as well.
    pub whole: bool,
}

/// What the store holds, or is assumed to hold until a swap fails.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored(Vec<(Key, Option<Bytes>)>);

impl Scope {
    /// Returns the keys of the records that are named.
    pub(super) fn keys(&self) -> Vec<Key> {
        let session = self.session.iter().map(Key::session);
        let sources = self.sources.iter().map(Key::source);
        let mut keys: Vec<_> =
            session.chain(sources).chain(self.customer.iter().map(Key::customer)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl Stored {
    pub(super) fn new(keys: Vec<Key>, bytes: Vec<Option<Bytes>>) -> Self {
        Self(keys.into_iter().zip(bytes).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, Option<&Bytes>)> {
        self.0.iter().map(|(key, bytes)| (key, bytes.as_ref()))
    }

    /// Returns what is stored under a key; the outer `None` if that was not read.
    pub(super) fn get(&self, key: &Key) -> Option<Option<&Bytes>> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, bytes)| bytes.as_ref())
    }

    pub(super) fn set(&mut self, key: Key, bytes: Option<Bytes>) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = bytes,
            None => self.0.push((key, bytes)),
        }
    }
}

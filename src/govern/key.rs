//! Weir's own key for upstream, which is never shown.

use crate::rules::CredentialHash;
use http::HeaderValue;
use std::fmt;

/// A confidential key of the merchant, with which Weir looks sources up by itself.
#[derive(Clone)]
pub struct UpstreamKey(HeaderValue);

impl UpstreamKey {
    /// Makes it from the key's text; `None` if a header cannot carry it, or if it is empty.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        let mut header = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
        header.set_sensitive(true);
        (!key.is_empty()).then_some(Self(header))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default()
    }
}

impl fmt::Debug for UpstreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpstreamKey(..)")
    }
}

/// The key with the hash by which records know what it was shown.
#[derive(Clone, Debug)]
pub(super) struct OwnKey {
    key: UpstreamKey,
    hash: CredentialHash,
}

impl OwnKey {
    pub(super) fn new(key: UpstreamKey, hash: impl FnOnce(&[u8]) -> CredentialHash) -> Self {
        let hash = hash(key.bytes());
        Self { key, hash }
    }

    pub(super) fn hash(&self) -> CredentialHash {
        self.hash
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.key.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_never_shown_and_an_impossible_one_is_none() {
        let key = UpstreamKey::new(" sk_live_1 \n").unwrap();
        assert_eq!(key.bytes(), b"sk_live_1");
        assert_eq!(format!("{key:?} {:?}", key.0), "UpstreamKey(..) Sensitive");
        for impossible in ["", " \n", "a\nb", "a\0"] {
            assert!(UpstreamKey::new(impossible).is_none(), "{impossible:?}");
        }
    }
}

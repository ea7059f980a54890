//! Remembers the credentials that upstream has asked to slow down (429), and until when Weir sends
//! no look-ups with them.
//!
//! The cache is bounded and its entries expire: a lost entry costs one look-up too many.

use crate::rules::CredentialHash;
use moka::{policy::EvictionPolicy, sync::Cache};
use std::time::Duration;
use tokio::time::Instant;

/// The longest back-off that is remembered, whatever upstream says.
pub const BACK_OFF_AT_MOST: Duration = Duration::from_secs(3600);

const CREDENTIALS_AT_MOST: u64 = 100_000;

pub(super) struct BackOffs {
    until: Cache<CredentialHash, Instant>,
}

impl BackOffs {
    pub(super) fn new() -> Self {
        let until = Cache::builder()
            .max_capacity(CREDENTIALS_AT_MOST)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(BACK_OFF_AT_MOST)
            .build();
        Self { until }
    }

    /// Records a back-off. A later moment replaces an earlier one.
    pub(super) fn begin(&self, caller: CredentialHash, until: Instant) {
        let until = until.min(Instant::now() + BACK_OFF_AT_MOST);
        self.until
            .entry(caller)
            .and_upsert_with(|known| known.map_or(until, |known| known.into_value().max(until)));
    }

    pub(super) fn left(&self, caller: CredentialHash) -> Option<Duration> {
        let left = self.until.get(&caller)?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        Some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const CALLER: CredentialHash = CredentialHash([1; 16]);

    #[tokio::test(start_paused = true)]
    async fn a_credential_is_left_alone_until_the_later_moment() {
        let back_offs = BackOffs::new();
        let now = Instant::now();
        back_offs.begin(CALLER, now + Duration::from_secs(5));
        back_offs.begin(CALLER, now + Duration::from_secs(2));
        assert_eq!(back_offs.left(CALLER), Some(Duration::from_secs(5)));
        assert_eq!(back_offs.left(CredentialHash([2; 16])), None);
        advance(Duration::from_secs(5)).await;
        assert_eq!(back_offs.left(CALLER), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_back_off_is_longer_than_an_hour() {
        let back_offs = BackOffs::new();
        back_offs.begin(CALLER, Instant::now() + Duration::from_secs(1_000_000));
        assert_eq!(back_offs.left(CALLER), Some(BACK_OFF_AT_MOST));
    }
}

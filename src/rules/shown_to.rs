//! The callers to whom upstream has shown a thing.

use super::CredentialHash;
use smallvec::SmallVec;

/// How many callers one record remembers: enough for the keys of one merchant and a few refreshed
/// tokens. The oldest is forgotten first, and only costs another look-up.
pub const SHOWN_TO_AT_MOST: usize = 8;

/// The callers to whom upstream has shown a thing, as keyed hashes, the latest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownTo(SmallVec<[CredentialHash; 1]>);

impl ShownTo {
    /// Returns whether upstream has shown the thing to this caller.
    pub fn contains(&self, caller: CredentialHash) -> bool {
        self.0.contains(&caller)
    }

    /// Remembers this caller.
    pub fn add(&mut self, caller: CredentialHash) {
        if self.contains(caller) {
            return;
        }
        if self.0.len() == SHOWN_TO_AT_MOST {
            self.0.remove(0);
        }
        self.0.push(caller);
    }

    /// Returns the callers that are remembered, the latest last.
    pub fn callers(&self) -> &[CredentialHash] {
        &self.0
    }

    /// Returns how many callers are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether no caller is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets this caller, because upstream has refused it.
    pub fn forget(&mut self, caller: CredentialHash) {
        self.0.retain(|known| *known != caller);
    }
}

impl FromIterator<CredentialHash> for ShownTo {
    /// Makes the callers of a list, the latest last.
    fn from_iter<I: IntoIterator<Item = CredentialHash>>(callers: I) -> Self {
        let mut shown_to = Self::default();
        callers.into_iter().for_each(|caller| shown_to.add(caller));
        shown_to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_remembered_are_few_and_the_oldest_is_forgotten_first() {
        let caller = |n: usize| CredentialHash([n as u8; 16]);
        let mut shown_to = ShownTo::default();
        for n in 0..=SHOWN_TO_AT_MOST {
            shown_to.add(caller(n));
            shown_to.add(caller(n));
        }
        let known: Vec<_> =
            (0..=SHOWN_TO_AT_MOST).filter(|n| shown_to.contains(caller(*n))).collect();
        assert_eq!(known, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}

//! Hashes credentials with a key, to recognise a caller without keeping its credential.
//!
//! The key never leaves the process. Without it, not even a guessed credential can be checked
//! against a hash.

use crate::rules::CredentialHash;
use std::fmt;

/// The key that credentials are hashed with. Replicas that share a store share one.
#[derive(Clone)]
pub struct CredentialKey([u8; 32]);

impl CredentialKey {
    /// Makes a key of 32 bytes that the operator has chosen and that cannot be guessed.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Makes a key of random bytes from the operating system.
    ///
    /// # Panics
    /// Panics if the operating system has no random numbers to give.
    pub fn random() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the operating system gives random numbers");
        Self(key)
    }

    /// Returns the first 16 bytes of the keyed hash: enough for two credentials to collide once in
    /// 2^64 tries.
    pub(super) fn hash(&self, credential: &[u8]) -> CredentialHash {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::keyed_hash(&self.0, credential).as_bytes()[..16]);
        CredentialHash(short)
    }
}

impl fmt::Debug for CredentialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_with_one_key_agree_and_others_do_not() {
        let (one, same, other) =
            (CredentialKey::new([7; 32]), CredentialKey::new([7; 32]), CredentialKey::new([8; 32]));
        assert_eq!(one.hash(b"Bearer sk"), same.hash(b"Bearer sk"));
        assert_ne!(one.hash(b"Bearer sk"), other.hash(b"Bearer sk"));
        assert_ne!(one.hash(b"Bearer sk"), one.hash(b"Bearer pk"));
        assert_ne!(CredentialKey::random().0, CredentialKey::random().0);
    }

    #[test]
    fn the_key_is_never_shown() {
        assert_eq!(format!("{:?}", CredentialKey::new([7; 32])), "CredentialKey(..)");
    }
}

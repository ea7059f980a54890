//! Chooses the cryptography of all TLS, to callers and to upstream: aws-lc-rs, which agrees on keys
//! that no quantum computer finds out later, or ring where only that is built in.

use rustls::crypto::CryptoProvider;
use std::sync::Arc;

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
compile_error!(
    "TLS has no cryptography: turn on the feature `aws-lc-rs` (a default one) or `ring`"
);

/// Returns the cryptography. With both features it is aws-lc-rs: that another crate turns `ring` on
/// changes nothing.
pub fn tls_provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    let provider = rustls::crypto::ring::default_provider();
    // For the compiler, which goes on after the error above.
    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    let provider: CryptoProvider = unreachable!("it does not compile");
    Arc::new(provider)
}

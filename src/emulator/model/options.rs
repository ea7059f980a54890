//! How an emulator behaves.

use super::quirks::Quirks;
use rust_decimal::Decimal;
use std::time::Duration;

/// How an emulator behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Makes ids and times reproducible; without a seed they are random and the machine's own.
    pub seed: Option<u64>,
    /// The API version of calls without a `DigitalRiver-Version` header.
    pub version: String,
    /// Whether sources inside checkouts and orders show `reusable` and `state` too, which the
    /// vendor's often lack.
    pub whole_sources: bool,
    /// Whether answers are compressed for callers that accept gzip.
    pub gzip: bool,
    /// The tax on every line, as a fraction of its price: `0.2` is 20 %.
    pub tax_rate: Decimal,
    /// Whether amounts on carts are JSON strings instead of numbers.
    pub cart_amounts_as_strings: bool,
    /// The merchant of shoppers whose grant names no `client_id`.
    pub default_merchant: String,
    /// How long every mutation takes before it has an effect.
    pub latency: Duration,
    /// Whether a mutation is refused while another one of the same session is in flight, instead
    /// of only being counted.
    pub refuse_overlaps: bool,
    /// The number of calls that the log keeps.
    pub call_log: usize,
    /// In what the vendor is odd at the beginning, and again after a reset.
    pub quirks: Quirks,
    /// How long connections may take to finish after shutdown.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: None,
            version: "2021-12-13".to_owned(),
            whole_sources: false,
            gzip: true,
            tax_rate: Decimal::ZERO,
            cart_amounts_as_strings: false,
            default_merchant: "acme".to_owned(),
            latency: Duration::ZERO,
            refuse_overlaps: false,
            call_log: 10_000,
            quirks: Quirks::default(),
            drain: Duration::from_secs(1),
        }
    }
}

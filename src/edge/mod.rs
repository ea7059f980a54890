//! Accepts callers' connections and requests: listeners, workers, protocol detection, admission,
//! error answers, and the drain at shutdown.
//!
//! Connections come in; requests go to a service that always answers, and its answers go out.

mod accept;
mod admit;
mod faults;
#[cfg(feature = "cli")]
mod listen;
mod pulse;
mod serve;
mod workers;

pub use faults::{ErrorForm, Faults, FaultsFuture, FaultsLayer};
#[cfg(feature = "cli")]
pub use listen::listeners;
pub use pulse::Pulses;
pub use serve::{Drained, ServeOptions, serve};
pub use workers::{Worker, run_workers};

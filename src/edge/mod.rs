//! Accepts callers' connections and requests: listeners, workers, protocol detection, admission,
//! error answers, and the drain at shutdown.
//!
//! Connections come in; requests go to a service that always answers, and its answers go out.

mod accept;
mod activity;
mod admit;
mod bounds;
mod connection;
mod farewell;
mod faults;
mod later;
mod limited;
#[cfg(feature = "cli")]
mod listen;
mod open_call;
mod options;
mod pulse;
mod serve;
mod stalled;
mod stream;
#[cfg(feature = "cli")]
mod subject;
mod tls;
mod watched;
mod workers;

pub use bounds::Bounds;
pub use faults::{ErrorForm, Faults, FaultsFuture, FaultsLayer};
pub use later::{Later, ServeLimits};
#[cfg(feature = "cli")]
pub(crate) use listen::handed_over;
#[cfg(feature = "cli")]
pub use listen::listeners;
pub use options::ServeOptions;
pub use pulse::Pulses;
pub use serve::{Drained, serve};
pub use tls::{Tls, TlsFileError, TlsFiles};
pub use workers::{Worker, run_workers};

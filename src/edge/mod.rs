//! Accepts: listeners, workers, which HTTP a caller speaks, what a proxy may take at all, faults as
//! answers, and the drain at shutdown.

mod accept;
mod admit;
mod faults;
mod listen;
mod serve;
mod workers;

pub use admit::{Admission, admit};
pub use faults::{Answer, Faults, FaultsFuture, FaultsLayer};
pub use listen::listeners;
pub use serve::{Drained, ServeOptions, serve};
pub use workers::{Worker, run_workers};

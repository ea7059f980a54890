//! Accepts: listeners, workers, which HTTP a caller speaks, what a proxy may take at all, faults as
//! answers, and the drain at shutdown.

mod admit;
mod faults;
mod listen;
mod serve;
mod work;
mod workers;

pub use admit::{Admission, admit};
pub use faults::{Answering, Faults, FaultsLayer};
pub use listen::listeners;
pub use serve::{Drained, ServeOptions, serve};
pub use work::Work;
pub use workers::{Worker, run_workers};

//! Intercepts and forwards.
//!
//! ```text
//!   caller ─▶ serve ─────▶ Faults ─────▶ … ─▶ Upstream ─▶ upstream
//!             listeners,   admission,         one exchange: header hygiene, connections,
//!             drain        error answers      time-outs, upgrades
//! ```
//! `Body` is the one body type on the way, `Problem` the one place where faults become responses.

mod admit;
mod body;
mod connect;
mod download;
mod error;
mod faults;
pub mod headers;
mod listen;
mod pool;
mod serve;
mod target;
mod upgrade;
mod upload;
mod upstream;
mod work;
mod workers;

pub use admit::{Admission, admit};
pub use body::{Body, BoxError, NotWhole, Whole, collect};
pub use connect::TlsError;
pub use error::{Blame, PlainText, Problem, Render, Rendered, UpstreamError};
pub use faults::{Answering, Faults, FaultsLayer};
pub use listen::listeners;
pub use serve::{Drained, ServeOptions, serve};
pub use target::{NotATarget, Target};
pub use upstream::{CallerAddress, Settings, Upstream};
pub use work::Work;
pub use workers::{Worker, run_workers};

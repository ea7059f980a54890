//! Intercepts and forwards.
//!
//! ```text
//!   caller ─▶ serve ─────▶ Faults ─────▶ Govern ────▶ Upstream ─▶ upstream
//!             listeners,   admission,    the rules,   one exchange: header hygiene, connections,
//!             drain        error answers turns        time-outs, upgrades
//! ```
//! `stack` puts them together. `Body` is the one body type on the way, `Problem` the one place
//! where faults become responses.

mod admit;
mod body;
mod connect;
mod decision;
mod download;
mod error;
mod faults;
mod govern;
pub mod headers;
#[cfg(feature = "cli")]
mod listen;
mod pool;
mod serve;
mod stack;
mod target;
mod upgrade;
mod upload;
mod upstream;
mod work;
mod workers;

pub use admit::{Admission, admit};
pub use body::{Body, BoxError, NotWhole, Whole, collect};
pub use connect::TlsError;
pub use decision::{Decided, Decision, Decisions, Step};
pub use error::{Blame, PlainText, Problem, Render, Rendered, UpstreamError};
pub use faults::{Answering, Faults, FaultsLayer};
pub use govern::{Client, Govern, GovernLayer, GovernSettings, Governor};
#[cfg(feature = "cli")]
pub use listen::listeners;
pub use serve::{Drained, ServeOptions, serve};
pub use stack::{VendorForm, stack};
pub use target::{NotATarget, Target};
pub use upstream::{CallerAddress, Settings, Upstream};
pub use work::Work;
pub use workers::{Worker, run_workers};

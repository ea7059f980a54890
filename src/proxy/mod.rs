//! Intercepts and forwards.
//!
//! ```text
//!   caller ─▶ serve ─▶ Admit ─▶ … ─▶ Upstream ─▶ upstream
//!             listeners  requests     one exchange: header hygiene, connections, time-outs, upgrades
//!             drain      a proxy may
//!                        take at all
//! ```
//! `Body` is the one body type on the way, `Problem` the one place where faults become responses.

mod body;
mod connect;
mod download;
mod error;
pub mod headers;
mod pool;
mod target;
mod upgrade;
mod upload;
mod upstream;

pub use body::{Body, BoxError, NotWhole, Whole, collect};
pub use connect::TlsError;
pub use error::{Blame, PlainText, Problem, Render, Rendered, UpstreamError};
pub use target::{NotATarget, Target};
pub use upstream::{CallerAddress, Settings, Upstream};

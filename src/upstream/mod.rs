//! Forwards: one exchange with upstream at a time, over connections that are kept.
//!
//! ```text
//!   request ─ Hygiene ─ Upstream ─ Pool ─ connection ─▶ upstream
//! ```
//! [`Hygiene`] makes the message fit for upstream and can stand before any client; [`Upstream`] is
//! Weir's own, with time-outs, TLS and upgrades. It never sends a request twice.

mod connect;
mod fields;
mod hygiene;
mod pool;
mod send;
mod target;
mod upgrade;

#[cfg(feature = "cli")]
pub(crate) use connect::TlsError;
pub use hygiene::HygieneLayer;
pub use send::{Upstream, UpstreamSettings};
pub use target::Target;

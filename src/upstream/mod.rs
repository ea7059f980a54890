//! Forwards requests to upstream, one exchange at a time, over connections that are kept.
//!
//! ```text
//!   request ─ Hygiene ─ Upstream ─ Pool ─ connection ─▶ upstream
//! ```
//! `Hygiene` prepares the message for upstream and works with any client; [`Upstream`] is Weir's
//! own client, with time-outs, TLS and upgrades. It never sends a request twice.

mod connect;
mod fields;
mod framing;
mod hygiene;
mod pool;
mod proxy;
mod send;
mod settings;
mod target;
mod tls;
mod upgrade;
mod uploading;

pub use hygiene::HygieneLayer;
pub use proxy::UpstreamProxy;
pub use send::Upstream;
pub use settings::{ClientIdentity, Roots, UpstreamSettings};
pub use target::Target;
#[cfg(feature = "cli")]
pub(crate) use {
    connect::open_stream,
    tls::{TlsError, trust},
};

//! Forwards requests to upstream, one exchange at a time, over connections that are kept.
//!
//! ```text
//!   request ─ Hygiene ─ Upstream ─ Ways ─ connection ─▶ upstream
//! ```
//! `Hygiene` prepares the message for upstream and works with any client; [`Upstream`] is Weir's
//! own client, with time-outs, TLS and upgrades. It never sends a request twice. Over HTTP/1.1 a
//! call has its connection for itself (`pool`); over HTTP/2 calls share connections (`http2`).

mod connect;
mod fields;
mod framing;
mod http2;
mod hygiene;
mod pool;
mod send;
mod settings;
mod target;
mod tls;
mod upgrade;
mod uploading;
mod ways;

pub use hygiene::HygieneLayer;
pub use send::Upstream;
pub use settings::{ClientIdentity, Roots, UpstreamSettings};
pub use target::Target;
#[cfg(feature = "cli")]
pub(crate) use tls::TlsError;

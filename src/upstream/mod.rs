//! Forwards requests to upstream, one exchange at a time, over connections that are kept.
//!
//! ```text
//!   request ─ Hygiene ─ Upstream ─ Carriers ─ connection ─▶ upstream
//! ```
//! `Hygiene` prepares the message for upstream and works with any client; [`Upstream`] is Weir's
//! own client, with time-outs, TLS and upgrades. It never sends a request twice. Over HTTP/1.1 a
//! call has its connection for itself (`pool`); over HTTP/2 calls share connections (`http2`).

mod carriers;
mod connect;
mod fields;
mod framing;
mod http2;
mod hygiene;
mod pool;
mod proxy;
mod send;
mod settings;
mod target;
mod tls;
#[cfg(unix)]
mod unix;
mod upgrade;
mod uploading;
mod way;

pub use hygiene::HygieneLayer;
pub use proxy::UpstreamProxy;
pub use send::Upstream;
pub use settings::{ClientIdentity, Roots, UpstreamSettings};
pub use target::Target;
pub use way::OtherWay;
#[cfg(feature = "cli")]
pub(crate) use {
    connect::open_stream,
    tls::{TlsError, trust},
};

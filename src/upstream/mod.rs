//! Forwards: one exchange with upstream, over connections that are kept, with headers as a proxy
//! must send them.

mod connect;
pub mod hygiene;
mod pool;
mod send;
mod target;
mod upgrade;

pub use connect::TlsError;
pub use send::{Upstream, UpstreamSettings};
pub use target::{NotATarget, Target};

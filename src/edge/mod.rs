//! Accepts callers' connections and requests: listeners, workers, protocol detection, admission,
//! error answers, and the drain at shutdown.
//!
//! Connections come in; requests go to a service that always answers, and its answers go out.

mod accept;
mod activity;
mod admit;
mod bounds;
mod connection;
mod farewell;
mod faults;
mod later;
mod limited;
#[cfg(feature = "cli")]
mod listen;
#[cfg(all(unix, feature = "cli"))]
mod listen_unix;
mod listener;
mod open_call;
mod options;
mod peer;
mod proxied;
mod proxy_header;
mod proxy_peers;
mod pulse;
mod serve;
mod socket;
mod stalled;
mod stream;
#[cfg(feature = "cli")]
mod subject;
mod tls;
mod watched;
mod workers;

pub use bounds::Bounds;
pub use faults::{ErrorForm, Faults, FaultsFuture, FaultsLayer};
pub use later::{Later, ServeLimits};
#[cfg(feature = "cli")]
pub(crate) use listen::handed_over;
#[cfg(feature = "cli")]
pub use listen::listeners;
#[cfg(all(unix, feature = "cli"))]
pub(crate) use listen_unix::{SocketFile, unix_listeners};
pub use listener::{Listener, OpenListener};
pub use options::ServeOptions;
pub use proxy_header::{BrokenProxyHeader, ReadProxyHeader, read_proxy_header};
pub use proxy_peers::ProxyPeers;
pub use pulse::Pulses;
pub use serve::{Drained, serve};
pub use tls::{Tls, TlsFileError, TlsFiles};
pub use workers::{Worker, run_workers};

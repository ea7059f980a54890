//! Defines what the other rooms share of HTTP: the one body type, the framing that headers
//! announce, the trace that they name, the errors of an exchange, and the cryptography of TLS.
//!
//! Every room through which a request passes uses this one; it uses no other.

mod body;
mod caller;
mod collect;
mod error;
mod headers;
mod overload;
mod problem;
mod provider;
mod proxy_status;
mod trace;

pub use body::Body;
pub(crate) use body::{Upload, UploadState};
pub use caller::{CallerAddress, ClientSubject};
pub use collect::{CollectError, Collected, collect};
pub use error::{Chain, UpstreamError};
pub(crate) use headers::{ANY_ORIGIN, only_chunked};
pub(crate) use overload::Overload;
pub(crate) use problem::ALLOWED;
pub use problem::Problem;
pub use provider::tls_provider;
pub use proxy_status::ProxyError;
pub(crate) use proxy_status::{ConnectFailure, PROXY_STATUS};
pub(crate) use trace::{TRACEPARENT, read_trace_id, trace_id};

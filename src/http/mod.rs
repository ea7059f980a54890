//! Carries: the one body type on the way, what headers say, and what can go wrong.
//!
//! It uses nothing else of the crate: every room through which a request passes uses it.

mod body;
mod caller;
mod headers;
mod problem;

pub use body::{Body, BoxError, NotWhole, Whole, collect};
pub(crate) use body::{Turn, Upload};
pub use caller::CallerAddress;
pub use headers::only_chunked;
pub(crate) use problem::ALLOWED;
pub use problem::{Blame, PlainText, Problem, Render, Rendered, UpstreamError};

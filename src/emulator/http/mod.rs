//! How the vendor is reached: connections, requests read and answers written, and what goes wrong
//! on purpose.
//!
//! `serve` (connections) → `exchange` (log, overlap watch, faults) → `router` (paths) →
//! `merchant_routes` or `shopper_routes` (keys, tokens, calls) → one of the two APIs → `reply`
//! (JSON, XML, gzip). `control` answers `/_emulator/…`.

pub(crate) mod exchange;
pub(crate) mod landing;
pub(crate) mod serve;
pub(crate) mod snapshot;
pub(crate) mod vendor;

mod body;
mod calls;
mod control;
mod credential;
mod fault_docs;
mod faults;
mod gate;
mod merchant_routes;
mod plug;
mod reply;
mod request;
mod router;
mod shopper_routes;
mod xml;

pub use self::{
    calls::Call,
    control::{CONTROL_ROUTES, ControlRoute},
    faults::{Fault, FaultKind, Faults},
    gate::Gate,
};

//! The checkouts API: its calls, each of which reads a body, changes the model and shows the
//! result.
//!
//! Nothing here knows of HTTP. A call is a function of the world, the merchant and the body, and
//! it returns what is answered or a refusal. A refused call leaves no trace.

pub(crate) mod checkouts;
pub(crate) mod customers;
pub(crate) mod invoices;
pub(crate) mod orders;
pub(crate) mod settlement;
pub(crate) mod show;
pub(crate) mod sources;

mod attach;
mod draft;
mod items;
mod magic;
mod version;

pub(crate) use self::version::Version;

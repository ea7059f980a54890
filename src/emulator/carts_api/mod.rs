//! The carts API: the calls of a shopper, each of which reads a body, changes the model and shows
//! the result.
//!
//! Nothing here knows of HTTP. A call is a function of the world, the shopper and the body or
//! query, and it returns what is answered or a refusal.

pub(crate) mod carts;
pub(crate) mod payment;
pub(crate) mod payment_options;
pub(crate) mod show;
pub(crate) mod submit;
pub(crate) mod tokens;

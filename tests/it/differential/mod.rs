//! Random calls, sent straight to one vendor and through Weir to another that was started with the
//! same seed.
//!
//! On checkouts the caller sees the same answers, and the vendor behind Weir never has to refuse
//! what a rule refuses. On carts no submitted order loses store credit. Also when Weir is started
//! again in between, and when others change things behind its back.
//!
//! `walk` goes further, to one vendor alone: under any policy, in every form of credential, with
//! faults at every call.

pub(crate) mod calls;
pub(crate) mod cart_calls;
mod carts;
mod checkouts;
pub(crate) mod walk;
mod walking;

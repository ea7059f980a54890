//! Weir: a reverse proxy that keeps payment sources in order.

pub mod rules;
pub mod sessions;

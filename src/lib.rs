//! Weir: a reverse proxy that keeps payment sources in order.

pub mod dialects;
pub mod rules;

//! Weir: a reverse proxy that keeps payment sources in order.

pub mod config;
pub mod rules;

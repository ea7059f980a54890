//! Weir: a reverse proxy that keeps payment sources in order.

pub mod emulator;
pub mod proxy;
pub mod rules;

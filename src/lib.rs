//! Weir: a reverse proxy that keeps payment sources in order.

pub mod cli;
pub mod config;
pub mod emulator;
pub mod proxy;
pub mod rules;
pub mod sessions;
pub mod telemetry;

//! Weir.

pub mod emulator;

//! Fuzz targets: what peers and operators can send, read without a crash and always alike.
//!
//! `cargo fuzz run TARGET` needs a nightly; a plain `cargo build` does not. `tests/it/replaying.rs`
//! replays `corpus/` on every run of the tests.

pub mod targets;

//! Checks the layout of the sources: which room may use which, no circles, no vendor's word where
//! it does not belong, nothing too long.
//!
//! In: the files as they lie on disk. Not covered: macros that build paths; the crate has none.

mod arrows;
mod circles;
mod length;
mod paths;
mod source;
mod vendors;

/// A property of the sources.
#[derive(Debug)]
enum Check {
    /// The rooms are those of the table, and use only those that it allows.
    Arrows,
    /// No two files use each other, directly or by way of others.
    Circles,
    /// No file outside the dialects and the emulator names a dialect, a kind of session or a
    /// vendor's code.
    Vendors,
    /// Among the dialects only `dialects/mod.rs` names two.
    OneDialect,
    /// No file has over 300 lines of code.
    Files,
    /// No function has over 60 lines.
    Functions,
    /// No line has over 100 columns.
    Lines,
}

/// Fails where something was found.
fn none(check: Check, found: &[String]) {
    assert!(found.is_empty(), "{check:?}: {}\n{}", found.len(), found.join("\n"));
}

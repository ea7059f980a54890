//! The sources are laid out as drawn: which room may use which, no circles, no vendor's word where
//! it does not belong, nothing too long.
//!
//! In: the files as they lie on disk. Deliberately absent: macros that build paths; the crate has
//! none.

mod arrows;
mod circles;
mod length;
mod paths;
mod source;
mod vendors;

/// A property of the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// The rooms are those of the drawing, and use no other than it allows.
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

/// The checks that do not hold yet: they only print what they find (`cargo test layout --
/// --nocapture`). To switch one on, take it out.
const NOT_YET: &[Check] = &[
    Check::Arrows,
    Check::Vendors,
    Check::OneDialect,
    Check::Files,
    Check::Functions,
    Check::Lines,
];

/// Fails where something was found, unless the check does not hold yet.
fn none(check: Check, found: &[String]) {
    if NOT_YET.contains(&check) {
        println!("{check:?}, not yet: {}\n  {}", found.len(), found.join("\n  "));
        return;
    }
    assert!(found.is_empty(), "{check:?}: {}\n{}", found.len(), found.join("\n"));
}

//! The forms of an answer on standard output.

use std::io::{self, Write};

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OutputFormat {
    /// For reading.
    #[default]
    Human,
    /// For programs.
    Json,
}

/// Writes JSON over several lines.
pub(super) fn write_json(out: &mut dyn Write, value: &serde_json::Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

//! `weir check`: every problem of every file.

use super::output::{OutputFormat, write_json};
use crate::{
    config::{Config, Problems, Sources},
    dialects,
};
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Arguments of `weir check`.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Configuration files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to write the problems
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
    /// Fail on a warning, too: for CI
    #[arg(long)]
    strict: bool,
}

/// Judges each file by itself, without environment and flags. The exit code is 1 if any has an
/// error; warnings alone are fine, unless the check is strict.
pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    let mut problems = Problems::default();
    let mut clean = Vec::new();
    for file in &args.files {
        let found = Config::load(&Sources::file(file), dialects::policy())
            .map_or_else(|problems| problems, |loaded| loaded.warnings);
        match found.is_empty() {
            true => clean.push(file),
            false => problems.append(found),
        }
    }
    match args.format {
        OutputFormat::Json => write_json(out, &problems.to_json())?,
        OutputFormat::Human => {
            write!(out, "{problems}")?;
            for file in clean {
                writeln!(out, "{}: no problems", file.display())?;
            }
        }
    }
    let fails = problems.errors() > 0 || (args.strict && !problems.is_empty());
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

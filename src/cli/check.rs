//! `weir check`: every problem of every file.

use super::{
    output::{OutputFormat, write_json},
    settings::environment,
};
use crate::{
    config::{Config, Problems, Sources, Way, way},
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

/// Judges each file by itself, without environment and flags, and says where a proxy of this
/// environment would be on the way to upstream. The exit code is 1 if any has an
/// error; warnings alone are fine, unless the check is strict.
pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    let mut problems = Problems::default();
    let mut clean = Vec::new();
    let mut ways = Vec::new();
    for file in &args.files {
        let found = match Config::load(&Sources::file(file), dialects::policy()) {
            Ok(loaded) => {
                ways.extend(way_of(&loaded.config).map(|way| (file, way)));
                loaded.warnings
            }
            Err(problems) => problems,
        };
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
            for (file, way) in ways {
                writeln!(out, "{}: {way}", file.display())?;
            }
        }
    }
    let fails = problems.errors() > 0 || (args.strict && !problems.is_empty());
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says which way a run would take from here, where a proxy has a part in it.
fn way_of(config: &Config) -> Option<String> {
    match way(config, &environment()) {
        // The configuration itself says it.
        Ok(Way::Direct | Way::Socket(_)) => None,
        Ok(way) => Some(format!("from here upstream would be reached {way}")),
        Err(problem) => {
            Some(format!("from here upstream would not be reached: {}", problem.told()))
        }
    }
}

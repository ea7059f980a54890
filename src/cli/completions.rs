//! `weir completions`: what a shell needs to complete Weir's command line.

use clap_complete::Shell;
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Arguments of `weir completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(
    args: &CompletionsArgs,
    command: &mut clap::Command,
    out: &mut dyn Write,
) -> io::Result<ExitCode> {
    // Into memory first: clap_complete panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "weir", &mut script);
    out.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

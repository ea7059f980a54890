//! `weir completions`: what a shell needs to complete Weir's command line.

use super::Cli;
use clap::CommandFactory;
use clap_complete::Shell;
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Arguments of `weir completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    // Into memory first: clap_complete panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "weir", &mut script);
    out.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

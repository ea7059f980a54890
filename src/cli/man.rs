//! `weir man`: manual pages, made from the command line's own types.

use clap_mangen::Man;
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Arguments of `weir man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// A folder that is there: it gets a page for each command, such as weir-run.1. Without it, the
    /// page of weir itself is printed
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn run(
    args: &ManArgs,
    command: clap::Command,
    out: &mut dyn Write,
) -> io::Result<ExitCode> {
    match &args.folder {
        Some(folder) => clap_mangen::generate_to(command, folder)?,
        None => {
            // Into memory first, so that a reader who has read enough is no error here.
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            out.write_all(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

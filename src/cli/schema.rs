//! `weir schema`: JSON Schema of the configuration.

use super::output::write_json;
use std::{
    io::{self, Write},
    process::ExitCode,
};

pub(super) fn run(out: &mut dyn Write) -> io::Result<ExitCode> {
    write_json(out, crate::config::schema().as_value())?;
    Ok(ExitCode::SUCCESS)
}

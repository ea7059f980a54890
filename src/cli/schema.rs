//! `weir schema`: JSON Schema of the configuration.

use super::output::write_json;
use crate::{
    config::{self, Config},
    dialects,
};
use std::{
    io::{self, Write},
    process::ExitCode,
};

pub(super) fn run(out: &mut dyn Write) -> io::Result<ExitCode> {
    write_json(out, config::schema(&Config::built_in(dialects::policy())).as_value())?;
    Ok(ExitCode::SUCCESS)
}

//! `weir emulator`: the stand-in for the vendor, alone.

use super::{
    settings::EmulatorArgs,
    signals,
    start_error::{StartError, report},
};
use crate::emulator::{Emulator, Options};
use std::{
    io::{self, Write},
    process::ExitCode,
};
use tokio::net::TcpListener;

pub(super) fn run(args: &EmulatorArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = match TcpListener::bind(args.listen).await {
            Ok(listener) => listener,
            Err(error) => {
                let listening = StartError::listening("the emulator", "--listen", args.listen);
                return report(&listening(error));
            }
        };
        writeln!(
            out,
            "The emulator listens on http://{}. Its own pages are under /_emulator/. \
             Ctrl-C ends it.",
            listener.local_addr()?
        )?;
        out.flush()?;
        Emulator::new(Options { seed: args.seed, ..Options::default() })
            .run(listener, signals::stop())
            .await?;
        Ok(ExitCode::SUCCESS)
    })
}

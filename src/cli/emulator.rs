//! `weir emulator`: the stand-in for the vendor, alone.

use super::{
    EmulatorArgs,
    gateway::{CannotStart, stopped},
    run::failed,
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
                return failed(&CannotStart::listen("the emulator", "--listen", args.listen, error));
            }
        };
        writeln!(
            out,
            "The emulator listens on http://{}. Its own pages are under /_emulator/. Ctrl-C ends it.",
            listener.local_addr()?
        )?;
        out.flush()?;
        Emulator::new(Options { seed: args.seed, ..Options::default() }).run(listener, stopped()).await?;
        Ok(ExitCode::SUCCESS)
    })
}

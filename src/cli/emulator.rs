//! `weir emulator`: the stand-in for the vendor, alone.

use super::{
    signals,
    start_error::{StartError, report},
};
use crate::{
    config::read_address,
    emulator::{CONTROL_ROUTES, Emulator, Options, Quirks},
};
use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};
use tokio::net::TcpListener;

/// Arguments of `weir emulator`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = words())]
pub(super) struct EmulatorArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090", value_parser = read_address)]
    listen: SocketAddr,
    /// Makes ids the same in every run
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// In what the vendor is odd, with commas between: noisy-amounts,late-credit=2
    #[arg(long, value_name = "QUIRKS", default_value = "", hide_default_value = true)]
    quirks: Quirks,
}

/// Writes what quirks and control routes there are, a fact a line.
fn words() -> String {
    let mut words = String::from("Quirks (none by default):\n");
    for quirk in Quirks::ALL {
        words += &format!("  {}\n", quirk.form);
        quirk.about.iter().for_each(|fact| words += &format!("      {fact}\n"));
    }
    words += "\nControl routes (they need no key and speak JSON):\n";
    for route in CONTROL_ROUTES {
        words += &format!("  {}\n      {}\n", route.form, route.about);
    }
    words.trim_end().to_owned()
}

pub(super) fn run(args: &EmulatorArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = match TcpListener::bind(args.listen).await {
            Ok(listener) => listener,
            Err(error) => {
                let listening = StartError::listening("the emulator", "--listen", args.listen);
                return report(&listening(error));
            }
        };
        let (stops, hangups) = (signals::stops()?, signals::hangups()?);
        signals::outlive_quits()?;
        writeln!(
            out,
            "The emulator listens on http://{}. Its own pages are under /_emulator/. \
             Ctrl-C ends it.",
            listener.local_addr()?
        )?;
        out.flush()?;
        Emulator::new(Options { seed: args.seed, quirks: args.quirks, ..Options::default() })
            .run(listener, stops.wait_or_hangup(hangups))
            .await?;
        Ok(ExitCode::SUCCESS)
    })
}

//! Starts: one file per subcommand, each a few calls into the rooms.
//!
//! In: the command line. Out: text on standard output, and an exit code: 0 done, 1 something is
//! wrong with what was looked at, 2 the command line is wrong, 3 a stop cut calls off, 130 a second
//! signal ended the process at once.

mod check;
mod completions;
mod deep;
mod descriptors;
mod dev;
mod emulator;
mod entry;
mod explain;
mod gateway;
mod health;
mod keys;
mod live;
mod man;
mod output;
mod page;
mod parts;
mod probe;
mod problems;
mod record;
mod reload;
mod rules;
mod run;
mod schema;
mod settings;
mod signals;
mod start_error;
mod stop;
mod systemd;
mod under_way;
mod walk;
mod watch;

use crate::observe::telemetry;
use clap::{CommandFactory, Parser, Subcommand};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// A reverse proxy that keeps payment sources in order.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about)]
struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy before a payments API.
    Run(settings::RunArgs),
    /// Run the proxy before the built-in emulator, with a walk-through.
    Dev(settings::DevArgs),
    /// Run the built-in emulator alone.
    Emulator(emulator::EmulatorArgs),
    /// Say everything that is wrong with configuration files.
    Check(check::CheckArgs),
    /// Ask a running Weir whether it is ready: for the health check of a container.
    Health(health::HealthArgs),
    /// Look at the way to upstream before going live: name, TLS, clocks, what a key may read.
    Probe(settings::ProbeArgs),
    /// List the rules.
    Rules(rules::RulesArgs),
    /// Explain a rule: when it fires, what the caller gets, what to do instead.
    Explain(explain::ExplainArgs),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Print a shell's completions.
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write all of them to a folder.
    Man(man::ManArgs),
}

impl Command {
    fn run(&self, out: &mut dyn Write) -> io::Result<ExitCode> {
        match self {
            Self::Run(args) => run::run(args),
            Self::Dev(args) => dev::run(args, out),
            Self::Emulator(args) => emulator::run(args, out),
            Self::Check(args) => check::run(args, out),
            Self::Health(args) => health::run(args, out),
            Self::Probe(args) => probe::run(args, out),
            Self::Rules(args) => rules::run(args, out),
            Self::Explain(args) => explain::run(args, out),
            Self::Schema => schema::run(out),
            Self::Completions(args) => completions::run(args, &mut Cli::command(), out),
            Self::Man(args) => man::run(args, Cli::command(), out),
        }
    }
}

/// Runs the whole program: reads the command line of the process and does what it says.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout();
    let done = cli.command.run(&mut out).and_then(|code| out.flush().map(|()| code));
    telemetry::finish();
    match done {
        Ok(code) => code,
        // The reader has read enough, as in `weir rules | head -1`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Not `eprintln!`, which panics where standard error is closed too.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

//! Starts: one file per subcommand, each a few calls into the rooms.
//!
//! In: the command line. Out: text on standard output, an exit code: 0 done, 1 something is wrong
//! with what was looked at, 2 the command line is.

mod check;
mod completions;
mod dev;
mod emulator;
mod explain;
mod gateway;
mod page;
mod rules;
mod run;
mod schema;
mod settings;
mod walk;

pub use settings::{DevArgs, EmulatorArgs, RunArgs, SettingArgs, environment};

use clap::{Parser, Subcommand};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// A reverse proxy that keeps payment sources in order.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the proxy before a payments API.
    Run(RunArgs),
    /// Run the proxy before the built-in emulator, with a walk-through.
    Dev(DevArgs),
    /// Run the built-in emulator alone.
    Emulator(EmulatorArgs),
    /// Say everything that is wrong with configuration files.
    Check(check::CheckArgs),
    /// List the rules.
    Rules(rules::RulesArgs),
    /// Explain a rule: when it fires, what the caller gets, what to do instead.
    Explain(explain::ExplainArgs),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Print a shell's completions.
    Completions(completions::CompletionsArgs),
}

impl Command {
    fn run(&self, out: &mut dyn Write) -> io::Result<ExitCode> {
        match self {
            Command::Run(args) => run::run(args),
            Command::Dev(args) => dev::run(args, out),
            Command::Emulator(args) => emulator::run(args, out),
            Command::Check(args) => check::run(args, out),
            Command::Rules(args) => rules::run(args, out),
            Command::Explain(args) => explain::run(args, out),
            Command::Schema => schema::run(out),
            Command::Completions(args) => completions::run(args, out),
        }
    }
}

/// The whole program: reads the command line of the process and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout();
    let done = cli.command.run(&mut out).and_then(|code| out.flush().map(|()| code));
    match done {
        Ok(code) => code,
        // Whoever reads has read enough, as in `weir rules | head -1`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Not `eprintln!`, which panics where standard error is closed too.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For reading.
    #[default]
    Human,
    /// For programs.
    Json,
}

fn write_json(out: &mut dyn Write, value: &serde_json::Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

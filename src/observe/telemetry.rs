//! Sets up logs, on standard error: for reading on a terminal, one JSON object a line otherwise.
//!
//! In: `[log]` of the configuration, `RUST_LOG`. Out: the process's subscriber. Deliberately
//! absent: what is logged; each room says its own.

use crate::config::{Format, Level, Log};
use std::{
    env,
    io::{self, IsTerminal},
};
use tracing_subscriber::{EnvFilter, util::SubscriberInitExt};

/// Starts logging. `false`: the process has a subscriber already, which stays as it is.
///
/// `RUST_LOG` decides what is logged; where it is unset, empty or cannot be read, `[log] level`
/// does.
pub fn start(log: &Log) -> bool {
    let rust_log = env::var_os("RUST_LOG")
        .filter(|text| !text.is_empty())
        .map(|text| text.to_string_lossy().into_owned());
    let (filter, ignored) = filter(log.level, rust_log.as_deref());
    let terminal = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    let started = match is_human(log.format, terminal) {
        true => {
            let colour = terminal && env::var_os("NO_COLOR").is_none_or(|text| text.is_empty());
            lines.with_ansi(colour).with_target(false).finish().try_init()
        }
        false => lines.json().flatten_event(true).with_span_list(false).finish().try_init(),
    };
    if let Some(reason) = ignored {
        tracing::warn!(
            reason,
            level = log.level.as_str(),
            "RUST_LOG cannot be read; the configuration's level holds"
        );
    }
    started.is_ok()
}

fn is_human(format: Format, terminal: bool) -> bool {
    match format {
        Format::Auto => terminal,
        Format::Human => true,
        Format::Json => false,
    }
}

/// What is logged, and why `RUST_LOG` was ignored, if it was.
fn filter(level: Level, rust_log: Option<&str>) -> (EnvFilter, Option<String>) {
    let ours = || EnvFilter::new(directives(level));
    match rust_log.map(|text| EnvFilter::builder().parse(text)) {
        None => (ours(), None),
        Some(Ok(theirs)) => (theirs, None),
        Some(Err(error)) => (ours(), Some(error.to_string())),
    }
}

/// Weir's own words at this level. Libraries are kept to warnings: at `debug` and `trace` an HTTP
/// library shows headers, credentials among them.
fn directives(level: Level) -> String {
    match level {
        Level::Off | Level::Error => level.as_str().into(),
        _ => format!("warn,weir={}", level.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_wins_if_it_can_be_read() {
        let cases = [
            (Level::Info, None, "weir=info,warn", false),
            (Level::Error, None, "error", false),
            (Level::Off, None, "off", false),
            (Level::Info, Some("hyper=debug"), "hyper=debug", false),
            (Level::Debug, Some("weir=loud"), "weir=debug,warn", true),
        ];
        for (level, rust_log, expected, ignored) in cases {
            let (filter, reason) = filter(level, rust_log);
            assert_eq!(
                (filter.to_string().as_str(), reason.is_some()),
                (expected, ignored),
                "{rust_log:?}"
            );
        }
    }

    #[test]
    fn a_terminal_reads_and_a_pipe_parses() {
        let cases = [
            (Format::Auto, true, true),
            (Format::Auto, false, false),
            (Format::Human, false, true),
            (Format::Json, true, false),
        ];
        for (format, terminal, human) in cases {
            assert_eq!(is_human(format, terminal), human);
        }
    }

    #[test]
    fn starting_twice_is_no_panic() {
        start(&Log::default());
        assert!(!start(&Log::default()));
    }
}

//! Sets up logs, on standard error or in a file: for reading on a terminal, one JSON object a line
//! otherwise.
//!
//! A thread of its own writes the lines, behind a queue: no call, probe or stop waits for whoever
//! reads them, or for the disk. Where the queue is full, lines are dropped and counted.

use super::{
    json_line::JsonLine,
    log_file::{FileHandle, FileSettings, LogFile},
};
use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
    panic,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// How many lines wait for the writer; more are dropped.
const QUEUE: usize = 8192;

/// How many bytes the writer collects while lines are waiting.
const AT_ONCE: usize = 64 << 10;

/// The queue's writer, which writes what waits when it is dropped.
static WRITER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// What is logged, as it was set last, and what sets it otherwise.
static LEVEL: Mutex<Option<(String, SetFilter)>> = Mutex::new(None);

/// Whether `RUST_LOG` decided what is logged, and not the configuration.
static BY_RUST_LOG: AtomicBool = AtomicBool::new(false);

/// Puts another filter of lines in place of the one that is in force.
type SetFilter = Box<dyn Fn(EnvFilter) -> bool + Send>;

/// How many lines were dropped.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// The log's file, and the way to it, if it goes to one.
static FILE: OnceLock<(FileHandle, NonBlocking)> = OnceLock::new();

/// Starts logging. Returns false if the process already has a subscriber, which stays.
///
/// `RUST_LOG` decides what is logged; if it is unset, empty or cannot be read, `level` does, which
/// is one of the names that `RUST_LOG` knows. `human` chooses lines for people or JSON; without it,
/// a terminal gets lines for people. `file` takes the lines in place of standard error.
pub(crate) fn start(level: &str, human: Option<bool>, file: Option<FileSettings>) -> bool {
    let rust_log = env::var_os("RUST_LOG")
        .filter(|text| !text.is_empty())
        .map(|text| text.to_string_lossy().into_owned());
    let (filter, ignored) = filter(level, rust_log.as_deref());
    let told = match &rust_log {
        Some(theirs) if ignored.is_none() => theirs.clone(),
        _ => level.to_owned(),
    };
    let terminal = file.is_none() && io::stderr().is_terminal();
    let handle = file.is_some().then(FileHandle::default);
    let to = NonBlockingBuilder::default().thread_name("log").buffered_lines_limit(QUEUE);
    let (queue, writer) = match (file, &handle) {
        (Some(file), Some(handle)) => to.finish(LogFile::new(file, handle.clone())),
        _ => to.finish(StandardError(BufWriter::with_capacity(AT_ONCE, io::stderr()))),
    };
    let dropped = queue.error_counter();
    let way = queue.clone();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(queue)
        .log_internal_errors(false);
    let (started, set) = match human.unwrap_or(terminal) {
        true => {
            let plain = env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty())
                || env::var_os("TERM").is_some_and(|kind| kind == "dumb");
            let colour = terminal && !plain;
            let lines = lines.with_ansi(colour).with_target(false).with_filter_reloading();
            let handle = lines.reload_handle();
            let set: SetFilter = Box::new(move |filter| handle.reload(filter).is_ok());
            (lines.try_init(), set)
        }
        false => {
            let lines = lines.event_format(JsonLine).with_filter_reloading();
            let handle = lines.reload_handle();
            let set: SetFilter = Box::new(move |filter| handle.reload(filter).is_ok());
            (lines.try_init(), set)
        }
    };
    if started.is_ok() {
        BY_RUST_LOG.store(rust_log.is_some() && ignored.is_none(), Ordering::Relaxed);
        *LEVEL.lock().unwrap_or_else(PoisonError::into_inner) = Some((told, set));
        let _ = DROPPED.set(dropped);
        if let Some(handle) = handle {
            let _ = FILE.set((handle, way));
        }
        *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    }
    if let Some(reason) = ignored {
        // A field `level` would stand in the line twice.
        let log_level = level;
        tracing::warn!(
            reason,
            log_level,
            "RUST_LOG cannot be read; the configuration's level holds"
        );
    }
    started.is_ok()
}

/// Makes a panic a line of the log: where it was, and not its text, which may hold what is secret.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(|panicked| {
        let at = panicked.location().map(ToString::to_string);
        tracing::error!(at, "a fault in Weir: it panicked");
    }));
}

/// Opens the log's file again, which somebody has moved; at once, and without waiting for that.
pub(crate) fn reopen() {
    let Some((handle, way)) = FILE.get() else {
        tracing::info!("there is no log file to open again: the log goes to standard error");
        return;
    };
    handle.reopen();
    // Wakes the writer, also where the next line is not logged.
    let _ = way.clone().write_all(&[]);
    tracing::info!("the log file is to be opened again");
}

/// Writes the lines that wait, for about a second at most. What is logged later is lost.
pub(crate) fn finish() {
    drop(WRITER.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Returns what is logged: a level, or the text of `RUST_LOG`. `None` where this process logs
/// nothing by itself.
pub(crate) fn level() -> Option<String> {
    let level = LEVEL.lock().unwrap_or_else(PoisonError::into_inner);
    level.as_ref().map(|(told, _)| told.clone())
}

/// Logs at this level from now on, which is one of the names that `RUST_LOG` knows. Returns whether
/// it does; then `tell`, which writes a warning, was called while warnings are written, whatever
/// the level before and after.
pub(crate) fn set_level(level: &str, tell: impl FnOnce()) -> bool {
    let mut now = LEVEL.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((told, set)) = now.as_mut() else { return false };
    let shows = matches!(told.as_str(), "warn" | "info" | "debug" | "trace");
    // Not where it is shown anyway: other calls' lines would be lost meanwhile.
    if !shows && !set(EnvFilter::new(directives("warn"))) {
        return false;
    }
    tell();
    let done = set(EnvFilter::new(directives(level)));
    level.clone_into(told);
    done
}

/// Returns whether `RUST_LOG` decided what is logged at the start, and not the configuration.
pub(crate) fn is_by_rust_log() -> bool {
    BY_RUST_LOG.load(Ordering::Relaxed)
}

/// Returns how many lines were dropped because the reader of standard error is too slow, or because
/// the file cannot be written.
pub(crate) fn dropped_lines() -> usize {
    let lost = FILE.get().map_or(0, |(handle, _)| handle.lost());
    let failed = FAILED.load(Ordering::Relaxed);
    DROPPED.get().map_or(0, ErrorCounter::dropped_lines).saturating_add(lost).saturating_add(failed)
}

/// Lines that standard error did not take, because nobody reads it any more.
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// Standard error. A line that it does not take is counted, and nobody is told: there is no place.
struct StandardError(BufWriter<io::Stderr>);

impl Write for StandardError {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.write_all(line).is_err() {
            FAILED.fetch_add(1, Ordering::Relaxed);
            // What is left of the lines before would be written in front of later ones.
            self.0 = BufWriter::with_capacity(AT_ONCE, io::stderr());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns the filter of what is logged, and the reason if `RUST_LOG` was ignored.
fn filter(level: &str, rust_log: Option<&str>) -> (EnvFilter, Option<String>) {
    let ours = || EnvFilter::new(directives(level));
    match rust_log.map(|text| EnvFilter::builder().parse(text)) {
        None => (ours(), None),
        Some(Ok(theirs)) => (theirs, None),
        Some(Err(error)) => (ours(), Some(error.to_string())),
    }
}

/// Returns the filter that logs Weir's own lines at this level and those of libraries at no more
/// than `warn`: at `debug` and `trace` an HTTP library shows headers, credentials among them.
fn directives(level: &str) -> String {
    match level {
        "off" | "error" => level.to_owned(),
        _ => format!("warn,weir={level}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn rust_log_wins_if_it_can_be_read() {
        let cases = [
            ("info", None, "weir=info,warn", false),
            ("error", None, "error", false),
            ("off", None, "off", false),
            ("info", Some("hyper=debug"), "hyper=debug", false),
            ("debug", Some("weir=loud"), "weir=debug,warn", true),
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
    fn starting_twice_is_no_panic() {
        start("info", None, None);
        assert!(!start("info", None, None));
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_logged_with_its_place_and_without_its_text() {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let before = panic::take_hook();
        log_panics();
        let caught = tracing::subscriber::with_default(log, || {
            panic::catch_unwind(|| panic!("the token is {}", "hush-hush"))
        });
        panic::set_hook(before);
        assert!(caught.is_err());
        let told = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(told.contains("telemetry.rs:") && told.contains("it panicked"), "{told}");
        assert!(!told.contains("hush"), "{told}");
    }
}

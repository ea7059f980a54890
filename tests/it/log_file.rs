//! The log in a file: rotation, a file that another program moves, and a file that cannot be
//! written.

use crate::testbed::{Program, lines_of};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A running `weir`, and the folder of its configuration and its log.
struct Logging {
    program: Program,
    folder: TempDir,
}

impl Logging {
    /// `weir run` before an upstream that is not there.
    fn run(log: &str) -> Self {
        let flags = ["run", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0"];
        let flags = [&flags[..], &["--admin", "127.0.0.1:0", "--config"]].concat();
        Self::start(log, |file| Program::start(&[&flags[..], &[file]].concat()))
    }

    /// `weir dev`, which tells its addresses where they can always be read.
    fn dev(log: &str, level: &str) -> Self {
        Self::start(log, |file| Program::dev(&["--config", file, "--log-level", level]))
    }

    fn start(log: &str, start: impl FnOnce(&str) -> Program) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("weir.toml");
        fs::write(&file, format!("[log]\nformat = \"json\"\n{log}\n")).expect("a file");
        Self { program: start(file.to_str().expect("a path")), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Reads a file of the log until a line has this part, and returns that line.
    fn until(&self, name: &str, part: &str) -> Value {
        let path = self.path(name);
        until(|| lines(&path).into_iter().find(|line| line["message"] == part))
    }
}

/// Asks until there is an answer. Nothing tells when another process has written a file.
fn until<T>(ask: impl Fn() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "it did not come");
        sleep(Duration::from_millis(5));
    }
}

/// The lines of a file, each of which must be whole.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[cfg(unix)]
#[test]
fn a_file_is_put_aside_by_size_and_loses_no_line() {
    const CALLS: usize = 300;
    let log = Logging::run("file = \"weir.log\"\nrotate-at = \"64KiB\"\nkeep = 50");
    let ready = log.until("weir.log", "weir is ready");
    let weir = ready["listen"].as_str().expect("an address");
    let codes = lines_of(&format!(
        "curl -s -o /dev/null -w '%{{http_code}}\\n' -d '{{}}' '{weir}/checkouts?n=[1-{CALLS}]'"
    ));
    assert_eq!(codes, vec!["502"; CALLS]);
    log.program.signal("TERM");
    let Logging { program, folder } = log;
    let ended = program.ended();
    assert_eq!((ended.code, ended.errors.as_slice()), (Some(0), &[][..]));
    let mut decisions = 0;
    let mut files = Vec::new();
    for file in fs::read_dir(folder.path()).expect("a folder") {
        let file = file.expect("a file").path();
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if name.starts_with("weir.log") {
            assert!(fs::metadata(&file).expect("a file").len() <= 64 << 10, "{name}");
            let decided = |line: &&Value| line["message"] == "create failed";
            decisions += lines(&file).iter().filter(decided).count();
            files.push(name);
        }
    }
    assert_eq!(decisions, CALLS);
    assert!(files.len() > 2, "{files:?}");
    assert_eq!(lines(&folder.path().join("weir.log")).last().unwrap()["message"], "stopped");
}

#[cfg(unix)]
#[test]
fn a_file_that_another_program_moves_is_opened_again_at_sigusr1() {
    let log = Logging::dev("file = \"weir.log\"\nrotate-at = \"off\"", "info");
    let weir = format!("http://{}", log.program.address("Weir"));
    lines_of(&format!("curl -s -o /dev/null -d '{{}}' {weir}/checkouts"));
    log.until("weir.log", "create forwarded");
    fs::rename(log.path("weir.log"), log.path("moved.log")).expect("a move");
    log.program.signal("USR1");
    log.until("weir.log", "the log file is to be opened again");
    lines_of(&format!("curl -s -o /dev/null -d '{{}}' {weir}/checkouts"));
    log.until("weir.log", "create forwarded");
    let of_calls = |line: &Value| line["message"] == "create forwarded";
    assert_eq!(lines(&log.path("moved.log")).into_iter().filter(of_calls).count(), 1);
}

/// Kind: a program that waits for the file that it looks for after it has moved the old one.
#[cfg(unix)]
#[test]
fn a_file_is_opened_again_though_nothing_is_logged() {
    let log = Logging::dev("file = \"weir.log\"", "off");
    assert!(!log.path("weir.log").exists());
    log.program.signal("USR1");
    until(|| log.path("weir.log").exists().then_some(()));
}

#[cfg(unix)]
#[test]
fn sigusr1_ends_no_process_whose_log_has_no_file() {
    let flags = ["run", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0"];
    let flags = [&flags[..], &["--admin", "127.0.0.1:0", "--log-format=json"]].concat();
    let mut program = Program::start(&flags);
    program.json_until("weir is ready");
    program.signal("USR1");
    program.json_until("there is no log file to open again");
    program.signal("TERM");
    assert_eq!(program.ended().code, Some(0));
}

/// Kind: a log that keeps calls waiting, or ends with the first fault.
#[cfg(unix)]
#[test]
fn lines_that_cannot_be_written_are_counted_and_told_once_and_the_log_goes_on_when_it_can() {
    let mut log = Logging::run("file = \"later/weir.log\"");
    let told = log.program.until_error("cannot write the log file");
    assert!(told.contains("later/weir.log: No such file or directory"), "{told}");
    fs::create_dir(log.path("later")).expect("a folder");
    // The next line is written. It shows where Weir listens.
    log.program.signal("HUP");
    log.program.until_error("is written again; lines lost: 1");
    log.until("later/weir.log", "read the configuration again: nothing has changed");
    log.program.signal("TERM");
    let ended = log.program.ended();
    assert_eq!((ended.code, ended.errors.as_slice()), (Some(0), &[][..]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_no_call_waiting_and_its_lines_are_counted() {
    let mut log = Logging::dev("file = \"/dev/full\"", "info");
    let (weir, admin) = (log.program.address("Weir"), log.program.address("Admin"));
    let codes = lines_of(&format!(
        "curl -s -o /dev/null -w '%{{http_code}}\\n' -d '{{}}' 'http://{weir}/checkouts?n=[1-50]'"
    ));
    assert_eq!(codes, vec!["401"; 50]);
    let told = log.program.until_error("cannot write the log file");
    assert!(told.contains("/dev/full: No space left on device"), "{told}");
    let dropped = |page: &str, name: &str| {
        let lines = lines_of(&format!("curl -s http://{admin}{page}"));
        let line = lines.into_iter().find_map(|line| Some(line.split_once(name)?.1.to_owned()));
        line.expect("a count").trim_matches([' ', ':', '"', ',']).parse::<u64>().expect("a number")
    };
    until(|| (dropped("/stats", "\"log_lines_dropped") >= 50).then_some(()));
    assert!(dropped("/metrics", "weir_log_lines_dropped_total") >= 50);
}

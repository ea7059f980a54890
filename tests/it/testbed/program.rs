//! The program as a child process, and shells that talk to it.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// No line takes longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Flags with which `weir dev` takes free ports and mints the same ids in every run. No fact grows
/// too old on a slow machine.
pub(crate) const DEV: [&str; 11] = [
    "dev",
    "--listen",
    "127.0.0.1:0",
    "--admin",
    "127.0.0.1:0",
    "--emulator",
    "127.0.0.1:0",
    "--seed",
    "1",
    "--fresh-for",
    "forever",
];

/// A running `weir`; killed when dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
    /// What it has printed on standard output so far.
    pub(crate) printed: Vec<String>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: by a signal.
    pub(crate) code: Option<i32>,
    /// Everything on standard output.
    pub(crate) printed: Vec<String>,
    /// What was on standard error and not read before.
    pub(crate) errors: Vec<String>,
}

/// `weir` with these arguments, without the settings of whoever runs the test.
pub(crate) fn weir(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    for (name, _) in std::env::vars_os() {
        let names_a_proxy =
            name.to_str().is_some_and(|name| name.to_lowercase().ends_with("_proxy"));
        if name == "RUST_LOG" || name.as_encoded_bytes().starts_with(b"WEIR_") || names_a_proxy {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of(weir(arguments))
    }

    /// Starts a command that runs `weir`.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weir starts");
        let (lines, printing) = lines(child.stdout.take().expect("a pipe"));
        let (errors, failing) = lines_of_errors(&mut child);
        Program { child, lines, errors, readers: vec![printing, failing], printed: Vec::new() }
    }

    /// `weir dev` on free ports, up to the line before the calls.
    pub(crate) fn dev(flags: &[&str]) -> Self {
        let mut program = Program::start(&[&DEV, flags].concat());
        program.until(|line| line.starts_with("Governed calls"));
        program
    }

    /// `weir emulator` on a free port, once it listens.
    pub(crate) fn emulator(flags: &[&str]) -> Self {
        let mut program =
            Program::start(&[&["emulator", "--listen", "127.0.0.1:0"], flags].concat());
        program.until(|line| line.starts_with("The emulator listens on "));
        program
    }

    /// The lines that the walk-through asks to paste.
    pub(crate) fn walk(&self) -> String {
        let begin =
            self.printed.iter().position(|line| line.starts_with("Paste this")).expect("a walk");
        let end = self
            .printed
            .iter()
            .position(|line| line.starts_with("To see the same walk"))
            .expect("its end");
        let lines =
            self.printed[begin + 1..end].iter().map(|line| line.strip_prefix("  ").unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The address behind this name in the first lines of `weir dev`, without its scheme.
    pub(crate) fn address(&self, name: &str) -> String {
        let line = self.printed.iter().find(|line| line.starts_with(name)).expect("an address");
        line.split_whitespace()
            .nth(1)
            .and_then(|url| url.strip_prefix("http://"))
            .expect("a URL")
            .to_owned()
    }

    /// Reads standard output until a line is as wanted, and returns that line.
    pub(crate) fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.printed.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                }
                Err(why) => {
                    let errors: Vec<String> = self.errors.try_iter().collect();
                    panic!(
                        "{why}; printed:\n{}\nerrors:\n{}",
                        self.printed.join("\n"),
                        errors.join("\n")
                    );
                }
            }
        }
    }

    /// Reads standard error until a line contains this, and returns that line.
    pub(crate) fn until_error(&mut self, part: &str) -> String {
        loop {
            match self.errors.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(_) => {}
                Err(why) => panic!(
                    "{why} while waiting for an error with {part:?}; printed:\n{}",
                    self.printed.join("\n")
                ),
            }
        }
    }

    /// Reads standard error until a line contains this, and returns that line as JSON.
    pub(crate) fn json_until(&mut self, part: &str) -> serde_json::Value {
        serde_json::from_str(&self.until_error(part)).expect("JSON")
    }

    /// Sends a signal: `INT`, `TERM`, `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own: not every machine has a program of that name.
        let sent = Command::new("bash")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status();
        assert!(sent.expect("bash runs").success(), "{name} was not sent");
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader");
        }
        let code = self.child.wait().expect("an end").code();
        let mut printed = std::mem::take(&mut self.printed);
        printed.extend(self.lines.try_iter());
        Ended { code, printed, errors: self.errors.try_iter().collect() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of_errors(child: &mut Child) -> (Receiver<String>, JoinHandle<()>) {
    lines(child.stderr.take().expect("a pipe"))
}

fn lines(from: impl Read + Send + 'static) -> (Receiver<String>, JoinHandle<()>) {
    let (send, lines) = channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    (lines, reader)
}

/// Runs a script in `bash`, with `curl` as it is when nobody has configured it, but for a bound on
/// its time.
pub(crate) fn bash(script: &str) -> Output {
    for tool in ["bash", "curl"] {
        let found = Command::new(tool).arg("--version").output();
        assert!(
            found.is_ok_and(|out| out.status.success()),
            "this test runs `{tool}`, which is not installed here"
        );
    }
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join(".curlrc"), "max-time = 30\n").expect("a file");
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    command.env("CURL_HOME", home.path()).env("NO_PROXY", "*").env("LC_ALL", "C");
    command.stdin(Stdio::null()).output().expect("bash runs")
}

/// Standard output of a script that must not fail, as lines without carriage returns.
pub(crate) fn lines_of(script: &str) -> Vec<String> {
    let output = bash(script);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        output.status.success(),
        "{:?}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

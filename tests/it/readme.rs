//! The README and the pages under `docs/` are right: every command in them is run, every output
//! shown is what comes, every configuration is read without a problem.
//!
//! `bash` blocks run in one shell, in order, before one `weir dev`; those of another page run after
//! the README's. The `text` block right after one is its output, where `…` stands for anything.
//! `sh` blocks hold commands that stay running, or that build. `toml` blocks are configurations. A
//! block that no check runs fails a test.

mod names;
mod page;

use crate::testbed::{DEV, Program, lines_of, weir};
use page::{Check, Page};
use std::{fs, path::Path};

/// The blocks of every page that one check runs.
fn checked_by(check: Check) -> Vec<String> {
    Page::all().iter().flat_map(|page| page.checked_by(check)).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the text is as the pattern says, where `…` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Commands, and the output that is shown after them.
fn shown(page: &Page) -> Vec<(String, String)> {
    let mut shown: Vec<(String, String)> = Vec::new();
    for block in page.blocks() {
        match (block.check, shown.last_mut()) {
            (Some(Check::Shell), _) => shown.push((block.text, String::new())),
            (Some(Check::Output), Some((_, output))) => *output = block.text,
            _ => {}
        }
    }
    shown
}

/// Between the outputs of two blocks.
const MARK: &str = "-- end of a block --";

/// Runs the commands in front of a `weir dev` and compares what each block prints. Returns the
/// program, whose log is still to be read.
fn run_in_a_shell(shown: &[(String, String)]) -> Program {
    let dev = Program::dev(&["--log-level", "info", "--log-format", "json"]);
    let program = weir(&[]).get_program().to_owned();
    let mut script = format!("weir() {{ {program:?} \"$@\"; }}\n");
    for (commands, _) in shown {
        let commands = commands
            .replace("127.0.0.1:8080", &dev.address("Weir"))
            .replace("127.0.0.1:9090", &dev.address("Admin"))
            .replace("127.0.0.1:8090", &dev.address("Emulator"));
        script += &format!("{commands}\necho '{MARK}'\n");
    }
    let seen = lines_of(&script);
    let outputs: Vec<&[String]> = seen.split(|line| line == MARK).collect();
    assert_eq!(outputs.len(), shown.len() + 1);
    for ((commands, expected), output) in shown.iter().zip(outputs) {
        let found = output.join("\n");
        assert!(
            matches(expected, &found),
            "{commands}\nthe page shows:\n{expected}\nbut there came:\n{found}"
        );
    }
    dev
}

#[test]
fn every_block_of_every_page_is_run_by_a_check() {
    for page in Page::all() {
        for block in page.blocks() {
            assert!(
                block.check.is_some(),
                "no test runs this block of {}:\n{}",
                page.name,
                block.text
            );
        }
        assert_eq!(page.code_without_language(), None, "no test runs this code of {}", page.name);
    }
}

#[test]
fn the_shell_commands_do_what_the_pages_show() {
    let readme = shown(&Page::readme());
    assert!(readme.iter().any(|(_, output)| output.contains("rejected")), "a refusal is shown");
    let (mut blocks, mut lines) = (0, 0);
    for page in Page::all() {
        let own = shown(&page);
        let logged = page.checked_by(Check::LogLine);
        if own.is_empty() && logged.is_empty() {
            continue;
        }
        let before: &[_] = if page.name == "README.md" { &[] } else { &readme };
        let mut dev = run_in_a_shell(&[before, &own].concat());
        blocks += own.len();
        lines += logged.len();
        for line in logged {
            let found = dev.until_error(r#""decision":"rejected""#);
            assert!(
                matches(
                    line.trim_end_matches('}'),
                    found.split(r#","target""#).next().unwrap_or_default()
                ),
                "{}: {found}",
                page.name
            );
        }
    }
    assert!(blocks > 3, "the pages show commands");
    assert_eq!(lines, 1, "the pages show one line of the log");
}

#[test]
fn the_line_of_the_decision_log_is_the_one_that_a_test_writes() {
    let shown = checked_by(Check::Recorded);
    let golden = fs::read_to_string(root().join("src/observe/decision_log/golden.ndjson"));
    let golden = golden.expect("the line");
    let of = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(shown.len(), 1, "the pages show one line");
    assert_eq!(of(&shown[0]), of(golden.lines().next().expect("a line")));
}

#[test]
fn the_commands_that_stay_running_start() {
    for command in checked_by(Check::Command).iter().flat_map(|block| block.lines()) {
        let said = command.split(" #").next().unwrap_or_default();
        let words: Vec<&str> = said.split_ascii_whitespace().collect();
        match words[..] {
            ["cargo", "run", "--release", "--", "dev"] => drop(Program::dev(&[])),
            ["cargo", "test"] => {}
            ["cargo", "test", "--lib", room] => {
                assert!(root().join("src").join(room).is_dir(), "{command}");
            }
            ["cargo", "test", "--test", "it", file] => {
                let file = root().join("tests/it").join(file).with_extension("rs");
                assert!(file.is_file(), "{command}");
            }
            [".ci/run"] => assert!(root().join(".ci/run").is_file(), "{command}"),
            ["weir", "run", ..] => until_ready(&words[1..]),
            ["weir", "probe", "--upstream", _, ref rest @ ..] => {
                // Its flags are right, and nobody is asked.
                let asked = [&["probe", "--upstream", "http://127.0.0.1:1"][..], rest].concat();
                let output = weir(&asked).output().expect("weir runs");
                assert_eq!(output.status.code(), Some(1), "{command}");
            }
            ["weir", "emulator", ..] => drop(Program::emulator(&words[2..])),
            ["cargo", "bench", "--bench", bench] => {
                assert!(
                    include_str!("../../Cargo.toml")
                        .contains(&format!("[[bench]]\nname = \"{bench}\"\n")),
                    "{command}"
                );
            }
            _ => panic!("no test runs this command: {command}"),
        }
    }
}

/// Starts `weir` with these arguments, on free ports.
fn until_ready(arguments: &[&str]) {
    let ports = ["--listen", DEV[2], "--admin", DEV[4]];
    Program::start(&[arguments, &ports].concat()).until_error("weir is ready");
}

#[test]
fn the_readme_is_short() {
    let lines = Page::readme().text.lines().count();
    assert!(lines <= 170, "{lines} lines");
}

#[test]
fn the_two_commands_stand_alone_on_their_lines() {
    let readme = Page::readme().text;
    for command in ["cargo run --release -- dev", "cargo test"] {
        assert_eq!(readme.lines().filter(|line| *line == command).count(), 1, "{command}");
    }
}

#[test]
fn the_configurations_have_no_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    let blocks = checked_by(Check::Configuration);
    assert!(blocks.len() > 3, "the pages show configurations");
    fs::write(folder.path().join("upstream.key"), "sk_test_1").expect("a file");
    for (number, block) in blocks.iter().enumerate() {
        let path = folder.path().join(format!("{number}.toml"));
        fs::write(&path, block.replace("/etc/weir/upstream.key", "upstream.key")).expect("a file");
        let output = weir(&["check", path.to_str().expect("a path")]).output().expect("weir runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && told.ends_with(": no problems\n"), "{block}\n{told}");
    }
}

#[test]
fn the_units_of_systemd_start_weir_and_leave_it_time_to_stop() {
    let defaults = include_str!("../../config/default.toml");
    assert!(defaults.contains("\ndrain = \"30s\"\n"), "the number below is the built-in value");
    for unit in checked_by(Check::Unit) {
        let value = |key: &str| {
            unit.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .unwrap_or_else(|| panic!("no {key} in\n{unit}"))
        };
        let start = value("ExecStart").replace("/etc/weir.toml", "config/rollout.toml");
        let words: Vec<&str> = start.split_ascii_whitespace().collect();
        assert!(words[0].ends_with("/weir"), "{start}");
        until_ready(&words[1..]);
        assert!(value("TimeoutStopSec").parse::<u32>().is_ok_and(|seconds| seconds > 30), "{unit}");
        assert_eq!(value("ExecReload"), "/bin/kill -HUP $MAINPID");
    }
}

#[test]
fn the_lines_of_rust_are_those_of_the_example() {
    let without_space = |text: &str| text.split_whitespace().collect::<String>();
    let example = without_space(include_str!("../../examples/axum.rs"));
    for block in checked_by(Check::Excerpt) {
        assert!(example.contains(&without_space(&block)), "not in examples/axum.rs:\n{block}");
    }
}

#[test]
fn an_ellipsis_stands_for_anything() {
    for (pattern, text, expected) in [
        ("a…c", "abc", true),
        ("a…c", "ac", true),
        ("a…c", "ab", false),
        ("abc", "abc", true),
        ("abc", "abcd", false),
        ("a…b…", "a1b2", true),
        ("…b…c", "abxc", true),
        ("…b…c", "axc", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

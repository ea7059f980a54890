//! The program's subcommands that need no network: what they print, where, and how they exit.

use crate::testbed::rows;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

fn weir(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn check_prints_every_problem_of_every_file_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let a = file(
        folder.path(),
        "a.toml",
        "[listen]\nadress = \"127.0.0.1:8080\"\n\n[upstream]\n\ttimeout = 30s\n",
    );
    let b = file(folder.path(), "b.toml", "[policy]\nmode = \"monitr\"\n");
    let missing = folder.path().join("missing.toml").to_str().unwrap().to_owned();
    let output = weir(&["check", &a, &b, "config/default.toml", &missing]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "");
    let expected = format!(
        r#"error: unknown key `adress` in [listen]
  --> {a}:2:1
   |
 2 | adress = "127.0.0.1:8080"
   | ^^^^^^
   = help: did you mean `address`?

error: this is not TOML: text must be quoted
  --> {a}:5:12
   |
 5 | 	timeout = 30s
   | 	          ^^^
   = help: write `timeout = "30s"`

error: expected "enforce", "monitor" or "off", found "monitr"
  --> {b}:2:8
   |
 2 | mode = "monitr"
   |        ^^^^^^^^
   = help: did you mean "monitor"?

error: there is no such file
  --> {missing}

4 errors
config/default.toml: no problems
"#
    );
    assert_eq!(stdout(&output), expected);
}

#[test]
fn check_writes_json_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let a = file(folder.path(), "a.toml", "[log]\nlevel = \"loud\"\n");
    let output = weir(&["check", "--format", "json", &a]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap(),
        serde_json::json!([{
            "file": a, "line": 2, "column": 9, "severity": "error", "key": "log.level", "suggestion": null,
            "message": "expected \"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\", found \"loud\"",
        }])
    );
    let output = weir(&["check", "--format", "json", "config/sidecar.toml"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "[]\n"));
}

#[test]
fn a_warning_alone_does_not_fail_a_check() {
    let folder = tempfile::tempdir().unwrap();
    let a = file(
        folder.path(),
        "a.toml",
        "[policy.rules]\nsecondary-after-single-use-primary = \"reorder\"\n",
    );
    let output = weir(&["check", &a]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with(
        "warning: `secondary-after-single-use-primary = \"reorder\"` acts as \"reject\""
    ));
    assert!(stdout(&output).ends_with("\n1 warning\n"));
    let strict = weir(&["check", "--strict", &a]);
    assert_eq!((strict.status.code(), stdout(&strict)), (Some(1), stdout(&output)));
    let clean = weir(&["check", "--strict", "config/default.toml", "config/sidecar.toml"]);
    assert_eq!(clean.status.code(), Some(0), "{}", stdout(&clean));
}

#[test]
fn check_without_a_file_is_a_slip_of_the_command_line() {
    assert_eq!(weir(&["check"]).status.code(), Some(2));
}

#[test]
fn rules_are_an_aligned_table() {
    let output = weir(&["rules"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + rows());
    assert_eq!(
        lines[0],
        "RULE                                    DIALECT    DEFAULT  UPSTREAM  MEANING"
    );
    assert_eq!(
        lines[2],
        "secondary-after-single-use-primary      checkouts  reject   refuses   store credit attached after a single-use primary"
    );
    let carts = stdout(&weir(&["rules", "--dialect", "carts"]));
    assert!(carts.contains("\nprimary-before-secondary ") && !carts.contains("checkouts"));
}

#[test]
fn rules_are_json_for_programs() {
    let output = weir(&["rules", "--dialect", "carts", "--format", "json"]);
    let rules: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let rule = rules.iter().find(|rule| rule["rule"] == "primary-before-secondary").unwrap();
    assert_eq!(rule["default"], "reject");
    assert_eq!(rule["toggles"], serde_json::json!(["reject", "reorder", "monitor", "off"]));
}

#[test]
fn explain_tells_a_rule_in_each_dialect_that_has_it() {
    let output = weir(&["explain", "second-primary"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    for part in [
        "second-primary (checkouts)\n",
        "  Toggles  reject, monitor (default), off\n",
        "      [policy.rules.checkouts]\n      second-primary = \"reject\"\n",
        "second-primary (carts)\n",
        "  Toggles  reject (default), reorder, monitor, off\n",
        "      [policy.rules.carts]\n      second-primary = \"reorder\"\n",
        "  Vendor   ",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn explain_knows_what_was_meant() {
    let output = weir(&["explain", "spend-source"]);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(told.contains("'spent-source'"), "{told}");
    assert!(
        told.contains("primary-before-secondary") && told.contains("ambiguous-request"),
        "{told}"
    );
}

#[test]
fn the_schema_is_json_of_the_draft_it_names() {
    let schema: Value = serde_json::from_slice(&weir(&["schema"]).stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(
        schema["properties"]["listen"]["properties"]["address"]["default"],
        "127.0.0.1:8080"
    );
}

#[test]
fn completions_know_rules_and_subcommands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&weir(&["completions", shell]));
        assert!(script.contains("explain"), "{shell}");
        // The others complete subcommands and flags only.
        let values = matches!(shell, "bash" | "zsh");
        assert!(!values || script.contains("spent-source"), "{shell}");
    }
    assert_eq!(weir(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn manual_pages_are_printed_or_written_one_for_each_command() {
    let page = stdout(&weir(&["man"]));
    assert!(page.contains(".TH weir 1") && page.contains("weir\\-run(1)"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let output = weir(&["man", folder.path().to_str().unwrap()]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""));
    let run = fs::read_to_string(folder.path().join("weir-run.1")).unwrap();
    for part in ["\\-\\-upstream", "WEIR_UPSTREAM", "\\-\\-probes"] {
        assert!(run.contains(part), "{part}: {run}");
    }
    let help = stdout(&weir(&["--help"]));
    let commands = help.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<&str> =
        commands.filter(|name| name.chars().all(|sign| sign.is_ascii_lowercase())).collect();
    assert!(commands.contains(&"explain"), "{commands:?}");
    for command in commands.iter().filter(|name| !["", "help"].contains(name)) {
        assert!(folder.path().join(format!("weir-{command}.1")).exists(), "{command}");
    }
    let nowhere = weir(&["man", "no/such/folder"]);
    assert_eq!(nowhere.status.code(), Some(1), "{}", stderr(&nowhere));
}

#[test]
fn a_reader_who_has_read_enough_is_no_error() {
    for arguments in [
        &["rules"][..],
        &["schema"],
        &["completions", "zsh"],
        &["man"],
        &["explain", "spent-source"],
        &["check", "config/default.toml"],
    ] {
        let mut child =
            program(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::with_capacity(1, child.stdout.take().unwrap());
        reader.read_until(b'\n', &mut Vec::new()).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), stderr(&output).as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_is_closed_from_the_start_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = program(&["rules"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

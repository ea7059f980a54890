//! The README is right: every command in it is run, every output shown is what comes, every configuration is read without a problem.
//!
//! `console` blocks run in one shell, in order, before one `weir dev`; `…` in their output stands for anything. `sh` blocks hold commands that
//! stay running, or that build. `toml` blocks are configurations.

use crate::program::{DEV, Program, lines_of, weir};
use std::{fs, path::Path};

const README: &str = include_str!("../../README.md");

/// The blocks of a language, with the indentation of a list taken away.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.find("```").filter(|at| line[..*at].trim().is_empty()) else { continue };
        let inside: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
        if line[indent..] == format!("```{language}") {
            blocks.push(inside.iter().map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}

/// Whether the text is as the pattern says, where `…` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A command and the output that is shown after it.
struct Shown<'a> {
    command: &'a str,
    output: Vec<&'a str>,
}

fn shown(block: &str) -> Vec<Shown<'_>> {
    let mut shown: Vec<Shown<'_>> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (Some(command), _) => shown.push(Shown { command, output: Vec::new() }),
            (None, Some(before)) => before.output.push(line),
            (None, None) => panic!("output before any command: {line}"),
        }
    }
    shown
}

/// Between the outputs of two commands.
const MARK: &str = "-- end of a command --";

#[test]
fn the_shell_commands_do_what_the_readme_shows() {
    let mut dev = Program::dev(&["--log-level", "info", "--log-format", "json"]);
    let console = blocks("console").join("\n");
    let shown = shown(&console);
    assert!(shown.len() > 8, "the README shows a refusal");
    let program = weir(&[]).get_program().to_owned();
    let mut script = format!("weir() {{ {program:?} \"$@\"; }}\n");
    for shown in &shown {
        let command =
            shown.command.replace("127.0.0.1:8080", &dev.address("Weir")).replace("127.0.0.1:9090", &dev.address("Admin"));
        script += &format!("{command}\necho '{MARK}'\n");
    }
    let seen = lines_of(&script);
    let outputs: Vec<&[String]> = seen.split(|line| line == MARK).collect();
    assert_eq!(outputs.len(), shown.len() + 1);
    for (shown, output) in shown.iter().zip(outputs) {
        // A list in one line of the README may be many lines long.
        let (expected, found) = (shown.output.join("\n"), output.join("\n"));
        assert!(matches(&expected, &found), "{}\nthe README shows:\n{expected}\nbut there came:\n{found}", shown.command);
    }
    let [line] = &blocks("json")[..] else { panic!("the README shows one line of the log") };
    let logged = dev.until_error(r#""decision":"rejected""#);
    assert!(matches(line.trim_end_matches('}'), logged.split(r#","target""#).next().unwrap_or_default()), "{logged}");
}

#[test]
fn the_commands_that_stay_running_start() {
    for command in blocks("sh").iter().flat_map(|block| block.lines()) {
        let words: Vec<&str> = command.split(' ').collect();
        match words[..] {
            ["cargo", "run", "--release", "--", "dev"] => drop(Program::dev(&[])),
            ["cargo", "test"] => {}
            ["weir", "run", ..] => {
                let mut running = Program::start(&[&words[1..], &["--listen", DEV[2], "--admin", DEV[4]]].concat());
                running.until_error("weir is ready");
            }
            ["cargo", "bench", "--bench", bench] => {
                assert!(include_str!("../../Cargo.toml").contains(&format!("[[bench]]\nname = \"{bench}\"\n")), "{command}");
            }
            _ => panic!("no test runs this command of the README: {command}"),
        }
    }
}

#[test]
fn the_two_commands_stand_alone_on_their_lines() {
    for command in ["cargo run --release -- dev", "cargo test"] {
        assert_eq!(README.lines().filter(|line| *line == command).count(), 1, "{command}");
    }
}

#[test]
fn the_configurations_have_no_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    let blocks = blocks("toml");
    assert!(blocks.len() > 3, "the README shows configurations");
    for (number, block) in blocks.iter().enumerate() {
        let path = folder.path().join(format!("{number}.toml"));
        fs::write(&path, block).expect("a file");
        let output = weir(&["check", path.to_str().expect("a path")]).output().expect("weir runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && told.ends_with(": no problems\n"), "{block}\n{told}");
    }
}

#[test]
fn the_files_that_the_readme_names_are_there() {
    let names = README.split('`').filter(|name| !name.contains([' ', '{', '\n']) && name.contains('.') && name.contains('/'));
    let files: Vec<&str> = names.filter(|name| ["config/", "examples/"].iter().any(|folder| name.starts_with(folder))).collect();
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file}");
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

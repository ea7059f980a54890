//! The README is right: every command in it is run, every output shown is what comes, every
//! configuration is read without a problem.
//!
//! `bash` blocks run in one shell, in order, before one `weir dev`; the `text` block right after
//! one is its output, where `…` stands for anything. `sh` blocks hold commands that stay running,
//! or that build. `toml` blocks are configurations.

use crate::testbed::{DEV, Program, lines_of, weir};
use std::{fs, path::Path};

const README: &str = include_str!("../../README.md");

/// A fenced block, with the indentation of a list taken away.
struct Block {
    language: &'static str,
    lines: Vec<&'static str>,
    /// Whether nothing but an empty line is between it and the block before.
    follows: bool,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    let mut follows = false;
    while let Some(line) = lines.next() {
        let Some((indent, language)) =
            line.split_once("```").filter(|(before, _)| before.trim().is_empty())
        else {
            follows &= line.is_empty();
            continue;
        };
        let inside = lines.by_ref().take_while(|line| line.trim() != "```");
        let lines = inside.map(|line| line.strip_prefix(indent).unwrap_or(line)).collect();
        blocks.push(Block { language, lines, follows });
        follows = true;
    }
    blocks
}

/// The blocks of a language.
fn in_language(language: &str) -> Vec<String> {
    blocks()
        .iter()
        .filter(|block| block.language == language)
        .map(|block| block.lines.join("\n"))
        .collect()
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
fn shown() -> Vec<(String, String)> {
    let mut shown = Vec::new();
    let blocks = blocks();
    for (number, block) in blocks.iter().enumerate().filter(|(_, block)| block.language == "bash") {
        let output = blocks.get(number + 1).filter(|next| next.follows && next.language == "text");
        shown.push((
            block.lines.join("\n"),
            output.map(|output| output.lines.join("\n")).unwrap_or_default(),
        ));
    }
    shown
}

/// Between the outputs of two blocks.
const MARK: &str = "-- end of a block --";

#[test]
fn the_shell_commands_do_what_the_readme_shows() {
    let mut dev = Program::dev(&["--log-level", "info", "--log-format", "json"]);
    let shown = shown();
    assert!(shown.len() > 3, "the README shows a refusal");
    let program = weir(&[]).get_program().to_owned();
    let mut script = format!("weir() {{ {program:?} \"$@\"; }}\n");
    for (commands, _) in &shown {
        let commands = commands
            .replace("127.0.0.1:8080", &dev.address("Weir"))
            .replace("127.0.0.1:9090", &dev.address("Admin"));
        script += &format!("{commands}\necho '{MARK}'\n");
    }
    let seen = lines_of(&script);
    let outputs: Vec<&[String]> = seen.split(|line| line == MARK).collect();
    assert_eq!(outputs.len(), shown.len() + 1);
    for ((commands, expected), output) in shown.iter().zip(outputs) {
        let found = output.join("\n");
        assert!(
            matches(expected, &found),
            "{commands}\nthe README shows:\n{expected}\nbut there came:\n{found}"
        );
    }
    let [line] = &in_language("json")[..] else { panic!("the README shows one line of the log") };
    let logged = dev.until_error(r#""decision":"rejected""#);
    assert!(
        matches(
            line.trim_end_matches('}'),
            logged.split(r#","target""#).next().unwrap_or_default()
        ),
        "{logged}"
    );
}

#[test]
fn the_commands_that_stay_running_start() {
    for command in in_language("sh").iter().flat_map(|block| block.lines()) {
        let said = command.split(" #").next().unwrap_or_default();
        let words: Vec<&str> = said.split_ascii_whitespace().collect();
        match words[..] {
            ["cargo", "run", "--release", "--", "dev"] => drop(Program::dev(&[])),
            ["cargo", "test"] => {}
            ["weir", "run", ..] => {
                let mut running = Program::start(
                    &[&words[1..], &["--listen", DEV[2], "--admin", DEV[4]]].concat(),
                );
                running.until_error("weir is ready");
            }
            ["cargo", "bench", "--bench", bench] => {
                assert!(
                    include_str!("../../Cargo.toml")
                        .contains(&format!("[[bench]]\nname = \"{bench}\"\n")),
                    "{command}"
                );
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
    let blocks = in_language("toml");
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
    let names = README.split('`').filter(|name| {
        !name.contains([' ', '{', '\n']) && name.contains('.') && name.contains('/')
    });
    let files: Vec<&str> = names
        .filter(|name| ["config/", "examples/"].iter().any(|folder| name.starts_with(folder)))
        .collect();
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

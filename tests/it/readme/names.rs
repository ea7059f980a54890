//! What the prose of the pages names is there: commands and their flags, files, links, rooms.

use super::{page::Page, root};
use crate::testbed::weir;
use std::fs;

#[test]
fn the_commands_in_the_prose_are_commands_of_the_program() {
    let spans = Page::all().iter().flat_map(Page::code_spans).collect::<Vec<_>>();
    let commands: Vec<&String> = spans.iter().filter(|span| span.starts_with("weir ")).collect();
    assert!(commands.len() > 5, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let output = weir(&[words[1], "--help"]).output().expect("weir runs");
        assert!(output.status.success(), "{command}");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let is_there = |after| help.contains(&format!("{flag}{after}"));
            assert!(is_there(' ') || is_there('\n'), "{command}");
        }
    }
}

#[test]
fn the_files_that_the_pages_name_are_there() {
    let folders = ["config/", "examples/", "docs/", "benches/", "tests/", ".ci/"];
    let mut files: Vec<String> = Page::all().iter().flat_map(Page::code_spans).collect();
    files.retain(|name| {
        !name.contains([' ', '{', '<']) && folders.iter().any(|folder| name.starts_with(folder))
    });
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        assert!(root().join(&file).exists(), "{file}");
    }
}

/// `<name>` stands for each of many: one that is there shows that the path is right.
#[test]
fn the_sources_that_the_pages_name_are_there() {
    let mut files: Vec<String> = Page::all().iter().flat_map(Page::code_spans).collect();
    files.retain(|name| name.starts_with("src/") || name.contains("<name>"));
    files.retain(|name| !name.contains(' '));
    assert!(files.len() > 8, "{files:?}");
    let is_there = |file: &String| {
        ["checkouts", "spent_source"]
            .iter()
            .any(|name| root().join(file.replace("<name>", name)).exists())
    };
    files.retain(|file| !is_there(file));
    assert_eq!(files, Vec::<String>::new());
}

#[test]
fn the_map_shows_the_rooms_and_arrows_of_the_crate() {
    let map = fs::read_to_string(root().join("docs/architecture.md")).expect("a page");
    let rows = |text: &str, before: &str| -> Vec<(String, Vec<String>)> {
        let names = |cell: &str| -> Vec<String> {
            let mut names: Vec<_> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            names.sort();
            names
        };
        let cells = |line: &str| -> Option<(String, Vec<String>)> {
            let row = line.strip_prefix(before)?.trim_end_matches([' ', '|']);
            let (room, rest) = row.split_once('`')?;
            let (_, uses) = rest.rsplit_once('|')?;
            Some((room.to_owned(), names(uses)))
        };
        let mut rows: Vec<_> = text.lines().filter_map(cells).collect();
        rows.sort();
        rows
    };
    let rooms = map.split("\n## ").find(|part| part.starts_with("The rooms")).expect("the map");
    let crates = rows(include_str!("../../../src/lib.rs"), "//! | `");
    assert!(crates.len() > 8, "{crates:?}");
    assert_eq!(rows(rooms, "| `"), crates);
}

#[test]
fn the_links_lead_somewhere() {
    for page in Page::all() {
        for link in page.links().iter().filter(|link| !link.starts_with("https://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = match file {
                "" => root().join(&page.name),
                file => root().join(&page.name).with_file_name(file),
            };
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{link}: {error}"));
            let headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
            assert!(
                heading.is_empty() || headings.collect::<Vec<_>>().contains(&heading.to_owned()),
                "{}: {link}",
                page.name
            );
        }
    }
}

/// The name by which a link reaches a heading.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    words.chars().filter(|sign| sign.is_alphanumeric() || *sign == '-').collect()
}

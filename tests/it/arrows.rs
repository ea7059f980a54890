//! The drawing of the house in `src/lib.rs` is true: no room uses another that its row does not
//! name.
//!
//! In: the sources as they lie on disk, and the table in the crate's documentation. Deliberately
//! absent: macros that build paths; the house has none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Which rooms a room may use; `None`: all.
type Table = BTreeMap<String, Option<BTreeSet<String>>>;

#[test]
fn no_room_uses_another_that_its_row_in_the_drawing_does_not_name() {
    let table = drawing();
    let mut strays = Vec::new();
    for (path, room, depth) in sources() {
        // A room that is not drawn may use none.
        let allowed = table.get(&room).cloned().unwrap_or_else(|| Some(BTreeSet::new()));
        // Tests of the rules speak of dialects that there are.
        if is_test(&path) {
            continue;
        }
        let text = code(&read(&path));
        let used = uses(without_tests(&text), depth, &table);
        strays.extend(
            used.into_iter()
                .filter(|used| {
                    *used != room && allowed.as_ref().is_some_and(|allowed| !allowed.contains(used))
                })
                .map(|used| format!("{} uses {used}", path.display())),
        );
    }
    assert_eq!(strays, Vec::<String>::new());
}

#[test]
fn every_room_stands_in_the_drawing_and_the_drawing_shows_no_other() {
    let rooms: BTreeSet<String> = sources().into_iter().map(|(_, room, _)| room).collect();
    let drawn: BTreeSet<String> = drawing().into_keys().collect();
    assert_eq!(rooms, drawn);
}

#[test]
fn the_drawing_has_no_circle() {
    let mut left = drawing();
    while !left.is_empty() {
        let rooms: BTreeSet<String> = left.keys().cloned().collect();
        let ready = |uses: &Option<BTreeSet<String>>| {
            uses.as_ref().is_some_and(|uses| uses.is_disjoint(&rooms))
        };
        let before = left.len();
        left.retain(|_, uses| !ready(uses));
        if left.len() == before {
            // Only rooms that may use all are left, and one of them at most: two would use each
            // other.
            assert_eq!(rooms.len(), 1, "{rooms:?} use each other");
            break;
        }
    }
}

/// Rules are values and functions of values; dialects read bytes that somebody else has received.
#[test]
fn rules_and_dialects_wait_for_nothing_and_ask_nobody() {
    let outside = [
        "async",
        "await",
        "axum",
        "dashmap",
        "fs",
        "getrandom",
        "hyper",
        "hyper_util",
        "Instant",
        "moka",
        "Mutex",
        "net",
        "process",
        "rand",
        "redis",
        "rustls",
        "RwLock",
        "SystemTime",
        "thread",
        "tokio",
        "tower",
        "tracing",
    ];
    let mut found = Vec::new();
    for (path, room, _) in sources() {
        if ["rules", "dialects"].contains(&room.as_str()) {
            let text = code(&read(&path));
            let words: BTreeSet<&str> = words(without_tests(&text)).collect();
            found.extend(
                outside
                    .iter()
                    .filter(|word| words.contains(*word))
                    .map(|word| format!("{}: {word}", path.display())),
            );
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn arrows_are_found_however_they_are_spelt() {
    let table: Table =
        ["here", "rules", "proxy", "admin"].map(|room| (room.to_owned(), None)).into();
    for (text, expected) in [
        ("use crate::rules::Amount;", vec!["rules"]),
        ("fn f(x: crate::proxy::Body) {}", vec!["proxy"]),
        ("use crate::{here::x, rules::{self, table}, proxy as p};", vec!["here", "proxy", "rules"]),
        ("use crate::{\n    rules::{Known, proxy},\n};", vec!["rules"]),
        ("use super::super::admin::Page;", vec!["admin"]),
        ("use super::admin::Page;", vec![]),
        ("pub use crate :: rules;", vec!["rules"]),
        ("use ::weir::admin;", vec!["admin"]),
        ("// use crate::rules;\n/* crate::proxy */", vec![]),
        (r##"let x = ("crate::rules", r#"crate::"proxy"#, '"', 'a', "crate::admin");"##, vec![]),
        ("struct Mycrate; mycrate::rules();", vec![]),
    ] {
        assert_eq!(
            uses(&code(text), 2, &table).into_iter().collect::<Vec<_>>(),
            expected,
            "{text}"
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads the rows of the table in the crate's documentation: ``//! | [`room`] | verb | may use |``.
fn drawing() -> Table {
    let row = |line: &str| {
        let cells: Vec<_> = line
            .strip_prefix("//! | [`")?
            .trim_end_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let [room, _, uses] = cells[..] else { panic!("not a row of three: {line}") };
        let named = uses.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some((room.trim_end_matches("`]").to_owned(), (uses != "all").then_some(named)))
    };
    let table: Table = read(&root().join("lib.rs")).lines().filter_map(row).collect();
    assert!(!table.is_empty(), "src/lib.rs has no table of rooms");
    table
}

/// Every source file, with its room and how deep its module lies below the crate.
fn sources() -> Vec<(PathBuf, String, usize)> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = path.strip_prefix(root()).unwrap_or(&path).with_extension("");
                let names: Vec<_> = module
                    .iter()
                    .map(|name| name.to_string_lossy())
                    .filter(|name| name != "mod")
                    .collect();
                if names != ["lib"] && names != ["main"] {
                    let (room, depth) = (names[0].to_string(), names.len());
                    found.push((path, room, depth));
                }
            }
        }
    }
    found.sort();
    found
}

/// The rooms that a file `depth` modules below the crate names by a path from the crate, or by a
/// way up to it.
fn uses(code: &str, depth: usize, table: &Table) -> BTreeSet<String> {
    let tokens: Vec<&str> = tokens(code).collect();
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let up = tokens[at..].chunks(2).take_while(|pair| *pair == ["super", "::"]).count();
        let from_crate = matches!(tokens[at..], ["crate" | "weir", "::", ..]);
        let rest = &tokens[at + if from_crate { 2 } else { 2 * up }..];
        if from_crate || (up > 0 && up >= depth) {
            found.extend(
                heads(rest).into_iter().filter(|name| table.contains_key(*name)).map(str::to_owned),
            );
        }
        at += (2 * up).max(1);
    }
    found
}

/// The first names of the path or group of paths that begins here.
fn heads<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    if tokens.first() != Some(&"{") {
        return tokens.first().copied().into_iter().collect();
    }
    let (mut heads, mut depth, mut expected) = (Vec::new(), 0, false);
    for token in tokens {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            token if depth == 1 && expected => heads.push(token),
            _ => {}
        }
        expected = depth == 1 && matches!(*token, "{" | ",");
        if depth == 0 {
            break;
        }
    }
    heads
}

/// Names, `::`, and single signs.
fn tokens(code: &str) -> impl Iterator<Item = &str> {
    let mut rest = code;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = match name {
            0 if rest.starts_with("::") => 2,
            0 => rest.chars().next()?.len_utf8(),
            name => name,
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        (!token.is_empty()).then_some(token)
    })
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    tokens(code).filter(|token| token.starts_with(|c: char| c.is_alphabetic()))
}

/// Files that are built for tests only.
fn is_test(path: &Path) -> bool {
    let names = ["tests", "oracle", "tests.rs", "fixtures.rs", "every_row.rs"];
    let mut inside = path.iter().skip_while(|part| *part != "src");
    inside.any(|part| names.iter().any(|name| part == *name))
}

/// The part of a file before its tests, which come last.
fn without_tests(code: &str) -> &str {
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or(code)
}

/// A file without its comments and without what stands in quotes.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = quoted(rest);
        match length {
            Some(_) => code.push_str(if rest.starts_with("//") { "" } else { " " }),
            None => code.push(first),
        }
        // A name that ends in `r` or `b` begins no string: take names whole.
        let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let taken = match length {
            Some(length) => length,
            None if name > first.len_utf8() => {
                code.push_str(&rest[first.len_utf8()..name]);
                name
            }
            None => first.len_utf8(),
        };
        rest = &rest[taken..];
    }
    code
}

/// How long the comment or quotation is that begins here, if one does.
fn quoted(text: &str) -> Option<usize> {
    let until = |from: usize, end: &str| {
        text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(until(2, "*/"));
    }
    let marks = text.strip_prefix('b').unwrap_or(text);
    if let Some(raw) = marks.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let opened = text.len() - raw.len() + hashes + 1;
        return raw[hashes..]
            .starts_with('"')
            .then(|| until(opened, &format!("\"{}", "#".repeat(hashes))));
    }
    let start = text.len() - marks.len();
    if marks.starts_with('"') {
        return Some(closed(text, start + 1, '"'));
    }
    // A character, not a lifetime.
    let character = marks.starts_with("'\\")
        || marks.strip_prefix('\'').is_some_and(|after| after.chars().nth(1) == Some('\''));
    character.then(|| closed(text, start + 1, '\''))
}

/// Where the quotation ends whose inside begins at `from`.
fn closed(text: &str, from: usize, mark: char) -> usize {
    let mut escaped = false;
    for (at, sign) in text[from..].char_indices() {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            sign if sign == mark => return from + at + sign.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

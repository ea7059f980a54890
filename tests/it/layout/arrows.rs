//! Checks that each room uses only the rooms that the table in `src/lib.rs` allows it.

use super::{
    Check, none,
    paths::Crate,
    source::{read, root, sources},
};
use std::collections::{BTreeMap, BTreeSet};

/// Which rooms a room may use; `None`: all.
type Table = BTreeMap<String, Option<BTreeSet<String>>>;

#[test]
fn no_room_uses_another_that_its_row_in_the_library_does_not_name() {
    none(Check::Arrows, &strays(&table()));
}

#[test]
fn every_room_stands_in_the_library_and_it_shows_no_other() {
    let sources = sources();
    let rooms: BTreeSet<&str> = sources.iter().map(|source| source.room()).collect();
    let table = table();
    let shown: BTreeSet<&str> = table.keys().map(String::as_str).chain([""]).collect();
    assert_eq!(rooms, shown);
}

#[test]
fn the_table_has_no_circle() {
    let mut left = table();
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

/// Rules are values and functions of values; dialects read bytes that others have received.
#[test]
fn rules_and_dialects_neither_wait_nor_ask() {
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
    for source in sources().iter().filter(|s| ["rules", "dialects"].contains(&s.room())) {
        let names: BTreeSet<&str> = source.names().collect();
        let used = outside.iter().filter(|word| names.contains(*word));
        found.extend(used.map(|word| format!("{}: {word}", source.path)));
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Returns the uses that a table does not allow. A room that it does not show may use none.
fn strays(table: &Table) -> Vec<String> {
    let sources = sources();
    let files = Crate::of(sources);
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.module.is_empty()) {
        let room = source.room();
        if !table.contains_key(room) {
            found.push(format!("{} is in no room of the table", source.path));
        }
        let allowed = table.get(room).cloned().unwrap_or_else(|| Some(BTreeSet::new()));
        let used = files.used_by(&source.module);
        let rooms: BTreeSet<&String> = used.iter().filter_map(|module| module.first()).collect();
        let strays = rooms.into_iter().filter(|used| {
            *used != room && allowed.as_ref().is_some_and(|allowed| !allowed.contains(*used))
        });
        found.extend(strays.map(|used| format!("{} uses {used}", source.path)));
    }
    found
}

/// Reads the rows of the table in the crate's documentation: ``//! | `room` | verb | may use |``.
fn table() -> Table {
    let row = |line: &str| {
        let cells: Vec<_> =
            line.strip_prefix("//! | `")?.trim_end_matches('|').split('|').map(str::trim).collect();
        let [room, _, uses] = cells[..] else { panic!("not a row of three: {line}") };
        let named = uses.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some((room.trim_end_matches('`').to_owned(), (uses != "all").then_some(named)))
    };
    let table: Table = read(&root().join("src/lib.rs")).lines().filter_map(row).collect();
    assert!(!table.is_empty(), "src/lib.rs has no table of rooms");
    table
}

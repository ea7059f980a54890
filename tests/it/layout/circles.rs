//! No two files use each other. A file is a module; what a file only passes on with `pub use`
//! counts as a use of the file that declares it.

use super::{Check, none, paths::Crate, source::sources};
use std::collections::{BTreeMap, BTreeSet};

type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_two_files_use_each_other() {
    let sources = sources();
    let files = Crate::of(sources);
    let path: BTreeMap<_, _> = sources.iter().map(|s| (&s.module, s.path.clone())).collect();
    let uses = sources.iter().map(|source| {
        let used = files.used_by(&source.module);
        (source.path.clone(), used.iter().map(|module| path[module].clone()).collect())
    });
    let circles: Vec<String> =
        circles(&uses.collect()).iter().map(|one| one.join(" <-> ")).collect();
    none(Check::Circles, &circles);
}

/// Returns the sets of files each of which can be reached from every other of its set.
fn circles(uses: &Graph) -> Vec<Vec<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|from| (from.as_str(), reached(uses, from))).collect();
    let mut found = Vec::new();
    for (from, to) in &reached {
        let back = to.iter().filter(|other| reached[**other].contains(from));
        let circle: Vec<&str> = back.copied().collect();
        if circle.first() == Some(from) && circle.len() > 1 {
            found.push(circle);
        }
    }
    found
}

fn reached<'a>(uses: &'a Graph, from: &str) -> BTreeSet<&'a str> {
    let (mut found, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(file) = left.pop() {
        for next in &uses[file] {
            if found.insert(next.as_str()) {
                left.push(next);
            }
        }
    }
    found
}

#[test]
fn a_circle_is_found_by_way_of_others() {
    let graph: Graph = [("a", vec!["b"]), ("b", vec!["c"]), ("c", vec!["a", "d"]), ("d", vec![])]
        .map(|(from, to)| (from.to_owned(), to.into_iter().map(str::to_owned).collect()))
        .into();
    assert_eq!(circles(&graph), [["a", "b", "c"]]);
}

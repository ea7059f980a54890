//! Which paths a file names, and which file each of them means.

use super::source::{Source, Token};
use std::collections::{BTreeMap, BTreeSet};

/// A path as it is written, and whether a `pub use` names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Written {
    pub(crate) names: Vec<String>,
    /// What it is called here, where it is imported.
    pub(crate) alias: Option<String>,
    pub(crate) is_exported: bool,
}

/// Returns the paths that a file names: those of its imports, and those that begin with `crate`,
/// `self`, `super`, `weir`, the name of one of its own modules, or a name that it imports.
pub(crate) fn written(tokens: &[Token], children: &BTreeSet<String>) -> Vec<Written> {
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].is("use") {
            let is_exported = at > 0 && (tokens[at - 1].is("pub") || tokens[at - 1].is(")"));
            let end = tokens[at..].iter().position(|token| token.is(";")).unwrap_or(1);
            tree(&tokens[at + 1..at + end], &[], is_exported, &mut found);
            at += end;
        } else {
            rest.push(&tokens[at]);
            at += 1;
        }
    }
    let imported: BTreeMap<String, Vec<String>> = found
        .iter()
        .filter_map(|path| Some((path.called()?.clone(), path.names.clone())))
        .collect();
    let from_here =
        |name: &str| ["crate", "self", "super", "weir"].contains(&name) || children.contains(name);
    for path in chains(&rest) {
        let names = match imported.get(&path[0]) {
            Some(import) => [import, &path[1..]].concat(),
            None if from_here(&path[0]) => path,
            None => continue,
        };
        found.push(Written { names, alias: None, is_exported: false });
    }
    found
}

/// Returns the names that are joined by `::`, two or more.
fn chains(tokens: &[&Token]) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut is_joined = false;
    for (at, token) in tokens.iter().enumerate() {
        match token.name() {
            // `pub(in crate::rules)` says who may use, and uses nothing.
            Some(_) if at > 1 && tokens[at - 1].is("in") && tokens[at - 2].is("(") => {
                found.push(Vec::new());
            }
            Some(name) if is_joined && !found.last().is_none_or(Vec::is_empty) => {
                found.last_mut().expect("a chain").push(name.to_owned())
            }
            Some(name) => found.push(vec![name.to_owned()]),
            None if token.is("::") => {}
            None => found.push(Vec::new()),
        }
        is_joined = token.is("::");
    }
    found.retain(|chain| chain.len() > 1);
    found
}

impl Written {
    /// Returns what it is called in the file that imports it.
    fn called(&self) -> Option<&String> {
        self.alias.as_ref().or(self.names.last())
    }
}

/// Reads a tree of imports: `a::{b, c as d, e::*}`.
fn tree(tokens: &[Token], before: &[String], is_exported: bool, found: &mut Vec<Written>) {
    let mut names = before.to_vec();
    let mut alias = None;
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].is("{") {
            let end = at + closing(&tokens[at..]);
            for branch in branches(&tokens[at + 1..end]) {
                tree(branch, &names, is_exported, found);
            }
            return;
        }
        if tokens[at].is("as") {
            alias = tokens.get(at + 1).map(|token| token.text.clone());
            break;
        }
        if !tokens[at].is("::") {
            names.push(tokens[at].text.clone());
        }
        at += 1;
    }
    if names.len() > 1 && names.last().is_some_and(|last| last == "self") {
        names.pop();
    }
    if !names.is_empty() {
        found.push(Written { names, alias, is_exported });
    }
}

/// Cuts what stands between two braces at its commas.
fn branches(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0usize;
    let cut = |token: &Token| {
        depth += usize::from(token.is("{"));
        depth -= usize::from(token.is("}"));
        depth == 0 && token.is(",")
    };
    tokens.split(cut).filter(|branch| !branch.is_empty()).collect()
}

/// Returns where the bracket closes that opens here.
pub(crate) fn closing(tokens: &[Token]) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        depth += usize::from(token.is("{"));
        if token.is("}") {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len()
}

/// The files of the crate, and what each declares and exports.
pub(crate) struct Crate<'a> {
    files: BTreeMap<Vec<String>, File<'a>>,
}

struct File<'a> {
    source: &'a Source,
    written: Vec<Written>,
    declared: BTreeSet<String>,
}

impl<'a> Crate<'a> {
    pub(crate) fn of(sources: &'a [Source]) -> Self {
        let modules: BTreeSet<&[String]> = sources.iter().map(|s| s.module.as_slice()).collect();
        let files = sources.iter().map(|source| {
            let depth = source.module.len();
            let children = modules
                .iter()
                .filter(|module| module.len() == depth + 1 && module.starts_with(&source.module))
                .map(|module| module[depth].clone())
                .collect();
            let written = written(&source.tokens, &children);
            let declared = declared(&source.tokens);
            (source.module.clone(), File { source, written, declared })
        });
        Self { files: files.collect() }
    }

    /// Returns the modules whose files this one uses: a name that another file only passes on is
    /// followed to the file that declares it.
    pub(crate) fn used_by(&self, module: &[String]) -> BTreeSet<Vec<String>> {
        let file = &self.files[module];
        let paths = file.written.iter().filter(|path| !path.is_exported || used_here(file, path));
        let mut used: BTreeSet<_> =
            paths.filter_map(|path| self.meant(module, &path.names, 0)).collect();
        used.remove(module);
        used
    }

    /// Returns the module whose file declares what this path means.
    fn meant(&self, from: &[String], names: &[String], hops: usize) -> Option<Vec<String>> {
        let (mut module, names) = self.anchored(from, names)?;
        for (at, name) in names.iter().enumerate() {
            let mut child = module.clone();
            child.push(name.clone());
            if self.files.contains_key(&child) {
                module = child;
                continue;
            }
            let passed_on = self.passed_on(&module, name, &names[at + 1..], hops);
            return Some(passed_on.unwrap_or(module));
        }
        Some(module)
    }

    /// Returns where a path begins, and what follows.
    fn anchored<'p>(
        &self,
        from: &[String],
        names: &'p [String],
    ) -> Option<(Vec<String>, &'p [String])> {
        let (first, rest) = names.split_first()?;
        let up = names.iter().take_while(|name| *name == "super").count();
        let mut child = from.to_vec();
        match first.as_str() {
            "crate" | "weir" => Some((Vec::new(), rest)),
            "self" => Some((child, rest)),
            "super" => Some((from[..from.len().checked_sub(up)?].to_vec(), &names[up..])),
            name => {
                child.push(name.to_owned());
                self.files.contains_key(&child).then_some((child, rest))
            }
        }
    }

    /// Follows a name that a file imports and does not declare.
    fn passed_on(
        &self,
        module: &[String],
        name: &str,
        rest: &[String],
        hops: usize,
    ) -> Option<Vec<String>> {
        let file = &self.files[module];
        if hops > 8 || file.declared.contains(name) {
            return None;
        }
        let called =
            |path: &&Written| path.alias.as_ref().or(path.names.last()) == Some(&name.into());
        if let Some(path) = file.written.iter().filter(|path| path.names.len() > 1).find(called) {
            return self.meant(module, &[path.names.clone(), rest.to_vec()].concat(), hops + 1);
        }
        let globs = file.written.iter().filter(|path| path.names.last().is_some_and(|n| n == "*"));
        globs.into_iter().find_map(|path| {
            let target = self.meant(module, &path.names[..path.names.len() - 1], hops + 1)?;
            self.files[&target].declared.contains(name).then_some(target)
        })
    }
}

/// Returns whether a file uses what it passes on, too.
fn used_here(file: &File<'_>, path: &Written) -> bool {
    let Some(called) = path.called() else { return false };
    let (mut in_use, mut after_mod) = (false, false);
    file.source.tokens.iter().any(|token| {
        in_use = (in_use || token.is("use")) && !token.is(";");
        let is_used = !in_use && !after_mod && token.is(called);
        after_mod = token.is("mod");
        is_used
    })
}

/// Returns the names that a file declares.
fn declared(tokens: &[Token]) -> BTreeSet<String> {
    let keywords = ["struct", "enum", "fn", "trait", "type", "const", "static", "macro_rules"];
    let pairs = tokens.windows(2).filter(|pair| keywords.iter().any(|word| pair[0].is(word)));
    pairs.filter_map(|pair| pair[1].name().map(str::to_owned)).collect()
}

#[test]
fn paths_are_found_however_they_are_spelt() {
    for (text, expected) in [
        ("use crate::rules::Amount;", vec!["crate::rules::Amount"]),
        ("fn f(x: crate::proxy::Body) {}", vec!["crate::proxy::Body"]),
        (
            "use crate::{here::x, rules::{self, table}, proxy as p};",
            vec!["crate::here::x", "crate::rules", "crate::rules::table", "crate::proxy"],
        ),
        ("use super::super::admin::{Page,};", vec!["super::super::admin::Page"]),
        ("pub use crate :: rules::*;", vec!["crate::rules::*"]),
        ("let x = child::f(other::g());", vec!["child::f"]),
        ("struct Mycrate; mycrate::rules();", vec![]),
        ("pub(in crate::rules) const X: u8 = 1;", vec![]),
        ("use crate::a as b; fn f() { b::g() }", vec!["crate::a", "crate::a::g"]),
    ] {
        let tokens = super::source::tokens(text);
        let found = written(&tokens, &BTreeSet::from(["child".to_owned()]));
        let found: Vec<String> = found.iter().map(|path| path.names.join("::")).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_name_is_followed_to_the_file_that_declares_it() {
    let source = |module: &str, text: &str| Source {
        path: module.to_owned(),
        module: module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        tokens: super::source::tokens(text),
    };
    let sources = [
        source("", "mod a; mod b; pub use a::{X, b};"),
        source("a", "mod x; mod y; pub use x::X; pub(crate) use self::y::*; struct Own;"),
        source("a::x", "use super::{Y, Own}; pub struct X;"),
        source("a::y", "pub struct Y; fn f() -> super::X {}"),
        source("b", "use crate::a::X as Other; use std::fmt;"),
    ];
    let of = Crate::of(&sources);
    let used = |module: &str| -> Vec<String> {
        let module: Vec<String> =
            module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        of.used_by(&module).iter().map(|module| module.join("::")).collect()
    };
    assert_eq!(used("a"), Vec::<String>::new(), "it only passes on");
    assert_eq!(used("a::x"), ["a", "a::y"]);
    assert_eq!(used("a::y"), ["a::x"]);
    assert_eq!(used("b"), ["a::x"]);
}

//! Nothing is too long: files, functions, lines.

use super::{
    Check, none,
    source::{Sort, Token, files, read, root, sources, tokens},
};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn no_file_has_over_300_lines_of_code() {
    let counted = sources().iter().map(|source| (lines_of_code(&source.tokens), &source.path));
    let long = counted.filter(|(lines, _)| *lines > 300);
    let found: Vec<String> = long.map(|(lines, path)| format!("{path}: {lines}")).collect();
    none(Check::Files, &found);
}

#[test]
fn no_function_has_over_60_lines() {
    let mut found = Vec::new();
    for source in sources() {
        let long = functions(&source.tokens).into_iter().filter(|(_, lines)| *lines > 60);
        found.extend(long.map(|(name, lines)| format!("{}: {name}: {lines}", source.path)));
    }
    none(Check::Functions, &found);
}

#[test]
fn no_line_has_over_100_columns() {
    let mut found = Vec::new();
    for path in ["src", "tests", "benches", "examples"].iter().flat_map(|f| files(&root().join(f)))
    {
        let long = long_lines(&read(&path));
        let path = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        found.extend(long.into_iter().map(|line| format!("{path}:{line}")));
    }
    none(Check::Lines, &found);
}

/// Returns the lines that are longer than 100 columns by themselves: strings, which are not broken,
/// do not count.
fn long_lines(text: &str) -> Vec<usize> {
    let mut strings: BTreeMap<usize, usize> = BTreeMap::new();
    for token in tokens(text).iter().filter(|token| token.sort == Sort::Text) {
        for (line, part) in token.lines.clone().zip(token.text.split('\n')) {
            *strings.entry(line).or_default() += part.chars().count();
        }
    }
    let columns = |number: usize, line: &str| {
        line.chars().count().saturating_sub(strings.get(&number).copied().unwrap_or_default())
    };
    let lines = (1..).zip(text.lines());
    lines.filter(|(number, line)| columns(*number, line) > 100).map(|(number, _)| number).collect()
}

/// Returns how many lines bear code.
fn lines_of_code(tokens: &[Token]) -> usize {
    tokens.iter().flat_map(|token| token.lines.clone()).collect::<BTreeSet<_>>().len()
}

/// Returns the functions that have a body, and how many lines each takes.
fn functions(tokens: &[Token]) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let Some(name) = tokens.get(at + 1).and_then(Token::name) else { continue };
        if !tokens[at].is("fn") {
            continue;
        }
        let body = tokens[at..].iter().position(|token| token.is("{") || token.is(";"));
        let Some(body) = body.map(|body| at + body).filter(|body| tokens[*body].is("{")) else {
            continue;
        };
        let end = (body + super::paths::closing(&tokens[body..])).min(tokens.len() - 1);
        found.push((name, tokens[end].lines.end - tokens[at].lines.start));
    }
    found
}

#[test]
fn a_long_string_makes_no_long_line() {
    let (string, comment) = (format!("f(\"{}\");", "x".repeat(120)), "/".repeat(101));
    assert_eq!(long_lines(&format!("{string}\n{comment}\nf();\n")), [2]);
}

#[test]
fn lines_are_counted_without_comments_and_functions_with_them() {
    let text = "//! A file.\n\nfn a() {\n    // Why.\n    b();\n}\n\ntrait T {\n    fn c();\n}\n";
    let tokens = tokens(text);
    assert_eq!(lines_of_code(&tokens), 6);
    assert_eq!(functions(&tokens), [("a", 4)]);
}

//! The sources as they lie on disk, cut into tokens: names, marks, and what stands in quotes.
//! Comments are left out, and so is what is compiled for tests only.

use std::{
    collections::BTreeSet,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// A file of the production code.
pub(crate) struct Source {
    /// Its path below `src`.
    pub(crate) path: String,
    /// The names of its module, from the crate on.
    pub(crate) module: Vec<String>,
    pub(crate) tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) sort: Sort,
    /// The lines it stands on, counted from 1.
    pub(crate) lines: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A name, a keyword or a number.
    Name,
    /// `::` or a single sign.
    Mark,
    /// A string, without its quotes.
    Text,
    /// A character or a byte.
    Character,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text && matches!(self.sort, Sort::Name | Sort::Mark)
    }

    /// Returns the token as a name, without the mark of a raw one.
    pub(crate) fn name(&self) -> Option<&str> {
        let named = self.sort == Sort::Name && !self.text.starts_with(|c: char| c.is_numeric());
        named.then_some(self.text.as_str())
    }
}

impl Source {
    /// Returns the room: the first folder or file below `src`.
    pub(crate) fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter_map(Token::name)
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns every file of the production code but `main.rs`: no `tests.rs`, no `tests/`, no module
/// that is declared for tests only.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_sources);
    &SOURCES
}

fn read_sources() -> Vec<Source> {
    let src = root().join("src");
    let mut sources = Vec::new();
    let mut tested = BTreeSet::new();
    for path in files(&src) {
        let below = path.strip_prefix(&src).unwrap_or(&path).to_owned();
        let module: Vec<String> = below
            .with_extension("")
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| !["mod", "lib"].contains(&name.as_str()))
            .collect();
        if module == ["main"] || module.iter().any(|name| name == "tests") {
            continue;
        }
        let (tokens, only_tests) = production(tokens(&read(&path)));
        tested.extend(only_tests.into_iter().map(|name| {
            let mut module = module.clone();
            module.push(name);
            module
        }));
        sources.push(Source { path: below.display().to_string(), module, tokens });
    }
    sources.retain(|source| !tested.iter().any(|module| source.module.starts_with(module)));
    sources
}

/// Returns the Rust files below a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Takes out the items under `#[cfg(test)]`; returns the rest, and the names of the modules among
/// them that have files of their own.
pub(crate) fn production(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
        let rest = &tokens[at..];
        if rest.len() < attribute.len() || !rest.iter().zip(attribute).all(|(t, a)| t.is(a)) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = at + attribute.len() + item(&rest[attribute.len()..]);
        let item = &tokens[at + attribute.len()..end];
        if item.last().is_some_and(|last| last.is(";"))
            && let Some(name) = item.iter().position(|token| token.is("mod"))
        {
            modules.push(item[name + 1].text.clone());
        }
        at = end;
    }
    (kept, modules)
}

/// Returns how many tokens the item has that begins here, its attributes included.
fn item(tokens: &[Token]) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            _ if token.sort != Sort::Mark => {}
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            ";" | "," if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Cuts a text into tokens.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let (mut found, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (sort, length) = match quoted(rest) {
            Some((sort, length)) => (sort, length),
            None if word > 0 => (Some(Sort::Name), word),
            None if rest.starts_with("::") => (Some(Sort::Mark), 2),
            None if first.is_whitespace() => (None, first.len_utf8()),
            None => (Some(Sort::Mark), first.len_utf8()),
        };
        let (token, after) = rest.split_at(length);
        let end = line + token.matches('\n').count();
        if let Some(sort) = sort {
            let text = match sort {
                Sort::Text => token.trim_start_matches(['b', 'r', '#']).trim_end_matches('#'),
                _ => token,
            };
            let text = if sort == Sort::Text { text.trim_matches('"') } else { text };
            found.push(Token { text: text.to_owned(), sort, lines: line..end + 1 });
        }
        (rest, line) = (after, end);
    }
    found
}

/// Returns the sort and the length of the comment or quotation that begins here, if one does; a
/// comment has no sort.
fn quoted(text: &str) -> Option<(Option<Sort>, usize)> {
    let until = |from: usize, end: &str| {
        text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return Some((None, text.find('\n').unwrap_or(text.len())));
    }
    if text.starts_with("/*") {
        return Some((None, until(2, "*/")));
    }
    let marks = text.strip_prefix('b').unwrap_or(text);
    let start = text.len() - marks.len();
    if let Some(raw) = marks.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = until(start + hashes + 2, &format!("\"{}", "#".repeat(hashes)));
            return Some((Some(Sort::Text), end));
        }
    }
    if marks.starts_with('"') {
        return Some((Some(Sort::Text), closed(text, start + 1, '"')));
    }
    // A character, not a lifetime.
    let character = marks.starts_with("'\\")
        || marks.strip_prefix('\'').is_some_and(|after| after.chars().nth(1) == Some('\''));
    character.then(|| (Some(Sort::Character), closed(text, start + 1, '\'')))
}

/// Returns where the quotation ends whose inside begins at `from`.
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

#[test]
fn comments_quotations_and_tests_are_no_code() {
    let text = r##"
        use crate::rules; // crate::proxy
        /* crate::proxy */
        let x = ("crate::a", r#"say "b""#, b'"', 'c', '\'', 'static, 1u8);
        #[cfg(test)]
        #[derive(Debug)]
        struct Fake { x: u8 }
        #[cfg(test)]
        mod fixtures;
        fn last() {}
    "##;
    let (kept, modules) = production(tokens(text));
    let of = |sort: Sort| kept.iter().filter(move |t| t.sort == sort).map(|t| t.text.as_str());
    assert_eq!(of(Sort::Text).collect::<Vec<_>>(), ["crate::a", r#"say "b"#]);
    assert_eq!(of(Sort::Character).collect::<Vec<_>>(), ["b'\"'", "'c'", "'\\''"]);
    let names: Vec<&str> = kept.iter().filter_map(Token::name).collect();
    assert_eq!(names, ["use", "crate", "rules", "let", "x", "static", "fn", "last"]);
    assert_eq!(modules, ["fixtures"]);
    assert_eq!(kept.last().map(|token| token.lines.clone()), Some(10..11));
}

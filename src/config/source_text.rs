//! A configuration file's text, and where in it a span of bytes is.

use super::problem::{Place, Problem};
use std::{
    fs,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

/// A file that was read.
#[derive(Debug)]
pub(super) struct SourceText {
    file: PathBuf,
    text: String,
}

/// The most bytes that are read, because a device may have no end.
const AT_MOST: u64 = 1 << 20;

const BOM: &str = "\u{feff}";

impl SourceText {
    /// Reads a file whole.
    pub(super) fn open(file: &Path) -> Result<Self, Box<Problem>> {
        let whole = || Place::File(file.to_owned());
        let bytes = read(file).map_err(|error| unreadable(&error, whole()))?;
        if bytes.len() as u64 > AT_MOST {
            return Err(Box::new(Problem::error(
                whole(),
                "the file is larger than 1MiB: this is not a configuration",
            )));
        }
        String::from_utf8(bytes).map(|text| SourceText::new(file, text)).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let message = format!("the file is not UTF-8: byte {} cannot be read", valid + 1);
            Box::new(
                Problem::error(SourceText::new(file, text).place(valid..valid + 1), message)
                    .suggest("save the file as UTF-8"),
            )
        })
    }

    /// Takes a text as the content of a file.
    pub(super) fn new(file: &Path, text: String) -> Self {
        let text = text.strip_prefix(BOM).map(str::to_owned).unwrap_or(text);
        Self { file: file.to_owned(), text }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the place of these bytes; of several lines, the part in the first.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end).max(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end =
            self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        let text = self.text[line_start..line_end].trim_end_matches('\r');
        Place::Spot {
            file: self.file.clone(),
            line: self.text[..line_start].matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            width: self.text[start..end.min(line_end)].trim_end().chars().count().max(1),
            text: blot(text),
        }
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(AT_MOST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(error: &io::Error, place: Place) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::error(place, "there is no such file"),
        io::ErrorKind::IsADirectory => {
            Problem::error(place, "this is a directory").suggest("name a file in it")
        }
        io::ErrorKind::PermissionDenied => {
            Problem::error(place, "the file may not be read: permission denied")
        }
        _ => Problem::error(place, format!("the file cannot be read: {error}")),
    }
}

/// Returns the nearest boundary between characters at or before a byte.
fn floor(text: &str, mut byte: usize) -> usize {
    byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// Blots out what may be a credential: all before the last `@`, as in a URL with a password, which
/// may hold anything, and the value of a key that is named like one. Keeps the line's length, for
/// the caret.
fn blot(line: &str) -> String {
    let mut hidden = Vec::new();
    if let Some((key, value)) = line.split_once(['=', ':']) {
        let key = key.to_lowercase();
        let names = ["key", "token", "secret", "password", "authorization", "credential"];
        let is_proxy = key.trim().rsplit('.').next().is_some_and(|key| key.trim() == "proxy");
        if is_proxy || names.iter().any(|word| key.contains(word)) {
            hidden.push(line.len() - value.len()..line.len());
        }
    }
    // As in an inline table.
    for (at, word) in line.match_indices("proxy") {
        let rest = &line[at + word.len()..];
        let value = rest.trim_start_matches(['"', '\'', ' ', '\t']);
        if value.starts_with('=') {
            hidden.push(line.len() - value.len() + 1..line.len());
        }
    }
    if let Some(at) = line.rfind('@') {
        let before = &line[..at];
        let after = |mark: &str| before.find(mark).map(|start| start + mark.len());
        let start = after("://").or_else(|| after("\"")).or_else(|| after("'"));
        hidden.push(start.or_else(|| after("=")).unwrap_or(0)..at);
    }
    let is_hidden = |at: usize, c: char| {
        hidden.iter().any(|range| range.contains(&at)) && !matches!(c, ' ' | '"' | '\'' | '\t')
    };
    line.char_indices().map(|(at, c)| if is_hidden(at, c) { '*' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_and_shows_one_line() {
        let source = SourceText::new(Path::new("w"), "a = 1\r\nüb = \"ö\"\nlast".into());
        let cases = [
            (0..1, (1, 1, 1, "a = 1")),
            (7..8, (2, 1, 1, "üb = \"ö\"")),
            (13..17, (2, 6, 3, "üb = \"ö\"")),
            (13..100, (2, 6, 3, "üb = \"ö\"")),
            (100..101, (3, 5, 1, "last")),
        ];
        for (span, (line, column, width, text)) in cases {
            let expected = Place::Spot { file: "w".into(), line, column, width, text: text.into() };
            assert_eq!(source.place(span.clone()), expected, "{span:?}");
        }
    }

    #[test]
    fn what_may_be_a_credential_is_blotted_out() {
        let cases = [
            ("url = \"https://me:pass@host/a\"", "url = \"https://*******@host/a\""),
            ("url = \"https://me:p/a#s?s@host\"", "url = \"https://**********@host\""),
            ("a = { proxy = \"me:pass@host\" }", "a = { proxy = \"************\" *"),
            ("proxi=\"me:p@ss@host\"", "proxi=\"*******@host\""),
            ("proxy = \"me:pass\"", "proxy = \"*******\""),
            ("upstream.proxy = 'me:pass'", "upstream.proxy = '*******'"),
            ("up = { proxy = \"http://me:pass\" }", "up = { proxy = \"**************\" *"),
            ("\"proxy\" = \"me:pass\"", "\"proxy\" = \"*******\""),
            ("api-key = \"sk_1234\"", "api-key = \"*******\""),
            ("proxy-protocol = [\"10.0.0.0/33\"]", "proxy-protocol = [\"10.0.0.0/33\"]"),
            ("secondary = [\"customerCredit\"]", "secondary = [\"customerCredit\"]"),
        ];
        for (line, shown) in cases {
            assert_eq!(blot(line), shown);
        }
    }
}

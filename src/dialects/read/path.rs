//! Reads a request path: it means one governed thing, could be read as one, or is ungoverned.
//!
//! In: the path as the caller spelled it, and the words of the dialects' paths. Out: its segments,
//! where every parser would agree on them, or else the segments that some parser could read.
//! An ordinary ungoverned path is known by one pass over its bytes and the first letter of its
//! first segment.

use super::escapes::{decode, is_harmless_byte, is_plain_byte, is_plain_escape, is_plain_text};
use std::borrow::Cow;

/// A governed path is decided by its first six segments; two more tell that it goes on.
const DEPTH: usize = 8;

/// The words of one dialect's paths; all else in them is an id.
#[derive(Debug)]
pub(crate) struct PathWords {
    /// Every word.
    pub all: &'static [&'static str],
    /// The words with which a governed path begins.
    pub roots: &'static [&'static str],
    /// Words with which a path begins that names a site before the API's own path.
    pub sites: &'static [&'static str],
    /// Words that make a path containing `..` suspicious: no ungoverned path has them.
    pub governed: &'static [&'static str],
    /// Words by which an error about an oddly spelled path is answered in this dialect's form. The
    /// first dialect needs none: its form is the default.
    pub marks: &'static [&'static str],
}

/// The words of several dialects, put together once so that a path is read with few comparisons.
#[derive(Debug)]
pub(crate) struct Words {
    all: Vec<&'static str>,
    roots: Vec<&'static str>,
    governed: Vec<&'static str>,
    /// The bytes with which a word begins, in either case.
    first: [bool; 256],
}

impl Words {
    pub(crate) fn new<'a>(dialects: impl IntoIterator<Item = &'a PathWords>) -> Self {
        let mut words =
            Self { all: Vec::new(), roots: Vec::new(), governed: Vec::new(), first: [false; 256] };
        for dialect in dialects {
            words.all.extend(dialect.all);
            words.roots.extend(dialect.roots);
            words.governed.extend(dialect.governed);
        }
        for word in &words.all {
            let first = word.as_bytes().first().copied().unwrap_or_default();
            words.first[usize::from(first.to_ascii_lowercase())] = true;
            words.first[usize::from(first.to_ascii_uppercase())] = true;
        }
        words
    }

    /// Returns the word that a segment is, or that some parser takes it for: in any case, with a
    /// suffix, with characters that may be dropped.
    fn find(&self, segment: &str) -> Option<&'static str> {
        let bytes = segment.as_bytes();
        // Neither a suffix nor a dropped character changes a first byte that words are made of.
        if bytes.first().is_some_and(|first| is_part(first) && !self.first[usize::from(*first)]) {
            return None;
        }
        let cut = bytes.iter().position(|byte| !is_part(byte)).unwrap_or(bytes.len());
        self.equal(&bytes[..cut]).or_else(|| match bytes.iter().all(|byte| is_plain_byte(*byte)) {
            true => None,
            false => self.equal(&bytes.iter().copied().filter(is_part).collect::<Vec<u8>>()),
        })
    }

    fn equal(&self, text: &[u8]) -> Option<&'static str> {
        self.all.iter().copied().find(|word| word.as_bytes().eq_ignore_ascii_case(text))
    }

    /// Returns the word that some parser takes a segment of a plain path for, as `find` does.
    fn find_escaped(&self, segment: &str) -> Option<&'static str> {
        let plain = match segment.contains('%') {
            true => Cow::Owned(decode(segment, false)?),
            false => Cow::Borrowed(segment),
        };
        self.find(&plain)
    }

    fn is_root(&self, segment: &str) -> bool {
        self.find_escaped(segment).is_some_and(|word| self.roots.contains(&word))
    }
}

/// A byte that words are made of.
fn is_part(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What a path says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Path<'a> {
    /// It begins with no word of a governed path.
    Ungoverned,
    /// Every parser reads these segments.
    Plain(Segments<'a>),
    /// Some parser could read it as a governed path.
    Suspicious {
        /// The segments it could have: words in their plain spelling, ids as they are.
        reading: Vec<String>,
        /// Where it leads depends on the parser: it has `..` or control characters besides a
        /// governed word.
        escapes: bool,
        /// What is unusual about it, for the caller's eyes.
        reason: &'static str,
    },
}

/// The first segments of a path; a trailing slash makes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segments<'a> {
    parts: [&'a str; DEPTH],
    len: usize,
}

impl<'a> Segments<'a> {
    /// Splits a plain path.
    pub(crate) fn split(path: &'a str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = Self { parts: [""; DEPTH], len: 0 };
        let slashes = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
        let mut starts = slashes.map(|(at, _)| at + 1);
        let mut start = starts.next();
        while let Some(from) = start.filter(|_| segments.len < DEPTH) {
            start = starts.next();
            segments.parts[segments.len] = &path[from..start.map_or(path.len(), |next| next - 1)];
            segments.len += 1;
        }
        segments
    }

    pub(crate) fn as_slice(&self) -> &[&'a str] {
        &self.parts[..self.len]
    }
}

/// Reads a path.
pub(crate) fn read<'a>(path: &'a str, words: &Words) -> Path<'a> {
    if !is_plain(path) {
        return suspicious(path, words);
    }
    match path.split('/').nth(1) {
        Some(first) if words.is_root(first) => Path::Plain(Segments::split(path)),
        // Nothing but parameters, to a server that decodes first.
        Some(first) if begins_escaped(first) => suspicious(path, words),
        _ => Path::Ungoverned,
    }
}

/// Returns whether a segment begins with an escaped semicolon.
fn begins_escaped(segment: &str) -> bool {
    segment.get(..3).is_some_and(|escape| escape.eq_ignore_ascii_case("%3B"))
}

/// Returns how a server that ignores case and suffixes (`.json`) would read these segments, where
/// that differs, and the first word that does.
pub(crate) fn relaxed(segments: &[&str], words: &Words) -> Option<(Vec<String>, &'static str)> {
    let find = |part: &str| words.find_escaped(part);
    let word = segments.iter().find_map(|part| find(part).filter(|word| word != part))?;
    let read = segments.iter().map(|part| find(part).unwrap_or(part).to_owned());
    Some((read.collect(), word))
}

fn is_plain(path: &str) -> bool {
    let (mut segment, mut has_escapes) = (0, false);
    let bytes = path.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if is_plain_byte(byte) => {}
            b'/' if at > 0 && (segment == at || is_dots(&bytes[segment..at])) => return false,
            b'/' => segment = at + 1,
            b'%' if is_plain_escape(&bytes[at + 1..]) => has_escapes = true,
            _ if is_harmless_byte(byte) => {}
            _ => return false,
        }
    }
    bytes.first() == Some(&b'/')
        && !is_dots(&bytes[segment..])
        && (!has_escapes || path.split('/').all(is_plain_text))
}

fn is_dots(segment: &[u8]) -> bool {
    matches!(segment, b"." | b"..")
}

fn suspicious<'a>(path: &str, words: &Words) -> Path<'a> {
    let (Some(decoded), Some(squeezed)) = (decode(path, false), decode(path, true)) else {
        return Path::Suspicious {
            reading: Vec::new(),
            escapes: true,
            reason: "The path is encoded many times over.",
        };
    };
    let (reading, climbs) = split_decoded(&decoded, words);
    // A parser that drops control characters may find a word, or an encoded letter, around them.
    if decoded.contains(char::is_control)
        && words.governed.iter().any(|word| squeezed.contains(word))
    {
        let reason = "The path has control characters.";
        return Path::Suspicious { reading, escapes: true, reason };
    }
    if climbs && reading.iter().any(|part| words.governed.contains(&part.as_str())) {
        let reason = "The path has dot segments.";
        return Path::Suspicious { reading, escapes: true, reason };
    }
    if !reading.first().is_some_and(|first| words.roots.contains(&first.as_str())) {
        return Path::Ungoverned;
    }
    Path::Suspicious { reading, escapes: false, reason: reason(path) }
}

/// Splits a decoded path as a lenient parser would, and tells whether it has `..`.
fn split_decoded(decoded: &str, words: &Words) -> (Vec<String>, bool) {
    let mut parts = Vec::new();
    let mut climbs = false;
    for raw in decoded.split('/') {
        let part = raw.split([';', '?', '#']).next().unwrap_or_default();
        let kept: String = part.chars().filter(|c| c.is_ascii_graphic()).collect();
        match kept.as_str() {
            "" | "." => {}
            ".." => climbs = true,
            _ => parts.push(words.find(part).map_or(kept, str::to_owned)),
        }
    }
    (parts, climbs)
}

/// Says what is unusual about a path.
fn reason(path: &str) -> &'static str {
    if path.contains('%') {
        "The path has percent-encoded characters."
    } else if path.contains("//") {
        "The path has empty segments."
    } else if path.contains(';') {
        "The path has matrix parameters."
    } else if path.split('/').any(|part| is_dots(part.as_bytes())) {
        "The path has dot segments."
    } else {
        "The path has characters that parsers read differently."
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{Dialects, read::escapes::id};

    fn read(path: &str) -> Path<'_> {
        super::read(path, &Dialects::built_in().words)
    }

    fn plain(path: &str) -> Option<Vec<&str>> {
        match read(path) {
            Path::Plain(segments) => Some(segments.as_slice().to_vec()),
            _ => None,
        }
    }

    #[test]
    fn plain_paths_are_split_and_a_trailing_slash_is_nothing() {
        assert_eq!(plain("/checkouts"), Some(vec!["checkouts"]));
        assert_eq!(plain("/checkouts/"), Some(vec!["checkouts"]));
        assert_eq!(
            plain("/checkouts/1/sources/a-b.c~d:e"),
            Some(vec!["checkouts", "1", "sources", "a-b.c~d:e"])
        );
        assert_eq!(plain("/customers/a%40b%2Bc"), Some(vec!["customers", "a%40b%2Bc"]));
        assert_eq!(id("a%40b%2Bc"), "a@b+c");
        assert_eq!(plain("/sources/a/b/c/d/e/f/g/h/i").map(|parts| parts.len()), Some(8));
    }

    #[test]
    fn in_a_path_an_escape_of_a_byte_that_must_be_escaped_has_one_meaning() {
        for (segment, expected) in [
            ("auth0%7C5f7c", "auth0|5f7c"),
            ("auth0|5f7c", "auth0|5f7c"),
            ("jane%20doe", "jane doe"),
            ("M%C3%BCller", "M\u{fc}ller"),
            ("%7BGUID%7D", "{GUID}"),
            ("{GUID}", "{GUID}"),
            ("a%23b", "a#b"),
            ("a%3Fb%3Bc", "a?b;c"),
            ("100%25", "100%"),
            ("100%25%20off", "100% off"),
            ("%E6%97%A5%E6%9C%AC", "\u{65e5}\u{672c}"),
            ("a%2Db", "a-b"),
            ("orders%40shop", "orders@shop"),
        ] {
            let path = format!("/customers/{segment}");
            assert_eq!(plain(&path), Some(vec!["customers", segment]), "{segment}");
            assert_eq!(id(segment), expected);
        }
        for segment in [
            "a%2Fb",
            "a%5cb",
            "a%2Eb",
            "%2e%2e",
            "a%0Ab",
            "a%7Fb",
            "a%00",
            "%61",
            "a%39",
            "a%2541",
            "a%252F",
            "a%25u0041",
            "a%u0041",
            "a%",
            "a%4",
            "a%C3",
            "a%C0%AF",
            "a%C2%85",
            "a%EF%BC%8Fb",
            "a;b",
            "a%EF%BC%8E",
            "a%20",
            "%20a",
            "a%C2%A0",
        ] {
            let path = format!("/customers/{segment}");
            assert!(matches!(read(&path), Path::Suspicious { .. }), "{segment}");
        }
    }

    #[test]
    fn other_paths_are_ungoverned() {
        for path in [
            "",
            "*",
            "/",
            "/fulfillments",
            "/refunds/1",
            "/files/a%20b",
            "/x//y",
            "/a/../b",
            "/checkout",
            "/v2/x",
            "/%00",
            "/files/a%0Ab",
        ] {
            assert_eq!(read(path), Path::Ungoverned, "{path}");
        }
    }

    #[test]
    fn odd_spellings_show_what_they_reading() {
        for path in [
            "/checkouts//1",
            "//checkouts/1",
            "/./checkouts/1",
            "/%63heckouts/1",
            "/%2563heckouts/1",
            "/%u0063heckouts/1",
            "/checkouts%2F1",
            "/checkouts%5c1",
            "/checkouts\\1",
            "/checkouts;x=y/1",
            "/checkouts/;a/1",
            "/%3B/checkouts/1",
            "/%3ba=b/checkouts/1",
            "/checkouts%c0%af1",
        ] {
            let Path::Suspicious { reading, escapes: false, .. } = read(path) else {
                panic!("{path}: {:?}", read(path))
            };
            assert_eq!(reading, ["checkouts", "1"], "{path}");
        }
    }

    #[test]
    fn climbing_and_control_characters_are_suspicious_wherever_they_lead() {
        for path in [
            "/CHECK%00outs/1",
            "/checkouts%00z/1",
            "/%%0000checkouts",
            "/%0acheckouts",
            "/x/../checkouts/1",
            "/x/%2e%2e/sources",
            "/x/..;/orders",
            "/x/..%2fcarts",
            "/checkouts/1/../../y",
        ] {
            assert!(matches!(read(path), Path::Suspicious { escapes: true, .. }), "{path}");
        }
    }

    #[test]
    fn a_path_encoded_over_and_over_is_not_unwrapped_for_ever() {
        let path = format!("/{}63heckouts", "%25".repeat(20_000));
        assert!(matches!(read(&path), Path::Suspicious { .. } | Path::Ungoverned));
        assert!(matches!(read("/%25252525252563heckouts"), Path::Suspicious { escapes: true, .. }));
    }
}

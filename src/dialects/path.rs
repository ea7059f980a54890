//! Reads a request path: does it mean one governed thing, could it be read as one, or is it none of
//! Weir's business?
//!
//! In: the path as the caller spelled it. Out: its segments, where every parser would agree on
//! them; else the segments that some parser could make of it. Ordinary ungoverned paths leave after
//! one look at their first letters.

use std::borrow::Cow;

/// The words that governed paths are made of; everything else in them is an id.
const WORDS: [&str; 15] = [
    "checkouts",
    "invoices",
    "customers",
    "orders",
    "sources",
    "v1",
    "shoppers",
    "me",
    "carts",
    "active",
    "apply-payment-method",
    "payment",
    "apply-shopper",
    "submit-cart",
    "payment-options",
];

/// What no ungoverned path names, once it climbs (`..`).
const TELLING: [&str; 8] = [
    "checkouts",
    "invoices",
    "customers",
    "orders",
    "sources",
    "shoppers",
    "carts",
    "payment-options",
];

/// A governed path is decided by its first six segments; two more tell that it goes on.
const DEPTH: usize = 8;

/// How often a path may be encoded before it is taken for a disguise.
const ROUNDS: usize = 4;

/// What a path says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Path<'a> {
    /// It begins with no word of a governed path.
    Elsewhere,
    /// Every parser reads these segments.
    Plain(Segments<'a>),
    /// Some parser could read these segments; `why` names the doubt.
    Odd {
        /// Words in their plain spelling, ids as they are.
        could_be: Vec<String>,
        /// It names something governed, and has `..` or worse: where it leads depends on the
        /// parser alone.
        lost: bool,
        /// For the caller's eyes.
        why: &'static str,
    },
}

/// The first segments of a path; a trailing slash makes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segments<'a> {
    parts: [&'a str; DEPTH],
    len: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn as_slice(&self) -> &[&'a str] {
        &self.parts[..self.len]
    }

    fn split(path: &'a str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = Segments { parts: [""; DEPTH], len: 0 };
        for part in path.split('/').skip(1).take(DEPTH) {
            segments.parts[segments.len] = part;
            segments.len += 1;
        }
        segments
    }
}

/// Reads a path.
pub(super) fn read(path: &str) -> Path<'_> {
    if !is_plain(path) {
        return odd(path);
    }
    match path.split('/').nth(1) {
        Some(first) if word(first).is_some_and(begins) => Path::Plain(Segments::split(path)),
        _ => Path::Elsewhere,
    }
}

/// Whether a plain path of these segments would read differently where case or a suffix (`.json`)
/// does not count.
pub(super) fn loosened(segments: &[&str]) -> Option<Vec<String>> {
    let differs = |part: &&str| word(part).is_some_and(|word| word != *part);
    segments
        .iter()
        .any(differs)
        .then(|| segments.iter().map(|part| word(part).unwrap_or(part).to_owned()).collect())
}

/// Whether an id stands for itself in a path: letters, digits and marks that no parser gives a
/// meaning of their own.
pub(super) fn is_plain_id(id: &str) -> bool {
    (1..=256).contains(&id.len()) && id.bytes().all(is_plain_byte) && id != "." && id != ".."
}

fn begins(word: &str) -> bool {
    matches!(word, "checkouts" | "invoices" | "customers" | "orders" | "sources" | "v1")
}

/// Which bytes are plain; a table, since every byte of every path is looked up in it.
const PLAIN: [bool; 256] = {
    let (mut plain, mut byte) = ([false; 256], 0_u8);
    while byte < 0x80 {
        plain[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b':'
                    | b'@'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b'='
            );
        byte += 1;
    }
    plain
};

fn is_plain_byte(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
}

/// The id that a segment of a plain path stands for.
pub(super) fn id(segment: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy()
}

/// Careful clients encode `@` and its like in an id (`encodeURIComponent`); every parser takes
/// these for what they are.
fn is_plain_escape(rest: &[u8]) -> bool {
    hex(rest, 2)
        .is_some_and(|code| u8::try_from(code).is_ok_and(|byte| b"@:!$&'()*+,=".contains(&byte)))
}

fn is_plain(path: &str) -> bool {
    let mut segment = 0;
    let bytes = path.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if is_plain_byte(byte) => {}
            b'/' if at > 0 && (segment == at || is_dots(&bytes[segment..at])) => return false,
            b'/' => segment = at + 1,
            b'%' if is_plain_escape(&bytes[at + 1..]) => {}
            _ => return false,
        }
    }
    bytes.first() == Some(&b'/') && !is_dots(&bytes[segment..])
}

fn is_dots(segment: &[u8]) -> bool {
    matches!(segment, b"." | b"..")
}

/// The word a segment is, or that some parser takes it for: in any case, with a suffix, with
/// characters that may be dropped.
fn word(segment: &str) -> Option<&'static str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let find =
        |text: &[u8]| WORDS.iter().copied().find(|word| word.as_bytes().eq_ignore_ascii_case(text));
    let bytes = segment.as_bytes();
    let cut = bytes.iter().position(|byte| !is_part(byte)).unwrap_or(bytes.len());
    find(&bytes[..cut]).or_else(|| match bytes.iter().all(|byte| is_plain_byte(*byte)) {
        true => None,
        false => find(&bytes.iter().copied().filter(is_part).collect::<Vec<u8>>()),
    })
}

fn odd(path: &str) -> Path<'_> {
    let (Some(decoded), Some(squeezed)) = (decode(path, false), decode(path, true)) else {
        return Path::Odd {
            could_be: Vec::new(),
            lost: true,
            why: "The path is encoded many times over.",
        };
    };
    let mut parts = Vec::new();
    let mut climbs = false;
    for raw in decoded.split('/') {
        let part = raw.split([';', '?', '#']).next().unwrap_or_default();
        let kept: String = part.chars().filter(|c| c.is_ascii_graphic()).collect();
        match kept.as_str() {
            "" | "." => {}
            ".." => climbs = true,
            _ => parts.push(word(part).map_or(kept, str::to_owned)),
        }
    }
    // Whoever drops control characters may find a word, or an encoded letter, where they stood.
    if decoded.contains(char::is_control) && TELLING.iter().any(|word| squeezed.contains(word)) {
        return Path::Odd { could_be: parts, lost: true, why: "The path has control characters." };
    }
    if climbs && parts.iter().any(|part| TELLING.contains(&part.as_str())) {
        return Path::Odd { could_be: parts, lost: true, why: "The path has dot segments." };
    }
    if !parts.first().is_some_and(|first| begins(first)) {
        return Path::Elsewhere;
    }
    Path::Odd { could_be: parts, lost: false, why: doubt(path) }
}

fn doubt(path: &str) -> &'static str {
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

/// Decodes until nothing changes, as the most eager parser would; `None` where that takes
/// suspiciously long. Letters are lower-cased and look-alikes taken for what they look like;
/// backslashes are slashes. `squeeze` drops control characters on the way.
fn decode(path: &str, squeeze: bool) -> Option<String> {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..ROUNDS {
        let mut decoded = decode_once(&bytes);
        if squeeze {
            decoded.retain(|byte| !byte.is_ascii_control());
        }
        if decoded == bytes {
            return Some(String::from_utf8_lossy(&bytes).chars().map(fold).collect());
        }
        bytes = decoded;
    }
    None
}

fn decode_once(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'%', [b'u' | b'U', digits @ ..]) if hex(digits, 4).is_some_and(|c| c < 0x80) => {
                out.extend(hex(digits, 4).map(|code| code as u8));
                &digits[4..]
            }
            (b'%', digits) if hex(digits, 2).is_some() => {
                out.extend(hex(digits, 2).map(|code| code as u8));
                &digits[2..]
            }
            // The forbidden long spelling of an ASCII character, which careless decoders accept.
            (0xC0 | 0xC1, [low @ 0x80..=0xBF, more @ ..]) => {
                out.push(((first & 1) << 6) | (low & 0x3F));
                more
            }
            _ => {
                out.push(first);
                after
            }
        };
    }
    out
}

fn hex(digits: &[u8], count: usize) -> Option<u32> {
    let digits = digits.get(..count).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn fold(c: char) -> char {
    match c {
        '\\' => '/',
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        '\u{130}' | '\u{131}' => 'i',
        '\u{FF3C}' | '\u{2215}' | '\u{2044}' => '/',
        '\u{FF01}'..='\u{FF5E}' => {
            char::from_u32(u32::from(c) - 0xFEE0).map_or(c, |plain| plain.to_ascii_lowercase())
        }
        c => c.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn other_paths_are_elsewhere() {
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
            assert_eq!(read(path), Path::Elsewhere, "{path}");
        }
    }

    #[test]
    fn odd_spellings_show_what_they_could_be() {
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
            "/checkouts%c0%af1",
            "/chec%E2%84%AAouts/1",
            "/%EF%BD%83heckouts/1",
            "/checkouts%3fa/1",
            "/%20checkouts/1",
        ] {
            let Path::Odd { could_be, lost: false, .. } = read(path) else {
                panic!("{path}: {:?}", read(path))
            };
            assert_eq!(could_be, ["checkouts", "1"], "{path}");
        }
    }

    #[test]
    fn climbing_and_control_characters_are_odd_wherever_they_lead() {
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
            assert!(matches!(read(path), Path::Odd { lost: true, .. }), "{path}");
        }
    }

    #[test]
    fn a_path_encoded_over_and_over_is_not_unwrapped_for_ever() {
        let path = format!("/{}63heckouts", "%25".repeat(20_000));
        assert!(matches!(read(&path), Path::Odd { .. } | Path::Elsewhere));
        assert!(matches!(read("/%25252525252563heckouts"), Path::Odd { lost: true, .. }));
    }

    #[test]
    fn ids_are_made_of_plain_characters() {
        for id in ["7a3ce24c-5e18", "177642590336", "a.b", "a:b", "A_b~c"] {
            assert!(is_plain_id(id), "{id}");
        }
        for id in ["", ".", "..", "a/b", "a b", "a%62", "a;b", "\u{e9}", &"x".repeat(257)] {
            assert!(!is_plain_id(id), "{id}");
        }
    }
}

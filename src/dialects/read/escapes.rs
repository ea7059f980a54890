//! Knows what may stand plainly in a path, and what encoded characters could stand for.

use std::borrow::Cow;

/// How often a path may be encoded before it is taken for a disguise.
const ROUNDS: usize = 4;

/// The longest id, in bytes.
pub(crate) const LONGEST_ID: usize = 256;

/// Returns whether an id stands for itself in a path: letters, digits and marks that no parser
/// gives a meaning of their own.
pub(crate) fn is_plain_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(is_plain_byte) && id != "." && id != ".."
}

/// Whether a byte is plain; a table, since every byte of every path is looked up in it.
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

pub(crate) fn is_plain_byte(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
}

/// Returns the id that a segment of a plain path stands for.
pub(crate) fn id(segment: &str) -> Cow<'_, str> {
    match segment.contains('%') {
        true => percent_encoding::percent_decode_str(segment).decode_utf8_lossy(),
        false => Cow::Borrowed(segment),
    }
}

/// Returns whether all parsers agree on what an escape in an id stands for; `rest` is what follows
/// its `%`. They may not for what leads elsewhere in a path, for what needs no escape, and for what
/// is encoded twice.
pub(crate) fn is_plain_escape(rest: &[u8]) -> bool {
    let Some(byte) = hex(rest, 2).and_then(|code| u8::try_from(code).ok()) else { return false };
    match byte {
        b'/' | b'\\' | b'.' => false,
        b'%' => !is_escape(&rest[2..]),
        byte => !byte.is_ascii_control() && !byte.is_ascii_alphanumeric(),
    }
}

/// Returns whether all parsers agree on what a segment stands for.
pub(crate) fn has_one_meaning(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let mut escapes = memchr::memchr_iter(b'%', bytes);
    escapes.all(|at| is_plain_escape(&bytes[at + 1..])) && is_plain_text(segment)
}

/// Returns whether this could follow the `%` of an escape.
fn is_escape(rest: &[u8]) -> bool {
    match rest {
        [b'u' | b'U', digits @ ..] => hex(digits, 4).is_some(),
        digits => hex(digits, 2).is_some(),
    }
}

/// Returns whether the escapes of a segment stand for text that has nothing in it which a parser
/// could drop, or take for a slash or a dot.
pub(crate) fn is_plain_text(segment: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8();
    decoded.is_ok_and(|text| {
        let is_odd = |c: char| c.is_control() || !c.is_ascii() && matches!(fold(c), '/' | '.');
        text.trim() == text && !text.chars().any(is_odd)
    })
}

/// Returns whether a byte stands for itself in an id although it should be escaped.
pub(crate) fn is_harmless_byte(byte: u8) -> bool {
    b"|{}^`\"<>".contains(&byte)
}

/// Decodes until nothing changes, as the most eager parser would; `None` where that takes
/// suspiciously many rounds. Letters are lower-cased and look-alikes taken for what they look like;
/// backslashes are slashes. `squeeze` drops control characters on the way.
pub(crate) fn decode(path: &str, squeeze: bool) -> Option<String> {
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

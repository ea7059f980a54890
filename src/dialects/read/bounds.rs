//! Bounds how deep a JSON body may nest and how large its numbers may be.

use super::body::RequestError;

/// How deep a body may nest.
const DEPTH: usize = 128;

/// How long a number may be, in bytes, and how large its exponent may be.
const DIGITS: usize = 64;
const EXPONENT: u32 = 308;

/// Refuses what nests deeper, or has larger numbers, than parsers agree to read. One pass, no
/// recursion.
pub(super) fn bounded(text: &str) -> Result<(), RequestError> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'0'..=b'9' | b'-' => {
                let rest = &bytes[at..];
                let is_part =
                    |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
                let length = rest.iter().position(|b| !is_part(b)).unwrap_or(rest.len());
                if !is_sane(&text[at..at + length]) {
                    return Err(RequestError::Malformed("A number in the body is too large."));
                }
                at += length - 1;
            }
            _ => {}
        }
        if depth > DEPTH {
            return Err(RequestError::Malformed("The body is nested too deeply."));
        }
        at += 1;
    }
    Ok(())
}

fn is_sane(number: &str) -> bool {
    let exponent =
        number.split_once(['e', 'E']).map(|(_, exponent)| exponent.trim_start_matches(['+', '-']));
    number.len() <= DIGITS
        && exponent.is_none_or(|text| text.parse::<u32>().is_ok_and(|power| power <= EXPONENT))
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

//! Reads the trace that a request belongs to, which joins the lines of several programs.

use http::HeaderMap;

/// The header that carries it (W3C Trace Context). It is passed on as it came, unless traces are
/// sent.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// Returns the trace of a request whose headers name exactly one.
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<u128> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    match (parents.next(), parents.next()) {
        (Some(parent), None) => read_trace_id(parent.as_bytes()),
        _ => None,
    }
}

/// Reads the trace of `version-trace-parent-flags`, in lower-case hexadecimal digits. Version 00
/// ends there; later ones may go on after a dash.
pub(crate) fn read_trace_id(parent: &[u8]) -> Option<u128> {
    let (fields, rest) = parent.split_at_checked(55)?;
    let mut fields = fields.split(|byte| *byte == b'-');
    let mut next = |digits: usize| {
        let field = fields.next().filter(|field| field.len() == digits)?;
        let is_hex = field.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let text = std::str::from_utf8(field).ok().filter(|_| is_hex)?;
        u128::from_str_radix(text, 16).ok()
    };
    let (version, trace, parent, _flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    let ends = rest.is_empty() || (version > 0 && rest.starts_with(b"-"));
    (version != 0xff && trace != 0 && parent != 0 && ends).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_is_read_where_the_whole_header_is_valid() {
        let zeros = "0".repeat(32);
        for (parent, is_valid) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), true),
            (format!("01-{TRACE}-00f067aa0ba902b7-01-what-comes-later"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-01-more"), false),
            (format!("01-{TRACE}-00f067aa0ba902b7-01more"), false),
            (format!("ff-{TRACE}-00f067aa0ba902b7-01"), false),
            (format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()), false),
            (format!("00-{zeros}-00f067aa0ba902b7-01"), false),
            (format!("00-{TRACE}-0000000000000000-01"), false),
            (format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]), false),
            (format!("00-{TRACE}0-0f067aa0ba902b7-01"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7"), false),
            (TRACE.to_owned(), false),
            (String::new(), false),
        ] {
            let read = read_trace_id(parent.as_bytes()).map(|trace| format!("{trace:032x}"));
            assert_eq!(read.as_deref(), is_valid.then_some(TRACE), "{parent}");
        }
    }

    #[test]
    fn a_request_with_two_parents_is_of_no_trace() {
        let mut headers = HeaderMap::new();
        for expected in [true, false] {
            let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
            headers.append(TRACEPARENT, parent.parse().unwrap());
            assert_eq!(trace_id(&headers).is_some(), expected);
        }
    }
}

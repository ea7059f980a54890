//! Calls that Weir makes itself: look-ups, and the steps of a remedy.

use super::read::{escapes, query};
use crate::rules::Intent;
use bytes::Bytes;
use http::{Method, Uri, uri::PathAndQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A call of Weir's own; its sender adds the caller's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its method.
    pub method: Method,
    /// Its path and query, on the caller's upstream.
    pub path: PathAndQuery,
    /// Its body; may be empty.
    pub body: Bytes,
    /// `Content-Type`, where there is a body.
    pub content_type: Option<&'static str>,
    /// What it means.
    pub intent: Intent,
}

impl Outgoing {
    /// Makes a call without a body.
    pub(crate) fn bare(method: Method, path: PathAndQuery, intent: Intent) -> Self {
        Self { method, path, body: Bytes::new(), content_type: None, intent }
    }
}

/// What must be encoded in a path: all except the marks of `escapes::is_plain_id`.
const NOT_PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=');

/// Joins segments to a path. Escapes ids, since they may have any character; `None` where parsers
/// could read one in two ways, so that it might lead elsewhere.
pub(crate) fn joined(segments: &[&str]) -> Option<String> {
    let mut path = String::new();
    for segment in segments {
        if matches!(*segment, "" | "." | "..") {
            return None;
        }
        path.push('/');
        match escapes::is_plain_id(segment) {
            true => path.push_str(segment),
            false => {
                let escaped = utf8_percent_encode(segment, NOT_PLAIN).to_string();
                if !escapes::has_one_meaning(&escaped) {
                    return None;
                }
                path.push_str(&escaped);
            }
        }
    }
    Some(path)
}

/// Adds the parameters of the caller's query that `keep` names, and `more`. `None` where the result
/// is too long.
pub(crate) fn with_query(
    mut path: String,
    caller: &Uri,
    keep: impl Fn(&str) -> bool,
    more: &str,
) -> Option<PathAndQuery> {
    let mut mark = '?';
    for part in query::kept(caller, keep).chain((!more.is_empty()).then_some(more)) {
        path.push(mark);
        path.push_str(part);
        mark = '&';
    }
    PathAndQuery::try_from(path).ok()
}

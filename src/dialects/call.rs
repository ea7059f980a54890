//! One governed call: which way it goes, in which form it is answered, and how its two bodies are
//! read.

use super::{Form, carts, checkouts, coding, query::Query, xml};
use crate::rules::{Answer, Dialect, Intent, Violation};
use http::{HeaderMap, StatusCode};
use std::{borrow::Cow, fmt};

/// The most an answer may decode to, in bytes. A larger one passes on, but teaches nothing.
const ANSWER_AT_MOST: usize = 8 << 20;

/// A governed call, known from its head alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub(super) route: Route,
    pub(super) form: Form,
    pub(super) query: Query,
    /// Weir's own look-up: the answer shows the whole thing.
    pub(super) own: bool,
}

/// Which way a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Checkouts(checkouts::Route),
    Carts(carts::Route),
    /// Ambiguous: only the form of its answer is known.
    Unclear,
}

/// Why the body of a governed call gives no intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Two parsers could read it differently: `ambiguous-request`, 400 unless its toggle says
    /// otherwise.
    Ambiguous(Box<Violation>),
    /// It decodes to more than 1 MiB: 413.
    TooLarge,
    /// It is broken in a way that no toggle excuses: 400. The text says how, and quotes nothing.
    Malformed(&'static str),
}

/// An answer that cannot be understood. It passes on as it is and teaches nothing. The text says
/// why, and quotes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled(pub &'static str);

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upstream's answer cannot be understood: {}", self.0)
    }
}

impl std::error::Error for Garbled {}

impl Call {
    /// Whose error form answers: that of the path, so `/sources` is checkouts also for a merchant
    /// of the carts dialect.
    pub fn dialect(&self) -> Dialect {
        self.form.dialect
    }

    /// The form of an error that answers this call.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Whether the body has a say in what the call means. Where it has none, `intent` may be given
    /// an empty one.
    pub fn reads_body(&self) -> bool {
        match &self.route {
            Route::Checkouts(route) => checkouts::reads_body(route),
            Route::Carts(route) => carts::reads_body(route),
            Route::Unclear => false,
        }
    }

    /// Whether the caller asked for a part of the answer only (`fields=`).
    pub fn is_filtered(&self) -> bool {
        self.query.filtered
    }

    /// What the call means. `body` as it was received, still encoded. `None`: nothing that a rule
    /// governs (an order without a checkout, a payment option without a source): forward it
    /// like an ungoverned call.
    pub fn intent(&self, headers: &HeaderMap, body: &[u8]) -> Result<Option<Intent>, Unreadable> {
        let read = match &self.route {
            Route::Checkouts(route) => checkouts::intent(route, &self.query, headers, body),
            Route::Carts(route) => carts::intent(route, &self.query, headers, body),
            Route::Unclear => Ok(None),
        };
        read.map_err(|why| why.told_in(self.form.dialect))
    }

    /// What upstream's answer to the call says; for success (2xx) only. `body` as it was received,
    /// still encoded; at most 8 MiB of it are read in the clear. An answer without a body says
    /// nothing.
    pub fn read_answer(
        &self,
        intent: &Intent,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Answer, Garbled> {
        match status {
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => return Ok(Answer::default()),
            StatusCode::PARTIAL_CONTENT => return Err(Garbled("it is a part only")),
            _ => {}
        }
        let plain = coding::decode(headers, body, ANSWER_AT_MOST)
            .map_err(|_| Garbled("its Content-Encoding cannot be undone"))?;
        let plain = plain.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&plain).trim_ascii();
        match (&self.route, plain.first()) {
            (Route::Unclear, _) | (_, None) => Ok(Answer::default()),
            (Route::Checkouts(route), _) => {
                checkouts::read_answer(route, intent, self.query.filtered, plain)
            }
            (Route::Carts(route), Some(first)) => {
                let json = if *first == b'<' {
                    Cow::Owned(from_xml(plain)?)
                } else {
                    Cow::Borrowed(plain)
                };
                carts::read_answer(route, self.shows(), &json)
            }
        }
    }

    fn shows(&self) -> carts::Shows {
        match (self.query.filtered, self.own) {
            (true, _) => carts::Shows::APart,
            (false, false) => carts::Shows::ThoseThere,
            (false, true) => carts::Shows::All,
        }
    }
}

fn from_xml(document: &[u8]) -> Result<Vec<u8>, Garbled> {
    let text = std::str::from_utf8(document).map_err(|_| Garbled("it is not in UTF-8"))?;
    xml::answer_to_json(text)
        .map(String::into_bytes)
        .map_err(|_| Garbled("it is no well-formed XML"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{Classified, classify};
    use proptest::prelude::*;

    const CALLS: [&str; 6] = [
        "/checkouts/1",
        "/sources",
        "/orders",
        "/checkouts/1/sources/s",
        "/v1/shoppers/me/carts/active",
        "/v1/shoppers/me/payment-options",
    ];

    proptest! {
        #[test]
        fn bodies_of_any_kind_are_read_without_panic(
            nth in 0..CALLS.len(),
            text in r#"([{}\[\]<>&;:,"\\/=!?-]|[0-9.eE+-]{1,9}|"sourceId"|<sourceId>|</sourceId>|<!\[CDATA\[|\]\]>|&#x41;|null|\PC){0,60}"#,
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let Classified::Governed(call) = classify(&http::Method::POST, &CALLS[nth].parse().unwrap(), &HeaderMap::new()) else {
                panic!("{}", CALLS[nth])
            };
            let objects = [format!("{{{text}}}"), format!(r#"{{"id":{text}}}"#), format!("<cart>{text}</cart>"), text];
            for body in objects.iter().map(String::as_bytes).chain([&*bytes]) {
                let _ = call.intent(&HeaderMap::new(), body);
                let _ = call.read_answer(&Intent::ReadOptions, StatusCode::OK, &HeaderMap::new(), body);
                for coding in ["gzip", "deflate", "br"] {
                    let headers = crate::dialects::coding::tests::coded(coding);
                    let _ = call.intent(&headers, body);
                }
            }
        }
    }
}

//! Keeps what the latest answers that show a session said.
//!
//! In: the call and its answer. Out: what the answer says. That follows from the call, the status,
//! the coding and the bytes alone, so an answer that comes again is not read again: who asks for a
//! session that nobody changes gets the same bytes each time. Of the bytes only a keyed hash is
//! kept, since they hold client secrets and card data.

use super::answered::Answered;
use crate::{
    dialects::{Call, UnreadableAnswer},
    rules::{Answer, Intent, SessionKey},
    sessions::Places,
};
use highway::{HighwayHash, HighwayHasher, Key};
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;

/// Answers that are kept at most.
const MOST: usize = 1_024;

/// The answers that were read last.
pub(super) struct RecentAnswers {
    places: Places<Recent>,
    /// None without randomness: no answer is recalled then, since two could be made to look alike.
    key: Option<Key>,
}

/// An answer, as far as it tells one from another, and what it says.
struct Recent {
    call: Call,
    intent: Intent,
    status: StatusCode,
    coding: Vec<HeaderValue>,
    hash: [u64; 2],
    says: Arc<Answer>,
}

impl Default for RecentAnswers {
    fn default() -> Self {
        let part = || getrandom::u64().ok();
        let key = || Some(Key([part()?, part()?, part()?, part()?]));
        Self { places: Places::new(MOST), key: key() }
    }
}

impl RecentAnswers {
    /// Returns what an answer of this session's says. Calls `read` unless it was read before.
    pub(super) fn get_or_read(
        &self,
        session: &SessionKey,
        (call, intent): (&Call, &Intent),
        answered: &Answered,
        read: impl FnOnce() -> Result<Answer, UnreadableAnswer>,
    ) -> Result<Arc<Answer>, UnreadableAnswer> {
        let Some(key) = self.key else { return Ok(Arc::new(read()?)) };
        let hash = HighwayHasher::new(key).hash128(&answered.body.bytes);
        let is_same = |recent: &&Recent| {
            recent.hash == hash
                && recent.status == answered.status()
                && recent.coding.iter().eq(codings(answered))
                && recent.call == *call
                && recent.intent == *intent
        };
        if let Some(recent) = self.places.at(session).as_ref().filter(is_same) {
            return Ok(recent.says.clone());
        }
        let says = Arc::new(read()?);
        *self.places.at(session) = Some(Recent {
            call: call.clone(),
            intent: intent.clone(),
            status: answered.status(),
            coding: codings(answered).cloned().collect(),
            hash,
            says: says.clone(),
        });
        Ok(says)
    }
}

fn codings(answered: &Answered) -> impl Iterator<Item = &HeaderValue> {
    answered.headers().get_all(header::CONTENT_ENCODING).iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::{Classified, Dialects, checkouts, classify},
        http::Collected,
        rules::Target,
    };
    use http::{HeaderMap, Method, Response};
    use std::cell::Cell;

    fn call(path: &str) -> Call {
        let (method, none) = (Method::GET, HeaderMap::new());
        let uri = path.parse().unwrap();
        match classify(Dialects::built_in(), &method, &uri, &none) {
            Classified::Governed(call) => call,
            other => panic!("{other:?}"),
        }
    }

    fn answered(status: u16, coding: Option<&str>, body: &'static str) -> Answered {
        let mut answer = Response::builder().status(status);
        if let Some(coding) = coding {
            answer = answer.header(header::CONTENT_ENCODING, coding);
        }
        let head = Arc::new(answer.body(()).unwrap().into_parts().0);
        Answered { head, body: Collected { bytes: body.into(), trailers: None } }
    }

    #[test]
    fn an_answer_is_read_again_where_call_intent_status_coding_or_bytes_differ() {
        let session = SessionKey::new(checkouts::CHECKOUT, "1");
        let intent = |id: &str| Intent::ReadSession {
            session: Target::Session(SessionKey::new(checkouts::CHECKOUT, id)),
        };
        let whole = call("/checkouts/1");
        let first = (&whole, &intent("1"), answered(200, None, "{}"));
        for ((call, intent, answered), again) in [
            ((&whole, &intent("1"), answered(200, None, "{}")), true),
            ((&whole, &intent("1"), answered(200, None, "{ }")), false),
            ((&whole, &intent("1"), answered(206, None, "{}")), false),
            ((&whole, &intent("1"), answered(200, Some("gzip"), "{}")), false),
            ((&whole, &intent("2"), answered(200, None, "{}")), false),
            ((&call("/checkouts/1?fields=id"), &intent("1"), answered(200, None, "{}")), false),
        ] {
            let (recent, count) = (RecentAnswers::default(), Cell::new(0));
            let read = || {
                count.set(count.get() + 1);
                Ok(Answer::default())
            };
            recent.get_or_read(&session, (first.0, first.1), &first.2, read).unwrap();
            recent.get_or_read(&session, (call, intent), &answered, read).unwrap();
            assert_eq!(count.get(), if again { 1 } else { 2 }, "{call:?} {intent:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        let session = SessionKey::new(checkouts::CHECKOUT, "1");
        let (call, intent) = (call("/checkouts/1"), Intent::ReadOptions);
        let (recent, broken) = (RecentAnswers::default(), answered(200, None, "{"));
        let unreadable = || Err(UnreadableAnswer("it is broken"));
        for _ in 0..2 {
            let read = recent.get_or_read(&session, (&call, &intent), &broken, unreadable);
            assert!(read.is_err());
        }
    }
}

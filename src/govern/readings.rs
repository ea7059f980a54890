//! Keeps what answers that show a session were read as, beside their bytes.
//!
//! In: the call and its answer. Out: what the answer says. That follows from the call, the status,
//! the coding and the bytes alone, so an answer that comes again is not read again. Who asks for a
//! session that nobody changes gets the same bytes each time.

use super::answered::Answered;
use crate::{
    dialects::{Call, UnreadableAnswer},
    rules::{Answer, Intent, SessionKey},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

/// Answers that are kept at most.
const PLACES: usize = 256;

/// The longest answer that is kept, in bytes.
const LONGEST: usize = 16 << 10;

/// The answers that were read last. Each session has one place, which it may share with others.
pub(super) struct Readings {
    places: Box<[Mutex<Option<Reading>>]>,
    spread: RandomState,
}

/// An answer, and what it says.
struct Reading {
    call: Call,
    intent: Intent,
    status: StatusCode,
    coding: Vec<HeaderValue>,
    bytes: Bytes,
    says: Arc<Answer>,
}

impl Default for Readings {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| Mutex::default()).collect();
        Self { places, spread: RandomState::new() }
    }
}

impl Readings {
    /// Returns what an answer of this session's says. It is read with `read`, unless it was read
    /// before.
    pub(super) fn read(
        &self,
        session: &SessionKey,
        (call, intent): (&Call, &Intent),
        answered: &Answered,
        read: impl FnOnce() -> Result<Answer, UnreadableAnswer>,
    ) -> Result<Arc<Answer>, UnreadableAnswer> {
        let bytes = &answered.body.bytes;
        if bytes.len() > LONGEST {
            return read().map(Arc::new);
        }
        let place = &self.places[self.spread.hash_one(session) as usize % PLACES];
        // A poisoned lock is safe to use: a place is set in one step.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = place.as_ref().filter(|known| known.is(call, intent, answered)) {
            return Ok(known.says.clone());
        }
        let says = Arc::new(read()?);
        *place = Some(Reading {
            call: call.clone(),
            intent: intent.clone(),
            status: answered.status(),
            coding: codings(answered).cloned().collect(),
            // Not a part of a larger buffer, which it would keep.
            bytes: Bytes::copy_from_slice(bytes),
            says: says.clone(),
        });
        Ok(says)
    }
}

impl Reading {
    fn is(&self, call: &Call, intent: &Intent, answered: &Answered) -> bool {
        self.bytes == answered.body.bytes
            && self.status == answered.status()
            && self.coding.iter().eq(codings(answered))
            && self.call == *call
            && self.intent == *intent
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
    fn only_what_is_the_same_in_all_that_tells_is_not_read_again() {
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
            let (readings, count) = (Readings::default(), Cell::new(0));
            let read = || {
                count.set(count.get() + 1);
                Ok(Answer::default())
            };
            readings.read(&session, (first.0, first.1), &first.2, read).unwrap();
            readings.read(&session, (call, intent), &answered, read).unwrap();
            assert_eq!(count.get(), if again { 1 } else { 2 }, "{call:?} {intent:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_and_what_is_long_is_read_each_time() {
        let session = SessionKey::new(checkouts::CHECKOUT, "1");
        let (call, intent) = (call("/checkouts/1"), Intent::ReadOptions);
        let readings = Readings::default();
        let broken = answered(200, None, "{");
        let unreadable = || Err(UnreadableAnswer("it is broken"));
        assert!(readings.read(&session, (&call, &intent), &broken, unreadable).is_err());
        let count = Cell::new(0);
        let read = || {
            count.set(count.get() + 1);
            Ok(Answer::default())
        };
        readings.read(&session, (&call, &intent), &broken, read).unwrap();
        let mut long = answered(200, None, "");
        long.body.bytes = vec![b' '; LONGEST + 1].into();
        readings.read(&session, (&call, &intent), &long, read).unwrap();
        readings.read(&session, (&call, &intent), &long, read).unwrap();
        assert_eq!(count.get(), 3);
    }
}

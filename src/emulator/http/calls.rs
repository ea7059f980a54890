//! The log of calls, which is bounded, and a watch on mutations that overlap.
//!
//! Every call has a `started` and an `ended` mark from one counter: two calls overlapped exactly if
//! each started before the other ended. Mutations in flight are also counted per session as they
//! happen.

use crate::emulator::model::{Doc, Kind};
use std::collections::{BTreeMap, VecDeque};

/// What a call is about: the kind and id of a checkout, invoice, cart or customer.
pub(crate) type Session = (Kind, String);

/// The codes of a refusal.
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    /// Carts only.
    pub(crate) subcode: Option<String>,
}

/// One request, as the emulator saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The number of the call, counted from 1 in order of arrival.
    pub number: u64,
    /// The method, in capitals.
    pub method: String,
    /// Path and query, as they arrived.
    pub target: String,
    /// The checkout, invoice, cart or customer that the call is about, if it is known.
    pub session: Option<(Kind, String)>,
    /// Whether the call is not a read.
    pub mutation: bool,
    /// Whether the call was processed; false if a fault struck before.
    pub applied: bool,
    /// The status of the answer; `None` while in flight, and after a reset.
    pub status: Option<u16>,
    /// The vendor's code, if the call was refused.
    pub refused_code: Option<String>,
    /// Carts only: the subcode besides the code.
    pub refused_subcode: Option<String>,
    /// When the call began, on a counter that all beginnings and ends share.
    pub started: u64,
    /// When its answer was ready; `None` while in flight.
    pub ended: Option<u64>,
}

impl Call {
    fn to_doc(&self) -> Doc {
        Doc::object()
            .with("number", self.number)
            .with("method", &self.method)
            .with("target", &self.target)
            .with_some(
                "session",
                self.session
                    .as_ref()
                    .map(|(kind, id)| Doc::object().with("kind", kind.name()).with("id", id)),
            )
            .with("mutation", self.mutation)
            .with("applied", self.applied)
            .with_some("status", self.status.map(u32::from))
            .with_some("refusedCode", self.refused_code.as_deref())
            .with_some("refusedSubcode", self.refused_subcode.as_deref())
            .with("started", self.started)
            .with_some("ended", self.ended)
    }
}

#[derive(Debug)]
pub(crate) struct Calls {
    capacity: usize,
    log: VecDeque<Call>,
    next: u64,
    mark: u64,
    in_flight: BTreeMap<Session, u64>,
    peaks: BTreeMap<Session, u64>,
    overlaps: u64,
}

impl Calls {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            log: VecDeque::new(),
            next: 0,
            mark: 0,
            in_flight: BTreeMap::new(),
            peaks: BTreeMap::new(),
            overlaps: 0,
        }
    }

    /// Records that a call has come. Returns its number, and whether another mutation of its
    /// session is in flight.
    pub(crate) fn begin(
        &mut self,
        method: &str,
        target: &str,
        session: Option<Session>,
        mutation: bool,
    ) -> (u64, bool) {
        self.next += 1;
        let overlap = match &session {
            Some(session) if mutation => self.count_in_flight(session),
            _ => false,
        };
        let call = Call {
            number: self.next,
            method: method.to_owned(),
            target: target.to_owned(),
            session,
            mutation,
            applied: false,
            status: None,
            refused_code: None,
            refused_subcode: None,
            started: self.tick(),
            ended: None,
        };
        self.log.push_back(call);
        if self.log.len() > self.capacity {
            self.log.pop_front();
        }
        (self.next, overlap)
    }

    /// Counts one more mutation of the session; returns whether it overlaps another one.
    fn count_in_flight(&mut self, session: &Session) -> bool {
        let count = self.in_flight.entry(session.clone()).or_default();
        *count += 1;
        let overlap = *count > 1;
        let peak = self.peaks.entry(session.clone()).or_default();
        *peak = (*peak).max(*count);
        if overlap && session.0 != Kind::Customer {
            self.overlaps += 1;
        }
        overlap
    }

    /// Records that a call is processed.
    pub(crate) fn applied(&mut self, number: u64) {
        if let Some(call) = self.find(number) {
            call.applied = true;
        }
    }

    /// Records that a call has its answer, or has none.
    pub(crate) fn end(
        &mut self,
        number: u64,
        session: Option<Session>,
        status: Option<u16>,
        refused: Option<Refused>,
    ) {
        let ended = self.tick();
        if let Some(session) = session
            && let Some(count) = self.in_flight.get_mut(&session)
        {
            *count -= 1;
            if *count == 0 {
                self.in_flight.remove(&session);
            }
        }
        if let Some(call) = self.find(number) {
            call.ended = Some(ended);
            call.status = status;
            if let Some(Refused { code, subcode }) = refused {
                call.refused_code = Some(code.to_owned());
                call.refused_subcode = subcode;
            }
        }
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        self.log.iter().cloned().collect()
    }

    /// Forgets calls that have ended; calls in flight stay.
    pub(crate) fn clear(&mut self) {
        self.log.retain(|call| call.ended.is_none());
        self.peaks.clear();
        self.overlaps = 0;
    }

    pub(crate) fn to_doc(&self) -> Doc {
        Doc::object()
            .with("overlaps", self.overlaps)
            .with("calls", Doc::list(self.log.iter().map(Call::to_doc)))
    }

    pub(crate) fn overlaps(&self) -> u64 {
        self.overlaps
    }

    /// Returns the most mutations of a session that were in flight at once.
    pub(crate) fn peak(&self, session: &Session) -> u64 {
        self.peaks.get(session).copied().unwrap_or_default()
    }

    fn tick(&mut self) -> u64 {
        self.mark += 1;
        self.mark
    }

    fn find(&mut self, number: u64) -> Option<&mut Call> {
        let first = self.log.front()?.number;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        match self.log.get(at) {
            Some(call) if call.number == number => self.log.get_mut(at),
            _ => self.log.iter_mut().find(|call| call.number == number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_mutations_of_a_session_at_once_are_noticed() {
        let session = || Some((Kind::Checkout, "1".to_owned()));
        let mut calls = Calls::new(10);
        let (first, overlap) = calls.begin("POST", "/a", session(), true);
        assert!(!overlap);
        assert!(!calls.begin("GET", "/a", session(), false).1, "reads do not count");
        let (second, overlap) = calls.begin("POST", "/b", session(), true);
        assert!(overlap);
        calls.end(first, session(), Some(200), None);
        calls.end(second, session(), Some(200), None);
        assert!(!calls.begin("POST", "/c", session(), true).1);
        assert_eq!((calls.overlaps(), calls.peak(&session().unwrap())), (1, 2));
    }

    #[test]
    fn the_log_is_bounded() {
        let mut calls = Calls::new(2);
        for _ in 0..5 {
            let (number, _) = calls.begin("GET", "/", None, false);
            calls.end(number, None, Some(200), None);
        }
        let numbers: Vec<u64> = calls.all().iter().map(|call| call.number).collect();
        assert_eq!(numbers, [4, 5]);
    }
}

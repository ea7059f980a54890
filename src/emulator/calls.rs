//! What was asked of the emulator: a bounded log, and a watch on mutations that overlap.
//!
//! Every call has a `started` and an `ended` mark from one counter, so that two calls overlapped
//! exactly if each started before the other ended. Besides, mutations in flight are counted per
//! session as they happen.

use std::collections::{BTreeMap, VecDeque};

use super::{Kind, doc::Doc};

/// One request, as the emulator saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Counts from 1 in order of arrival.
    pub number: u64,
    /// The method, in capitals.
    pub method: String,
    /// Path and query, as they arrived.
    pub target: String,
    /// The checkout, invoice, cart or customer the call is about, if that could be told.
    pub session: Option<(Kind, String)>,
    /// Not a read.
    pub mutation: bool,
    /// The call was processed; false for one that a fault struck before.
    pub applied: bool,
    /// The status answered; `None` while in flight, and after a reset.
    pub status: Option<u16>,
    /// The vendor's code, if the call was refused.
    pub refused_code: Option<String>,
    /// Carts: the subcode beside it.
    pub refused_subcode: Option<String>,
    /// When the call began, on a counter that all beginnings and ends share.
    pub started: u64,
    /// When its answer was ready; `None` while in flight.
    pub ended: Option<u64>,
}

impl Call {
    pub(super) fn to_doc(&self) -> Doc {
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
pub(super) struct Calls {
    capacity: usize,
    log: VecDeque<Call>,
    next: u64,
    mark: u64,
    in_flight: BTreeMap<(Kind, String), u64>,
    peaks: BTreeMap<(Kind, String), u64>,
    overlaps: u64,
}

impl Calls {
    pub(super) fn new(capacity: usize) -> Calls {
        Calls {
            capacity,
            log: VecDeque::new(),
            next: 0,
            mark: 0,
            in_flight: BTreeMap::new(),
            peaks: BTreeMap::new(),
            overlaps: 0,
        }
    }

    /// A call has come; its number, and whether another mutation of its session is in flight.
    pub(super) fn begin(
        &mut self,
        method: &str,
        target: &str,
        session: Option<(Kind, String)>,
        mutation: bool,
    ) -> (u64, bool) {
        self.next += 1;
        let mut overlap = false;
        if let Some(session) = session.as_ref().filter(|_| mutation) {
            let count = self.in_flight.entry(session.clone()).or_default();
            *count += 1;
            overlap = *count > 1;
            let peak = self.peaks.entry(session.clone()).or_default();
            *peak = (*peak).max(*count);
            if overlap && session.0 != Kind::Customer {
                self.overlaps += 1;
            }
        }
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

    pub(super) fn applied(&mut self, number: u64) {
        if let Some(call) = self.find(number) {
            call.applied = true;
        }
    }

    /// A call has its answer, or none.
    pub(super) fn end(
        &mut self,
        number: u64,
        session: Option<(Kind, String)>,
        status: Option<u16>,
        refused: Option<(String, Option<String>)>,
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
            if let Some((code, subcode)) = refused {
                call.refused_code = Some(code);
                call.refused_subcode = subcode;
            }
        }
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.log.iter().cloned().collect()
    }

    /// Forgets what is over; calls in flight stay.
    pub(super) fn clear(&mut self) {
        self.log.retain(|call| call.ended.is_none());
        self.peaks.clear();
        self.overlaps = 0;
    }

    pub(super) fn overlaps(&self) -> u64 {
        self.overlaps
    }

    pub(super) fn peak(&self, session: &(Kind, String)) -> u64 {
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

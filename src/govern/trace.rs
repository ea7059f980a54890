//! Collects the steps of a call, and what its answers showed, for its decision.

use super::open::{Holds, Open, Phase};
use crate::{
    dialects::{ErrorCode, UnreadableAnswer},
    observe::{Decisions, Step, StepEnd, StepKind},
    rules::{Answer, Intent, SessionKey, UnreadMember},
};
use http::request;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A wait for upstream.
pub(super) struct Wait<'a> {
    trace: &'a Trace,
    since: Instant,
    before: u64,
}

impl Wait<'_> {
    /// Ends it. It is time of upstream's also where the call itself has asked for nothing: then it
    /// has shared what another call asked for.
    pub(super) fn over(self) {
        if self.trace.upstream_us() == self.before {
            self.trace.add_upstream_time(self.since.elapsed());
        }
    }
}

/// The steps of a call, for the decision's record.
#[derive(Default)]
pub(super) struct Trace {
    /// The head of the caller's request.
    pub head: Option<Arc<request::Parts>>,
    /// Lists the call among those under way.
    open: Option<Open>,
    /// The spans of what the call waits for.
    #[cfg(feature = "otlp")]
    phases: Option<crate::traces::Phases>,
    upstream_us: AtomicU64,
    notes: Mutex<Notes>,
    id: OnceLock<String>,
}

/// What a call did and was told on its way.
#[derive(Default)]
pub(super) struct Notes {
    pub steps: Vec<Step>,
    /// The session that it created.
    pub created: Option<SessionKey>,
    /// The source that it created.
    pub source: Option<String>,
    /// The order that it made.
    pub order: Option<String>,
    /// The faults of requests to upstream that the log has.
    pub faults: Vec<String>,
    /// The members of answers that could not be read.
    pub unread: Vec<String>,
    /// The code of the latest error of upstream's.
    pub code: Option<ErrorCode>,
}

impl Trace {
    /// Makes the trace of the call with this head, which is under way.
    pub(super) fn of(head: Arc<request::Parts>, open: Open) -> Self {
        Self { head: Some(head), open: Some(open), ..Self::default() }
    }

    /// Writes spans of what the call waits for, where its trace is sampled.
    #[cfg(feature = "otlp")]
    pub(super) fn in_phases(self, traces: Option<&crate::traces::Traces>) -> Self {
        let headers = self.head.as_ref().map(|head| &head.headers);
        let phases = traces.zip(headers);
        let phases = phases.and_then(|(traces, of)| crate::traces::Phases::of(traces, of));
        Self { phases, ..self }
    }

    /// Notes what the call is at, and returns what it was at.
    pub(super) fn enter(&self, phase: Phase) -> Phase {
        #[cfg(feature = "otlp")]
        if let Some(phases) = &self.phases {
            phases.enter(phase.span());
        }
        self.open.as_ref().map_or(Phase::Deciding, |open| open.enter(phase))
    }

    /// Notes that a repair takes the call's place.
    pub(super) fn note_repair(&self) {
        if let Some(open) = &self.open {
            open.repairs();
        }
    }

    /// Notes that the caller no longer waits.
    pub(super) fn note_caller_left(&self) {
        if let Some(open) = &self.open {
            open.caller_left();
        }
    }

    /// Returns the id of the decision to come, under which the log can name the call before it.
    pub(super) fn id(&self, decisions: &Decisions) -> &str {
        self.id.get_or_init(|| decisions.next_id())
    }

    pub(super) fn add_upstream_time(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.upstream_us.fetch_add(took, Ordering::Relaxed);
    }

    /// Begins a wait for upstream, which another call may have asked.
    pub(super) fn wait(&self) -> Wait<'_> {
        Wait { trace: self, since: Instant::now(), before: self.upstream_us() }
    }

    pub(super) fn upstream_us(&self) -> u64 {
        self.upstream_us.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, kind: StepKind, end: StepEnd) {
        self.notes().steps.push(Step { kind, end });
    }

    /// Notes the session that the call has created.
    pub(super) fn note_created(&self, session: &SessionKey) {
        self.notes().created = Some(session.clone());
    }

    /// Notes what the answer to a call shows.
    pub(super) fn note_answer(&self, intent: &Intent, answer: &Answer) {
        if let (Intent::CreateSource(_), Some(source)) = (intent, &answer.source) {
            self.notes().source = Some(source.id.to_string());
        }
        if let Some(order) = &answer.order {
            self.notes().order = Some(order.to_string());
        }
        self.note_unread(&answer.unread);
    }

    /// Notes a fault of a request to upstream. Returns whether it is the first of its kind.
    pub(super) fn is_new_fault(&self, error: &str) -> bool {
        let faults = &mut self.notes().faults;
        let is_new = faults.iter().all(|known| known != error);
        if is_new {
            faults.push(error.to_owned());
        }
        is_new
    }

    /// Notes the members of an answer that could not be read.
    pub(super) fn note_unread(&self, members: &[UnreadMember]) {
        if members.is_empty() {
            return;
        }
        let unread = &mut self.notes().unread;
        for member in members.iter().map(ToString::to_string) {
            if !unread.contains(&member) {
                unread.push(member);
            }
        }
    }

    /// Notes that an answer could not be read at all.
    pub(super) fn note_unreadable(&self, why: UnreadableAnswer) {
        self.note_unread(&[UnreadMember { member: "the answer".into(), form: why.0 }]);
    }

    /// Notes the code of an error of upstream's.
    pub(super) fn note_code(&self, code: Option<ErrorCode>) {
        self.notes().code = code;
    }

    /// Returns the code of the latest error of upstream's.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        self.notes().code.clone()
    }

    pub(super) fn take_notes(&self) -> Notes {
        std::mem::take(&mut *self.notes())
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holds for Trace {
    fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    fn decision_id(&self, decisions: &Decisions) -> String {
        self.id(decisions).to_owned()
    }
}

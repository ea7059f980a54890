//! Collects the steps of a call for its decision.

use crate::{
    observe::{Decisions, Step, StepKind},
    rules::SessionKey,
};
use http::StatusCode;
use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The steps of a call, for the decision's record.
#[derive(Default)]
pub(super) struct Trace {
    upstream_us: AtomicU64,
    steps: Mutex<Vec<Step>>,
    created: Mutex<Option<SessionKey>>,
    id: OnceLock<String>,
}

impl Trace {
    /// Returns the id of the decision to come, under which the log can name the call before it.
    pub(super) fn id(&self, decisions: &Decisions) -> &str {
        self.id.get_or_init(|| decisions.next_id())
    }

    pub(super) fn add_upstream_time(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.upstream_us.fetch_add(took, Ordering::Relaxed);
    }

    pub(super) fn upstream_us(&self) -> u64 {
        self.upstream_us.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, kind: StepKind, status: Option<StatusCode>) {
        let step = Step { kind, status: status.map(|status| status.as_u16()) };
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// Notes the session that the call has created.
    pub(super) fn note_created(&self, session: &SessionKey) {
        *self.created.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
    }

    pub(super) fn take_created(&self) -> Option<SessionKey> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut *self.steps.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

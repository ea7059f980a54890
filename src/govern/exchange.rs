//! One governed call of a caller, and what is noted of it on the way.

use super::asker::Asker;
use crate::{
    dialects::Call,
    http::{Body, Collected},
    observe::{Step, StepKind},
    rules::{Intent, Policy, SessionKey},
    sessions::CustomerKey,
};
use http::{Request, StatusCode};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::task::TaskTracker;

/// A caller's call: who asks, and what for. Cheap to clone: detached work takes a clone along.
#[derive(Clone)]
pub(super) struct Exchange {
    pub asker: Asker,
    pub work: TaskTracker,
    pub policy: Arc<Policy>,
    pub call: Call,
    pub body: Collected,
    pub intent: Arc<Intent>,
}

impl Exchange {
    /// Returns the caller's own call, unchanged.
    pub fn original(&self) -> Request<Body> {
        Request::from_parts((*self.asker.head).clone(), self.body.to_body())
    }

    /// Returns the customer that the call names, as this caller knows it.
    pub fn customer(&self) -> Option<CustomerKey> {
        let caller = self.asker.who.caller()?;
        self.intent.customer().map(|id| CustomerKey { caller, id: id.clone() })
    }
}

/// What happened on the way, for the decision's record.
#[derive(Default)]
pub(super) struct Trace {
    upstream_us: AtomicU64,
    steps: Mutex<Vec<Step>>,
    created: Mutex<Option<SessionKey>>,
}

impl Trace {
    pub fn add_upstream_time(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.upstream_us.fetch_add(took, Ordering::Relaxed);
    }

    pub fn upstream_us(&self) -> u64 {
        self.upstream_us.load(Ordering::Relaxed)
    }

    pub fn note(&self, kind: StepKind, status: Option<StatusCode>) {
        let step = Step { kind, status: status.map(|status| status.as_u16()) };
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// Notes the session that the call has created.
    pub fn note_created(&self, session: &SessionKey) {
        *self.created.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
    }

    pub fn take_created(&self) -> Option<SessionKey> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut *self.steps.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

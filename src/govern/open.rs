//! Knows which governed calls are under way, for whoever asks the process what it does.
//!
//! A call is listed from the moment at which its body was read until its caller has the answer and
//! nothing that was begun for it runs any more.

use crate::{
    observe::Decisions,
    rules::{Intent, Target},
};
use dashmap::DashMap;
use std::{
    cmp::Reverse,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What a call under way is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Deciding,
    WaitingForTurn,
    Held,
    LookingUp,
    Sent,
}

impl Phase {
    const ALL: [Self; 5] =
        [Self::Deciding, Self::WaitingForTurn, Self::Held, Self::LookingUp, Self::Sent];

    fn of(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Deciding)
    }

    /// Returns the name of its span; none where the call waits for nobody.
    #[cfg(feature = "otlp")]
    pub(super) fn span(self) -> Option<&'static str> {
        match self {
            Self::Deciding => None,
            Self::WaitingForTurn => Some("wait for the turn"),
            Self::Held => Some("hold"),
            Self::LookingUp => Some("look up"),
            Self::Sent => Some("send"),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Deciding => "deciding",
            Self::WaitingForTurn => "waiting for its turn",
            Self::Held => "held, so that store credit may overtake it",
            Self::LookingUp => "looking up",
            Self::Sent => "sent upstream",
        }
    }
}

/// What holds the [`Open`] of a call.
pub(super) trait Holds: Send + Sync {
    /// Returns it.
    fn open(&self) -> Option<&Open>;
    /// Returns the id of the call's decision to come.
    fn decision_id(&self, decisions: &Decisions) -> String;
}

/// The calls under way. Clones share them.
#[derive(Clone, Default)]
pub(super) struct OpenCalls(Arc<Calls>);

#[derive(Default)]
struct Calls {
    /// Each by its number.
    listed: DashMap<u64, Weak<dyn Holds>>,
    next: AtomicU64,
    /// Those that change something.
    changing: AtomicU64,
}

/// One call under way. It is listed until this is dropped.
pub(super) struct Open {
    calls: OpenCalls,
    number: u64,
    intent: Arc<Intent>,
    since: Instant,
    phase: AtomicU8,
    repairing: AtomicBool,
    caller_left: AtomicBool,
    /// Whether it is counted among those that change something.
    is_counted: bool,
    /// Whether it changes something, and found no place among these.
    pub(super) is_one_too_many: bool,
}

impl OpenCalls {
    /// Opens a call, which is not listed yet. At most so many that change something are counted:
    /// each as its place is looked for, so that no two take the last one.
    pub(super) fn open(&self, intent: Arc<Intent>, since: Instant, most: u64) -> Open {
        let changes = !intent.is_read();
        let next = |taken: u64| (taken < most).then_some(taken + 1);
        let changing = &self.0.changing;
        let is_counted =
            changes && changing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok();
        Open {
            is_counted,
            is_one_too_many: changes && !is_counted,
            calls: self.clone(),
            number: self.0.next.fetch_add(1, Ordering::Relaxed),
            intent,
            since,
            phase: AtomicU8::new(Phase::Deciding as u8),
            repairing: AtomicBool::new(false),
            caller_left: AtomicBool::new(false),
        }
    }

    /// Lists a call by what holds it. Nothing is allocated for it.
    pub(super) fn list(&self, holder: Weak<dyn Holds>, open: &Open) {
        self.0.listed.insert(open.number, holder);
    }

    /// Returns the calls under way, the oldest first.
    pub(super) fn all(&self, decisions: &Decisions) -> Vec<OpenCall> {
        // Upgraded first: a holder that is dropped here leaves the list, which must not be locked.
        let holders: Vec<_> = self.0.listed.iter().map(|call| call.value().clone()).collect();
        let holders: Vec<_> = holders.iter().filter_map(Weak::upgrade).collect();
        let shown = holders
            .iter()
            .filter_map(|holder| Some(holder.open()?.shown(holder.decision_id(decisions))));
        let mut calls: Vec<_> = shown.collect();
        calls.sort_by_key(|call| Reverse(call.lasts));
        calls
    }
}

impl Open {
    /// Notes what the call is at, and returns what it was at.
    pub(super) fn enter(&self, phase: Phase) -> Phase {
        Phase::of(self.phase.swap(phase as u8, Ordering::Relaxed))
    }

    /// Notes that a repair takes the call's place.
    pub(super) fn repairs(&self) {
        self.repairing.store(true, Ordering::Relaxed);
    }

    /// Notes that the caller no longer waits.
    pub(super) fn caller_left(&self) {
        self.caller_left.store(true, Ordering::Relaxed);
    }

    fn shown(&self, decision_id: String) -> OpenCall {
        let session = self.intent.session().map(|target| match target {
            Target::Session(key) => key.to_string(),
            Target::Active(kind) => format!("active {kind}"),
        });
        OpenCall {
            decision_id,
            call: self.intent.name(),
            session,
            phase: Phase::of(self.phase.load(Ordering::Relaxed)).as_str(),
            repairing: self.repairing.load(Ordering::Relaxed),
            lasts: self.since.elapsed(),
            caller_waits: !self.caller_left.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.is_counted {
            self.calls.0.changing.fetch_sub(1, Ordering::Relaxed);
        }
        self.calls.0.listed.remove(&self.number);
    }
}

/// A governed call that is under way.
#[derive(Clone, Debug)]
pub struct OpenCall {
    /// The id of the decision to come.
    pub decision_id: String,
    /// What the call means: `attach`, `order`, …
    pub call: &'static str,
    /// The session that it names, shown as `checkout 123`, or as `active cart`.
    pub session: Option<String>,
    /// What it is at.
    pub phase: &'static str,
    /// Whether a repair takes its place.
    pub repairing: bool,
    /// How long it has been under way.
    pub lasts: Duration,
    /// Whether its caller still waits.
    pub caller_waits: bool,
}

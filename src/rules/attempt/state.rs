//! How far a call has come on its course, and the transitions that several parts share.

use super::step::{LookupEnd, Next, OwnAnswer, Sending, Start};
use crate::rules::{
    Basis, Intent, Known, Lookup, LookupResult, OnLookupFailure, Pending, Policy, SessionKey,
    SourceId, Timestamp, Unjudged, overtakes,
};

/// One call on its course.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What is known: the records, read before every [`Attempt::next`], and the look-ups that this
    /// attempt has made.
    pub known: Known,
    pub(super) session: Option<SessionKey>,
    pub(super) phase: Phase,
    /// How often the call has begun.
    pub(super) begun: u8,
    pub(super) has_turn: bool,
    pub(super) start: Start,
    /// The session that the call names, while nothing at all is remembered of it and the call goes
    /// without its turn.
    pub(super) unseen: Option<SessionKey>,
    /// The look-ups that were made before the turn, until it is in hand.
    pub(super) early: Vec<Early>,
    /// Set once the call has been held: whether calls that overtook changed the session.
    pub(super) overtaken: Option<bool>,
    /// The rules that the last judgement could not take into account.
    pub(super) unjudged: Vec<Unjudged>,
    /// What the last judgement rested on, where that is to be kept.
    pub(super) basis: Option<Box<Basis>>,
}

/// A look-up that upstream answered before the call had its turn.
#[derive(Clone, Debug)]
pub(super) struct Early {
    lookup: Lookup,
    at: Timestamp,
    /// The record's epoch when the call began to wait for the turn.
    epoch: Option<u32>,
}

/// The part of the course that a call has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The session is looked up for a caller who has not been shown it.
    Admitting,
    /// Whether the call overtakes held calls is decided; `asked`: a look-up has been made.
    Entering { asked: bool },
    /// The call waits for the turn.
    TakingTurn { overtakes: bool },
    /// The turn has come, or the call needs none.
    Entered,
    /// What is pending for the session is settled.
    Settling(Settling),
    /// The shopper's active session is checked.
    Following,
    /// The source is looked up that the call removes without naming it.
    Naming,
    /// The rules decide; `Some`: this is being looked up for them.
    Deciding(Option<Lookup>),
    /// The session was looked up for the rules and so shown to the caller for the first time.
    Introduced,
    /// The source of an attach is looked up to defer the attach.
    Deferring(SourceId),
    /// The call is held, and calls that overtake go first.
    Holding,
    /// The turn did not become free in time.
    TurnedAway,
    /// The call is no longer held; `epoch` is the record's from before.
    Back { epoch: Option<u32> },
    /// The last step.
    Ending(Box<Next>),
}

/// How far settling has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settling {
    /// Settling begins; `asked`: the source of the call has been looked up.
    Begun { asked: bool },
    /// An unfinished repair is finished.
    Recovering,
    /// The session is looked up for an attach whose sending was interrupted.
    Seeking,
    /// The session was looked up at this time.
    Sought(Timestamp),
    /// The deferred attach is sent or, for a caller who repeats it, deferred again.
    Missing,
    /// The source is looked up to defer the attach again.
    Deferring,
    /// The deferred attach is sent.
    Sending,
}

/// Returns the refusal where the policy may keep calls from upstream, or `None`: the call goes on.
/// Deferred attaches are settled in every mode: see `settle`.
pub(super) fn keep(answer: OwnAnswer, policy: &Policy) -> Option<Next> {
    policy.may_keep_calls().then_some(Next::Answer(answer))
}

/// Returns the refusal for a missing fact when the policy rejects such calls, as `keep` does.
pub(super) fn keep_unknown(policy: &Policy) -> Option<Next> {
    keep_unjudged(OwnAnswer::FactUnknown, policy)
}

/// Returns the answer to a call that cannot be judged when the policy rejects such calls, as `keep`
/// does.
pub(super) fn keep_unjudged(answer: OwnAnswer, policy: &Policy) -> Option<Next> {
    let refuses = policy.on_lookup_failure == OnLookupFailure::Reject;
    keep(answer, policy).filter(|_| refuses)
}

impl Attempt {
    /// Makes an attempt before its first step. `session` is the one that the call names, if that
    /// is known.
    pub fn new(session: Option<SessionKey>, start: Start) -> Self {
        Self {
            known: Known::default(),
            session,
            phase: Phase::Admitting,
            begun: 1,
            has_turn: false,
            start,
            unseen: None,
            early: Vec::new(),
            overtaken: None,
            unjudged: Vec::new(),
            basis: None,
        }
    }

    /// Takes what the last judgement rested on, if there was one since this was taken, and
    /// [`Start::keeps_basis`] is set.
    pub fn take_basis(&mut self) -> Option<Box<Basis>> {
        self.basis.take()
    }

    /// Takes the rules that could not be judged although the call goes on.
    pub fn take_unjudged(&mut self) -> Vec<Unjudged> {
        std::mem::take(&mut self.unjudged)
    }

    /// Returns the session that the call is about, if it is known by now.
    pub fn session(&self) -> Option<&SessionKey> {
        self.session.as_ref()
    }

    /// Returns the session that the call names where nothing is remembered of it. Only calls of the
    /// same caller wait for each other then.
    pub fn unseen(&self) -> Option<&SessionKey> {
        self.unseen.as_ref()
    }

    /// Returns whether the session's turn, or another that the call needs, is in hand.
    pub fn has_turn(&self) -> bool {
        self.has_turn
    }

    /// Returns whether a source may be looked up with Weir's own key: for a decision about a
    /// session that the caller has been shown, and not for an answer to the caller.
    pub fn takes_own_key(&self) -> bool {
        let answers =
            matches!(self.phase, Phase::Deferring(_) | Phase::Settling(Settling::Deferring));
        self.known.session.is_some() && !answers
    }

    /// Returns whether the next step is the last one.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ending(_))
    }

    /// Takes what is known. Whether something is pending stays noted, should the store fail next.
    pub fn take_known(&mut self) -> Known {
        self.start.pending_unseen = self.is_pending();
        std::mem::take(&mut self.known)
    }

    /// Returns whether an attach or a repair is pending for the session, as far as this call has
    /// seen.
    pub(super) fn is_pending(&self) -> bool {
        match &self.known.session {
            Some(record) => record.pending.is_some(),
            None => self.start.pending_unseen,
        }
    }

    /// Returns whether the call may not go up before what is pending for the session: an attach
    /// that was deferred and that the call does not go before, or a repair that was begun.
    pub(super) fn depends_on_pending(&self, intent: &Intent, policy: &Policy) -> bool {
        let pending = self.known.session.as_ref().and_then(|record| record.pending.as_deref());
        match pending {
            _ if !self.is_pending() || matches!(intent, Intent::DeleteSession { .. }) => false,
            Some(Pending::Repair { .. }) => !intent.is_read(),
            Some(Pending::Deferred { .. }) | None => {
                overtakes(&self.known, intent, policy) != Ok(true)
            }
        }
    }

    /// Goes on as a stranger to the session: without its record and its turn.
    pub(super) fn go_on_as_stranger(&mut self) {
        self.session = None;
        self.unseen = None;
        self.end(None);
    }

    /// Makes this the last step; `None` sends the call unjudged.
    pub(super) fn end(&mut self, step: Option<Next>) {
        let unjudged = Sending { judged: false, ..Sending::default() };
        self.phase = Phase::Ending(Box::new(step.unwrap_or(Next::Send(unjudged))));
    }

    /// Goes to another phase, which gives the next step.
    pub(super) fn go(&mut self, phase: Phase) -> Option<Next> {
        self.phase = phase;
        None
    }

    /// Leaves settling: ends a read, and goes on to follow or, after being held, to decide.
    pub(super) fn go_on(&mut self, intent: &Intent) {
        match self.overtaken {
            _ if intent.is_read() => self.end(None),
            Some(_) => self.phase = Phase::Deciding(None),
            None => self.phase = Phase::Following,
        }
    }

    /// Notes how a look-up ended, for the rules.
    pub(super) fn note(&mut self, lookup: Lookup, end: LookupEnd) {
        let result = match end {
            LookupEnd::Shown { at, options, .. } => {
                self.known.options = options.or(self.known.options.take());
                LookupResult::At(at)
            }
            LookupEnd::Denied { absent: true, .. } => LookupResult::Absent,
            LookupEnd::Denied { .. } | LookupEnd::Forbidden | LookupEnd::Failed => {
                LookupResult::Failed
            }
        };
        self.known.looked_up.push((lookup, result));
    }

    /// Notes how a look-up ended that may have been made before; the first end stays.
    pub(super) fn note_first(&mut self, lookup: Lookup, end: LookupEnd) {
        if self.known.looked_up(&lookup).is_none() {
            self.note(lookup, end);
        }
    }

    /// Notes how a look-up ended that was made before the call had its turn. An answer counts only
    /// once the turn is in hand: see [`Attempt::confirm_early`].
    pub(super) fn note_early(&mut self, lookup: Lookup, end: LookupEnd) {
        match end {
            LookupEnd::Shown { at, .. } => self.early.push(Early { lookup, at, epoch: None }),
            end => self.note(lookup, end),
        }
    }

    /// Notes as of which epoch the answers of early look-ups are in the records.
    pub(super) fn date_early(&mut self) {
        for early in &mut self.early {
            early.epoch = early.epoch.or(epoch_of(&self.known, &early.lookup));
        }
    }

    /// Notes the early look-ups whose answer is in the record, which nothing has changed since.
    /// Others do not count, and may be made again.
    pub(super) fn confirm_early(&mut self) {
        for Early { lookup, at, epoch } in std::mem::take(&mut self.early) {
            let unchanged = epoch.is_some() && epoch == epoch_of(&self.known, &lookup);
            if unchanged && is_in_record(&self.known, &lookup, at) {
                self.known.looked_up.push((lookup, LookupResult::At(at)));
            }
        }
    }

    /// Forgets the answers of look-ups, because a call was sent since.
    pub(super) fn forget_answers(&mut self) {
        self.known.looked_up.retain(|(_, result)| !matches!(result, LookupResult::At(_)));
    }
}

/// Returns the epoch of the record that a look-up is about.
fn epoch_of(known: &Known, lookup: &Lookup) -> Option<u32> {
    match lookup {
        Lookup::Session => known.session.as_ref().map(|record| record.epoch),
        Lookup::Source(id) => known.sources.get(id).map(|record| record.epoch),
        Lookup::Customer | Lookup::PaymentOptions => None,
    }
}

/// Returns whether the record has what a look-up of this date has shown. An answer that overlapped
/// with a change is not learned.
fn is_in_record(known: &Known, lookup: &Lookup, at: Timestamp) -> bool {
    let since = |stated: Option<Timestamp>| stated.is_some_and(|stated| stated >= at);
    match lookup {
        Lookup::Session => known.session.as_ref().is_some_and(|record| {
            let sure = !record.unsure && !record.in_flight;
            sure && since(record.sources.stated_at()) && since(record.total.stated_at())
        }),
        Lookup::Source(id) => {
            known.sources.get(id).is_some_and(|record| since(record.state.stated_at()))
        }
        Lookup::Customer | Lookup::PaymentOptions => false,
    }
}

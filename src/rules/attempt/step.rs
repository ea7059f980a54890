//! The steps of a call's course, and how they end.

use crate::rules::{
    Lookup, OptionFacts, RefusalScope, Remedy, SessionKey, SourceId, Timestamp, Violation,
};
use std::time::Duration;

/// What to do next. All but [`Next::Send`], [`Next::Repair`], [`Next::Defer`] and
/// [`Next::Answer`] are followed by an [`Event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look this up, with the caller's credentials or, for a source, with Weir's own key.
    LookUp(Lookup),
    /// Give back the turn in hand, if any, and take the turn that this call needs.
    TakeTurn {
        /// Whether the call goes before calls that are held.
        overtakes: bool,
    },
    /// Let calls that overtake go first for this long.
    Hold(Duration),
    /// Finish a repair that an earlier call left unfinished.
    Recover {
        /// The primary that it took away.
        primary: SourceId,
        /// The credit that it attached in between, if it did.
        credit: Option<SourceId>,
    },
    /// Send the deferred attach of an earlier caller.
    SendDeferred {
        /// The primary that it attaches.
        primary: SourceId,
        /// When it was deferred.
        since: Timestamp,
    },
    /// Erase the note of a deferred attach, because upstream shows that it was carried out.
    EraseDeferred,
    /// Note a promise to attach this primary, and answer with the last look-up's answer.
    Defer(SourceId),
    /// Run this remedy in the turn, and answer with its answer. The violation is what it avoids.
    Repair(Remedy, Violation),
    /// Send the call and answer with upstream's answer.
    Send(Sending),
    /// Answer without sending the call.
    Answer(OwnAnswer),
}

/// How a call is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sending {
    /// Whether its `owner` member is removed.
    pub without_owner: bool,
    /// Whether the rules judged it.
    pub judged: bool,
    /// The violation that is only reported, or that removing the owner avoids.
    pub violation: Option<Violation>,
    /// Whether calls that came later went first.
    pub reordered: bool,
}

/// An answer in place of upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnAnswer {
    /// A rule's refusal.
    Refusal(Violation),
    /// Upstream's answer to the last step, which denied a look-up or refused a deferred attach.
    OfLastStep,
    /// A fact that is needed could not be looked up.
    FactUnknown,
    /// The store failed, so the call cannot be judged, or something may be pending.
    StoreFailed,
    /// The turn did not become free in time.
    Busy,
    /// The work to be settled first panicked.
    Lost,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// [`Next::LookUp`].
    LookedUp(LookupEnd),
    /// [`Next::TakeTurn`]: the turn is in hand, or the call needs none.
    TurnTaken {
        /// Whether there is a turn in hand.
        in_hand: bool,
    },
    /// [`Next::TakeTurn`]: the session of which nothing was remembered is remembered by now.
    Seen {
        /// Whether an attach or a repair is pending for it.
        pending: bool,
    },
    /// [`Next::TakeTurn`] or [`Next::Hold`]: the turn did not become free in time.
    Busy,
    /// [`Next::Hold`]: the turn is in hand again.
    TurnBack,
    /// [`Next::Recover`].
    Recovered,
    /// [`Next::SendDeferred`]: why it was not carried out, or `None` if it was.
    DeferredSent(Option<Unsent>),
    /// [`Next::EraseDeferred`].
    Erased,
    /// [`Next::Recover`] or [`Next::SendDeferred`]: the work panicked.
    Lost,
    /// The store failed, so records cannot be read or written. This may happen at any step, as long
    /// as the call itself was not sent, be it as a step of a repair.
    StoreFailed {
        /// Whether an attach may have been deferred for the session, as far as can be told without
        /// its record.
        deferral_possible: bool,
    },
}

/// Why a deferred attach was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// Upstream does not accept it from this caller (401, 403).
    NotFromThisCaller,
    /// It failed in another way.
    Failed,
}

/// How a look-up ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupEnd {
    /// Upstream answered. What it showed is in the records.
    Shown {
        /// The date of the facts.
        at: Timestamp,
        /// The session that was shown. The active one may differ from the one expected.
        session: Option<SessionKey>,
        /// The payment options, where these were looked up.
        options: Option<Vec<OptionFacts>>,
    },
    /// Upstream does not show it to this caller.
    Denied {
        /// Why.
        why: RefusalScope,
        /// Whether upstream says that the thing or the caller does not exist.
        absent: bool,
    },
    /// Upstream knows this caller and does not let it read this. That says nothing about other
    /// calls: a key may order and not read.
    Forbidden,
    /// Upstream did not answer usably: an error, a time-out, or a pause that it asked for.
    Failed,
}

/// The facts that a call is admitted with, read before its first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Whether there is room for one more deferred attach.
    pub can_defer: bool,
    /// Whether something is pending for a session that the caller has not been shown, or whose
    /// record is not known any more.
    pub pending_unseen: bool,
    /// Whether nothing at all is remembered of the session that the call names.
    pub unseen: bool,
    /// Whether what each judgement rests on is kept, for [`super::Attempt::take_basis`].
    pub keeps_basis: bool,
}

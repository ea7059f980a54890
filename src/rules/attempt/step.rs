//! The steps of a call's course, and how they end.

use crate::rules::{
    Lookup, OptionFacts, Refused, Remedy, SessionKey, SourceId, Timestamp, Violation,
};
use std::time::Duration;

/// What to do next. All but [`Next::Send`], [`Next::Repair`], [`Next::Promise`] and
/// [`Next::Answer`] are followed by an [`Event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look this up with the caller's credentials.
    LookUp(Lookup),
    /// Give back the turn in hand, if any, and take the turn that this call needs.
    TakeTurn {
        /// Whether the call goes before calls that are held.
        overtakes: bool,
    },
    /// Step aside so long for calls that overtake.
    Hold(Duration),
    /// Finish a repair that an earlier call left unfinished.
    Recover {
        /// The primary that it took away.
        primary: SourceId,
    },
    /// Send the attach that was promised to an earlier caller.
    SendPromised {
        /// The primary that it attaches.
        primary: SourceId,
        /// When it was promised.
        since: Timestamp,
    },
    /// Erase the note of a promised attach: upstream shows that it was carried out.
    ErasePromise,
    /// Note a promise to attach this primary, and answer with the last look-up's answer.
    Promise(SourceId),
    /// Run this repair in the turn, and answer with its answer.
    Repair(Remedy, Violation),
    /// Send the call and answer with upstream's answer.
    Send(Sending),
    /// Answer without sending the call.
    Answer(OwnAnswer),
}

/// How a call is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sending {
    /// Whether its `owner` member is taken out.
    pub without_owner: bool,
    /// Whether what is known of the session takes part: `false` where the call is sent unjudged.
    pub judged: bool,
    /// What a rule that only reports, or that `without_owner` satisfies, has found.
    pub violation: Option<Violation>,
    /// Whether calls that came later went first.
    pub reordered: bool,
}

/// An answer in place of upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnAnswer {
    /// A rule's refusal.
    Refusal(Violation),
    /// Upstream's answer to the last step: it did not show what was looked up, or did not carry
    /// out what had been promised.
    OfLastStep,
    /// A fact cannot be had, and the policy wants no guess.
    FactUnknown,
    /// The turn did not come.
    Busy,
    /// What was to be settled first was lost on the way.
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
    /// [`Next::TakeTurn`] or [`Next::Hold`]: the turn did not come.
    Busy,
    /// [`Next::Hold`]: the turn is in hand again.
    TurnBack,
    /// [`Next::Recover`].
    Recovered,
    /// [`Next::SendPromised`] ended so; `None`: upstream carried it out.
    PromisedSent(Option<Unsent>),
    /// [`Next::ErasePromise`].
    Erased,
    /// [`Next::Recover`] or [`Next::SendPromised`] was lost on the way.
    Lost,
    /// The store failed: what is remembered cannot be read or written. It may happen at any step.
    StoreFailed {
        /// Whether an attach may have been promised for the session.
        promise_possible: bool,
    },
}

/// Why a promised attach was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// Upstream does not take it from this caller (401, 403).
    NotFromThisCaller,
    /// Any other way.
    Failed,
}

/// How a look-up ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupEnd {
    /// Upstream answered. What it showed is in the records.
    Shown {
        /// The date of the facts.
        at: Timestamp,
        /// The session that was shown. An active one may be another than was thought.
        session: Option<SessionKey>,
        /// The payment options, where these were looked up.
        options: Option<Vec<OptionFacts>>,
    },
    /// Upstream does not show it to this caller.
    Denied {
        /// Why.
        why: Refused,
        /// Whether that says that there is no such thing, or no such caller.
        absent: bool,
    },
    /// It is not known: an error, a time-out, a pause that upstream asked for.
    Failed,
}

/// What a call finds before its first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// There is room for one more promised attach.
    pub can_defer: bool,
    /// Something is pending for a session that the caller has not been shown.
    pub pending_unseen: bool,
}

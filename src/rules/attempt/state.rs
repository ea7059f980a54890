//! Where a call is on its course, and the small changes of that which several parts of the course
//! make.

use super::step::{LookupEnd, Next, OwnAnswer, Room, Sending};
use crate::rules::{
    Intent, Known, LookedUp, Lookup, Mode, OnLookupFailure, Policy, SessionKey, SourceId, Timestamp,
};

/// One call on its course.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What is known. Records are read into it before every [`Attempt::next`]; what this attempt
    /// has looked up is noted in it.
    pub known: Known,
    pub(super) session: Option<SessionKey>,
    pub(super) phase: Phase,
    /// How often the call has begun.
    pub(super) begun: u8,
    pub(super) has_turn: bool,
    pub(super) room: Room,
    /// Set once the call has been held: whether calls that overtook changed the session.
    pub(super) held: Option<bool>,
}

/// The part of the course that a call has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The caller has to be shown the session first.
    Admitting,
    /// The call's place among those that wait is worked out; `asked`: a look-up has been made.
    Entering { asked: bool },
    /// The turn is waited for.
    TakingTurn { overtakes: bool },
    /// What is pending for the session is settled.
    Settling(Settling),
    /// The shopper's active session is checked.
    Following,
    /// The call removes something that it does not name.
    Naming,
    /// The rules are asked; `Some`: this is being looked up for them.
    Deciding(Option<Lookup>),
    /// The session was looked up for the rules, for a caller who had not been shown it.
    Introduced,
    /// The source of an attach is looked up in order to promise the attach.
    Promising(SourceId),
    /// Calls that overtake go first.
    Holding,
    /// Back from that; the epoch of the record before it.
    Back { epoch: Option<u32> },
    /// The last step.
    Ending(Box<Next>),
}

/// How far settling has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settling {
    /// At its beginning; `asked`: the source of the call has been looked up.
    Begun { asked: bool },
    /// An unfinished repair is finished.
    Recovering,
    /// The session is looked up for an attach whose sending was interrupted.
    Seeking,
    /// The session was looked up at this time.
    Sought(Timestamp),
    /// The promised attach is sent or, for a caller who repeats it, promised again.
    Missing,
    /// The source is looked up in order to promise the attach again.
    Promising,
    /// The promised attach is sent.
    Sending,
}

/// Keeps a call from upstream, in the one mode that may: outside [`Mode::Enforce`] the call goes
/// on instead. What has been promised is settled in every mode:
/// see `settle`.
pub(super) fn keep(answer: OwnAnswer, policy: &Policy) -> Option<Next> {
    match policy.mode {
        Mode::Enforce => Some(Next::Answer(answer)),
        Mode::Monitor | Mode::Off => None,
    }
}

/// Keeps a call from upstream for which a fact is missing, where the policy wants no guess.
pub(super) fn keep_unknown(policy: &Policy) -> Option<Next> {
    let refuses = policy.on_lookup_failure == OnLookupFailure::Reject;
    keep(OwnAnswer::FactUnknown, policy).filter(|_| refuses)
}

impl Attempt {
    /// Puts a call before its first step. `session` is the one it names, as far as that can be
    /// told.
    pub fn new(session: Option<SessionKey>, room: Room) -> Self {
        Self {
            known: Known::default(),
            session,
            phase: Phase::Admitting,
            begun: 1,
            has_turn: false,
            room,
            held: None,
        }
    }

    /// Returns the session the call is about, as far as it is known by now.
    pub fn session(&self) -> Option<&SessionKey> {
        self.session.as_ref()
    }

    /// Returns whether the session's turn, or another that the call needs, is in hand.
    pub fn has_turn(&self) -> bool {
        self.has_turn
    }

    /// Returns whether the next step is the last one, whatever is known.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ending(_))
    }

    /// Ends with this step, or sends the call unjudged.
    pub(super) fn end(&mut self, step: Option<Next>) {
        let unjudged = Sending { judged: false, ..Sending::default() };
        self.phase = Phase::Ending(Box::new(step.unwrap_or(Next::Send(unjudged))));
    }

    /// Goes to a phase that has the next step.
    pub(super) fn go(&mut self, phase: Phase) -> Option<Next> {
        self.phase = phase;
        None
    }

    /// Goes on to the next part of the course: nothing is pending any more.
    pub(super) fn go_on(&mut self, intent: &Intent) {
        match self.held {
            _ if intent.is_read() => self.end(None),
            Some(_) => self.phase = Phase::Deciding(None),
            None => self.phase = Phase::Following,
        }
    }

    /// Notes how a look-up ended.
    pub(super) fn note(&mut self, lookup: Lookup, end: LookupEnd) {
        let result = match end {
            LookupEnd::Shown { at, options, .. } => {
                self.known.options = options.or(self.known.options.take());
                LookedUp::At(at)
            }
            LookupEnd::Denied { absent: true, .. } => LookedUp::Absent,
            LookupEnd::Denied { .. } | LookupEnd::Failed => LookedUp::Failed,
        };
        self.known.looked_up.push((lookup, result));
    }
}

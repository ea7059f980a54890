//! The course of one call, from admission to its answer.
//!
//! In: the call's intent, what is known ([`Attempt::known`], read anew before each step), and how
//! each step ended ([`Event`]). Out: the next step ([`Next`]). Nothing is awaited or sent here.
//!
//! ```text
//!   admit ─ take the turn ─ settle what is pending ─ follow the active session ─ decide ─┬▶ send
//!     │          │                   │                          │            ▲    │      ├▶ repair
//!     ▼          ▼                   ▼                          ▼            └ look up,  ├▶ promise
//!  answer      answer             answer                  another turn         hold      └▶ answer
//! ```
//! - *admit*: a caller to whom upstream has not shown the session is first sent to look it up.
//! - *settle*: a repair that was not finished is finished; an attach that was promised is sent,
//!   unless the call goes before it or makes it pointless.
//! - *follow*: the shopper's active session may be another one by now; then the call begins again
//!   in that one's turn.
//!
//! A read takes the same course, but is never judged, and takes a turn only to settle.

mod settle;
#[cfg(test)]
mod tests;

use super::{
    Incoming, Intent, Known, LookedUp, Lookup, Mode, OnLookupFailure, OptionFacts, Pending, Policy,
    Refused, Remedy, SessionKey, SessionState, SourceId, Target, Timestamp, Verdict, Violation,
    decide, overtakes,
};
use settle::Settling;
use std::time::Duration;

/// How often a call begins, in one turn or another, before it is sent unjudged.
const MAX_ATTEMPTS: u8 = 4;

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

/// One call on its course.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What is known. Records are read into it before every [`Attempt::next`]; what this attempt
    /// has looked up is noted in it.
    pub known: Known,
    session: Option<SessionKey>,
    phase: Phase,
    /// How often the call has begun.
    begun: u8,
    has_turn: bool,
    room: Room,
    /// Set once the call has been held: whether calls that overtook changed the session.
    held: Option<bool>,
}

/// What a call finds before its first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// There is room for one more promised attach.
    pub can_defer: bool,
    /// Something is pending for a session that the caller has not been shown.
    pub pending_unseen: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
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

/// Keeps a call from upstream, in the one mode that may: outside [`Mode::Enforce`] the call goes
/// on instead. What has been promised is settled in every mode (see [`settle`]).
fn keep(answer: OwnAnswer, policy: &Policy) -> Option<Next> {
    match policy.mode {
        Mode::Enforce => Some(Next::Answer(answer)),
        Mode::Monitor | Mode::Off => None,
    }
}

impl Attempt {
    /// A call before its first step. `session` is the one it names, as far as that can be told.
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

    /// The session the call is about, as far as it is known by now.
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

    /// The next step. It stays the same until [`Attempt::on`] is told how the step ended, as long
    /// as nothing else becomes known.
    pub fn next(&mut self, intent: &Intent, policy: &Policy, now: Timestamp) -> Next {
        loop {
            let step = match self.phase.clone() {
                Phase::Admitting => self.admit(intent),
                Phase::Entering { asked } => self.enter(intent, policy, asked),
                Phase::TakingTurn { overtakes } => Some(Next::TakeTurn { overtakes }),
                Phase::Settling(settling) => self.settle(settling, intent, policy),
                Phase::Following => self.follow(intent),
                Phase::Naming => self.name(intent),
                Phase::Deciding(Some(lookup)) => Some(Next::LookUp(lookup)),
                Phase::Deciding(None) => self.decide(intent, policy, now),
                Phase::Introduced => self.meet(),
                Phase::Promising(source) => Some(Next::LookUp(Lookup::Source(source))),
                Phase::Holding => Some(Next::Hold(policy.sequencing.window)),
                Phase::Back { epoch } => self.come_back(epoch),
                Phase::Ending(next) => Some(*next),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Takes in how a step ended. An event that is not of the step asked for changes nothing.
    pub fn on(&mut self, event: Event, intent: &Intent, policy: &Policy) {
        match (self.phase.clone(), event) {
            (_, Event::StoreFailed { promise_possible }) => {
                self.without_records(promise_possible, policy);
            }
            (Phase::Admitting, Event::LookedUp(end)) => self.admitted(end, intent, policy),
            (Phase::Entering { .. }, Event::LookedUp(_)) => {
                self.phase = Phase::Entering { asked: true };
            }
            (Phase::TakingTurn { .. }, Event::TurnTaken { in_hand }) => {
                self.has_turn = in_hand;
                match in_hand && self.session.is_some() {
                    true => self.phase = Phase::Settling(Settling::Begun { asked: false }),
                    false => self.go_on(intent),
                }
            }
            (Phase::TakingTurn { .. } | Phase::Holding, Event::Busy) => {
                self.end(keep(OwnAnswer::Busy, policy));
            }
            (Phase::Settling(settling), event) => self.settled(settling, event, intent),
            (Phase::Following, Event::LookedUp(end)) => self.followed(end, policy),
            (Phase::Naming, Event::LookedUp(end)) => {
                self.note(Lookup::PaymentOptions, end);
                self.phase = Phase::Deciding(None);
            }
            (Phase::Deciding(Some(lookup)), Event::LookedUp(end)) => {
                self.looked_up(lookup, end, policy);
            }
            (Phase::Promising(source), Event::LookedUp(end)) => {
                self.phase = match end {
                    LookupEnd::Shown { .. } => Phase::Ending(Box::new(Next::Promise(source))),
                    LookupEnd::Denied { .. } | LookupEnd::Failed => Phase::Deciding(None),
                };
            }
            (Phase::Holding, Event::TurnBack) => {
                let epoch = self.known.session.as_ref().map(|record| record.epoch);
                self.known =
                    Known { held: true, deferrable: self.known.deferrable, ..Known::default() };
                self.phase = Phase::Back { epoch };
            }
            _ => {}
        }
    }

    /// Ends with this step, or sends the call unjudged.
    fn end(&mut self, step: Option<Next>) {
        let unjudged = Sending { judged: false, ..Sending::default() };
        self.phase = Phase::Ending(Box::new(step.unwrap_or(Next::Send(unjudged))));
    }

    /// What is remembered is not to be had. That is not "nothing is remembered": the call is not
    /// judged, and no promise is walked past.
    fn without_records(&mut self, promise_possible: bool, policy: &Policy) {
        self.session = None;
        self.has_turn = false;
        let answer = Next::Answer(OwnAnswer::FactUnknown);
        let refuses = policy.on_lookup_failure == OnLookupFailure::Reject;
        match promise_possible {
            true => self.end(Some(answer)),
            false => self.end(keep(OwnAnswer::FactUnknown, policy).filter(|_| refuses)),
        }
    }

    fn go(&mut self, phase: Phase) -> Option<Next> {
        self.phase = phase;
        None
    }

    fn admit(&mut self, intent: &Intent) -> Option<Next> {
        if intent.session().is_none() || self.known.session.is_some() {
            return self.go(Phase::Entering { asked: false });
        }
        if intent.is_read() && !self.room.pending_unseen {
            // The read itself shows the session to the caller, or does not.
            self.session = None;
            self.end(None);
            return None;
        }
        Some(Next::LookUp(Lookup::Session))
    }

    fn admitted(&mut self, end: LookupEnd, intent: &Intent, policy: &Policy) {
        let refuses = policy.on_lookup_failure == OnLookupFailure::Reject;
        let kept = match end {
            LookupEnd::Shown { session, .. } => {
                self.session = session.or(self.session.take());
                self.phase = Phase::Entering { asked: false };
                return;
            }
            // Upstream answers the read itself.
            LookupEnd::Denied { .. } | LookupEnd::Failed if intent.is_read() => None,
            LookupEnd::Denied { .. } => keep(OwnAnswer::OfLastStep, policy),
            LookupEnd::Failed => match keep(OwnAnswer::FactUnknown, policy).filter(|_| refuses) {
                None => {
                    self.phase = Phase::Entering { asked: false };
                    return;
                }
                kept => kept,
            },
        };
        if kept.as_ref() != Some(&Next::Answer(OwnAnswer::FactUnknown)) {
            // A stranger's call has no part in the record.
            self.session = None;
        }
        self.end(kept);
    }

    /// Works out whether the call goes before those that are held.
    fn enter(&mut self, intent: &Intent, policy: &Policy, asked: bool) -> Option<Next> {
        let pending = self.known.session.as_ref().is_some_and(|record| record.pending.is_some());
        if intent.is_read() && !pending {
            self.end(None);
            return None;
        }
        let overtakes = match policy.sequencing.is_on() && !intent.is_read() {
            true => overtakes(&self.known, intent, policy),
            false => Ok(false),
        };
        match overtakes {
            Err(lookup) if !asked => Some(Next::LookUp(lookup)),
            overtakes => self.go(Phase::TakingTurn { overtakes: overtakes == Ok(true) }),
        }
    }

    /// Makes sure that the shopper's active session is the one whose turn is in hand: it may have
    /// become an order while the call waited. Only upstream knows.
    fn follow(&mut self, intent: &Intent) -> Option<Next> {
        let is_active = intent.session().is_some_and(Target::is_active) && self.session.is_some();
        match &self.known.session {
            Some(record)
                if is_active
                    && (record.unsure || record.state.get() == Some(&SessionState::Complete)) =>
            {
                Some(Next::LookUp(Lookup::Session))
            }
            _ => self.go(Phase::Naming),
        }
    }

    fn followed(&mut self, end: LookupEnd, policy: &Policy) {
        let refuses = policy.on_lookup_failure == OnLookupFailure::Reject;
        self.phase = Phase::Naming;
        let kept = match end {
            LookupEnd::Shown { session: Some(found), .. }
                if self.session.as_ref() != Some(&found) =>
            {
                return self.begin_again(found);
            }
            LookupEnd::Shown { .. } => None,
            LookupEnd::Denied { .. } => keep(OwnAnswer::OfLastStep, policy),
            LookupEnd::Failed => keep(OwnAnswer::FactUnknown, policy).filter(|_| refuses),
        };
        if kept.is_some() {
            self.end(kept);
        }
    }

    /// Begins the call again in this session's turn.
    fn begin_again(&mut self, session: SessionKey) {
        // Records stay, notes go; of another session nothing has been read yet.
        let same = self.session.as_ref() == Some(&session);
        self.known = Known {
            session: self.known.session.take().filter(|_| same),
            sources: std::mem::take(&mut self.known.sources),
            customer: self.known.customer.take(),
            ..Known::default()
        };
        self.session = Some(session);
        self.has_turn = false;
        self.held = None;
        self.begun += 1;
        match self.begun > MAX_ATTEMPTS {
            true => self.end(None),
            false => self.phase = Phase::Entering { asked: false },
        }
    }

    /// Asks for what tells the source that the call removes without naming it; after the call
    /// nothing would.
    fn name(&mut self, intent: &Intent) -> Option<Next> {
        let attaches_by_id = matches!(intent, Intent::Attach { session: Target::Session(_), .. });
        self.known.deferrable = self.room.can_defer && attaches_by_id;
        match intent {
            Intent::ChangeOption { removes: true, .. } => {
                Some(Next::LookUp(Lookup::PaymentOptions))
            }
            _ => self.go(Phase::Deciding(None)),
        }
    }

    fn decide(&mut self, intent: &Intent, policy: &Policy, now: Timestamp) -> Option<Next> {
        let send = |sending| Some(Next::Send(sending));
        let judged = Sending { judged: true, ..Sending::default() };
        let refuse = |violation: Violation| {
            keep(OwnAnswer::Refusal(violation.clone()), policy)
                .or(send(Sending { violation: Some(violation), ..judged.clone() }))
        };
        match decide(&self.known, intent, policy, now) {
            Verdict::Need(lookup) => self.go(Phase::Deciding(Some(lookup))),
            Verdict::Forward { monitored } => {
                let reordered = self.held == Some(true) && monitored.is_none();
                send(Sending { violation: monitored, reordered, ..judged })
            }
            Verdict::Strip(violation) => {
                send(Sending { violation: Some(violation), without_owner: true, ..judged })
            }
            Verdict::Reject(violation) => refuse(violation),
            Verdict::Unavailable(_) => keep(OwnAnswer::FactUnknown, policy).or(send(judged)),
            Verdict::Remedy(remedy, violation) => match confirmed(&self.known, &remedy) {
                Err(lookup) => self.go(Phase::Deciding(Some(lookup))),
                Ok(true) if self.has_turn && self.session.is_some() => {
                    Some(Next::Repair(remedy, violation))
                }
                // Only a turn keeps several calls together, and nothing is taken away on a guess.
                Ok(_) => refuse(violation),
            },
            Verdict::Hold { .. } if self.has_turn => self.go(Phase::Holding),
            Verdict::Hold { .. } => {
                self.known.held = true;
                None
            }
            Verdict::Defer => {
                self.known.deferrable = false;
                match intent.attaches().filter(|source| self.can_promise(source)) {
                    Some(source) => self.go(Phase::Promising(source.clone())),
                    None => None,
                }
            }
        }
    }

    /// Whether a promise to attach this source can be made: a session holds one promise, and a
    /// caller who may not know the session gets none.
    fn can_promise(&self, source: &SourceId) -> bool {
        let record = self.known.session.as_ref();
        match record.map(|record| record.pending.as_deref()) {
            Some(None) => self.session.is_some(),
            Some(Some(Pending::Deferred { primary, .. })) => primary == source,
            Some(Some(Pending::Repair { .. })) | None => false,
        }
    }

    /// Takes in a look-up that the rules asked for.
    fn looked_up(&mut self, lookup: Lookup, end: LookupEnd, policy: &Policy) {
        self.phase = Phase::Deciding(None);
        if lookup == Lookup::Session {
            match &end {
                LookupEnd::Shown { session: Some(found), .. }
                    if self.session.as_ref() != Some(found) =>
                {
                    return self.begin_again(found.clone());
                }
                LookupEnd::Shown { .. } if self.known.session.is_none() => {
                    self.phase = Phase::Introduced;
                }
                LookupEnd::Denied { .. } => {
                    if let Some(kept) = keep(OwnAnswer::OfLastStep, policy) {
                        return self.end(Some(kept));
                    }
                }
                _ => {}
            }
        }
        self.note(lookup, end);
    }

    fn note(&mut self, lookup: Lookup, end: LookupEnd) {
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

    /// A caller who was a stranger has passed by what is pending for the session: the call begins
    /// again to settle that first.
    fn meet(&mut self) -> Option<Next> {
        self.phase = Phase::Deciding(None);
        let pending = self.known.session.as_ref().is_some_and(|record| record.pending.is_some());
        if let Some(session) = self.session.clone().filter(|_| pending) {
            self.begin_again(session);
        }
        None
    }

    fn come_back(&mut self, epoch: Option<u32>) -> Option<Next> {
        self.held = Some(self.known.session.as_ref().map(|record| record.epoch) != epoch);
        // Calls that overtook may have left something behind.
        self.go(match self.session {
            Some(_) => Phase::Settling(Settling::Begun { asked: false }),
            None => Phase::Deciding(None),
        })
    }

    /// Nothing is pending any more.
    fn go_on(&mut self, intent: &Intent) {
        match self.held {
            _ if intent.is_read() => self.end(None),
            Some(_) => self.phase = Phase::Deciding(None),
            None => self.phase = Phase::Following,
        }
    }
}

/// Whether this attempt has looked up both the primary that a remedy takes away and the source that
/// comes. `Err`: this has to be looked up first.
///
/// However fresh a record is, removing a payment option may have spent a source without naming it,
/// and a remedy must not begin what it cannot finish.
fn confirmed(known: &Known, remedy: &Remedy) -> Result<bool, Lookup> {
    let (primary, incoming) = match remedy {
        Remedy::Repair { primary, incoming }
        | Remedy::Replace { primary, incoming: Incoming::Source(incoming) } => {
            (primary, Some(incoming))
        }
        // Options are never remembered: they were looked up by this attempt.
        Remedy::Replace { primary, incoming: Incoming::Option(_) } => (primary, None),
    };
    for source in incoming.into_iter().chain([primary]) {
        let lookup = Lookup::Source(source.clone());
        match known.looked_up(&lookup) {
            Some(LookedUp::At(_)) => {}
            Some(LookedUp::Failed | LookedUp::Absent) => return Ok(false),
            None => return Err(lookup),
        }
    }
    Ok(true)
}

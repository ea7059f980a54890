//! The course of a repair: several calls in place of one, so that the primary is attached last.
//!
//! In: the [`Remedy`], then how each step ended ([`RepairEvent`]). Out: the next step. Nothing is
//! sent here.
//!
//! ```text
//!   detach primary ─ the caller's call ─ attach primary ─ erase note ─▶ its answer
//!         │                  │                  │
//!      refused            refused            refused twice
//!         ▼                  ▼                  ▼
//!     its answer         attach primary,   detach the credit, attach primary,
//!                        its answer        the refusal
//! ```
//! A replacing remedy is the same without the last attach. A resequencing one detaches the primary,
//! attaches it again, and then makes the caller's call, or follows a call that was made. A step
//! whose outcome is not known is followed by a look at the session; so is one whose answer cannot
//! be read, unless it is the last. Where the primary cannot be attached again, the repair ends
//! [`RepairEnd::Stranded`]. Credit whose attach ended in no known way is detached before the
//! primary goes back, since it may still take effect: behind the primary it would be lost.
//!
//! The session's record holds a note of the repair ([`super::Pending::Repair`]) from before the
//! first step until [`RepairStep::EraseNote`]. A later call that finds the note runs
//! [`Repair::recovery`].
//!
//! # Where the store fails
//! The first step is sent only once the note is written. If it cannot be, nothing was sent, and the
//! repair ends [`RepairEnd::NotBegun`]: only then may the caller's call still be sent in another
//! way. From the first step on, the repair needs no store ([`Repair::needs_store`]). A step that
//! cannot be written down is sent all the same, because the primary must not stay detached; a look
//! that cannot be made shows nothing; a note that cannot be erased stays. The note in the store is
//! what makes this safe: the next call finds it and looks. So a repair that has begun always ends
//! with an answer of its own. A recovery has its note before its first step, and is the same.

use super::{Incoming, Remedy, SourceId};

mod look;
#[cfg(test)]
mod tests;
mod view;

pub use view::SessionView;

/// How often attaching the primary again is tried.
const TRIES: u8 = 2;

/// How a call that changes something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// Upstream carried it out.
    Done,
    /// Upstream refused it: nothing changed.
    Refused(RefusalScope),
    /// It was not sent.
    NotSent,
    /// It is not known whether upstream carried it out.
    Unknown,
}

/// What a refusal by upstream is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalScope {
    /// The caller or the moment (401, 403, 429, or a 409 because of another change). The call may
    /// succeed later or with another key.
    ForNow,
    /// A thing that is not there (404).
    Missing,
    /// The call itself.
    ForGood,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepairStep {
    /// Detach this source.
    Detach(SourceId),
    /// Send the caller's own call.
    Call,
    /// Attach the primary again, after the pause that upstream asked for.
    Reattach(SourceId),
    /// Look at the session.
    Look,
    /// Erase the note, because no later call has to finish the repair.
    EraseNote,
    /// Stop.
    End(RepairEnd),
}

/// How a repair ends. Steps are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepairEnd {
    /// The caller gets the answer of this step.
    Answer(usize),
    /// The primary could not be attached again.
    Stranded {
        /// The attached sources, where the last look showed them.
        attached: Option<Vec<SourceId>>,
    },
    /// A recovery found a primary attached, or attached it again.
    Recovered {
        /// Whether the recovery attached it again.
        again: bool,
    },
    /// Upstream refuses the primary of an unfinished repair for good.
    Refused,
    /// The recovery could not be finished now. The note stays.
    Unfinished,
    /// The primary stands where it stood: a call that was made before is not mended.
    Kept,
    /// The store failed before the first step was sent: nothing was changed.
    NotBegun,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepairEvent {
    /// [`RepairStep::Detach`], [`RepairStep::Call`] or [`RepairStep::Reattach`].
    Ended(CallEnd),
    /// The same: upstream says that it was done, in an answer that cannot be read. It may come from
    /// something between Weir and the vendor.
    Unread,
    /// [`RepairStep::Look`].
    Saw(SessionView),
    /// [`RepairStep::EraseNote`].
    Erased,
    /// The store failed, and the step was not made.
    StoreFailed,
}

/// A repair under way.
#[derive(Clone, Debug)]
pub struct Repair {
    primary: SourceId,
    /// The source the caller's call attaches; `None` where it applies a saved option.
    incoming: Option<SourceId>,
    /// Whether the caller's call puts another primary in this one's place.
    replaces: bool,
    /// What follows once the primary is attached again, where only that is the aim.
    then: Option<Then>,
    state: State,
    steps: usize,
    /// Whether the store has failed.
    store_failed: bool,
}

/// What follows a resequencing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The caller's call.
    Call,
    /// The answer: the caller's call came before.
    Answer,
}

#[derive(Clone, Debug)]
enum State {
    Detaching,
    Calling {
        in_the_way: bool,
    },
    Reattaching {
        tries: u8,
        goal: Goal,
        /// The step of an earlier try that upstream said was done, where no look showed that it was
        /// not.
        said_done: Option<usize>,
    },
    TakingOff {
        refusal: usize,
    },
    /// The credit of an unfinished repair is taken off, where it is not seen and may still come.
    Clearing,
    Looking(Look),
    Erasing(Box<State>),
    Over(RepairEnd),
}

/// Why the primary is attached again.
#[derive(Clone, Copy, Debug)]
enum Goal {
    /// The applied option attached nothing.
    OptionGone,
    /// The credit is attached: the primary joins it.
    Join,
    /// The primary becomes the last.
    Resequence,
    /// The repair failed: the caller gets the answer of the step that failed.
    Undo { wrong: usize },
    /// The credit could not be taken off again: the primary joins it after all.
    Keep { refusal: usize },
    /// An earlier repair was not finished.
    Recover,
}

/// The question that a look-up of the session answers.
#[derive(Clone, Copy, Debug)]
enum Look {
    /// Whether the primary was detached.
    Detached { step: usize },
    /// Whether the primary, reported missing, is still attached.
    Missing { step: usize },
    /// Whether the applied option attached a primary.
    Applied { step: usize },
    /// Whether the caller's call was carried out.
    Called { step: usize },
    /// Whether the caller's call put another primary in place of this one, as upstream said.
    Replaced { step: usize },
    /// Whether the primary was attached again.
    Reattached {
        tries: u8,
        goal: Goal,
        step: usize,
        /// The step that upstream said was done.
        said_done: Option<usize>,
    },
    /// Whether both the credit and the primary are attached.
    Kept { refusal: usize },
    /// What is attached after the primary could not be attached again.
    Left { wrong: usize },
    /// Whether a primary is attached after an unfinished repair.
    Found,
}

impl Repair {
    /// Makes a repair before its first step.
    pub fn new(remedy: &Remedy) -> Self {
        let (primary, incoming, replaces) = match remedy {
            Remedy::Resequence { primary } => return Self::resequencing(primary, Then::Call),
            Remedy::Repair { primary, incoming } => (primary, Some(incoming.clone()), false),
            Remedy::Replace { primary, incoming: Incoming::Source(incoming) } => {
                (primary, Some(incoming.clone()), true)
            }
            Remedy::Replace { primary, incoming: Incoming::Option(_) } => (primary, None, true),
        };
        Self { incoming, replaces, ..Self::of(primary, State::Detaching) }
    }

    /// Makes the repair that attaches the primary again after the caller's call was carried out.
    pub fn afterwards(primary: &SourceId) -> Self {
        Self::resequencing(primary, Then::Answer)
    }

    fn resequencing(primary: &SourceId, then: Then) -> Self {
        Self { then: Some(then), ..Self::of(primary, State::Detaching) }
    }

    fn of(primary: &SourceId, state: State) -> Self {
        let (primary, incoming) = (primary.clone(), None);
        let (replaces, then, steps, store_failed) = (false, None, 0, false);
        Self { primary, incoming, replaces, then, state, steps, store_failed }
    }

    /// Makes the recovery of a repair that an earlier call left unfinished. It attaches the primary
    /// again unless a primary is attached. `credit` is what the call attached in between.
    pub fn recovery(primary: &SourceId, credit: Option<SourceId>) -> Self {
        Self { incoming: credit, ..Self::of(primary, State::Looking(Look::Found)) }
    }

    /// Returns the note of this repair, or `None` for a recovery, whose note already exists.
    pub fn pending(&self) -> Option<super::Pending> {
        let note = super::Pending::Repair {
            primary: self.primary.clone(),
            incoming: self.incoming.clone(),
            replaces: self.replaces,
        };
        matches!(self.state, State::Detaching).then_some(note)
    }

    /// Returns the primary that is moved or taken away.
    pub fn primary(&self) -> &SourceId {
        &self.primary
    }

    /// Returns whether the step is sent only once its beginning is written. After the store has
    /// failed, a step that cannot be written is sent all the same.
    pub fn needs_store(&self) -> bool {
        !self.store_failed
    }

    /// Returns whether the answer to the step must be readable for the step to count as done: more
    /// rests on it. Only the caller's own call may be the last.
    pub fn must_be_read(&self) -> bool {
        !matches!(self.state, State::Calling { in_the_way: false })
    }

    /// Returns the step to perform. It stays the same until [`Repair::on`] gets its end.
    pub fn next(&self) -> RepairStep {
        match &self.state {
            State::Detaching => RepairStep::Detach(self.primary.clone()),
            State::Calling { .. } => RepairStep::Call,
            State::Reattaching { .. } => RepairStep::Reattach(self.primary.clone()),
            // Only a repair with an incoming source gets here.
            State::TakingOff { .. } | State::Clearing => match &self.incoming {
                Some(incoming) => RepairStep::Detach(incoming.clone()),
                None => RepairStep::Look,
            },
            State::Looking(_) => RepairStep::Look,
            State::Erasing(_) => RepairStep::EraseNote,
            State::Over(end) => RepairStep::End(end.clone()),
        }
    }

    /// Moves on by how the step ended.
    pub fn on(&mut self, event: RepairEvent) {
        let step = self.steps;
        self.steps += 1;
        let state = std::mem::replace(&mut self.state, State::Over(RepairEnd::Unfinished));
        self.state = match (state, event) {
            (State::Detaching, RepairEvent::Ended(end)) => self.after_detach(end, step),
            (State::Calling { in_the_way: false }, RepairEvent::Ended(_)) => {
                State::Over(RepairEnd::Answer(step))
            }
            (State::Calling { .. }, RepairEvent::Ended(end)) => self.after_call(end, step),
            (State::Reattaching { tries, goal, said_done }, RepairEvent::Ended(end)) => {
                match end {
                    CallEnd::Done => self.after_reattach(goal, step),
                    // A refusal may say that it is attached already.
                    end if end == CallEnd::Unknown || said_done.is_some() => {
                        State::Looking(Look::Reattached { tries, goal, step, said_done })
                    }
                    end => self.retry_or_go_on(tries, goal, end, step),
                }
            }
            (state, RepairEvent::Unread) => self.unread(state, step),
            (State::TakingOff { refusal }, RepairEvent::Ended(end)) => match end {
                CallEnd::Done | CallEnd::Refused(RefusalScope::Missing) => {
                    reattach(Goal::Undo { wrong: refusal })
                }
                // The credit may still be attached. If so, attaching the primary after it gives the
                // caller the wanted order.
                _ => reattach(Goal::Keep { refusal }),
            },
            (State::Clearing, RepairEvent::Ended(_)) => reattach(Goal::Recover),
            (State::Looking(look), RepairEvent::Saw(view)) => self.after_look(look, view, step),
            (State::Erasing(then), RepairEvent::Erased) => *then,
            (state, RepairEvent::StoreFailed) => self.without_store(state, step),
            // An event of another step changes nothing.
            (state, _) => state,
        };
    }

    /// Returns the state after the store failed and the step was not made.
    fn without_store(&mut self, state: State, step: usize) -> State {
        self.store_failed = true;
        match state {
            State::Detaching => State::Over(RepairEnd::NotBegun),
            State::Looking(look) => self.after_look(look, SessionView::Unknown, step),
            // The note stays.
            State::Erasing(then) => *then,
            // The same step again, unwritten.
            state => state,
        }
    }

    /// Returns the state after the caller's call.
    fn after_call(&self, end: CallEnd, step: usize) -> State {
        match end {
            // If the option no longer exists, upstream has attached nothing.
            CallEnd::Done if self.incoming.is_none() => State::Looking(Look::Applied { step }),
            CallEnd::Done if self.replaces => erase_and_answer(step),
            CallEnd::Done => reattach(Goal::Join),
            CallEnd::Unknown => State::Looking(Look::Called { step }),
            CallEnd::Refused(_) | CallEnd::NotSent => reattach(Goal::Undo { wrong: step }),
        }
    }

    /// Returns the state after the primary could not be attached: another try, or going on without.
    fn retry_or_go_on(&self, tries: u8, goal: Goal, end: CallEnd, step: usize) -> State {
        if tries + 1 < TRIES {
            return State::Reattaching { tries: tries + 1, goal, said_done: None };
        }
        match goal {
            Goal::Join if self.incoming.is_some() => State::TakingOff { refusal: step },
            Goal::Join => reattach(Goal::Undo { wrong: step }),
            Goal::OptionGone | Goal::Resequence => State::Looking(Look::Left { wrong: step }),
            Goal::Undo { wrong } | Goal::Keep { refusal: wrong } => {
                State::Looking(Look::Left { wrong })
            }
            // A refusal for good will not change, so the note is erased.
            Goal::Recover => match end {
                CallEnd::Refused(RefusalScope::ForGood | RefusalScope::Missing) => {
                    erase_then(State::Over(RepairEnd::Refused))
                }
                _ => State::Over(RepairEnd::Unfinished),
            },
        }
    }

    /// Returns the state after detaching the primary.
    fn after_detach(&self, end: CallEnd, step: usize) -> State {
        match end {
            CallEnd::Done => self.detached(),
            CallEnd::Unknown => State::Looking(Look::Detached { step }),
            CallEnd::Refused(RefusalScope::Missing) => State::Looking(Look::Missing { step }),
            CallEnd::Refused(_) | CallEnd::NotSent => self.erase_and_give_up(step),
        }
    }

    /// Returns the state after the primary was detached.
    fn detached(&self) -> State {
        match self.then {
            Some(_) => reattach(Goal::Resequence),
            None => State::Calling { in_the_way: true },
        }
    }

    /// Returns the state after the primary is attached again. `step` is the one whose answer shows
    /// it.
    fn after_reattach(&self, goal: Goal, step: usize) -> State {
        erase_then(match goal {
            Goal::Resequence if self.then == Some(Then::Call) => {
                State::Calling { in_the_way: false }
            }
            Goal::OptionGone | Goal::Join | Goal::Resequence => {
                State::Over(RepairEnd::Answer(step))
            }
            Goal::Undo { wrong } => State::Over(self.give_up(wrong)),
            Goal::Keep { refusal } => State::Looking(Look::Kept { refusal }),
            Goal::Recover => State::Over(RepairEnd::Recovered { again: true }),
        })
    }

    /// Returns the end of a repair that left the primary where it was. `wrong` is the step that
    /// failed.
    fn give_up(&self, wrong: usize) -> RepairEnd {
        match self.then {
            Some(Then::Answer) => RepairEnd::Kept,
            Some(Then::Call) | None => RepairEnd::Answer(wrong),
        }
    }

    fn erase_and_give_up(&self, wrong: usize) -> State {
        erase_then(State::Over(self.give_up(wrong)))
    }
}

fn reattach(goal: Goal) -> State {
    State::Reattaching { tries: 0, goal, said_done: None }
}

fn erase_then(state: State) -> State {
    State::Erasing(Box::new(state))
}

fn erase_and_answer(step: usize) -> State {
    erase_then(State::Over(RepairEnd::Answer(step)))
}

fn strand(attached: Option<Vec<SourceId>>) -> State {
    State::Over(RepairEnd::Stranded { attached })
}

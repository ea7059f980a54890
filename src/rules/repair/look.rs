//! Which step a look at the session follows, and what it means for a repair.

use super::{
    CallEnd, Goal, Look, Repair, RepairEnd, SessionView, State, TRIES, Then, erase_and_answer,
    erase_then, reattach, strand,
};
use crate::rules::SourceId;

impl Repair {
    /// Returns the state after a step that upstream said was done, in an answer that cannot be
    /// read.
    pub(super) fn unread(&self, state: State, step: usize) -> State {
        match state {
            State::Detaching => State::Looking(Look::Detached { step }),
            State::Calling { in_the_way: false } => State::Over(RepairEnd::Answer(step)),
            State::Calling { .. } if self.replaces => State::Looking(Look::Replaced { step }),
            State::Calling { .. } => State::Looking(Look::Called { step }),
            State::Reattaching { tries, goal, .. } => {
                State::Looking(Look::Reattached { tries, goal, step, said_done: Some(step) })
            }
            // The credit may still be attached.
            State::TakingOff { refusal } => reattach(Goal::Keep { refusal }),
            State::Clearing => reattach(Goal::Recover),
            state @ (State::Looking(_) | State::Erasing(_) | State::Over(_)) => state,
        }
    }

    /// Returns the state after a look-up. `seen` is the look-up's own step.
    pub(super) fn after_look(&self, look: Look, view: SessionView, seen: usize) -> State {
        match (look, view) {
            (Look::Detached { .. }, SessionView::NoPrimary(_)) => self.detached(),
            (Look::Detached { step }, SessionView::Primary(_)) => self.erase_and_give_up(step),
            (Look::Detached { step }, SessionView::Unknown) => reattach(Goal::Undo { wrong: step }),
            // Another call has detached the primary, so the caller's call needs no repair.
            (Look::Missing { .. }, SessionView::NoPrimary(_))
                if self.then != Some(Then::Answer) =>
            {
                erase_then(State::Calling { in_the_way: false })
            }
            (Look::Missing { step }, _) => self.erase_and_give_up(step),
            (Look::Applied { .. }, SessionView::NoPrimary(_)) => reattach(Goal::OptionGone),
            (Look::Applied { step }, SessionView::Primary(_)) => erase_and_answer(step),
            // The note stays: the next call attaches the primary again if none is attached.
            (Look::Applied { step }, SessionView::Unknown) => State::Over(RepairEnd::Answer(step)),
            (Look::Replaced { step }, view) => self.after_replacing(step, view, seen),
            (Look::Called { step }, view) => self.after_calling(step, view, seen),
            (Look::Reattached { goal, .. }, SessionView::Primary(attached))
                if attached.contains(&self.primary) =>
            {
                self.after_reattach(goal, seen)
            }
            (
                Look::Reattached { tries, goal, said_done: Some(said_done), .. },
                SessionView::Unknown,
            ) => self.unconfirmed(tries, goal, said_done),
            (Look::Reattached { tries, goal, step, .. }, _) => {
                self.retry_or_go_on(tries, goal, CallEnd::Unknown, step)
            }
            (Look::Kept { .. }, SessionView::Primary(attached)) if self.is_among(&attached) => {
                State::Over(RepairEnd::Answer(seen))
            }
            (Look::Kept { refusal }, _) => State::Over(RepairEnd::Answer(refusal)),
            (Look::Left { wrong }, SessionView::Primary(_)) => self.erase_and_give_up(wrong),
            (Look::Left { .. }, SessionView::NoPrimary(attached)) => strand(Some(attached)),
            (Look::Left { .. }, SessionView::Unknown) => strand(None),
            (Look::Found, SessionView::Primary(_)) => {
                erase_then(State::Over(RepairEnd::Recovered { again: false }))
            }
            (Look::Found, SessionView::NoPrimary(attached))
                if self.incoming.is_some() && !self.is_among(&attached) =>
            {
                State::Clearing
            }
            (Look::Found, SessionView::NoPrimary(_)) => reattach(Goal::Recover),
            (Look::Found, SessionView::Unknown) => State::Over(RepairEnd::Unfinished),
        }
    }

    /// Returns the state after a look for what upstream said that the caller's call put in the
    /// primary's place.
    fn after_replacing(&self, step: usize, view: SessionView, seen: usize) -> State {
        match view {
            SessionView::Primary(_) => erase_and_answer(seen),
            SessionView::NoPrimary(_) => reattach(Goal::Undo { wrong: step }),
            // The note stays, as for an option.
            SessionView::Unknown => State::Over(RepairEnd::Answer(step)),
        }
    }

    /// Returns the state after a look for what became of the caller's call.
    fn after_calling(&self, step: usize, view: SessionView, seen: usize) -> State {
        match view {
            SessionView::Primary(_) if self.replaces => erase_and_answer(seen),
            _ if self.replaces => reattach(Goal::Undo { wrong: step }),
            SessionView::NoPrimary(attached) if self.is_among(&attached) => reattach(Goal::Join),
            // It may still come, and must not come behind the primary.
            _ => State::TakingOff { refusal: step },
        }
    }

    /// Returns the state where upstream said, in a step, that the primary is attached again, and no
    /// look can tell: another try, or an end that says so and keeps the note. The next call looks.
    fn unconfirmed(&self, tries: u8, goal: Goal, said_done: usize) -> State {
        if tries + 1 < TRIES {
            return State::Reattaching { tries: tries + 1, goal, said_done: Some(said_done) };
        }
        State::Over(match goal {
            Goal::Recover => RepairEnd::Unfinished,
            _ => RepairEnd::Answer(said_done),
        })
    }

    fn is_among(&self, attached: &[SourceId]) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| attached.contains(incoming))
    }
}

//! What a look at the session means for a repair.

use super::{
    CallEnd, Goal, Look, Repair, RepairEnd, SessionView, State, Then, erase_and_answer, erase_then,
    reattach, strand,
};
use crate::rules::SourceId;

impl Repair {
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
            (Look::Called { .. }, SessionView::Primary(_)) if self.replaces => {
                erase_and_answer(seen)
            }
            (Look::Called { .. }, SessionView::NoPrimary(attached))
                if !self.replaces && self.is_among(&attached) =>
            {
                reattach(Goal::Join)
            }
            // It may still come, and must not come behind the primary.
            (Look::Called { step }, _) if !self.replaces => State::TakingOff { refusal: step },
            (Look::Called { step }, _) => reattach(Goal::Undo { wrong: step }),
            (Look::Reattached { goal, .. }, SessionView::Primary(attached))
                if attached.contains(&self.primary) =>
            {
                self.after_reattach(goal, seen)
            }
            (Look::Reattached { tries, goal, step }, _) => {
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

    fn is_among(&self, attached: &[SourceId]) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| attached.contains(incoming))
    }
}

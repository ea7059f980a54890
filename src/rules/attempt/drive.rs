//! Runs the parts of the course: asks one for the next step, and hands it how that step ended.

use super::{
    state::{Attempt, Phase, Settling, keep, keep_unjudged},
    step::{Event, LookupEnd, Next, OwnAnswer},
};
use crate::rules::{Intent, Known, Lookup, Policy, Timestamp};

impl Attempt {
    /// Returns the next step. It stays the same until [`Attempt::on`] gets the step's end, as long
    /// as [`Attempt::known`] does not change.
    pub fn next(&mut self, intent: &Intent, policy: &Policy, now: Timestamp) -> Next {
        loop {
            let step = match self.phase.clone() {
                Phase::Admitting => self.admit(intent, policy),
                Phase::Entering { asked } => self.enter(intent, policy, asked),
                Phase::TakingTurn { overtakes } => Some(Next::TakeTurn { overtakes }),
                Phase::Entered => self.entered(intent),
                Phase::Settling(settling) => self.settle(settling, intent, policy),
                Phase::Following => self.follow(intent),
                Phase::Naming => self.name(intent),
                Phase::Deciding(Some(lookup)) => Some(Next::LookUp(lookup)),
                Phase::Deciding(None) => self.decide(intent, policy, now),
                Phase::Introduced => self.meet(),
                Phase::Deferring(source) => Some(Next::LookUp(Lookup::Source(source))),
                Phase::Holding => Some(Next::Hold(policy.sequencing.window)),
                Phase::TurnedAway => self.turn_away(intent, policy),
                Phase::Back { epoch } => self.come_back(epoch),
                Phase::Ending(next) => Some(*next),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Moves on by how a step ended. An event of another step changes nothing.
    pub fn on(&mut self, event: Event, intent: &Intent, policy: &Policy) {
        match (self.phase.clone(), event) {
            (_, Event::StoreFailed { deferral_possible }) => {
                let possible = deferral_possible || self.is_pending();
                self.without_records(possible && intent.session().is_some(), policy);
            }
            (Phase::Admitting, Event::LookedUp(end)) => self.on_admission(end, intent, policy),
            (Phase::Entering { .. }, Event::LookedUp(end)) => {
                if let Some(source) = intent.attaches() {
                    self.note_early(Lookup::Source(source.clone()), end);
                }
                self.phase = Phase::Entering { asked: true };
            }
            (Phase::TakingTurn { .. }, Event::TurnTaken { in_hand }) => {
                self.has_turn = in_hand;
                self.phase = Phase::Entered;
            }
            (Phase::TakingTurn { .. }, Event::Seen { pending }) if self.unseen.is_some() => {
                self.session = self.unseen.take();
                (self.start.unseen, self.start.pending_unseen) = (false, pending);
                self.phase = Phase::Admitting;
            }
            (Phase::TakingTurn { .. } | Phase::Holding, Event::Busy) => {
                self.phase = Phase::TurnedAway;
            }
            (Phase::Settling(settling), event) => self.on_settling(settling, event, intent),
            (Phase::Following, Event::LookedUp(end)) => self.on_following(end, policy),
            (Phase::Naming, Event::LookedUp(end)) => {
                self.note(Lookup::PaymentOptions, end);
                self.phase = Phase::Deciding(None);
            }
            (Phase::Deciding(Some(lookup)), Event::LookedUp(end)) => {
                self.looked_up(lookup, end, policy);
            }
            (Phase::Deferring(source), Event::LookedUp(end)) => {
                self.phase = match &end {
                    LookupEnd::Shown { .. } => Phase::Ending(Box::new(Next::Defer(source))),
                    LookupEnd::Denied { .. } | LookupEnd::Forbidden | LookupEnd::Failed => {
                        self.note_first(Lookup::Source(source), end);
                        Phase::Deciding(None)
                    }
                };
            }
            (Phase::Holding, Event::TurnBack) => {
                let epoch = self.known.session.as_ref().map(|record| record.epoch);
                let deferrable = self.take_known().deferrable;
                self.known = Known { waited: true, deferrable, ..Known::default() };
                self.phase = Phase::Back { epoch };
            }
            _ => {}
        }
    }

    /// Returns why the call needs the look-up that is its present step.
    pub fn asks_for(&self) -> &'static str {
        match self.phase {
            Phase::Admitting => "admission",
            Phase::Entering { .. } => "overtaking",
            Phase::Settling(_) => "settling",
            Phase::Following => "following",
            Phase::Deferring(_) => "deferring",
            _ => "rule",
        }
    }

    /// Goes on without records after a store failure. The call is not judged, but a deferred attach
    /// or an unfinished repair is never bypassed, whatever the mode.
    fn without_records(&mut self, pending_possible: bool, policy: &Policy) {
        self.session = None;
        self.has_turn = false;
        match pending_possible {
            true => self.end(Some(Next::Answer(OwnAnswer::StoreFailed))),
            false => self.end(keep_unjudged(OwnAnswer::StoreFailed, policy)),
        }
    }

    /// Ends a call whose turn did not come: with an answer where the policy keeps calls or where
    /// something is pending that the call must not pass, else overlapping with the call that has
    /// the turn.
    fn turn_away(&mut self, intent: &Intent, policy: &Policy) -> Option<Next> {
        let kept = match self.depends_on_pending(intent, policy) {
            true => Some(Next::Answer(OwnAnswer::Busy)),
            false => keep(OwnAnswer::Busy, policy),
        };
        self.end(kept);
        None
    }

    /// Goes on after being held, and notes whether the calls that overtook changed the session.
    fn come_back(&mut self, epoch: Option<u32>) -> Option<Next> {
        self.overtaken = Some(self.known.session.as_ref().map(|record| record.epoch) != epoch);
        // Calls that overtook may have left something pending.
        self.go(match self.session {
            Some(_) => Phase::Settling(Settling::Begun { asked: false }),
            None => Phase::Deciding(None),
        })
    }
}

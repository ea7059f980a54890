//! Which part of the course gives the next step, and which takes in how it ended.

use super::{
    state::{Attempt, Phase, Settling, keep, keep_unknown},
    step::{Event, LookupEnd, Next, OwnAnswer},
};
use crate::rules::{Intent, Known, Lookup, Policy, Timestamp};

impl Attempt {
    /// Returns the next step. It stays the same until [`Attempt::on`] is told how the step ended,
    /// as long as nothing else becomes known.
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

    /// Ends a call whose records cannot be had. That is not "nothing is remembered": the call is
    /// not judged, and no promise is walked past.
    fn without_records(&mut self, promise_possible: bool, policy: &Policy) {
        self.session = None;
        self.has_turn = false;
        match promise_possible {
            true => self.end(Some(Next::Answer(OwnAnswer::FactUnknown))),
            false => self.end(keep_unknown(policy)),
        }
    }

    /// Returns to the course after calls that overtook have gone first.
    fn come_back(&mut self, epoch: Option<u32>) -> Option<Next> {
        self.held = Some(self.known.session.as_ref().map(|record| record.epoch) != epoch);
        // Calls that overtook may have left something behind.
        self.go(match self.session {
            Some(_) => Phase::Settling(Settling::Begun { asked: false }),
            None => Phase::Deciding(None),
        })
    }
}

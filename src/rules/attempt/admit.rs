//! Admitting a call to its session, and its place among the calls that wait for the turn.

use super::{
    state::{Attempt, Phase, Settling, keep, keep_unknown},
    step::{LookupEnd, Next, OwnAnswer},
};
use crate::rules::{Intent, LookUps, Lookup, Policy, overtakes};

impl Attempt {
    /// Asks for a look-up of the session if the caller has not been shown it.
    pub(super) fn admit(&mut self, intent: &Intent, policy: &Policy) -> Option<Next> {
        if intent.session().is_none() || self.known.session.is_some() {
            return self.go(Phase::Entering { asked: false });
        }
        if intent.is_read() && !self.start.pending_unseen {
            // Upstream's answer to the read itself decides whether the caller is shown the session.
            self.session = None;
            self.end(None);
            return None;
        }
        let sparing = policy.look_ups == LookUps::Sparing && !policy.sequencing.is_on();
        if self.start.unseen && sparing {
            // There is nothing to be kept from the caller, and nothing to judge by: upstream's
            // answer to the call itself introduces it.
            self.unseen = self.session.take();
            return self.go(Phase::TakingTurn { overtakes: false });
        }
        Some(Next::LookUp(Lookup::Session))
    }

    /// Goes on or ends, depending on whether upstream shows the session to the caller. A caller to
    /// whom it does not is a stranger, who touches neither turn nor record.
    pub(super) fn on_admission(&mut self, end: LookupEnd, intent: &Intent, policy: &Policy) {
        let kept = match end {
            LookupEnd::Shown { ref session, .. } => {
                self.session = session.clone().or(self.session.take());
                self.note_early(Lookup::Session, end);
                self.phase = Phase::Entering { asked: false };
                return;
            }
            // Upstream answers the read itself.
            LookupEnd::Denied { .. } | LookupEnd::Forbidden if intent.is_read() => None,
            LookupEnd::Denied { .. } => keep(OwnAnswer::OfLastStep, policy),
            // Whether the caller may be told is not known, and a promise is not walked past.
            LookupEnd::Forbidden | LookupEnd::Failed if self.depends_on_pending(intent, policy) => {
                return self.end(Some(Next::Answer(OwnAnswer::FactUnknown)));
            }
            LookupEnd::Forbidden => None,
            LookupEnd::Failed if intent.is_read() => None,
            LookupEnd::Failed => match keep_unknown(policy) {
                // The turn of a session that is not known is the caller's own.
                None if self.session.is_none() => {
                    self.note(Lookup::Session, end);
                    self.phase = Phase::Entering { asked: false };
                    return;
                }
                kept => kept,
            },
        };
        match kept {
            None => self.go_on_as_stranger(),
            Some(Next::Answer(OwnAnswer::FactUnknown)) => self.end(kept),
            Some(_) => {
                // A call that was not admitted must not change the session's record.
                self.session = None;
                self.end(kept);
            }
        }
    }

    /// Asks for the turn, ahead of the held calls if this one overtakes them.
    pub(super) fn enter(&mut self, intent: &Intent, policy: &Policy, asked: bool) -> Option<Next> {
        self.date_early();
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

    /// Goes on with the turn in hand, or without one if the call needs none.
    pub(super) fn entered(&mut self, intent: &Intent) -> Option<Next> {
        self.confirm_early();
        match self.has_turn && self.session.is_some() {
            true => self.phase = Phase::Settling(Settling::Begun { asked: false }),
            false => self.go_on(intent),
        }
        None
    }
}
